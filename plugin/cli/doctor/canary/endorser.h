/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_CLI_DOCTOR_CANARY_ENDORSER_H
#define PG_PLUGIN_CLI_DOCTOR_CANARY_ENDORSER_H

#include "plugin/cli/doctor/canary/image.h"

/*
 * GET of the image's first signature from the endorser at ADDRESS:PORT. 200 = it endorses, 403 = it refuses, with the
 * reason phrase in reason. false: nobody answers there, or somebody else.
 */
bool endorser_ask(const char *listen, const struct canary_image *image, uint16_t port, int timeout_ms,
                  unsigned int *ret_status, char *reason, size_t reason_size, struct error *err) MUST_CHECK;

#endif
