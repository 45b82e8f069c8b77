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
#include "base/toml.h"
#include "config.h"
#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/enable/registries.h"
#include "plugin/crio/control.h"
#include "plugin/crio/node_key.h"

enum { SCOPES_MAX = 4096 };

static const char fix_crio[] = "pullguard enable crio";
static const char fix_podman[] = "pullguard enable podman";

static bool exists(struct doctor *doctor, const char *path)
{
    CLEANUP(mem_freep) char *full = doctor_path(doctor, path);

    return full != NULL && access(full, F_OK) == 0;
}

/* Does this list of requirements name our node key? */
static bool demands_endorsement(const struct node *requirements)
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
        if (demands_endorsement(scope))
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

static void check_policy_json(struct doctor *doctor, const char *logical, const char *todo)
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
}

struct seen {
    char *scopes[SCOPES_MAX];
    size_t count;
};

static void seen_done(struct seen **seen)
{
    for (size_t i = 0; *seen != NULL && i < (*seen)->count; i++)
        mem_free((*seen)->scopes[i]);
    mem_free(*seen);
}

/* One scope in two files of registries.d is an error of the library, for every pull. */
static void note_scopes(struct doctor *doctor, struct seen *seen, const char *path, const struct node *docker)
{
    char shown[200];

    for (const struct node *scope = node_is(docker, NODE_MAP) ? docker->child : NULL; scope != NULL;
         scope = scope->next) {
        for (size_t i = 0; i < seen->count; i++)
            if (span_eq_str(scope->name, seen->scopes[i]))
                doctor_add(doctor, CHECK_FAIL, "containers.duplicate", "the image library then refuses every pull",
                           "take it out of one of the files", "%s: the scope \"%s\" stands in another file too", path,
                           text_clean(scope->name, shown, sizeof(shown)));
        if (seen->count < SCOPES_MAX && (seen->scopes[seen->count] = span_dup(scope->name)) != NULL)
            seen->count++;
    }
}

static void check_registries_d(struct doctor *doctor)
{
    static const char *const suffixes[] = { ".yaml", NULL };
    CLEANUP(mem_freep) char *directory = doctor_path(doctor, "/etc/containers/registries.d");
    CLEANUP(names_free) struct names names = { 0 };
    CLEANUP(seen_done) struct seen *seen = mem_new(1, sizeof(*seen));
    struct error err = ERROR_INIT;

    if (directory == NULL || seen == NULL || !dir_list(directory, suffixes, &names, &err))
        return;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, names.items[i]);
        CLEANUP(buf_free) struct buf bytes = { 0 };
        CLEANUP(tree_freep) struct tree *tree = NULL;

        if (path == NULL)
            continue;
        if (file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &bytes, &err) &&
            yaml_parse(buf_as_span(&bytes), path, &tree, &err))
            note_scopes(doctor, seen, path, node_get(tree_root(tree), "docker"));
        else
            doctor_add(doctor, CHECK_WARN, "containers.registries-d", "the image library may refuse every pull",
                       "correct the file", "%s", err.text);
    }
}

static void check_endorser(struct doctor *doctor)
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
    if (!exists(doctor, NODE_KEY_PUBLIC_PATH))
        doctor_add(doctor, CHECK_FAIL, "containers.node-key",
                   "policy.json cannot be read without it: every pull is refused",
                   "start the endorser, or pullguard enable again", "%s%s does not exist", doctor->cli->root,
                   NODE_KEY_PUBLIC_PATH);
}

/* Calls back for crio.conf and every file of crio.conf.d, in the order in which CRI-O reads them. */
static void each_crio_file(struct doctor *doctor, void (*visit)(struct doctor *doctor, const char *path, void *context),
                           void *context)
{
    CLEANUP(mem_freep) char *main_file = doctor_path(doctor, "/etc/crio/crio.conf");
    CLEANUP(mem_freep) char *directory = doctor_path(doctor, "/etc/crio/crio.conf.d");
    CLEANUP(names_free) struct names names = { 0 };
    struct error ignored = ERROR_INIT;

    if (main_file == NULL || directory == NULL)
        return;
    if (access(main_file, F_OK) == 0)
        visit(doctor, main_file, context);
    if (!dir_list(directory, NULL, &names, &ignored))
        return;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, names.items[i]);

        if (path != NULL)
            visit(doctor, path, context);
    }
}

static bool read_crio_file(const char *path, struct buf *bytes, struct tree **ret, struct error *err)
{
    return file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, bytes, err) &&
           toml_parse(buf_as_span(bytes), path, ret, err);
}

struct crio_value {
    const char *section, *name;
    char *text; /* owned */
};

static void look_up(struct doctor *doctor, const char *path, void *context)
{
    struct crio_value *value = context;
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *node;

    if (!read_crio_file(path, &bytes, &tree, &ignored))
        return;
    node = node_get(node_get(node_get(tree_root(tree), "crio"), value->section), value->name);
    if (!node_is(node, NODE_STRING))
        return;
    mem_free(value->text);
    value->text = span_dup(node->text);
    if (value->text == NULL)
        doctor->out_of_memory = true;
}

char *crio_setting(struct doctor *doctor, const char *section, const char *name)
{
    struct crio_value value = { section, name, NULL };

    each_crio_file(doctor, look_up, &value);
    return value.text;
}

static void check_crio_file(struct doctor *doctor, const char *path, void *context UNUSED)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;

    if (!read_crio_file(path, &bytes, &tree, &err))
        doctor_add(doctor, CHECK_FAIL, "crio.config", "CRI-O does not start with it", "correct the file", "%s",
                   err.text);
}

/* A file per namespace takes the place of the global policy, for pulls and starts in that namespace. */
static void check_namespaces(struct doctor *doctor)
{
    static const char *const suffixes[] = { ".json", NULL };
    CLEANUP(mem_freep) char *directory = doctor_path(doctor, "/etc/crio/policies");
    CLEANUP(names_free) struct names names = { 0 };
    struct error ignored = ERROR_INIT;

    if (directory == NULL || !dir_list(directory, suffixes, &names, &ignored))
        return;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *logical = mem_printf("/etc/crio/policies/%s", names.items[i]);

        if (logical != NULL)
            check_policy_json(doctor, logical, "give the namespace's file the same requirements, or remove it");
    }
}

void doctor_crio(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *setting = NULL;
    CLEANUP(mem_freep) char *pause = NULL;
    const char *policy;

    if (!exists(doctor, "/etc/crio") && !exists(doctor, "/usr/bin/crio")) {
        doctor_add(doctor, CHECK_NOTE, "crio.found", "there is nothing to check", NULL,
                   "no CRI-O was found on this node");
        return;
    }
    each_crio_file(doctor, check_crio_file, NULL);
    setting = crio_setting(doctor, "image", "signature_policy");
    pause = crio_setting(doctor, "image", "pause_image");
    policy = setting != NULL && setting[0] != '\0' ? setting : NULL;
    if (policy == NULL)
        doctor_add(doctor, CHECK_FAIL, "crio.signature-policy",
                   "CRI-O then checks at pulls by /etc/containers/policy.json alone, and at the start of containers "
                   "not at all",
                   fix_crio, "signature_policy is not set");
    else
        doctor_add(doctor, CHECK_OK, "crio.signature-policy", NULL, NULL,
                   "signature_policy is %s: checked at pull and at start", policy);
    check_policy_json(doctor, policy != NULL ? policy : "/etc/containers/policy.json", fix_crio);
    check_namespaces(doctor);
    check_registries_d(doctor);
    check_endorser(doctor);
    if (doctor->pause_image == NULL)
        doctor->pause_image = pause != NULL ? TAKE_PTR(pause) : mem_strdup("registry.k8s.io/pause:3.10");
}

void doctor_podman(struct doctor *doctor)
{
    if (!exists(doctor, "/usr/bin/podman")) {
        doctor_add(doctor, CHECK_NOTE, "podman.found", "there is nothing to check", NULL,
                   "no podman was found on this node");
        return;
    }
    check_policy_json(doctor, "/etc/containers/policy.json", fix_podman);
    check_registries_d(doctor);
    check_endorser(doctor);
    doctor_add(doctor, CHECK_NOTE, "podman.scope", "they are not asked about",
               "use a start gate: pullguard enable oci-hook, or crun",
               "podman checks at pulls only: loaded and local images run");
}
