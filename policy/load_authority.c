/* SPDX-License-Identifier: Apache-2.0 */
/* One element of spec.authorities (policy.md 1.1): exactly one of key, keyless and static, and what may stand beside
 * it. */
#include "policy/load.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/load_keyless.h"
#include "policy/load_pullguard.h"
#include "policy/names.h"

enum { ANNOTATIONS_MAX = 1000 };

static bool load_key(struct load *load, const struct path *up, const struct node *node, struct policy *policy,
                     struct authority *authority)
{
    enum { DATA, FILE_PATH, HASH, SECRET, KMS, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [DATA] = {"data", NODE_STRING, FIELD_OPTIONAL, "a PEM public key"},
        [FILE_PATH] = {"path", NODE_STRING, FIELD_OPTIONAL, "the name of a file in the keys directory"},
        [HASH] = {"hashAlgorithm", NODE_STRING, FIELD_OPTIONAL, NULL},
        [SECRET] = {"secretRef", FIELD_ANY, FIELD_REFUSED,
                    "a node reads no Kubernetes Secrets; put the key into a file in the keys directory and write path: "
                    "NAME.pub"},
        [KMS] = {"kms", FIELD_ANY, FIELD_REFUSED,
                 "a node asks no key service; export the public key (cosign public-key --key KMS) and write it under "
                 "data or path"},
    };
    struct path path = {.up = up, .name = "key"}, data = {.up = &path, .name = "data"};
    struct path file = {.up = &path, .name = "path"}, hash = {.up = &path, .name = "hashAlgorithm"};
    const struct node *fields[FIELDS];
    struct member like = {0};

    if (!fields_read(load, &path, node, rules, FIELDS, fields))
        return false;
    if ((fields[DATA] != NULL) == (fields[FILE_PATH] != NULL))
        return load_fail(load, &path, node, "wanted exactly one of \"data\" and \"path\"");
    if (!load_hash(load, &hash, fields[HASH], &like.hash))
        return false;
    if (fields[FILE_PATH] != NULL)
        return load_key_path(load, &file, fields[FILE_PATH], authority, &like);
    if (!load_key_data(load, &data, fields[DATA], authority, &like))
        return false;
    policy->lint_first_block_only |= authority->member_count > 1;
    return true;
}

static bool load_static(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    enum { ACTION, MESSAGE, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [ACTION] = {"action", NODE_STRING, FIELD_MANDATORY, "pass or fail"},
        [MESSAGE] = {"message", NODE_STRING, FIELD_OPTIONAL, NULL},
    };
    static const char *const actions[] = {"pass", "fail"};
    struct path path = {.up = up, .name = "static"}, action = {.up = &path, .name = "action"};
    struct path message = {.up = &path, .name = "message"};
    const struct node *fields[FIELDS];
    size_t which;

    if (!fields_read(load, &path, node, rules, FIELDS, fields) ||
        !load_word(load, &action, fields[ACTION], actions, ARRAY_LEN(actions), &which))
        return false;
    authority->static_pass = which == 0;
    return fields[MESSAGE] == NULL || load_string(load, &message, fields[MESSAGE], &authority->static_message);
}

static bool add_annotation(struct load *load, const struct path *up, const struct node *member,
                           struct authority *authority)
{
    char shown[80];
    struct path path = {.up = up, .name = shown};
    struct policy_pair *pair;

    text_clean(member->name, shown, sizeof(shown));
    if (member->name.len == 0)
        return load_fail(load, up, member, "an annotation has no name");
    if (member->kind == NODE_NUMBER || member->kind == NODE_BOOL || member->kind == NODE_NULL)
        return load_fail(load, &path, member, "annotations are text: put the value in quotes");
    if (member->kind != NODE_STRING)
        return load_fail(load, &path, member, "wanted text, found a %s", node_kind_name(member->kind));
    for (size_t i = 0; i < authority->annotation_count; i++) {
        pair = &authority->annotations[i];
        if (!span_eq_str(member->name, pair->key))
            continue;
        return span_eq_str(member->text, pair->value) ||
               load_fail(load, &path, member, "the annotation is wanted with two different values");
    }
    if (!mem_grow(&authority->annotations, &authority->annotation_capacity, authority->annotation_count,
                  sizeof(*authority->annotations), ANNOTATIONS_MAX))
        return load_fail(load, up, member, "more than %d annotations", ANNOTATIONS_MAX);
    pair = &authority->annotations[authority->annotation_count++];
    pair->key = span_dup(member->name);
    pair->value = span_dup(member->text);
    return (pair->key != NULL && pair->value != NULL) || error_oom(load->err);
}

static bool add_annotation_map(struct load *load, const struct path *path, const struct node *map,
                               struct authority *authority)
{
    for (const struct node *member = map->child; member != NULL; member = member->next) {
        if (!add_annotation(load, path, member, authority))
            return false;
    }
    return true;
}

bool load_annotations(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    struct path path = {.up = up, .name = "annotations"}, element = {.up = &path};

    if (node->kind != NODE_MAP && node->kind != NODE_LIST)
        return load_fail(load, &path, node, "wanted a map (name: \"value\") or a list of such maps");
    if (node->count == 0)
        return load_fail(load, &path, node, "is empty; take it out, or name an annotation");
    if (node->kind == NODE_MAP)
        return add_annotation_map(load, &path, node, authority);
    for (const struct node *item = node->child; item != NULL; item = item->next, element.index++) {
        if (item->kind == NODE_STRING && span_find_byte(item->text, '=') != SIZE_MAX)
            return load_fail(load, &element, item, "wanted name: \"value\", found text with \"=\"");
        if (item->kind != NODE_MAP || item->count == 0)
            return load_fail(load, &element, item, "wanted a map (name: \"value\")");
        if (!add_annotation_map(load, &element, item, authority))
            return false;
    }
    return true;
}

/* A directory in place of a registry: kept as a repository of the host "directory", which no registry can be called. */
static bool load_directory(struct load *load, const struct path *path, const struct node *node,
                           struct authority *authority)
{
    struct span text = node->text;

    if (text.len < 2 || text.ptr[0] != '/' || text.ptr[text.len - 1] == '/' || text.len > 700 || span_has_nul(text) ||
        span_find(text, "//") != SIZE_MAX || span_find(text, "/../") != SIZE_MAX || span_ends(text, "/..") ||
        span_find(text, "\n") != SIZE_MAX)
        return load_fail(load, path, node, "wanted the absolute path of a directory, such as /var/lib/signatures");
    authority->source_repository = mem_printf(POLICY_DIRECTORY_HOST "/%.*s", (int)text.len, (const char *)text.ptr);
    return authority->source_repository != NULL || error_oom(load->err);
}

static bool load_source(struct load *load, const struct path *up, const struct node *list, struct authority *authority)
{
    enum { OCI, DIRECTORY, PREFIX, SECRETS, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [OCI] = {"oci", NODE_STRING, FIELD_OPTIONAL, NULL},
        [DIRECTORY] = {"directory", NODE_STRING, FIELD_OPTIONAL, NULL},
        [PREFIX] = {"tagPrefix", NODE_STRING, FIELD_OPTIONAL, NULL},
        [SECRETS] = {"signaturePullSecrets", FIELD_ANY, FIELD_REFUSED,
                     "a node reads no Kubernetes Secrets; credentials come from the pull or from the settings"},
    };
    struct path path = {.up = up, .name = "source"}, element = {.up = &path};
    struct path oci = {.up = &element, .name = "oci"}, directory = {.up = &element, .name = "directory"};
    struct path prefix = {.up = &element, .name = "tagPrefix"};
    const struct node *fields[FIELDS];

    if (list->count != 1)
        return load_fail(load, &path, list, "wanted exactly one source, found %u", list->count);
    if (!fields_read(load, &element, list->child, rules, FIELDS, fields))
        return false;
    if (fields[OCI] == NULL && fields[PREFIX] == NULL && fields[DIRECTORY] == NULL)
        return load_fail(load, &element, list->child, "names none of \"oci\", \"directory\" and \"tagPrefix\"");
    if (fields[DIRECTORY] != NULL) {
        if (fields[OCI] != NULL || fields[PREFIX] != NULL)
            return load_fail(load, &directory, fields[DIRECTORY], "cannot stand beside \"oci\" or \"tagPrefix\"");
        return load_directory(load, &directory, fields[DIRECTORY], authority);
    }
    if (fields[OCI] != NULL) {
        authority->source_repository = repository_canonical(fields[OCI]->text, load->err);
        if (authority->source_repository == NULL)
            return load_fail_error(load, &oci, fields[OCI]);
    }
    if (fields[PREFIX] == NULL)
        return true;
    if (!load_string(load, &prefix, fields[PREFIX], &authority->tag_prefix))
        return false;
    for (const char *c = authority->tag_prefix; *c != '\0'; c++) {
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_' ||
              (c != authority->tag_prefix && (*c == '.' || *c == '-'))))
            return load_fail(load, &prefix, fields[PREFIX], "a tag has letters, digits, _ . and - only");
    }
    return authority->source_repository != NULL || strlen(authority->tag_prefix) <= 50 ||
           load_fail(load, &prefix, fields[PREFIX], "a tag has 128 characters at most, of which the digest needs 75");
}

enum { NAME, KEY, KEYLESS, STATIC, SOURCE, CTLOG, TIMESTAMP, ATTESTATIONS, FORMAT, ANNOTATIONS, PULLGUARD, FIELDS };

static bool load_kind(struct load *load, const struct path *path, const struct node *node, const struct node **fields,
                      struct policy *policy, struct authority *authority)
{
    int kinds = (fields[KEY] != NULL) + (fields[KEYLESS] != NULL) + (fields[STATIC] != NULL);

    if (kinds != 1)
        return load_fail(load, path, node, "wanted exactly one of \"key\", \"keyless\" and \"static\", found %s",
                         kinds == 0 ? "none" : "more than one");
    if (fields[KEY] != NULL) {
        authority->kind = AUTHORITY_KEY;
        return load_key(load, path, fields[KEY], policy, authority);
    }
    if (fields[KEYLESS] != NULL) {
        authority->kind = AUTHORITY_KEYLESS;
        return load_keyless(load, path, fields[KEYLESS], authority);
    }
    authority->kind = AUTHORITY_STATIC;
    return load_static(load, path, fields[STATIC], authority);
}

/* `static` decides without looking at anything: whatever stands beside it would never be looked at. */
static bool check_static_alone(struct load *load, const struct path *up, const struct node **fields)
{
    static const struct {
        int field;
        const char *name;
    } beside[] = {{SOURCE, "source"},     {CTLOG, "ctlog"},           {TIMESTAMP, "rfc3161timestamp"},
                  {FORMAT, "signatureFormat"}, {ATTESTATIONS, "attestations"}, {ANNOTATIONS, "annotations"},
                  {PULLGUARD, "pullguard"}};

    if (fields[STATIC] == NULL)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        struct path path = {.up = up, .name = beside[i].name};

        if (fields[beside[i].field] != NULL)
            return load_fail(load, &path, fields[beside[i].field],
                             "cannot stand beside \"static\", which looks at nothing");
    }
    return true;
}

static bool load_parts(struct load *load, const struct path *path, const struct node **fields,
                       struct authority *authority)
{
    if (fields[SOURCE] != NULL && !load_source(load, path, fields[SOURCE], authority))
        return false;
    if (authority->tag_prefix == NULL && (authority->tag_prefix = mem_strdup("")) == NULL)
        return error_oom(load->err);
    if (fields[ANNOTATIONS] != NULL && !load_annotations(load, path, fields[ANNOTATIONS], authority))
        return false;
    if (!load_proofs(load, path, fields[CTLOG], fields[TIMESTAMP], fields[FORMAT], authority))
        return false;
    if (fields[ATTESTATIONS] != NULL && !load_attestations(load, path, fields[ATTESTATIONS], authority))
        return false;
    return load_authority_block(load, path, fields[PULLGUARD], authority);
}

bool load_authority(struct load *load, const struct path *path, const struct node *node, struct policy *policy,
                    struct authority *authority)
{
    static const struct field_rule rules[FIELDS] = {
        [NAME] = {"name", NODE_STRING, FIELD_OPTIONAL, NULL},
        [KEY] = {"key", NODE_MAP, FIELD_OPTIONAL, NULL},
        [KEYLESS] = {"keyless", NODE_MAP, FIELD_OPTIONAL, NULL},
        [STATIC] = {"static", NODE_MAP, FIELD_OPTIONAL, "{action: pass} or {action: fail}"},
        [SOURCE] = {"source", NODE_LIST, FIELD_OPTIONAL, "with one element, {oci: HOST/PATH} or {directory: PATH}"},
        [CTLOG] = {"ctlog", NODE_MAP, FIELD_OPTIONAL, NULL},
        [TIMESTAMP] = {"rfc3161timestamp", NODE_MAP, FIELD_OPTIONAL, NULL},
        [ATTESTATIONS] = {"attestations", NODE_LIST, FIELD_OPTIONAL, NULL},
        [FORMAT] = {"signatureFormat", NODE_STRING, FIELD_OPTIONAL, NULL},
        [ANNOTATIONS] = {"annotations", FIELD_ANY, FIELD_OPTIONAL, "a map (name: \"value\") or a list of such maps"},
        [PULLGUARD] = {"pullguard", NODE_MAP, FIELD_OPTIONAL, NULL},
    };
    struct path name_path = {.up = path, .name = "name"};
    const struct node *fields[FIELDS];

    authority->at = (struct place){node->line, node->column};
    authority->threshold = 1;
    authority->trust_root = authority->log_root = authority->tsa_root = ROOT_NONE;
    if (!fields_read(load, path, node, rules, FIELDS, fields))
        return false;
    if (fields[NAME] != NULL && !load_string(load, &name_path, fields[NAME], &authority->name))
        return false;
    if (authority->name == NULL && (authority->name = mem_printf("authority-%zu", authority->index)) == NULL)
        return error_oom(load->err);
    return check_static_alone(load, path, fields) && load_kind(load, path, node, fields, policy, authority) &&
           load_parts(load, path, fields, authority);
}
