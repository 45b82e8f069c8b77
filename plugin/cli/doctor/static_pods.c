/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Static pods start before anybody can be asked: the control plane is made of them. A policy that forgets one of their
 * images stops the node at its next boot.
 */
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "plugin/cli/doctor/doctor.h"

/* kubeadm's, k3s's and RKE2's; the kubelet's own configuration may name another. */
static const char *const directories[] = {
    "/etc/kubernetes/manifests",
    "/var/lib/rancher/k3s/agent/pod-manifests",
    "/var/lib/rancher/rke2/agent/pod-manifests",
};

struct static_pods {
    struct doctor *doctor;
    const struct policy_set *set;
    unsigned int covered, missing;
};

static void check_image(struct static_pods *pods, const char *path, const struct node *container)
{
    const struct node *image = node_get(container, "image");
    CLEANUP(mem_freep) char *reference = node_is(image, NODE_STRING) ? span_dup(image->text) : NULL;
    struct error err = ERROR_INIT;
    char shown[300];
    bool covered = false;

    if (reference == NULL)
        return;
    if (doctor_policy_applies(pods->set, reference, &covered, &err) && covered) {
        pods->covered++;
        return;
    }
    pods->missing++;
    doctor_add(pods->doctor, CHECK_WARN, "policy.static-pod",
               "it is part of the node itself: when its image is not there any more, the node does not come up",
               "add a policy for it (man pullguard-policy)", "%s: no policy applies to %s, and no-match is deny", path,
               text_clean(span_str(reference), shown, sizeof(shown)));
}

static void check_containers(struct static_pods *pods, const char *path, const struct node *list)
{
    for (const struct node *one = node_is(list, NODE_LIST) ? list->child : NULL; one != NULL; one = one->next)
        check_image(pods, path, one);
}

static void check_file(struct static_pods *pods, const char *path)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *spec;

    if (!file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &bytes, &err) ||
        !yaml_parse(buf_as_span(&bytes), path, &tree, &err)) {
        doctor_add(pods->doctor, CHECK_WARN, "policy.static-pod", "whether its images have a policy is not known", NULL,
                   "%s", err.text);
        return;
    }
    spec = node_get(tree_root(tree), "spec");
    check_containers(pods, path, node_get(spec, "initContainers"));
    check_containers(pods, path, node_get(spec, "containers"));
}

static void check_directory(struct static_pods *pods, const char *logical)
{
    CLEANUP(mem_freep) char *directory = doctor_path(pods->doctor, logical);
    CLEANUP(names_free) struct names names = { 0 };
    struct error ignored = ERROR_INIT;

    if (directory == NULL || !dir_list(directory, NULL, &names, &ignored))
        return;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, names.items[i]);

        if (path != NULL)
            check_file(pods, path);
    }
}

/* staticPodPath of the kubelet's configuration; NULL when it names none. */
static char *kubelet_directory(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, "/var/lib/kubelet/config.yaml");
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *value;

    if (path == NULL || !file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &bytes, &ignored) ||
        !yaml_parse(buf_as_span(&bytes), path, &tree, &ignored))
        return NULL;
    value = node_get(tree_root(tree), "staticPodPath");
    return node_is(value, NODE_STRING) && span_starts(value->text, "/") ? span_dup(value->text) : NULL;
}

void doctor_static_pods(struct doctor *doctor, const struct policy_set *set)
{
    struct static_pods pods = { .doctor = doctor, .set = set };
    CLEANUP(mem_freep) char *other = kubelet_directory(doctor);

    if (!doctor->no_match_denies)
        return;
    for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
        if (other != NULL && strcmp(other, directories[i]) == 0)
            other[0] = '\0';
        check_directory(&pods, directories[i]);
    }
    if (other != NULL && other[0] != '\0')
        check_directory(&pods, other);
    if (pods.covered > 0 && pods.missing == 0)
        doctor_add(doctor, CHECK_OK, "policy.static-pod", NULL, NULL,
                   "a policy applies to the image%s of static pods (%u)", pods.covered == 1 ? "" : "s", pods.covered);
}
