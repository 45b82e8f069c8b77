/* SPDX-License-Identifier: Apache-2.0 */
/* The runtimes that can be switched on, and what each needs on the node. */
#ifndef PG_PLUGIN_CLI_ENABLE_ENABLE_H
#define PG_PLUGIN_CLI_ENABLE_ENABLE_H

#include "plugin/cli/enable/change.h"

struct runtime {
    const char *name;
    /* Adds the files that switch it on. */
    bool (*plan)(const struct cli *cli, struct changes *changes, struct error *err);
    const char *after_enable;  /* what a person does next */
    const char *after_disable;
    bool endorser;             /* needs pullguard-endorser.service */
    const char *restart[3];    /* units that read their configuration at start only; NULL-terminated */
};

extern const struct runtime *const runtimes[];
extern const size_t runtime_count;
const struct runtime *runtime_find(const char *name);

/* restart.c: starts and restarts, by systemd, what the runtime needs; only when --restart asks for it. */
bool restart_possible(const struct cli *cli, struct error *err) MUST_CHECK; /* not below --root */
bool enable_restart(const struct runtime *runtime, struct error *err) MUST_CHECK;
/* The same after `disable`; the endorser is stopped when nobody needs it any more. */
bool disable_restart(const struct cli *cli, const struct runtime *runtime, struct error *err) MUST_CHECK;

/* What a link or a file of ours names has to be there: the runtimes take a dangling one for a failure of everything. */
bool enable_need_program(const struct cli *cli, const char *path, const char *otherwise, struct error *err) MUST_CHECK;

bool plan_containerd(const struct cli *cli, struct changes *changes, struct error *err) MUST_CHECK;
bool plan_crio(const struct cli *cli, struct changes *changes, struct error *err) MUST_CHECK;
bool plan_oci_hook(const struct cli *cli, struct changes *changes, struct error *err) MUST_CHECK;
bool plan_crun(const struct cli *cli, struct changes *changes, struct error *err) MUST_CHECK;
/* Puts the second copy of crun's handler in the place of a damaged one. *ret_repaired: it was, and no longer is. */
bool repair_crun(const struct cli *cli, bool *ret_repaired, struct error *err) MUST_CHECK;
bool plan_nri(const struct cli *cli, struct changes *changes, struct error *err) MUST_CHECK;
bool plan_podman(const struct cli *cli, struct changes *changes, struct error *err) MUST_CHECK;

#endif
