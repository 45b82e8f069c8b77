/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard doctor: is it really on? A list of checks; each adds results. A result says what was found, why it matters
 * and what to do, and has a stable id for monitoring. Doctor reads configuration files of this node and runs two
 * programs (containerd --version, our engine's self-test); it has no network. The canary alone (canary/) pulls, and
 * listens on loopback while it does.
 */
#ifndef PG_PLUGIN_CLI_DOCTOR_DOCTOR_H
#define PG_PLUGIN_CLI_DOCTOR_DOCTOR_H

#include "plugin/cli/cli.h"

/* As monitoring plugins count: the worst level is the exit status; 3 = nothing could be checked. */
enum check_level { CHECK_OK = 0, CHECK_WARN = 1, CHECK_FAIL = 2, CHECK_NOTE = 3 /* for information */ };
enum { EXIT_DOCTOR_UNKNOWN = 3 };

struct check_result {
    enum check_level level;
    const char *id;   /* "containerd.bin-dir": stable */
    char *what;       /* one sentence with the names and values found */
    const char *why;  /* why it matters; NULL when the level is OK */
    const char *todo; /* next step; NULL likewise */
};

struct doctor_values {
    const char *containerd;        /* program */
    const char *containerd_config; /* file */
    bool canary;
    struct text_list canary_runtime;
    const char *canary_port, *canary_timeout;
    const char *ctr, *crictl, *podman, *crun; /* programs */
    const char *containerd_address, *crio_address;
    struct text_list only;         /* areas */
    bool quiet;
};

/* What became of a canary, for JSON; the check of the same runtime says it for people. */
struct canary_result {
    const char *runtime, *outcome, *removed; /* static */
    char *image, *digest, *reason;           /* owned; image and digest NULL when there was none */
};

struct doctor {
    const struct cli *cli;
    const struct doctor_values *values;
    struct check_result *results;
    size_t count, capacity;
    bool out_of_memory;

    /* What one area finds out and another needs. */
    int64_t deadline_ms;   /* our settings' decision deadline; 0 = unknown */
    bool no_match_denies;
    bool engine_loaded;
    char *endorser_listen; /* owned; NULL = unknown */
    char *pause_image;     /* owned; NULL = no CRI configuration seen */

    struct canary_result canaries[4];
    size_t canary_count;
    bool canary_untried;   /* asked for, and no pull could be tried */
};
void doctor_done(struct doctor *doctor);

/* Adds a result. id, why and todo are static texts; what is formatted, with text from files already clean. */
void doctor_add(struct doctor *doctor, enum check_level level, const char *id, const char *why, const char *todo,
                const char *format, ...) PRINTF_LIKE(6, 7);

/* The areas. Order: runtimes first (they say which pause image), then our own files. */
/* Reads the settings that other areas compare with; silent, since doctor_policy reports them. */
void doctor_settings(struct doctor *doctor);
void doctor_containerd(struct doctor *doctor);
void doctor_crio(struct doctor *doctor);
void doctor_podman(struct doctor *doctor);
void doctor_start(struct doctor *doctor);
void doctor_install(struct doctor *doctor);
void doctor_policy(struct doctor *doctor);
void doctor_trust(struct doctor *doctor);
void doctor_system(struct doctor *doctor);

/* `path` below --root, or NULL (out of memory, noted). */
char *doctor_path(struct doctor *doctor, const char *path);
/* Runs a program at an absolute path and gathers its standard output, or everything it says. */
enum doctor_run_what { DOCTOR_RUN_OUTPUT, DOCTOR_RUN_ERRORS /* standard error as well */ };
bool doctor_run(const char *path, char *const argv[], int timeout_ms, enum doctor_run_what what, char *dst, size_t size,
                int *ret_status, struct error *err) MUST_CHECK;

/* Does any policy apply to this reference (policy.c)? */
struct policy_set;
struct settings;
bool doctor_policy_applies(const struct policy_set *set, const char *reference, bool *ret,
                           struct error *err) MUST_CHECK;
/* static_pods.c: do policies apply to the images of this node's static pods? */
void doctor_static_pods(struct doctor *doctor, const struct policy_set *set);

/* lockout.c: says, as notes, which of the pause image and the static pods' images no policy covers. */
void doctor_lockout(const struct cli *cli);
/* The same file: says, after containerd was enabled, which of its settings still keep it from asking. */
void doctor_obstacles(const struct cli *cli, const char *runtime);

/* start.c: our NRI plugin is among the pre-installed ones. */
bool nri_installed(struct doctor *doctor);
/* Any of the gates that decide when a container starts is on. */
bool start_gate_installed(struct doctor *doctor);
/* verdicts.c: does what was verified on this node still count at a start, under the rules of this fingerprint? */
void doctor_verdicts(struct doctor *doctor, const struct settings *settings, const char *fingerprint);

/* A text of crio.conf and its drop-ins, [crio.SECTION] NAME: the last one counts. Owned; NULL when nobody sets it. */
char *crio_setting(struct doctor *doctor, const char *section, const char *name);

#endif
