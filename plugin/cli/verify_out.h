/* SPDX-License-Identifier: Apache-2.0 */
/* What `verify` prints, in cosign's shapes (sigstore.md 5). */
#ifndef PG_PLUGIN_CLI_VERIFY_OUT_H
#define PG_PLUGIN_CLI_VERIFY_OUT_H

#include "base/tree.h"
#include "plugin/cli/adhoc.h"

/*
 * The header on standard error. Each line claims only what the report shows for all of the claims; cosign's own header
 * says "transparency log verified" even when the check was switched off.
 */
void verify_out_header(const struct verify_values *values, const char *reference, const struct node *const *claims,
                       size_t count);

/* Standard output: an empty line and a JSON array of payloads, or one payload per line. image: the report's "image". */
bool verify_out_claims(bool text, const char *reference, const struct node *image, const struct node *const *claims,
                       size_t count, struct error *err) MUST_CHECK;

#endif
