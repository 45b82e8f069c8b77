/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd: one link in its verifier directory. Its settings need nothing from us when nobody has touched them. Those
 * that somebody has set, and that keep it from asking, are named (doctor_obstacles): a drop-in cannot take tables back,
 * and must not overrule what a lazy snapshotter needs.
 */
#include "base/file.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/doctor/toml_view.h"
#include "plugin/cli/enable/enable.h"

static const char default_config[] = "/etc/containerd/config.toml";
static const char default_bin_dir[] = "/opt/containerd/image-verifier/bin";

/* bin_dir of the configuration on disk; the default when there is none. */
static bool bin_dir(const char *root, char **ret, struct error *err)
{
    static const struct toml_key key = {
        { "plugins", "io.containerd.image-verifier.v1.bindir", "bin_dir", NULL },
        { "plugins", "io.containerd.image-verifier.v1.bindir", "bin_dir", NULL },
    };
    CLEANUP(toml_view_done) struct toml_view view = { 0 };
    CLEANUP(mem_freep) char *config = path_under(root, default_config);
    const struct node *node = NULL;

    if (config == NULL)
        return error_oom(err);
    if (toml_view_load(root, config, &view, err))
        node = toml_view_get(&view, &key, NULL);
    else if (err->reason != REASON_NOT_FOUND)
        return false;
    if (node != NULL && (!node_is(node, NODE_STRING) || node->text.len == 0 || node->text.ptr[0] != '/'))
        return error_set(err, REASON_POLICY_ERROR, "bin_dir of the verifier plugin is not an absolute path in %s",
                         config);
    *ret = node != NULL ? span_dup(node->text) : mem_strdup(default_bin_dir);
    return *ret != NULL || error_oom(err);
}

bool plan_containerd(const struct cli *cli, struct changes *changes, struct error *err)
{
    CLEANUP(mem_freep) char *directory = NULL;
    CLEANUP(mem_freep) char *link = NULL;

    if (!bin_dir(cli->root, &directory, err))
        return false;
    if (!enable_need_program(cli, PG_LIBEXECDIR "/pullguard-containerd", "containerd would block every pull", err))
        return false;
    /* This name is in every message that containerd shows about us. */
    link = mem_printf("%s/pullguard", directory);
    if (link == NULL)
        return error_oom(err);
    return changes_add_link(changes, link, PG_LIBEXECDIR "/pullguard-containerd", err);
}
