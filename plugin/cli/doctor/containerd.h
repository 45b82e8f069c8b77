/* SPDX-License-Identifier: Apache-2.0 */
/* What the containerd checks share: the configuration in force and which containerd this is. */
#ifndef PG_PLUGIN_CLI_DOCTOR_CONTAINERD_H
#define PG_PLUGIN_CLI_DOCTOR_CONTAINERD_H

#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/doctor/toml_view.h"

enum { PATH_BYTES = 4096, VERSION_BYTES = 64 };

struct containerd {
    bool found;               /* some trace of containerd: program, process or configuration */
    char program[PATH_BYTES]; /* "" when unknown */
    char config[PATH_BYTES];  /* below root */
    char version[VERSION_BYTES]; /* "2.1.9"; "" when unknown */
    unsigned int major, minor;   /* with version */
    int pid;                  /* of the running one; 0 = none seen */
    bool config_missing;      /* then containerd runs on its defaults */
    bool config_read;
    struct toml_view view;
};

/* Fills everything that can be found out and reports what cannot (containerd_find.c). */
void containerd_find(struct doctor *doctor, struct containerd *ret);

/* containerd_pull.c: would CRI use the transfer service, which is what calls verifiers? */
void containerd_check_fallback(struct doctor *doctor, const struct containerd *containerd);
/* containerd_bindir.c: does the verifier directory hold exactly our link, and is it called? */
void containerd_check_bindir(struct doctor *doctor, const struct containerd *containerd);

/* start.c: when our NRI plugin is installed, would its loss be noticed? */
void containerd_check_nri(struct doctor *doctor, const struct containerd *containerd);

/* The value at a key as text for messages; `standard` when nobody sets it. */
const char *containerd_text(const struct containerd *containerd, const struct toml_key *key, const char *standard,
                            char *dst, size_t size);

#endif
