/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that several runtimes need: CRI-O and podman share registries.d. Each runtime's ledger has them, all with the
 * state of the node without pullguard; whoever is disabled last gives it back.
 */
#ifndef PG_PLUGIN_CLI_ENABLE_SHARED_H
#define PG_PLUGIN_CLI_ENABLE_SHARED_H

#include "plugin/cli/enable/ledger.h"

/*
 * Before the changes are made: paths that other runtimes' ledgers have get entries in this one's too, with their
 * `before`.
 */
bool shared_adopt(const char *root, struct ledger *ledger, const struct changes *changes, struct error *err) MUST_CHECK;
/* After the changes are made: the other ledgers learn what is there now. */
bool shared_announce(const char *root, const struct ledger *ledger, const struct changes *changes,
                     struct error *err) MUST_CHECK;
/* The other enabled runtime whose ledger has the path; *ret = NULL when there is none. */
bool shared_with(const char *root, const char *runtime, const char *path, const char **ret,
                 struct error *err) MUST_CHECK;

/* Directories that this runtime's `enable` made and that are the other's to remove now. */
bool shared_hand_over(const char *root, const struct ledger *ledger, const char *other, struct error *err) MUST_CHECK;

#endif
