/* SPDX-License-Identifier: Apache-2.0 */
/* doctor for what the start gates go by: the verdicts that this node keeps. */
#include "base/encode.h"
#include "plugin/cache/cache.h"
#include "plugin/cli/doctor/doctor.h"
#include "plugin/engine/settings.h"

struct tally {
    struct span fingerprint;
    size_t counting, stale;
    char first[400]; /* reference of a stale one, clean */
};

/* A verdict beyond its life still counts at a start; one by other rules does not. */
static bool count_verdict(void *context, const struct cache_entry *entry)
{
    struct tally *tally = context;

    if (span_eq(entry->fingerprint, tally->fingerprint))
        tally->counting++;
    else if (tally->stale++ == 0)
        text_clean(span_str(entry->reference), tally->first, sizeof(tally->first));
    return true;
}

void doctor_verdicts(struct doctor *doctor, const struct settings *settings, const char *fingerprint)
{
    struct tally tally = { .fingerprint = span_str(fingerprint) };
    bool looked_up = settings->start_network && !nri_installed(doctor);
    struct error err = ERROR_INIT;

    if (!start_gate_installed(doctor))
        return;
    if (!cache_list(doctor->cli->root, count_verdict, &tally, &err))
        doctor_add(doctor, CHECK_WARN, "policy.verdicts", "whether images start that were verified is not known",
                   "ask doctor as root", "%s", err.text);
    else if (tally.stale == 0)
        doctor_add(doctor, CHECK_OK, "policy.verdicts", NULL, NULL, "%zu verdict%s at a start", tally.counting,
                   tally.counting == 1 ? " counts" : "s count");
    else
        doctor_add(doctor, looked_up ? CHECK_NOTE : CHECK_WARN, "policy.verdicts",
                   looked_up ? "each image is looked up at its next start (start-network)"
                             : "the start gates refuse these images until they are verified under the rules of now",
                   "pullguard cache renew; then forget what it refuses: pullguard cache clear --stale",
                   "%zu verdict%s by other rules, first %s", tally.stale,
                   tally.stale == 1 ? " was reached" : "s were reached", tally.first);
}
