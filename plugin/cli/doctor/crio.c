/* SPDX-License-Identifier: Apache-2.0 */
/* doctor for CRI-O: which policy counts, and is it checked again when a container starts (crio.md section 2.2)? */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/toml.h"
#include "plugin/cli/doctor/containers.h"

static const char fix_crio[] = "pullguard enable crio";

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

/* "nri.default_validator": a table in a table. */
static const struct node *section_of(const struct node *root, const char *section)
{
    const struct node *node = node_get(root, "crio");
    struct span rest = span_str(section);

    while (rest.len > 0) {
        size_t end = span_find_byte(rest, '.');

        node = node_get_span(node, span_cut(rest, 0, end));
        rest = end == SIZE_MAX ? span_str("") : span_cut(rest, end + 1, SIZE_MAX);
    }
    return node;
}

/* A text, true or false, or the texts of a list, each with a line break behind it. */
static char *text_of(const struct node *node)
{
    CLEANUP(buf_free) struct buf text = BUF_INIT(LIMIT_SETTINGS_BYTES);

    if (node_is(node, NODE_STRING) || node_is(node, NODE_BOOL))
        return span_dup(node->text);
    for (const struct node *one = node->child; one != NULL; one = one->next)
        if (node_is(one, NODE_STRING)) {
            buf_span(&text, one->text);
            buf_byte(&text, '\n');
        }
    return text.len > 0 ? buf_take(&text) : mem_strdup("");
}

static void look_up(struct doctor *doctor, const char *path, void *context)
{
    struct crio_value *value = context;
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    const struct node *node;

    if (!read_crio_file(path, &bytes, &tree, &ignored))
        return;
    node = node_get(section_of(tree_root(tree), value->section), value->name);
    if (!node_is(node, NODE_STRING) && !node_is(node, NODE_BOOL) && !node_is(node, NODE_LIST))
        return;
    mem_free(value->text);
    value->text = text_of(node);
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
    CLEANUP(mem_freep) char *setting = crio_setting(doctor, "image", "signature_policy_dir");
    const char *logical_dir = setting != NULL && setting[0] != '\0' ? setting : "/etc/crio/policies";
    CLEANUP(mem_freep) char *directory = doctor_path(doctor, logical_dir);
    CLEANUP(names_free) struct names names = { 0 };
    struct error ignored = ERROR_INIT;

    if (directory == NULL || !dir_list(directory, suffixes, &names, &ignored))
        return;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *logical = mem_printf("%s/%s", logical_dir, names.items[i]);

        if (logical != NULL)
            containers_check_policy_json(doctor, logical,
                                         "give the namespace's file the same requirements, or remove it");
    }
}

/* As containerd_check_nri (start.c); these settings are CRI-O's since 1.34. */
static void check_nri(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *enabled = crio_setting(doctor, "nri", "enable_nri");
    CLEANUP(mem_freep) char *validator =
        crio_setting(doctor, "nri.default_validator", "nri_enable_default_validator");
    CLEANUP(mem_freep) char *required =
        crio_setting(doctor, "nri.default_validator", "nri_validator_required_plugins");

    if (!nri_installed(doctor))
        return;
    if (enabled != NULL && strcmp(enabled, "false") == 0)
        doctor_add(doctor, CHECK_FAIL, "nri.disabled", "the plugin is never started", "set enable_nri = true",
                   "NRI is switched off in CRI-O");
    else if (validator != NULL && strcmp(validator, "true") == 0 && required != NULL &&
             strstr(required, "pullguard\n") != NULL)
        doctor_add(doctor, CHECK_OK, "nri.required", NULL, NULL, "CRI-O requires the NRI plugin");
    else
        doctor_add(doctor, CHECK_WARN, "nri.required",
                   "when the plugin is late or gone, containers are created unasked",
                   "[crio.nri.default_validator] nri_enable_default_validator = true, nri_validator_required_plugins = "
                   "[\"pullguard\"] (CRI-O 1.34 and newer)",
                   "CRI-O does not require the NRI plugin");
}

void doctor_crio(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *setting = NULL;
    CLEANUP(mem_freep) char *pause = NULL;
    const char *policy;

    if (!containers_exists(doctor, "/etc/crio") && !containers_exists(doctor, "/usr/bin/crio")) {
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
    containers_check_policy_json(doctor, policy != NULL ? policy : "/etc/containers/policy.json", fix_crio);
    if (policy == NULL)
        containers_check_user(doctor);
    check_namespaces(doctor);
    check_nri(doctor);
    if (policy != NULL)
        crio_check_images(doctor);
    containers_check_registries_d(doctor);
    containers_check_endorser(doctor);
    if (doctor->pause_image == NULL)
        doctor->pause_image = pause != NULL ? TAKE_PTR(pause) : mem_strdup("registry.k8s.io/pause:3.10");
}
