/* SPDX-License-Identifier: Apache-2.0 */
/* Are the trust roots of today? What is out of date refuses nothing by itself, but new signatures may not verify. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/trust/store.h"

enum {
    DAY_S = 24 * 3600,
    ROOT_OLD_DAYS = 180,     /* imported: Sigstore's public-good root changed about twice a year */
    UPDATE_OLD_DAYS = 7,     /* the timer runs daily */
    ROOT_WARN_DAYS = 14,     /* a root lives about five months and is renewed weeks before it ends */
    TIMESTAMP_WARN_DAYS = 1  /* a timestamp lives seven days */
};

/* How long ago somebody looked for a newer one: by hand that is a while, with the daily timer never a week. */
static void check_root_age(struct doctor *doctor, const char *name, bool updated, int64_t now)
{
    long long days = trust_age_days(doctor->cli->root, name, now);

    if (days < 0)
        return;
    if (updated && days > UPDATE_OLD_DAYS)
        doctor_add(doctor, CHECK_WARN, "trust.age", "logs and authorities change keys: new signatures may be refused",
                   "run \"pullguard trust update\", and see that pullguard-trust.timer is enabled",
                   "trust root %s was last updated %lld days ago", name, days);
    else if (!updated && days > ROOT_OLD_DAYS)
        doctor_add(doctor, CHECK_WARN, "trust.age", "logs and authorities change keys: new signatures may be refused",
                   "import a newer file (\"pullguard trust import\")", "trust root %s was imported %lld days ago", name,
                   days);
    else
        doctor_add(doctor, CHECK_OK, "trust.age", NULL, NULL, "trust root %s was %s %lld day%s ago", name,
                   updated ? "updated" : "imported", days, days == 1 ? "" : "s");
}

/* The root first: without one in force no update is possible, and no newer timestamp counts. */
static void check_root_expiry(struct doctor *doctor, const char *name, const struct trust_freshness *freshness,
                              int64_t now)
{
    static const struct {
        enum tuf_role role;
        int64_t warn_before;
        const char *why, *todo;
    } roles[] = {
        {TUF_ROOT, ROOT_WARN_DAYS * (int64_t)DAY_S, "with an expired root no update is accepted",
         "\"pullguard trust update\" as soon as the repository has a newer root; until then import a file"},
        {TUF_TIMESTAMP, TIMESTAMP_WARN_DAYS * (int64_t)DAY_S,
         "nobody says any more that this is the newest trust root there is",
         "run \"pullguard trust update\", and see that pullguard-trust.timer is enabled"},
    };

    for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
        int64_t expires = freshness->expires[roles[i].role];
        char when[TIME_TEXT_BYTES];

        if (expires > now + roles[i].warn_before)
            continue;
        if (expires == 0)
            doctor_add(doctor, CHECK_WARN, "trust.expiry", roles[i].why, roles[i].todo,
                       "trust root %s has no %s from its repository", name, tuf_role_file(roles[i].role));
        else
            doctor_add(doctor, CHECK_WARN, "trust.expiry", roles[i].why, roles[i].todo, "trust root %s: %s %s %s", name,
                       tuf_role_file(roles[i].role), expires > now ? "expires at" : "expired at",
                       time_format(expires, when));
        return;
    }
    doctor_add(doctor, CHECK_OK, "trust.expiry", NULL, NULL, "trust root %s: its repository's metadata is in force",
               name);
}

static void check_root(struct doctor *doctor, const char *name)
{
    CLEANUP(trust_freshness_done) struct trust_freshness freshness = { 0 };
    struct error err = ERROR_INIT;
    int64_t now = time_now();

    if (!trust_name_check(name, &err)) /* no policy can name it */
        return;
    if (!trust_freshness_read(doctor->cli->root, name, now, &freshness, &err)) {
        doctor_add(doctor, CHECK_WARN, "trust.expiry", "it cannot be updated", "run \"pullguard trust init\" anew",
                   "trust root %s: %s: %s", name, reason_name(err.reason), err.text);
        return;
    }
    check_root_age(doctor, name, freshness.url != NULL, now);
    if (freshness.url != NULL)
        check_root_expiry(doctor, name, &freshness, now);
}

/* All that are installed: the command line uses them as well as policies. */
void doctor_trust(struct doctor *doctor)
{
    CLEANUP(names_free) struct names names = { 0 };
    struct error err = ERROR_INIT;

    if (!trust_installed(doctor->cli->root, &names, &err)) {
        doctor_add(doctor, CHECK_FAIL, "files.read", "what cannot be read denies every pull", NULL, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < names.count; i++)
        check_root(doctor, names.items[i]);
}
