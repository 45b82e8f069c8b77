/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TUF update. Three processes, as in a decision: the fetcher (plugin/engine's own program, with the network) brings
 * files by name, a child in the judge's sandbox reads them (verifier/tuf.h), and this program carries bytes between the
 * two and writes what the child says was verified.
 */
#ifndef PG_PLUGIN_CLI_TRUST_UPDATE_H
#define PG_PLUGIN_CLI_TRUST_UPDATE_H

#include "base/buf.h"
#include "plugin/cli/cli.h"
#include "verifier/tuf.h"

enum { TRUST_STATE_FILE_BYTES = 16 * 1024 * 1024 };

struct trust_update {
    const char *url;                    /* base address of the repository */
    struct buf stored[TUF_ROLES];       /* in: what an earlier update left; root must be there */
    struct buf stored_target;           /* in: the target as installed; may be empty */
    struct buf state[TUF_ROLES];        /* out: what to store, also after a failure */
    struct buf target;                  /* out: trusted_root.json */
    int64_t version[TUF_ROLES];         /* out */
    int64_t expires[TUF_ROLES];         /* out */
};
void trust_update_done(struct trust_update *update);

/* false: the update failed; state may still be newer than stored. */
bool trust_update_run(const struct cli *cli, struct trust_update *update, struct error *err) MUST_CHECK;

/* https, or http on loopback (tests and mirrors on this machine); no query, no fragment. */
bool trust_url_check(const char *url, struct error *err) MUST_CHECK;

#endif
