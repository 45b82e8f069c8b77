/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Said when a runtime is switched on. Before: which images the node itself is made of would be stopped then? After:
 * which of the runtime's own settings, that are its administrator's to change, keep it from asking us?
 */
#include <string.h>

#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/say.h"

void doctor_lockout(const struct cli *cli)
{
    const struct doctor_values values = { 0 };
    CLEANUP(doctor_done) struct doctor doctor = { .cli = cli, .values = &values, .no_match_denies = true };

    doctor_settings(&doctor);
    doctor_containerd(&doctor); /* these two say which pause image */
    doctor_crio(&doctor);
    doctor_policy(&doctor);
    for (size_t i = 0; i < doctor.count; i++) {
        const struct check_result *result = &doctor.results[i];

        if (result->level == CHECK_WARN && (strcmp(result->id, "policy.pause-image") == 0 ||
                                            strcmp(result->id, "policy.static-pod") == 0))
            say_error(cli, "note: %s: %s", result->what, result->why);
    }
}

void doctor_obstacles(const struct cli *cli, const char *runtime)
{
    const struct doctor_values values = { 0 };
    CLEANUP(doctor_done) struct doctor doctor = { .cli = cli, .values = &values, .no_match_denies = true };

    if (strcmp(runtime, "containerd") != 0)
        return;
    doctor_settings(&doctor);
    doctor_containerd(&doctor);
    for (size_t i = 0; i < doctor.count; i++) {
        const struct check_result *result = &doctor.results[i];

        if (result->level == CHECK_FAIL)
            say_error(cli, "not yet: %s: %s; %s", result->what, result->why, result->todo);
    }
}
