/* SPDX-License-Identifier: Apache-2.0 */
/* The set: what it owns, its keys and trust roots, its fingerprint. */
#include "policy/model.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/condition.h"
#include "policy/regex.h"

struct policy_set *policy_set_new(void)
{
    struct policy_set *set = mem_new(1, sizeof(*set));

    return set;
}

static void pairs_free(struct policy_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free(pairs[i].key);
        mem_free(pairs[i].value);
    }
    mem_free(pairs);
}

static void strings_free(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(strings[i]);
    mem_free(strings);
}

static void matcher_done(struct matcher *matcher)
{
    mem_free(matcher->exact);
    mem_free(matcher->text);
    regex_free(matcher->regex);
}

void authority_done(struct authority *authority)
{
    mem_free(authority->name);
    mem_free(authority->static_message);
    mem_free(authority->source_repository);
    mem_free(authority->tag_prefix);
    for (size_t i = 0; i < authority->member_count; i++)
        mem_free(authority->members[i].name);
    mem_free(authority->members);
    for (size_t i = 0; i < authority->identity_count; i++) {
        mem_free(authority->identities[i].name);
        matcher_done(&authority->identities[i].issuer);
        matcher_done(&authority->identities[i].subject);
        matcher_done(&authority->identities[i].host);
        for (size_t j = 0; j < WORKFLOW_FIELDS; j++)
            mem_free(authority->identities[i].workflow[j]);
    }
    mem_free(authority->identities);
    pairs_free(authority->annotations, authority->annotation_count);
    for (size_t i = 0; i < authority->attestation_count; i++) {
        mem_free(authority->attestations[i].name);
        mem_free(authority->attestations[i].predicate_type);
        condition_free(authority->attestations[i].conditions);
    }
    mem_free(authority->attestations);
    strings_free(authority->required, authority->required_count);
    mem_free(authority->reference_name);
    mem_free(authority->reference_signed);
    *authority = (struct authority){0};
}

void policy_done(struct policy *policy)
{
    mem_free(policy->name);
    for (size_t i = 0; i < policy->glob_count; i++)
        mem_free(policy->globs[i].text);
    mem_free(policy->globs);
    for (size_t i = 0; i < policy->authority_count; i++)
        authority_done(&policy->authorities[i]);
    mem_free(policy->authorities);
    strings_free(policy->required, policy->required_count);
    *policy = (struct policy){0};
}

void policy_set_free(struct policy_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->policy_count; i++)
        policy_done(&set->policies[i]);
    mem_free(set->policies);
    table_done(&set->policy_names);
    for (size_t i = 0; i < set->key_count; i++)
        pubkey_free(set->keys[i].key);
    mem_free(set->keys);
    table_done(&set->key_fingerprints);
    table_done(&set->key_texts);
    for (size_t i = 0; i < set->root_count; i++) {
        mem_free(set->roots[i].name);
        mem_free(set->roots[i].bytes);
    }
    mem_free(set->roots);
    mem_free(set->root_names);
    table_done(&set->revoked_keys);
    table_done(&set->revoked_certificates);
    table_done(&set->revoked_digests);
    mem_free(set->revocations);
    table_done(&set->scopes);
    strings_free(set->files, set->file_count);
    mem_free(set);
}

void policy_set_freep(struct policy_set **set)
{
    policy_set_free(*set);
    *set = NULL;
}

size_t policy_set_count(const struct policy_set *set)
{
    return set->policy_count;
}

const char *const *policy_set_roots(const struct policy_set *set, size_t *ret_count)
{
    *ret_count = set->root_count;
    return set->root_names;
}

struct span policy_set_root_bytes(const struct policy_set *set, size_t index)
{
    if (index >= set->root_count)
        return span_of(NULL, 0);
    return span_of(set->roots[index].bytes, set->roots[index].len);
}

const char *policy_set_fingerprint(const struct policy_set *set)
{
    return set->fingerprint;
}

bool set_mix(struct policy_set *set, const char *kind, struct span bytes, struct error *err)
{
    struct buf link CLEANUP(buf_free) = BUF_INIT(1024);
    struct digest digest;

    /* Digest of the bytes first: then no choice of bytes can look like another sequence of kinds and lengths. */
    if (!digest_compute(DIGEST_SHA256, bytes, &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    buf_str(&link, set->fingerprint);
    buf_byte(&link, 0);
    buf_str(&link, kind);
    buf_byte(&link, 0);
    buf_append(&link, digest.bytes, digest_size(DIGEST_SHA256));
    if (!buf_ok(&link))
        return error_oom(err);
    if (!digest_compute(DIGEST_SHA256, buf_as_span(&link), &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    digest_hex(&digest, set->fingerprint);
    return true;
}

/* Keeps key (always taken over) under its fingerprint. */
static bool set_keep_key(struct policy_set *set, struct pubkey *key, size_t *ret_key, struct error *err)
{
    struct span fingerprint = span_str(pubkey_fingerprint(key));
    size_t known = table_find(&set->key_fingerprints, fingerprint);

    if (known != SIZE_MAX) {
        pubkey_free(key);
        *ret_key = known;
        return true;
    }
    if (!mem_grow(&set->keys, &set->key_capacity, set->key_count, sizeof(*set->keys), SIZE_MAX / 2) ||
        !table_add(&set->key_fingerprints, fingerprint, set->key_count)) {
        pubkey_free(key);
        return error_oom(err);
    }
    set->keys[set->key_count].key = key;
    *ret_key = set->key_count++;
    return true;
}

bool set_add_key(struct policy_set *set, struct span pem, size_t *ret_key, struct error *err)
{
    struct pubkey *key = NULL;
    struct digest digest;
    struct span name;
    size_t index;

    if (!digest_compute(DIGEST_SHA256, pem, &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    name = span_of(digest.bytes, digest_size(DIGEST_SHA256));
    index = table_find(&set->key_texts, name);
    if (index == SIZE_MAX) {
        if (!pubkey_parse_pem(pem, &key, err) || !set_keep_key(set, key, &index, err))
            return false;
        if (!table_add(&set->key_texts, name, index))
            return error_oom(err);
    }
    *ret_key = index;
    return true;
}

static bool set_keep_root(struct policy_set *set, const char *name, struct buf *bytes, struct error *err)
{
    struct set_root *root;

    if (!mem_grow(&set->roots, &set->root_capacity, set->root_count, sizeof(*set->roots), LIMIT_POLICY_FILES) ||
        !mem_grow(&set->root_names, &set->root_name_capacity, set->root_count, sizeof(*set->root_names),
                  LIMIT_POLICY_FILES))
        return error_oom(err);
    root = &set->roots[set->root_count];
    root->name = mem_strdup(name);
    if (root->name == NULL)
        return error_oom(err);
    root->len = bytes->len;
    root->bytes = buf_take(bytes);
    set->root_names[set->root_count++] = root->name;
    return true;
}

bool set_add_root(struct policy_set *set, const char *name, const struct policy_source *source, size_t *ret_root,
                  struct error *err)
{
    struct buf bytes CLEANUP(buf_free) = {0};

    for (size_t i = 0; i < set->root_count; i++) {
        if (strcmp(set->roots[i].name, name) == 0) {
            *ret_root = i;
            return true;
        }
    }
    if (source == NULL || source->read_trust == NULL)
        return error_set(err, REASON_POLICY_ERROR, "trust roots cannot be read here");
    if (!source->read_trust(source->context, name, &bytes, err))
        return false;
    if (!set_mix(set, "trust root name", span_str(name), err) ||
        !set_mix(set, "trust root", buf_as_span(&bytes), err))
        return false;
    if (!set_keep_root(set, name, &bytes, err))
        return false;
    *ret_root = set->root_count - 1;
    return true;
}

const char *authority_directory(const struct authority *authority)
{
    static const char prefix[] = POLICY_DIRECTORY_HOST "/";
    const char *source = authority->source_repository;

    return source && strncmp(source, prefix, sizeof(prefix) - 1) == 0 && source[sizeof(prefix) - 1] == '/'
               ? source + sizeof(prefix) - 1
               : NULL;
}

static bool add_directory(const char ***list, size_t *capacity, size_t *count, const char *path, struct error *err)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp((*list)[i], path) == 0)
            return true;
    if (!mem_grow(list, capacity, *count, sizeof(**list), LIMIT_POLICY_FILES))
        return error_oom(err);
    (*list)[(*count)++] = path;
    return true;
}

bool policy_set_directories(const struct policy_set *set, const char ***ret, size_t *ret_count, struct error *err)
{
    const char **list CLEANUP(mem_freep) = NULL;
    size_t count = 0, capacity = 0;

    for (size_t i = 0; i < set->policy_count; i++) {
        const struct policy *policy = &set->policies[i];

        for (size_t j = 0; j < policy->authority_count; j++) {
            const char *path = authority_directory(&policy->authorities[j]);

            if (path && !add_directory(&list, &capacity, &count, path, err))
                return false;
        }
    }
    *ret = TAKE_PTR(list);
    *ret_count = count;
    return true;
}

static bool policy_names_repository(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->authority_count; i++) {
        const char *source = policy->authorities[i].source_repository;

        if (source && strcmp(source, name) == 0)
            return true;
    }
    return false;
}

bool policy_set_names_repository(const struct policy_set *set, const char *name)
{
    for (size_t i = 0; i < set->policy_count; i++)
        if (policy_names_repository(&set->policies[i], name))
            return true;
    return false;
}

bool set_add_own_root(struct policy_set *set, struct buf *bytes, size_t *ret_root, struct error *err)
{
    /* '#' cannot stand in a name that a policy writes. */
    char *name CLEANUP(mem_freep) = mem_printf("policy.json#%zu", set->root_count + 1);

    if (name == NULL)
        return error_oom(err);
    if (!set_mix(set, "own trust root", buf_as_span(bytes), err) || !set_keep_root(set, name, bytes, err))
        return false;
    *ret_root = set->root_count - 1;
    return true;
}
