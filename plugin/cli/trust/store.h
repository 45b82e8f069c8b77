/* SPDX-License-Identifier: Apache-2.0 */
/* Where trust roots and the state of their updates lie. A root is a name: NAME.json below CONFDIR/trust. */
#ifndef PG_PLUGIN_CLI_TRUST_STORE_H
#define PG_PLUGIN_CLI_TRUST_STORE_H

#include "base/file.h"
#include "plugin/cli/trust/update.h"

/* Letters, digits, '-', '_' and '.', not beginning with a dot. */
bool trust_name_check(const char *name, struct error *err) MUST_CHECK;

/* CONFDIR/trust/NAME.json below root. */
char *trust_path(const char *root, const char *name) MUST_CHECK;
bool trust_install(const char *root, const char *name, struct span bytes, struct error *err) MUST_CHECK;

/* Names with an installed file, and names with an update state; sorted. An absent directory has none. */
bool trust_installed(const char *root, struct names *ret, struct error *err) MUST_CHECK;
bool trust_updatable(const char *root, struct names *ret, struct error *err) MUST_CHECK;

/*
 * STATEDIR/tuf/NAME/{url,root.json,...}. Loading fills stored and url (the returned text must outlive the update). What
 * was verified is saved after every update; the address only after one that worked, so that its file's age is the trust
 * root's.
 */
bool trust_state_load(const char *root, const char *name, struct trust_update *update, char **ret_url,
                      struct error *err) MUST_CHECK;
bool trust_state_save(const char *root, const char *name, const struct trust_update *update,
                      struct error *err) MUST_CHECK;
bool trust_state_save_url(const char *root, const char *name, const char *url, struct error *err) MUST_CHECK;
/* No more updates for this name; *ret_had: it had a source of them. */
bool trust_state_forget(const char *root, const char *name, bool *ret_had, struct error *err) MUST_CHECK;

/* For people: where a trust root comes from and until when. Zeroed: it was imported. */
struct trust_freshness {
    char *url;
    int64_t version[TUF_ROLES];
    int64_t expires[TUF_ROLES]; /* 0: there is no such metadata */
};
void trust_freshness_done(struct trust_freshness *freshness);
/* Reads the stored state as an update would at the time `now`; stays zeroed where there is none. */
bool trust_freshness_read(const char *root, const char *name, int64_t now, struct trust_freshness *ret,
                          struct error *err) MUST_CHECK;
/* Days since the last update that worked, or since the file was imported. -1: it cannot be looked at. */
long long trust_age_days(const char *root, const char *name, int64_t now);

#endif
