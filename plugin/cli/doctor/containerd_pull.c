/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRI pulls through the transfer service, which calls verifiers, unless one of eight settings is found; then it falls
 * back to the old local pull, and says so in one line at start-up that does not mention verification (containerd
 * internal/cri/config/config.go, CheckLocalImagePullConfigs; list unchanged from 2.1.0 on).
 */
#include <string.h>

#include "base/encode.h"
#include "plugin/cli/doctor/containerd.h"

enum trigger_kind { TRIGGER_IF_TRUE, TRIGGER_IF_FALSE, TRIGGER_UNLESS_THREE, TRIGGER_IF_TABLE };

static const struct trigger {
    const char *id;
    const char *name; /* for people */
    enum trigger_kind kind;
    const char *todo;
    struct toml_key key;
} triggers[] = {
#define V3(...) { "plugins", "io.containerd.cri.v1.images", __VA_ARGS__, NULL }
#define V2(...) { "plugins", "io.containerd.grpc.v1.cri", __VA_ARGS__, NULL }
    { "containerd.fallback.local-pull", "use_local_image_pull = true", TRIGGER_IF_TRUE, "remove the line",
      { V3("use_local_image_pull"), { NULL } } },
    { "containerd.fallback.annotations", "disable_snapshot_annotations = false", TRIGGER_IF_FALSE,
      "remove the line; lazy snapshotters (SOCI, stargz, nydus) that need it cannot be combined with verifiers",
      { V3("disable_snapshot_annotations"), V2("containerd", "disable_snapshot_annotations") } },
    { "containerd.fallback.unpacked-layers", "discard_unpacked_layers = true", TRIGGER_IF_TRUE,
      "remove the line or set it to false",
      { V3("discard_unpacked_layers"), V2("containerd", "discard_unpacked_layers") } },
    { "containerd.fallback.mirrors", "registry.mirrors", TRIGGER_IF_TABLE,
      "move mirrors to hosts.toml files below registry.config_path (certs.d)",
      { V3("registry", "mirrors"), V2("registry", "mirrors") } },
    { "containerd.fallback.configs", "registry.configs", TRIGGER_IF_TABLE,
      "move TLS and credentials to hosts.toml files below registry.config_path (certs.d)",
      { V3("registry", "configs"), V2("registry", "configs") } },
    { "containerd.fallback.auths", "registry.auths", TRIGGER_IF_TABLE,
      "move credentials to hosts.toml or to the kubelet's credential providers",
      { V3("registry", "auths"), V2("registry", "auths") } },
    { "containerd.fallback.downloads", "max_concurrent_downloads other than 3", TRIGGER_UNLESS_THREE,
      "remove the line",
      { V3("max_concurrent_downloads"), V2("max_concurrent_downloads") } },
    { "containerd.fallback.sync-fs", "image_pull_with_sync_fs = true", TRIGGER_IF_TRUE,
      "remove the line or set it to false",
      { V3("image_pull_with_sync_fs"), V2("image_pull_with_sync_fs") } },
};

static bool fires(const struct containerd *containerd, const struct trigger *trigger, const struct toml_file **ret_file)
{
    const struct node *node = toml_view_get(&containerd->view, &trigger->key, ret_file);
    int64_t number;
    bool value;

    switch (trigger->kind) {
    case TRIGGER_IF_TABLE:
        *ret_file = toml_view_has_table(&containerd->view, &trigger->key);
        return *ret_file != NULL;
    case TRIGGER_UNLESS_THREE:
        return node != NULL && (!node_int(node, false, &number) || number != 3);
    case TRIGGER_IF_TRUE:
        return node_bool(node, &value) && value;
    case TRIGGER_IF_FALSE:
        return node_bool(node, &value) && !value;
    }
    return true;
}

void containerd_check_fallback(struct doctor *doctor, const struct containerd *containerd)
{
    bool any = false;

    if (toml_view_list_has(&containerd->view, "disabled_plugins", "io.containerd.grpc.v1.cri")) {
        doctor_add(doctor, CHECK_NOTE, "containerd.cri", "pulls of Kubernetes do not go through this containerd", NULL,
                   "CRI is switched off (disabled_plugins)");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(triggers); i++) {
        const struct toml_file *file = NULL;

        if (!fires(containerd, &triggers[i], &file))
            continue;
        any = true;
        doctor_add(
            doctor, CHECK_FAIL, triggers[i].id,
            "this setting makes CRI pull without asking any verifier, silently: Kubernetes pulls are NOT verified",
            triggers[i].todo, "%s is set in %s", triggers[i].name, file != NULL ? file->path : containerd->config);
    }
    if (!any)
        doctor_add(doctor, CHECK_OK, "containerd.fallback", NULL, NULL,
                   "none of the %zu settings that make CRI pull without verifiers is set", ARRAY_LEN(triggers));
}
