/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/doctor.h"

#include <stdarg.h>
#include <string.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/doctor/canary/canary.h"
#include "plugin/cli/say.h"

enum { RESULTS_MAX = 4096, WHAT_BYTES = 700, DOCTOR_JSON_MAX_BYTES = 8 * 1024 * 1024 };

static const struct area {
    const char *name;
    void (*run)(struct doctor *doctor);
} areas[] = {
    { "containerd", doctor_containerd },
    { "crio", doctor_crio },
    { "podman", doctor_podman },
    { "start", doctor_start },
    { "install", doctor_install },
    { "policy", doctor_policy },
    { "trust", doctor_trust },
    { "system", doctor_system },
    { "canary", doctor_canary },
};

void doctor_add(struct doctor *doctor, enum check_level level, const char *id, const char *why, const char *todo,
                const char *format, ...)
{
    struct check_result *result;
    char what[WHAT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (!mem_grow(&doctor->results, &doctor->capacity, doctor->count, sizeof(*doctor->results), RESULTS_MAX)) {
        doctor->out_of_memory = true;
        return;
    }
    result = &doctor->results[doctor->count];
    *result = (struct check_result){ .level = level, .id = id, .what = mem_strdup(what), .why = why, .todo = todo };
    if (result->what == NULL)
        doctor->out_of_memory = true;
    else
        doctor->count++;
}

char *doctor_path(struct doctor *doctor, const char *path)
{
    char *full = path_under(doctor->cli->root, path);

    if (full == NULL)
        doctor->out_of_memory = true;
    return full;
}

void doctor_done(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->canary_count; i++) {
        mem_free(doctor->canaries[i].image);
        mem_free(doctor->canaries[i].digest);
        mem_free(doctor->canaries[i].reason);
    }
    for (size_t i = 0; i < doctor->count; i++)
        mem_free(doctor->results[i].what);
    mem_free(doctor->results);
    mem_free(doctor->pause_image);
    mem_free(doctor->endorser_listen);
}

static const char *level_name(enum check_level level)
{
    static const char *const names[] = { [CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "fail",
                                         [CHECK_NOTE] = "note" };

    return names[level];
}

static int worst_level(const struct doctor *doctor)
{
    int worst = CHECK_OK;

    for (size_t i = 0; i < doctor->count; i++)
        if (doctor->results[i].level != CHECK_NOTE && (int)doctor->results[i].level > worst)
            worst = (int)doctor->results[i].level;
    return worst;
}

/* A canary that could not be tried is no good news, and no bad news either. */
static int exit_status(const struct doctor *doctor)
{
    int worst = worst_level(doctor);

    return doctor->canary_untried && worst != CHECK_FAIL ? EXIT_DOCTOR_UNKNOWN : worst;
}

static size_t count_level(const struct doctor *doctor, enum check_level level)
{
    size_t count = 0;

    for (size_t i = 0; i < doctor->count; i++)
        count += doctor->results[i].level == level;
    return count;
}

static void print_result(const struct cli *cli, const struct check_result *result)
{
    static const enum colour colours[] = { [CHECK_OK] = COLOUR_GOOD, [CHECK_WARN] = COLOUR_WARN,
                                           [CHECK_FAIL] = COLOUR_BAD, [CHECK_NOTE] = COLOUR_DIM };
    char level[8];

    snprintf(level, sizeof(level), "%-4s", level_name(result->level));
    say_coloured(cli, colours[result->level], level);
    printf("  %-28s %s\n", result->id, result->what);
    if (result->level == CHECK_OK)
        return;
    if (result->why != NULL)
        printf("      why: %s\n", result->why);
    if (result->todo != NULL)
        printf("      do:  %s\n", result->todo);
}

static int print_human(const struct doctor *doctor)
{
    int worst = worst_level(doctor);

    for (size_t i = 0; i < doctor->count; i++)
        if (!doctor->values->quiet || doctor->results[i].level == CHECK_WARN || doctor->results[i].level == CHECK_FAIL)
            print_result(doctor->cli, &doctor->results[i]);
    printf("%zu ok, %zu warnings, %zu failures: ", count_level(doctor, CHECK_OK), count_level(doctor, CHECK_WARN),
           count_level(doctor, CHECK_FAIL));
    say_coloured(doctor->cli, worst == CHECK_FAIL ? COLOUR_BAD : worst == CHECK_WARN ? COLOUR_WARN : COLOUR_GOOD,
                 worst == CHECK_FAIL ? "this node is not protected as configured\n"
                 : worst == CHECK_WARN ? "protected, with the limits named above\n"
                                       : "everything that was checked is in order\n");
    return exit_status(doctor);
}

static void put_canaries(const struct doctor *doctor, struct json_out *out)
{
    json_open_list(out, "canary");
    for (size_t i = 0; i < doctor->canary_count; i++) {
        const struct canary_result *canary = &doctor->canaries[i];

        json_open_map(out, NULL);
        json_put_str(out, "runtime", canary->runtime);
        json_put_str(out, "outcome", canary->outcome);
        json_put_str(out, "image", canary->image);
        json_put_str(out, "digest", canary->digest);
        json_put_str(out, "reason", canary->reason);
        json_put_str(out, "image-afterwards", canary->removed);
        json_close_map(out);
    }
    json_close_list(out);
}

static int print_json(const struct doctor *doctor)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(DOCTOR_JSON_MAX_BYTES);
    struct json_out out = json_out_to(&json);

    json_open_map(&out, NULL);
    json_put_str(&out, "status", exit_status(doctor) == EXIT_DOCTOR_UNKNOWN
                                     ? "unknown" : level_name((enum check_level)worst_level(doctor)));
    json_open_list(&out, "checks");
    for (size_t i = 0; i < doctor->count; i++) {
        const struct check_result *result = &doctor->results[i];

        json_open_map(&out, NULL);
        json_put_str(&out, "id", result->id);
        json_put_str(&out, "level", level_name(result->level));
        json_put_str(&out, "what", result->what);
        if (result->level != CHECK_OK && result->why != NULL)
            json_put_str(&out, "why", result->why);
        if (result->level != CHECK_OK && result->todo != NULL)
            json_put_str(&out, "do", result->todo);
        json_close_map(&out);
    }
    json_close_list(&out);
    if (doctor->canary_count > 0)
        put_canaries(doctor, &out);
    json_close_map(&out);
    return say_json(doctor->cli, &json) ? exit_status(doctor) : EXIT_DOCTOR_UNKNOWN;
}

static bool wanted(const struct doctor_values *values, const char *area)
{
    for (size_t i = 0; i < values->only.count; i++)
        if (strcmp(values->only.items[i], area) == 0)
            return true;
    /* The canary pulls: only when it is asked for, by name or by its option. */
    if (strcmp(area, "canary") == 0)
        return values->canary;
    return values->only.count == 0;
}

static bool known_areas(const struct cli *cli, const struct doctor_values *values)
{
    for (size_t i = 0; i < values->only.count; i++) {
        bool known = false;
        char shown[40];

        for (size_t j = 0; j < ARRAY_LEN(areas); j++)
            known = known || strcmp(values->only.items[i], areas[j].name) == 0;
        if (known)
            continue;
        say_error(cli, "--only %s: containerd, crio, podman, start, install, policy, system or canary is wanted",
                  text_clean(span_str(values->only.items[i]), shown, sizeof(shown)));
        return false;
    }
    return true;
}

static bool known_runtimes(const struct cli *cli, const struct doctor_values *values)
{
    for (size_t i = 0; i < values->canary_runtime.count; i++) {
        bool known = false;
        char shown[40];

        for (int kind = 0; kind < CLIENT_COUNT; kind++)
            known = known || strcmp(values->canary_runtime.items[i], client_name((enum client_kind)kind)) == 0;
        if (known)
            continue;
        say_error(cli, "--canary-runtime %s: ctr, cri, crio or podman is wanted",
                  text_clean(span_str(values->canary_runtime.items[i]), shown, sizeof(shown)));
        return false;
    }
    return true;
}

static int doctor_main(const struct cli *cli, const void *values_, const struct text_list *args UNUSED)
{
    CLEANUP(doctor_done) struct doctor doctor = { .cli = cli, .values = values_, .no_match_denies = true };

    if (!known_areas(cli, doctor.values) || !known_runtimes(cli, doctor.values))
        return EXIT_DOCTOR_UNKNOWN;
    doctor_settings(&doctor);
    for (size_t i = 0; i < ARRAY_LEN(areas); i++)
        if (wanted(doctor.values, areas[i].name))
            areas[i].run(&doctor);
    if (doctor.out_of_memory) {
        say_error(cli, "out of memory");
        return EXIT_DOCTOR_UNKNOWN;
    }
    return cli->json ? print_json(&doctor) : print_human(&doctor);
}

#define DOCTOR_OPTION(name, letter, kind, value, member, help) \
    { name, letter, kind, value, offsetof(struct doctor_values, member), help }

static const struct option_spec options[] = {
    DOCTOR_OPTION(
        "containerd", 0, OPTION_TEXT, "PROGRAM", containerd,
        "containerd program whose version counts; default: the running one, then /usr/bin and /usr/local/bin"),
    DOCTOR_OPTION("containerd-config", 0, OPTION_TEXT, "FILE", containerd_config,
                  "containerd's configuration; default: the running one's, then /etc/containerd/config.toml"),
    DOCTOR_OPTION("only", 0, OPTION_LIST, "AREA", only,
                  "only containerd, crio, podman, start, install, policy, trust, system or canary; repeatable"),
    DOCTOR_OPTION("canary", 0, OPTION_FLAG, NULL, canary,
                  "also pull an unsigned image through the running runtimes and report whether it was stopped"),
    DOCTOR_OPTION("canary-runtime", 0, OPTION_LIST, "NAME", canary_runtime,
                  "try only ctr, cri, crio or podman; repeatable; default: those on this node"),
    DOCTOR_OPTION("canary-port", 0, OPTION_TEXT, "PORT", canary_port,
                  "loopback port of the throw-away registry; default: a free one"),
    DOCTOR_OPTION("canary-timeout", 0, OPTION_TEXT, "TIME", canary_timeout,
                  "limit for one pull, as 30s or 2m; default: 60s"),
    DOCTOR_OPTION("ctr", 0, OPTION_TEXT, "PROGRAM", ctr,
                  "containerd's client; default: beside the running containerd, then /usr/bin, /usr/local/bin"),
    DOCTOR_OPTION("crictl", 0, OPTION_TEXT, "PROGRAM", crictl,
                  "client of the kubelet's interface; default: /usr/bin, /usr/local/bin, /opt/bin"),
    DOCTOR_OPTION("crun", 0, OPTION_TEXT, "PROGRAM", crun,
                  "crun that is asked whether it runs; default: /usr/bin/crun"),
    DOCTOR_OPTION("podman", 0, OPTION_TEXT, "PROGRAM", podman, "podman; default: /usr/bin, /usr/local/bin"),
    DOCTOR_OPTION("containerd-address", 0, OPTION_TEXT, "SOCKET", containerd_address,
                  "containerd's socket; default: its configuration's"),
    DOCTOR_OPTION("crio-address", 0, OPTION_TEXT, "SOCKET", crio_address,
                  "CRI-O's socket; default: its configuration's"),
    DOCTOR_OPTION("quiet", 'q', OPTION_FLAG, NULL, quiet, "show warnings and failures only"),
};

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[options]",
    .summary = "is it really on? checks runtime, installation, policies and system",
    .details =
        "Checks whether images pulled on this node are really verified: is the verifier installed where the runtime\n"
        "looks, would the runtime call it, do policies and keys load, are their owners right, does the sandbox work\n"
        "here. Each result says what was found, why it matters and what to do. Changes nothing; no network.\n\n"
        "With --canary it also tries: an image that nobody signed is served on loopback and pulled through the\n"
        "running runtimes; it must be stopped. The image is removed again whatever happens. Each try is one refused\n"
        "pull in journal, audit and metrics, named pullguard-canary/....\n\n"
        "Exit status: 0 in order, 1 warnings, 2 failures, 3 could not check.",
    OPTIONS(options, struct doctor_values),
    .min_args = 0,
    .max_args = 0,
    .run = doctor_main,
};
