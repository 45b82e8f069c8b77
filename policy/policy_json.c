/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json: the file, its transports and scopes, the types of requirements. */
#include "policy/policy_json.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

enum { SCOPES_MAX = 100 * 1000, REQUIREMENTS_MAX = 1000 };

static bool only_type(struct load *load, const struct path *path, const struct node *node)
{
    static const struct field_rule rules[] = {{"type", NODE_STRING, FIELD_MANDATORY, NULL}};
    const struct node *fields[ARRAY_LEN(rules)];

    return fields_read(load, path, node, rules, ARRAY_LEN(rules), fields);
}

static bool load_static_requirement(struct load *load, const struct path *path, const struct node *node, bool pass,
                                    struct authority *authority)
{
    authority->kind = AUTHORITY_STATIC;
    authority->static_pass = pass;
    if (!only_type(load, path, node))
        return false;
    authority->static_message = pass ? NULL : mem_strdup("policy.json rejects this image (reject)");
    return pass || authority->static_message != NULL || error_oom(load->err);
}

static bool load_requirement(struct load *load, const struct path *path, const struct node *node,
                             struct authority *authority)
{
    struct path type_path = {.up = path, .name = "type"};
    const struct node *type = node_get(node, "type");
    char shown[80];

    if (node->kind != NODE_MAP || type == NULL || type->kind != NODE_STRING)
        return load_fail(load, &type_path, node, "is missing: the kind of requirement, such as \"sigstoreSigned\"");
    if (node_str_is(type, "insecureAcceptAnything"))
        return load_static_requirement(load, path, node, true, authority);
    if (node_str_is(type, "reject"))
        return load_static_requirement(load, path, node, false, authority);
    if (node_str_is(type, "sigstoreSigned"))
        return load_sigstore_signed(load, path, node, authority);
    if (node_str_is(type, "signedBy"))
        return load_fail(
            load, &type_path, type,
            "GPG signatures (signedBy) are not checked here; leave this policy to the runtime's own check, or "
            "sign with cosign and use sigstoreSigned");
    if (node_str_is(type, "signedBaseLayer"))
        return load_fail(load, &type_path, type, "signedBaseLayer is not supported, by containers' own tools neither");
    return load_fail(load, &type_path, type, "unknown kind of requirement \"%s\"",
                     text_clean(type->text, shown, sizeof(shown)));
}

static bool load_requirements(struct load *load, const struct path *path, const struct node *list,
                              struct policy *policy)
{
    struct path element = {.up = path};

    if (list->kind != NODE_LIST)
        return load_fail(load, path, list, "wanted a list of requirements");
    if (!load_not_empty(load, path, list, "requirement"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        struct authority *authority;

        if (!mem_grow(&policy->authorities, &policy->authority_capacity, policy->authority_count,
                      sizeof(*policy->authorities), REQUIREMENTS_MAX))
            return load_fail(load, &element, item, "more than %d requirements", REQUIREMENTS_MAX);
        authority = &policy->authorities[policy->authority_count++];
        authority->index = element.index;
        authority->at = (struct place){item->line, item->column};
        authority->threshold = 1;
        authority->trust_root = authority->log_root = authority->tsa_root = ROOT_NONE;
        authority->format = FORMAT_LEGACY;
        authority->name = mem_printf("requirement-%zu", element.index);
        authority->tag_prefix = mem_strdup("");
        if (authority->name == NULL || authority->tag_prefix == NULL)
            return error_oom(load->err);
        if (!load_requirement(load, &element, item, authority))
            return false;
    }
    return true;
}

/* A policy of its own for each scope; its "glob" is the scope. */
static bool add_policy(struct load *load, const struct path *path, const struct node *list, const char *name,
                       const char *scope, size_t *ret_index)
{
    struct policy_set *set = load->set;
    struct policy *policy;
    size_t index;

    if (!mem_grow(&set->policies, &set->policy_capacity, set->policy_count, sizeof(*set->policies), SCOPES_MAX))
        return load_fail(load, path, list, "more than %d scopes", SCOPES_MAX);
    index = set->policy_count++;
    policy = &set->policies[index];
    policy->file = load->file;
    policy->at = (struct place){list->line, list->column};
    policy->threshold = 1;
    policy->all = true;
    policy->name = mem_strdup(name);
    if (policy->name == NULL ||
        !mem_grow(&policy->globs, &policy->glob_capacity, 0, sizeof(*policy->globs), 1))
        return error_oom(load->err);
    policy->globs[0] = (struct policy_glob){.text = mem_strdup(scope), .at = policy->at};
    policy->glob_count = 1;
    if (policy->globs[0].text == NULL)
        return error_oom(load->err);
    *ret_index = index;
    return load_requirements(load, path, list, policy);
}

/* A scope that no canonical name falls under would leave its images to a looser one, or to the default. */
static const char *scope_is_dead(const char *scope)
{
    struct span host = span_cut(span_str(scope), 0, strcspn(scope, "/"));

    if (span_ends(host, ":443"))
        return "the port 443 is the default and stands in no name; leave it out";
    if (span_eq_str(host, "registry-1.docker.io"))
        return "Docker Hub is called docker.io here";
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] >= 'A' && host.ptr[i] <= 'Z')
            return "host names are lower case";
    return NULL;
}

static bool add_scope(struct load *load, const struct path *up, const struct node *list)
{
    char *scope CLEANUP(mem_freep) = span_dup(list->name);
    char *name CLEANUP(mem_freep) = NULL;
    struct path path = {.up = up, .name = scope};
    size_t index;

    if (scope == NULL)
        return error_oom(load->err);
    if (scope_is_dead(scope) != NULL)
        return load_fail(load, &path, list, "this scope is never looked up: %s", scope_is_dead(scope));
    name = mem_printf("docker:%s", scope);
    if (name == NULL)
        return error_oom(load->err);
    return add_policy(load, &path, list, name, scope, &index) &&
           (table_add(&load->set->scopes, list->name, index) || error_oom(load->err));
}

/* Requirements of other transports decide no pull from a registry, but a file with a mistake in it is no policy. */
static bool check_transport(struct load *load, const struct path *up, const struct node *scopes)
{
    char shown[80];
    struct path path = {.up = up, .name = text_clean(scopes->name, shown, sizeof(shown))};

    if (scopes->kind != NODE_MAP)
        return load_fail(load, &path, scopes, "wanted a map from scopes to requirements");
    for (const struct node *list = scopes->child; list != NULL; list = list->next) {
        char scope_shown[200];
        struct path scope = {.up = &path, .name = text_clean(list->name, scope_shown, sizeof(scope_shown))};
        struct policy policy = {0};
        bool good;

        if (span_eq_str(scopes->name, "docker")) {
            if (!add_scope(load, &path, list))
                return false;
            continue;
        }
        load->set->has_other_transports = true;
        good = load_requirements(load, &scope, list, &policy);
        policy_done(&policy);
        if (!good)
            return false;
    }
    return true;
}

bool load_policy_json(struct load *load, const struct node *root)
{
    enum { DEFAULT, TRANSPORTS, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [DEFAULT] = {"default", NODE_LIST, FIELD_MANDATORY, "a list of requirements"},
        [TRANSPORTS] = {"transports", NODE_MAP, FIELD_OPTIONAL, NULL},
    };
    struct path default_path = {.name = "default"}, transports = {.name = "transports"};
    const struct node *fields[FIELDS];

    if (load->set->policy_count > 0)
        return load_fail(load, NULL, root, "a second policy.json; one file decides");
    if (!fields_read(load, NULL, root, rules, FIELDS, fields) ||
        !add_policy(load, &default_path, fields[DEFAULT], "default", "default", &load->set->default_policy))
        return false;
    for (const struct node *scopes = fields[TRANSPORTS] != NULL ? fields[TRANSPORTS]->child : NULL; scopes != NULL;
         scopes = scopes->next) {
        if (!check_transport(load, &transports, scopes))
            return false;
    }
    return true;
}
