/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Is it really on?": an image that nobody signed is pulled through the running runtime, as anybody would pull it, and
 * what happens is reported. The registry is a child of ours; the image is removed again whatever happened.
 */
#ifndef PG_PLUGIN_CLI_DOCTOR_CANARY_CANARY_H
#define PG_PLUGIN_CLI_DOCTOR_CANARY_CANARY_H

#include "base/json_out.h"
#include "plugin/cli/doctor/canary/client.h"

enum canary_outcome {
    CANARY_NOT_TRIED = 0,  /* no program, no socket, or the runtime never came to our registry */
    CANARY_STOPPED,        /* pullguard refused it, and the words that it gave as the reason came back */
    CANARY_STOPPED_NATIVE, /* policy.json refused it by itself: pullguard was not asked about this name */
    CANARY_STOPPED_BROKEN, /* stopped because what should ask pullguard failed: signed images are stopped too */
    CANARY_STOPPED_OTHER,  /* something else: says nothing about pullguard */
    CANARY_NOT_STOPPED,
};

/* What the runtime said and our registry saw, judged. reason: the part of text that says why, for people. */
enum canary_outcome canary_judge(enum client_kind kind, bool pulled, unsigned int manifests, unsigned int blobs,
                                 const char *text, char *reason, size_t reason_size);

/* "stopped", "not-stopped", ...: stable, for JSON. */
const char *canary_outcome_name(enum canary_outcome outcome);

/* The area "canary" of doctor. */
void doctor_canary(struct doctor *doctor);

#endif
