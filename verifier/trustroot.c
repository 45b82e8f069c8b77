/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/trustroot.h"

#include <string.h>

#include "base/mem.h"
#include "verifier/trustroot_json.h"

enum { LOGS_MAX = 64, AUTHORITIES_MAX = 64 };

struct trust_log *trust_logs_grow(struct trust_logs *logs, struct error *err)
{
    if (!mem_grow(&logs->items, &logs->capacity, logs->count, sizeof(*logs->items), LOGS_MAX)) {
        (void)error_set(err, REASON_LIMIT, "trust root: more than %d logs", LOGS_MAX);
        return NULL;
    }
    return &logs->items[logs->count++];
}

struct trust_authority *trust_authorities_grow(struct trust_authorities *list, struct error *err)
{
    if (!mem_grow(&list->items, &list->capacity, list->count, sizeof(*list->items), AUTHORITIES_MAX)) {
        (void)error_set(err, REASON_LIMIT, "trust root: more than %d authorities", AUTHORITIES_MAX);
        return NULL;
    }
    return &list->items[list->count++];
}

struct cert_pool trust_authority_pool(const struct trust_authority *authority)
{
    const struct certs *chain = &authority->chain;

    return (struct cert_pool){
        .anchors = chain->count > 0 ? &chain->items[chain->count - 1] : NULL,
        .anchor_count = chain->count > 0 ? 1 : 0,
        .intermediates = chain->items,
        .intermediate_count = chain->count > 0 ? chain->count - 1 : 0,
    };
}

/* For a timestamp authority the first certificate is the signer's when it is no CA (sigstore.md 3.1). */
static struct timestamp_authority stamp_of(const struct trust_authority *authority)
{
    struct timestamp_authority stamp = {.pool = trust_authority_pool(authority), .window = authority->window};

    if (authority->chain.count == 0 || cert_is_ca(authority->chain.items[0]))
        return stamp;
    stamp.leaf = authority->chain.items[0];
    if (stamp.pool.intermediate_count > 0) {
        stamp.pool.intermediates++;
        stamp.pool.intermediate_count--;
    }
    return stamp;
}

/* The views that crypto/ takes; built once all lists are complete. */
static bool build_views(struct trust_root *root, struct error *err)
{
    if (root->ct_logs.count > 0) {
        root->sct_logs = mem_new(root->ct_logs.count, sizeof(*root->sct_logs));
        if (!root->sct_logs)
            return error_oom(err);
    }
    for (size_t i = 0; i < root->ct_logs.count; i++) {
        const struct trust_log *log = &root->ct_logs.items[i];

        root->sct_logs[i] = (struct sct_log){.id = log->id, .key = log->key, .window = log->window};
    }
    if (root->timestamp_authorities.count > 0) {
        root->stamps = mem_new(root->timestamp_authorities.count, sizeof(*root->stamps));
        if (!root->stamps)
            return error_oom(err);
    }
    for (size_t i = 0; i < root->timestamp_authorities.count; i++)
        root->stamps[i] = stamp_of(&root->timestamp_authorities.items[i]);
    return true;
}

static bool name_authority(struct trust_authority *authority, struct error *err)
{
    const struct certs *chain = &authority->chain;

    authority->window = (struct time_window){INT64_MIN, INT64_MAX};
    authority->name = mem_strdup(cert_subject(chain->items[chain->count - 1]));
    return authority->name ? true : error_oom(err);
}

static bool add_chain(struct trust_root *root, struct span pem, struct error *err)
{
    struct trust_authority *authority = trust_authorities_grow(&root->authorities, err);

    return authority && certs_parse_pem(pem, &authority->chain, err) && name_authority(authority, err);
}

bool trust_root_parse(struct span bytes, struct trust_root **ret, struct error *err)
{
    struct trust_root *root CLEANUP(trust_root_freep) = mem_new(1, sizeof(*root));
    bool done;

    if (!root)
        return error_oom(err);
    done = span_starts(span_trim(bytes), "-----BEGIN") ? add_chain(root, bytes, err)
                                                       : trustroot_read_json(bytes, root, err);
    if (!done || !build_views(root, err))
        return error_wrap(err, "trust root");
    *ret = TAKE_PTR(root);
    return true;
}

static void logs_done(struct trust_logs *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        mem_free(logs->items[i].url);
        pubkey_free(logs->items[i].key);
    }
    mem_free(logs->items);
}

static void authorities_done(struct trust_authorities *list)
{
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->items[i].name);
        certs_done(&list->items[i].chain);
    }
    mem_free(list->items);
}

void trust_root_free(struct trust_root *root)
{
    if (!root)
        return;
    logs_done(&root->logs);
    logs_done(&root->ct_logs);
    authorities_done(&root->authorities);
    authorities_done(&root->timestamp_authorities);
    mem_free(root->sct_logs);
    mem_free(root->stamps);
    mem_free(root);
}

void trust_root_freep(struct trust_root **root)
{
    trust_root_free(*root);
}
