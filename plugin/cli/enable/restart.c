/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is restarted unasked: on a node that serves somebody, when is for a person to say. --restart says now. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"
#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/enable/enable.h"
#include "plugin/cli/enable/ledger.h"

#define ENDORSER "pullguard-endorser.service"

enum { RESTART_TIMEOUT_MS = 120000, SAID_BYTES = 2048, ARGUMENTS = 6 };

/* Never by PATH. */
static const char *systemctl_program(void)
{
    return access("/usr/bin/systemctl", X_OK) == 0 ? "/usr/bin/systemctl" : "/bin/systemctl";
}

/* said: what systemctl wrote, made safe. */
static bool systemctl(const char *verb, const char *option, const char *unit, bool *ret_success, char *said,
                      size_t size, struct error *err)
{
    CLEANUP(mem_freep) char *program = mem_strdup(systemctl_program());
    CLEANUP(mem_freep) char *verb_word = mem_strdup(verb);
    CLEANUP(mem_freep) char *option_word = mem_strdup(option);
    CLEANUP(mem_freep) char *unit_word = mem_strdup(unit);
    char *argv[ARGUMENTS] = { program, verb_word, unit_word, option_word, NULL };
    char text[SAID_BYTES];
    int status = 0;

    if (program == NULL || verb_word == NULL || unit_word == NULL || (option != NULL && option_word == NULL))
        return error_oom(err);
    if (!doctor_run(program, argv, RESTART_TIMEOUT_MS, DOCTOR_RUN_ERRORS, text, sizeof(text), &status, err))
        return false;
    text_clean(span_trim(span_str(text)), said, size);
    *ret_success = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return true;
}

static bool must(const char *verb, const char *option, const char *unit, struct error *err)
{
    char said[300];
    bool success;

    if (!systemctl(verb, option, unit, &success, said, sizeof(said), err))
        return false;
    return success || error_set(err, REASON_UNAVAILABLE, "systemctl %s %s: %s", verb, unit, said);
}

/* Only what runs. */
static bool restart_units(const struct runtime *runtime, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(runtime->restart) && runtime->restart[i] != NULL; i++) {
        char said[300];
        bool active;

        if (!systemctl("is-active", NULL, runtime->restart[i], &active, said, sizeof(said), err) ||
            (active && !must("restart", NULL, runtime->restart[i], err)))
            return false;
    }
    return true;
}

bool restart_possible(const struct cli *cli, struct error *err)
{
    return cli->root[0] == '\0' ||
           error_set(err, REASON_BAD_REQUEST, "--restart is for this machine, not for what lies below --root");
}

bool enable_restart(const struct runtime *runtime, struct error *err)
{
    /* It reads at its start where to listen, and one that runs may listen where the files led before. */
    return (!runtime->endorser || (must("enable", NULL, ENDORSER, err) && must("restart", NULL, ENDORSER, err))) &&
           restart_units(runtime, err);
}

bool disable_restart(const struct cli *cli, const struct runtime *runtime, struct error *err)
{
    bool needed = false;

    for (size_t i = 0; i < runtime_count; i++) {
        CLEANUP(ledger_done) struct ledger ledger = { 0 };

        if (!ledger_read(cli->root, runtimes[i]->name, &ledger, err))
            return false;
        needed = needed || (runtimes[i]->endorser && ledger.count > 0);
    }
    return restart_units(runtime, err) && (!runtime->endorser || needed || must("disable", "--now", ENDORSER, err));
}
