/* SPDX-License-Identifier: Apache-2.0 */
/* attestations[] (policy.md 1.1) and what stands in for their CUE and Rego. */
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/mem.h"
#include "policy/advise.h"
#include "policy/condition.h"
#include "policy/load_keyless.h"

enum { ATTESTATIONS_MAX = 100 };

/* cosign's short names (sigstore.md 1, Types). */
static const struct {
    const char *name, *uri;
} short_types[] = {
    {"custom", "https://cosign.sigstore.dev/attestation/v1"},
    {"slsaprovenance", "https://slsa.dev/provenance/v0.2"},
    {"slsaprovenance02", "https://slsa.dev/provenance/v0.2"},
    {"slsaprovenance1", "https://slsa.dev/provenance/v1"},
    {"spdx", "https://spdx.dev/Document"},
    {"spdxjson", "https://spdx.dev/Document"},
    {"cyclonedx", "https://cyclonedx.org/bom"},
    {"link", "https://in-toto.io/Link/v1"},
    {"vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"},
    {"openvex", "https://openvex.dev/ns"},
};

static bool load_predicate_type(struct load *load, const struct path *path, const struct node *node, char **ret)
{
    const char *names[ARRAY_LEN(short_types)];
    const char *near;
    char shown[80];

    for (size_t i = 0; i < ARRAY_LEN(short_types); i++) {
        names[i] = short_types[i].name;
        if (node_str_is(node, short_types[i].name)) {
            *ret = mem_strdup(short_types[i].uri);
            return *ret != NULL || error_oom(load->err);
        }
    }
    if (span_find_byte(node->text, ':') != SIZE_MAX)
        return load_string(load, path, node, ret);
    near = name_nearest(node->text, names, ARRAY_LEN(names));
    return load_fail(load, path, node, "\"%s\" is neither a URI nor a known short name%s%s%s",
                     text_clean(node->text, shown, sizeof(shown)), near != NULL ? "; did you mean \"" : "",
                     near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* CUE and Rego are not run; where they say something simple, show the same as conditions. */
static bool refuse_policy(struct load *load, const struct path *path, const struct node *node)
{
    const struct node *data = node_get(node, "data");
    struct buf advice CLEANUP(buf_free) = BUF_INIT(300);

    if (node_is(data, NODE_STRING))
        advise_conditions(data->text, node_str_is(node_get(node, "type"), "rego"), &advice);
    if (advice.len == 0 || !buf_ok(&advice))
        return load_fail(
            load, path, node,
            "CUE and Rego are not run here; state it as conditions instead: pullguard: {conditions: [{path: "
            "predicate.builder.id, equals: \"...\"}]}");
    return load_fail(load, path, node,
                     "CUE and Rego are not run here; the same as conditions: pullguard: {conditions: [%s]}",
                     buf_cstr(&advice));
}

static bool load_conditions(struct load *load, const struct path *up, const struct node *node,
                            struct attestation_rule *rule)
{
    static const struct field_rule rules[] = {{"conditions", NODE_LIST, FIELD_MANDATORY, NULL}};
    struct path path = {.up = up, .name = "pullguard"}, list = {.up = &path, .name = "conditions"};
    const struct node *fields[ARRAY_LEN(rules)];

    return node == NULL || (fields_read(load, &path, node, rules, ARRAY_LEN(rules), fields) &&
                            condition_load(load, &list, fields[0], &rule->conditions));
}

static bool load_attestation(struct load *load, const struct path *path, const struct node *node,
                             struct authority *authority)
{
    enum { NAME, TYPE, POLICY, PULLGUARD, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [NAME] = {"name", NODE_STRING, FIELD_MANDATORY, NULL},
        [TYPE] = {"predicateType", NODE_STRING, FIELD_MANDATORY, "a URI, or a short name such as slsaprovenance1"},
        [POLICY] = {"policy", FIELD_ANY, FIELD_OPTIONAL, NULL},
        [PULLGUARD] = {"pullguard", NODE_MAP, FIELD_OPTIONAL, NULL},
    };
    struct path name = {.up = path, .name = "name"}, type = {.up = path, .name = "predicateType"};
    struct path policy = {.up = path, .name = "policy"};
    const struct node *fields[FIELDS];
    struct attestation_rule *rule;

    if (!fields_read(load, path, node, rules, FIELDS, fields))
        return false;
    if (fields[POLICY] != NULL)
        return refuse_policy(load, &policy, fields[POLICY]);
    if (!mem_grow(&authority->attestations, &authority->attestation_capacity, authority->attestation_count,
                  sizeof(*authority->attestations), ATTESTATIONS_MAX))
        return load_fail(load, path, node, "more than %d attestations", ATTESTATIONS_MAX);
    rule = &authority->attestations[authority->attestation_count++];
    rule->at = (struct place){node->line, node->column};
    if (!load_string(load, &name, fields[NAME], &rule->name) ||
        !load_predicate_type(load, &type, fields[TYPE], &rule->predicate_type))
        return false;
    for (size_t i = 0; i + 1 < authority->attestation_count; i++) {
        if (strcmp(authority->attestations[i].name, rule->name) == 0)
            return load_fail(load, &name, fields[NAME], "the name \"%s\" is taken by another attestation", rule->name);
    }
    return load_conditions(load, path, fields[PULLGUARD], rule);
}

bool load_attestations(struct load *load, const struct path *up, const struct node *list, struct authority *authority)
{
    struct path path = {.up = up, .name = "attestations"}, element = {.up = &path};

    if (!load_not_empty(load, &path, list, "attestation"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        if (!load_attestation(load, &element, item, authority))
            return false;
    }
    return true;
}
