/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor for CRI-O, podman and the rest of containers' image library: policy.json has to demand this node's endorsement
 * and refuse the rest, registries.d has to lead to the endorser, and the endorser has to be there (crio.md 2 and 3).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/doctor/containers.h"
#include "plugin/cli/enable/registries.h"
#include "plugin/crio/control.h"
#include "plugin/crio/node_key.h"

static const char fix_podman[] = "pullguard enable podman";

bool containers_exists(struct doctor *doctor, const char *path)
{
    CLEANUP(mem_freep) char *full = doctor_path(doctor, path);

    return full != NULL && access(full, F_OK) == 0;
}

/* Does this list of requirements name our node key? */
bool containers_demands_endorsement(const struct node *requirements)
{
    for (const struct node *one = node_is(requirements, NODE_LIST) ? requirements->child : NULL; one != NULL;
         one = one->next)
        if (node_str_is(node_get(one, "type"), "sigstoreSigned") &&
            node_str_is(node_get(one, "keyPath"), NODE_KEY_PUBLIC_PATH))
            return true;
    return false;
}

static bool refuses(const struct node *requirements)
{
    for (const struct node *one = node_is(requirements, NODE_LIST) ? requirements->child : NULL; one != NULL;
         one = one->next)
        if (node_str_is(node_get(one, "type"), "reject"))
            return true;
    return false;
}

static void check_scopes(struct doctor *doctor, const char *path, const struct node *docker, const char *todo)
{
    size_t ours = 0;
    char shown[200];

    for (const struct node *scope = node_is(docker, NODE_MAP) ? docker->child : NULL; scope != NULL;
         scope = scope->next) {
        if (containers_demands_endorsement(scope))
            ours++;
        else if (!refuses(scope))
            doctor_add(doctor, CHECK_WARN, "containers.scope",
                       "images of this scope are pulled without being asked about", todo,
                       "%s: the scope \"%s\" demands no endorsement by this node", path,
                       text_clean(scope->name, shown, sizeof(shown)));
    }
    if (ours == 0)
        doctor_add(doctor, CHECK_FAIL, "containers.policy", "pullguard is never asked", todo,
                   "%s demands no endorsement by this node", path);
    else
        doctor_add(doctor, CHECK_OK, "containers.policy", NULL, NULL,
                   "%s demands this node's endorsement for %zu scope%s", path, ours, ours == 1 ? "" : "s");
}

/* Registries that our policies name and policy.json does not: every pull from them is refused. */
static void check_covered(struct doctor *doctor, const char *path, const struct node *docker, const char *todo)
{
    CLEANUP(names_free) struct names hosts = { 0 };
    CLEANUP(buf_free) struct buf native = BUF_INIT(LIMIT_POLICY_FILE_BYTES);
    struct error ignored = ERROR_INIT;
    bool open;

    if (!registries_of_policies(doctor->cli->root, &hosts, &open, &native, &ignored))
        return; /* doctor_policy says why */
    for (size_t i = 0; i < hosts.count; i++)
        if (node_get(docker, hosts.items[i]) == NULL)
            doctor_add(doctor, CHECK_WARN, "containers.uncovered",
                       "a policy names the registry, and its images are refused", todo, "%s has no scope for %s", path,
                       hosts.items[i]);
}

void containers_check_policy_json(struct doctor *doctor, const char *logical, const char *todo)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, logical);
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *docker;

    if (path == NULL)
        return;
    if (!file_check_trusted(path, &err) || !file_read(path, LIMIT_POLICY_FILE_BYTES, FILE_ANY, &bytes, &err) ||
        !json_parse(buf_as_span(&bytes), path, TREE_DEFAULT, &tree, &err)) {
        doctor_add(doctor, CHECK_FAIL, "containers.policy",
                   "without a policy.json that can be trusted nothing is checked, or "
                   "every pull is refused",
                   todo, "%s", err.text);
        return;
    }
    docker = node_get(node_get(tree_root(tree), "transports"), "docker");
    if (!refuses(node_get(tree_root(tree), "default")))
        doctor_add(doctor, CHECK_FAIL, "containers.default",
                   "whatever no scope names is pulled without being asked about", todo,
                   "the default of %s is not reject", path);
    else
        doctor_add(doctor, CHECK_OK, "containers.default", NULL, NULL, "the default of %s is reject", path);
    check_scopes(doctor, path, docker, todo);
    check_covered(doctor, path, docker, todo);
    containers_check_lookaside(doctor, docker, todo);
}

/* What lies in root's home goes before /etc for everything that root runs without naming a policy. */
void containers_check_user(struct doctor *doctor)
{
    static const char *const paths[] = {"/root/.config/containers/policy.json",
                                        "/root/.config/containers/registries.d"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (containers_exists(doctor, paths[i]))
            doctor_add(doctor, CHECK_FAIL, "containers.user-policy",
                       "it takes the place of what lies in /etc/containers: pullguard is not asked", "remove it",
                       "%s%s exists", doctor->cli->root, paths[i]);
}

void containers_check_endorser(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, CONTROL_SOCKET);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (path == NULL || strlen(path) >= sizeof(address.sun_path) || fd < 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        doctor_add(doctor, CHECK_OK, "containers.endorser", NULL, NULL, "the endorser runs");
    else
        doctor_add(doctor, CHECK_FAIL, "containers.endorser", "nobody endorses: every pull is refused",
                   "systemctl enable --now pullguard-endorser.service", "the endorser does not answer on %s: %s", path,
                   strerror(errno));
    close(fd);
    if (!containers_exists(doctor, NODE_KEY_PUBLIC_PATH))
        doctor_add(doctor, CHECK_FAIL, "containers.node-key",
                   "policy.json cannot be read without it: every pull is refused",
                   "start the endorser, or pullguard enable again", "%s%s does not exist", doctor->cli->root,
                   NODE_KEY_PUBLIC_PATH);
}

void doctor_podman(struct doctor *doctor)
{
    if (!containers_exists(doctor, "/usr/bin/podman")) {
        doctor_add(doctor, CHECK_NOTE, "podman.found", "there is nothing to check", NULL,
                   "no podman was found on this node");
        return;
    }
    containers_check_user(doctor);
    containers_check_policy_json(doctor, "/etc/containers/policy.json", fix_podman);
    containers_check_registries_d(doctor);
    containers_check_endorser(doctor);
    doctor_add(doctor, CHECK_NOTE, "podman.scope", "they are not asked about",
               "use a start gate: pullguard enable oci-hook, or crun",
               "podman checks at pulls only: loaded and local images run");
}
