/* SPDX-License-Identifier: Apache-2.0 */
/* The runtimes' own command lines, as somebody who pulls an image would use them. */
#ifndef PG_PLUGIN_CLI_DOCTOR_CANARY_CLIENT_H
#define PG_PLUGIN_CLI_DOCTOR_CANARY_CLIENT_H

#include "plugin/cli/doctor/doctor.h"

enum client_kind { CLIENT_CTR, CLIENT_CRI, CLIENT_CRIO, CLIENT_PODMAN, CLIENT_COUNT };

enum { CLIENT_PATH_BYTES = 4096, CLIENT_TEXT_BYTES = 64 * 1024 };

struct client {
    enum client_kind kind;
    char program[CLIENT_PATH_BYTES];
    char address[CLIENT_PATH_BYTES]; /* "unix:///..." for crictl, a path for ctr; "" for podman */
    int timeout_ms;
};

/* "ctr", "cri", "crio", "podman": the names that --canary-runtime takes. */
const char *client_name(enum client_kind kind);

/*
 * Finds program and socket. Programs are looked for at fixed places of this node, never by PATH, unless an option names
 * them, and must be writable by root (or the user who runs this) only. false: err says what is missing;
 * *ret_present is whether the runtime seems to be on this node at all.
 */
bool client_find(struct doctor *doctor, enum client_kind kind, struct client *ret, bool *ret_present,
                 struct error *err) MUST_CHECK;

/* Pulls; text gets what the program said. false: it could not be started or did not end. */
bool client_pull(const struct client *client, const char *reference, char text[CLIENT_TEXT_BYTES], bool *ret_pulled,
                 struct error *err) MUST_CHECK;
/* Removes the image when it is there. false, with the reason, when it may still be there. */
bool client_remove(const struct client *client, const char *reference, struct error *err) MUST_CHECK;

#endif
