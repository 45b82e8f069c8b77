/* SPDX-License-Identifier: Apache-2.0 */
/* spec.authorities[].pullguard: further keys, thresholds, validity, age, what else must be signed. */
#include "policy/load_pullguard.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"

enum { REQUIRED_MAX = 1000 };

static bool load_time_field(struct load *load, const struct path *up, const char *name, const struct node *node,
                            bool *ret_has, int64_t *ret)
{
    struct path path = {.up = up, .name = name};

    if (node == NULL)
        return true;
    if (!time_parse(node->text, ret, NULL))
        return load_fail(load, &path, node, "wanted a time with its zone, such as \"2026-12-31T23:59:59Z\"");
    *ret_has = true;
    return true;
}

/* Reads notBefore and notAfter into a member. */
static bool load_window(struct load *load, const struct path *up, const struct node *before, const struct node *after,
                        struct member *member)
{
    struct path path = {.up = up, .name = "notAfter"};

    if (!load_time_field(load, up, "notBefore", before, &member->has_not_before, &member->not_before) ||
        !load_time_field(load, up, "notAfter", after, &member->has_not_after, &member->not_after))
        return false;
    if (member->has_not_before && member->has_not_after && member->not_before > member->not_after)
        return load_fail(load, &path, after, "lies before notBefore");
    return true;
}

/* A key that `key` already named gets what stands here: its name, its time. Else it is a further key. */
static bool merge_member(struct authority *authority, size_t first_new)
{
    struct member *fresh = &authority->members[first_new];

    for (size_t i = 0; i < first_new; i++) {
        struct member *old = &authority->members[i];

        if (old->key != fresh->key || old->name != NULL)
            continue;
        old->name = TAKE_PTR(fresh->name);
        old->has_not_before |= fresh->has_not_before;
        old->has_not_after |= fresh->has_not_after;
        old->not_before = fresh->has_not_before ? fresh->not_before : old->not_before;
        old->not_after = fresh->has_not_after ? fresh->not_after : old->not_after;
        old->hash = fresh->hash != DIGEST_NONE ? fresh->hash : old->hash;
        return true;
    }
    return false;
}

static bool load_member(struct load *load, const struct path *path, const struct node *node,
                        struct authority *authority)
{
    enum { NAME, DATA, FILE_PATH, HASH, BEFORE, AFTER, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [NAME] = {"name", NODE_STRING, FIELD_MANDATORY, NULL},
        [DATA] = {"data", NODE_STRING, FIELD_OPTIONAL, NULL},
        [FILE_PATH] = {"path", NODE_STRING, FIELD_OPTIONAL, NULL},
        [HASH] = {"hashAlgorithm", NODE_STRING, FIELD_OPTIONAL, NULL},
        [BEFORE] = {"notBefore", NODE_STRING, FIELD_OPTIONAL, NULL},
        [AFTER] = {"notAfter", NODE_STRING, FIELD_OPTIONAL, NULL},
    };
    struct path data = {.up = path, .name = "data"}, file = {.up = path, .name = "path"};
    struct path hash = {.up = path, .name = "hashAlgorithm"}, name_path = {.up = path, .name = "name"};
    /* Read apart, so that a key already there can be told from one listed twice here. */
    struct authority scratch = {0};
    char *name CLEANUP(mem_freep) = NULL;
    const struct node *fields[FIELDS];
    struct member like = {0};
    bool good;

    if (!fields_read(load, path, node, rules, FIELDS, fields) || !load_string(load, &name_path, fields[NAME], &name))
        return false;
    if ((fields[DATA] != NULL) == (fields[FILE_PATH] != NULL))
        return load_fail(load, path, node, "wanted exactly one of \"data\" and \"path\"");
    for (size_t i = 0; i < authority->member_count; i++) {
        if (authority->members[i].name != NULL && strcmp(authority->members[i].name, name) == 0)
            return load_fail(load, &name_path, fields[NAME], "the name \"%s\" is taken by another key", name);
    }
    like.name = name;
    if (!load_hash(load, &hash, fields[HASH], &like.hash) ||
        !load_window(load, path, fields[BEFORE], fields[AFTER], &like))
        return false;
    good = fields[DATA] != NULL ? load_key_data(load, &data, fields[DATA], &scratch, &like)
                                : load_key_path(load, &file, fields[FILE_PATH], &scratch, &like);
    if (good && !mem_grow(&authority->members, &authority->member_capacity, authority->member_count,
                          sizeof(*authority->members), SIZE_MAX / 256))
        good = error_oom(load->err);
    if (good) {
        size_t at = authority->member_count;

        authority->members[at] = scratch.members[0];
        scratch.members[0].name = NULL;
        for (size_t i = 0; good && i < at; i++) {
            if (authority->members[i].key == authority->members[at].key && authority->members[i].name != NULL)
                good = load_fail(load, path, node, "this key is already listed as \"%s\": one key is one signer",
                                 authority->members[i].name);
        }
        if (!good || merge_member(authority, at)) {
            mem_free(authority->members[at].name);
            authority->members[at] = (struct member){0};
        } else {
            authority->member_count++;
        }
    }
    authority_done(&scratch);
    return good;
}

static bool load_members(struct load *load, const struct path *up, const struct node *list, struct authority *authority)
{
    struct path path = {.up = up, .name = "keys"}, element = {.up = &path};

    if (authority->kind != AUTHORITY_KEY)
        return load_fail(load, &path, list, "stands beside \"key\" only");
    if (!load_not_empty(load, &path, list, "key"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        if (!load_member(load, &element, item, authority))
            return false;
    }
    return true;
}

/* authority- or policy-wide list of names, each known and once. */
static bool load_required(struct load *load, const struct path *up, const struct node *list, char ***names,
                          size_t *count, size_t *capacity, bool (*known)(const void *context, const char *name),
                          const void *context)
{
    struct path path = {.up = up, .name = "required"}, element = {.up = &path};

    if (list == NULL)
        return true;
    if (!load_not_empty(load, &path, list, "name"))
        return false;
    for (const struct node *item = list->child; item != NULL; item = item->next, element.index++) {
        char *name;

        if (!mem_grow(names, capacity, *count, sizeof(**names), REQUIRED_MAX))
            return load_fail(load, &element, item, "more than %d names", REQUIRED_MAX);
        if (!load_string(load, &element, item, &name))
            return false;
        (*names)[(*count)++] = name;
        if (!known(context, name))
            return load_fail(load, &element, item, "nothing here has the name \"%s\"", name);
        for (size_t i = 0; i + 1 < *count; i++) {
            if (strcmp((*names)[i], name) == 0)
                return load_fail(load, &element, item, "is listed twice");
        }
    }
    return true;
}

static bool load_threshold(struct load *load, const struct path *up, const struct node *node, size_t most,
                           size_t required, const char *what, size_t *ret)
{
    struct path path = {.up = up, .name = "threshold"};
    uint64_t value = required > 1 ? required : 1;

    if (node != NULL && (!span_to_u64(node->text, UINT32_MAX, &value) || value == 0))
        return load_fail(load, &path, node, "wanted a whole number from 1 on");
    if (value > most)
        return load_fail(load, &path, node, "%u can never be reached: %s counts once, and %zu %s listed",
                         (unsigned int)value, what, most, most == 1 ? "is" : "are");
    if (value < required)
        return load_fail(load, &path, node, "is smaller than the number of those required");
    *ret = (size_t)value;
    return true;
}

static bool entry_known(const void *context, const char *name)
{
    const struct authority *authority = context;

    for (size_t i = 0; i < authority->member_count; i++) {
        if (authority->members[i].name != NULL && strcmp(authority->members[i].name, name) == 0)
            return true;
    }
    for (size_t i = 0; i < authority->identity_count; i++) {
        if (authority->identities[i].name != NULL && strcmp(authority->identities[i].name, name) == 0)
            return true;
    }
    return false;
}

enum { KEYS, BEFORE, AFTER, THRESHOLD, REQUIRED, ATTESTED, MAX_AGE, IDENTITY, IGNORE_TLOG, FIELDS };

static bool load_counts(struct load *load, const struct path *path, const struct node **fields,
                        struct authority *authority)
{
    bool keys = authority->kind == AUTHORITY_KEY;

    return load_required(load, path, fields[REQUIRED], &authority->required, &authority->required_count,
                         &authority->required_capacity, entry_known, authority) &&
           load_threshold(load, path, fields[THRESHOLD], keys ? authority->member_count : authority->identity_count,
                          authority->required_count, keys ? "a key" : "an identity", &authority->threshold);
}

static bool load_age(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    struct path path = {.up = up, .name = "maxAge"};

    if (node == NULL)
        return true;
    if (!duration_parse(node->text, &authority->max_age) || authority->max_age <= 0)
        return load_fail(load, &path, node, "wanted a duration such as 30d, 12h or 1h30m");
    if (authority->kind == AUTHORITY_KEY && authority->log_root == ROOT_NONE && authority->tsa_root == ROOT_NONE)
        return load_fail(load, &path, node,
                         "age is measured by trusted time only: add ctlog or rfc3161timestamp to this authority");
    authority->has_max_age = true;
    return true;
}

static bool load_reference(struct load *load, const struct path *up, const struct node *node,
                           struct authority *authority)
{
    static const char *const rules[] = {"any", "repository", "exact"};
    struct path path = {.up = up, .name = "identity"};
    size_t which;

    if (node == NULL)
        return true;
    if (!load_word(load, &path, node, rules, ARRAY_LEN(rules), &which))
        return false;
    authority->reference = (enum reference_rule)which;
    if (which != REFERENCE_ANY && authority->format == FORMAT_BUNDLE)
        return load_fail(load, &path, node, "bundles sign no image name; wanted \"any\", or another signatureFormat");
    return true;
}

/* The window beside `key` holds for every key that it named. */
static bool load_key_window(struct load *load, const struct path *path, const struct node **fields,
                            struct authority *authority)
{
    struct member window = {0};
    struct path before = {.up = path, .name = fields[BEFORE] != NULL ? "notBefore" : "notAfter"};

    if (fields[BEFORE] == NULL && fields[AFTER] == NULL)
        return true;
    if (authority->kind != AUTHORITY_KEY)
        return load_fail(load, &before, fields[BEFORE] != NULL ? fields[BEFORE] : fields[AFTER],
                         "stands beside \"key\" only");
    if (!load_window(load, path, fields[BEFORE], fields[AFTER], &window))
        return false;
    for (size_t i = 0; i < authority->member_count; i++) {
        authority->members[i].has_not_before = window.has_not_before;
        authority->members[i].has_not_after = window.has_not_after;
        authority->members[i].not_before = window.not_before;
        authority->members[i].not_after = window.not_after;
    }
    return true;
}

static bool load_flags(struct load *load, const struct path *up, const struct node **fields,
                       struct authority *authority)
{
    struct path attested = {.up = up, .name = "signedAndAttested"}, ignore = {.up = up, .name = "insecureIgnoreTlog"};
    bool ignore_log = false;

    if (!node_bool(fields[ATTESTED], &authority->signed_and_attested) && fields[ATTESTED] != NULL)
        return load_fail(load, &attested, fields[ATTESTED], "wanted true or false");
    if (authority->signed_and_attested && authority->attestation_count == 0)
        return load_fail(load, &attested, fields[ATTESTED], "needs \"attestations\" in the same authority");
    if (fields[IGNORE_TLOG] == NULL)
        return true;
    if (!node_bool(fields[IGNORE_TLOG], &ignore_log))
        return load_fail(load, &ignore, fields[IGNORE_TLOG], "wanted true or false");
    if (authority->kind != AUTHORITY_KEYLESS || authority->log_root != authority->trust_root)
        return load_fail(load, &ignore, fields[IGNORE_TLOG],
                         "stands in a keyless authority without ctlog and rfc3161timestamp");
    if (ignore_log)
        authority->log_root = ROOT_NONE;
    return true;
}

/* What the parts of an authority demand of each other, with and without a block. */
static bool check_parts(struct load *load, const struct path *path, const struct authority *authority)
{
    struct path annotations = {.up = path, .name = "annotations"};
    struct node at = {.line = authority->at.line, .column = authority->at.column};

    if (authority->annotation_count > 0 && authority->attestation_count > 0 && !authority->signed_and_attested)
        return load_fail(
            load, &annotations, &at,
            "annotations are carried by signatures, and an authority with attestations looks at those only: add "
            "pullguard: {signedAndAttested: true}");
    return true;
}

bool load_authority_block(struct load *load, const struct path *up, const struct node *node,
                          struct authority *authority)
{
    static const struct field_rule rules[FIELDS] = {
        [KEYS] = {"keys", NODE_LIST, FIELD_OPTIONAL, "of {name: ..., data: ... or path: ...}"},
        [BEFORE] = {"notBefore", NODE_STRING, FIELD_OPTIONAL, NULL},
        [AFTER] = {"notAfter", NODE_STRING, FIELD_OPTIONAL, NULL},
        [THRESHOLD] = {"threshold", NODE_NUMBER, FIELD_OPTIONAL, NULL},
        [REQUIRED] = {"required", NODE_LIST, FIELD_OPTIONAL, "of names"},
        [ATTESTED] = {"signedAndAttested", NODE_BOOL, FIELD_OPTIONAL, NULL},
        [MAX_AGE] = {"maxAge", NODE_STRING, FIELD_OPTIONAL, "such as 30d"},
        [IDENTITY] = {"identity", NODE_STRING, FIELD_OPTIONAL, NULL},
        [IGNORE_TLOG] = {"insecureIgnoreTlog", NODE_BOOL, FIELD_OPTIONAL, NULL},
    };
    struct path path = {.up = up, .name = "pullguard"};
    const struct node *fields[FIELDS];

    if (node == NULL)
        return check_parts(load, up, authority);
    return fields_read(load, &path, node, rules, FIELDS, fields) && load_key_window(load, &path, fields, authority) &&
           (fields[KEYS] == NULL || load_members(load, &path, fields[KEYS], authority)) &&
           load_flags(load, &path, fields, authority) && load_counts(load, &path, fields, authority) &&
           load_age(load, &path, fields[MAX_AGE], authority) &&
           load_reference(load, &path, fields[IDENTITY], authority) && check_parts(load, up, authority);
}

static bool authority_known(const void *context, const char *name)
{
    const struct policy *policy = context;

    for (size_t i = 0; i < policy->authority_count; i++) {
        if (strcmp(policy->authorities[i].name, name) == 0)
            return true;
    }
    return false;
}

static size_t signing_authorities(const struct policy *policy)
{
    size_t count = 0;

    for (size_t i = 0; i < policy->authority_count; i++)
        count += policy->authorities[i].kind != AUTHORITY_STATIC;
    return count;
}

bool load_policy_block(struct load *load, const struct path *up, const struct node *node, struct policy *policy)
{
    enum { COUNT, NAMES, REVOKED, PARTS };
    static const struct field_rule rules[PARTS] = {
        [COUNT] = {"threshold", NODE_NUMBER, FIELD_OPTIONAL, NULL},
        [NAMES] = {"required", NODE_LIST, FIELD_OPTIONAL, "of authorities' names"},
        [REVOKED] = {"revoked", NODE_MAP, FIELD_OPTIONAL, "{keys: [], certificates: [], digests: []}"},
    };
    struct path path = {.up = up, .name = "pullguard"};
    const struct node *fields[PARTS];

    if (node == NULL)
        return true;
    if (!fields_read(load, &path, node, rules, PARTS, fields) ||
        !load_required(load, &path, fields[NAMES], &policy->required, &policy->required_count,
                       &policy->required_capacity, authority_known, policy))
        return false;
    if ((fields[COUNT] != NULL || fields[NAMES] != NULL) &&
        !load_threshold(load, &path, fields[COUNT], signing_authorities(policy), policy->required_count,
                        "an authority", &policy->threshold))
        return false;
    return fields[REVOKED] == NULL || load_revoked(load, &path, fields[REVOKED]);
}
