/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/proofs.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

/* The first problem is kept. */
static bool set_problem(char **problem, const struct error *why, struct error *err)
{
    if (*problem)
        return true;
    *problem = mem_strdup(why->text);
    return *problem ? true : error_oom(err);
}

static bool add_time(struct claim *claim, enum claim_time_kind kind, size_t root, int64_t at, const char *authority,
                     struct error *err)
{
    struct claim_time *time = claim_add_time(claim);

    if (!time)
        return error_oom(err);
    time->kind = kind;
    time->root = root;
    time->at = at;
    time->authority = mem_strdup(authority);
    return time->authority ? true : error_oom(err);
}

/* The log with the entry's id, from this place on: one log may stand several times, with other windows or keys. */
static const struct trust_log *find_log(const struct trust_root *root, const struct log_entry *entry, size_t from)
{
    for (size_t i = from; i < root->logs.count; i++)
        if (tlog_id_eq(&root->logs.items[i].id, span_of(entry->log_id, LOG_ID_BYTES)))
            return &root->logs.items[i];
    return NULL;
}

/* One timestamp of each authority counts; a token that does not verify is passed over (sigstore.md 3.8). */
static bool verify_timestamps(struct verification *run, const struct object *object, size_t root_index,
                              struct claim *claim, struct error *err)
{
    const struct trust_root *root = run->input->roots[root_index];
    bool used[64] = {false};

    for (size_t i = 0; i < object->timestamp_count && root->timestamp_authorities.count > 0; i++) {
        struct error why = ERROR_INIT;
        int64_t at_ms;
        size_t authority;

        if (!run_check(run, &why) || !timestamp_verify(object->timestamps[i], object->timestamped, root->stamps,
                                                       root->timestamp_authorities.count, &authority, &at_ms, &why)) {
            if (!set_problem(&claim->time_problem, &why, err))
                return false;
            continue;
        }
        if (authority < ARRAY_LEN(used) && used[authority])
            continue;
        if (authority < ARRAY_LEN(used))
            used[authority] = true;
        if (!add_time(claim, TIME_TSA, root_index, at_ms / 1000, root->timestamp_authorities.items[authority].name,
                      err))
            return false;
    }
    return true;
}

/* What one entry proved. */
struct proven {
    bool set, proof;
};

static bool verify_promise(const struct log_entry *entry, const struct trust_log *log, struct error *why)
{
    struct tlog_promise promise = {
        .body = entry->body, .integrated_time = entry->integrated_time, .log_index = entry->index,
    };

    memcpy(promise.log_id.bytes, entry->log_id, LOG_ID_BYTES);
    if (!tlog_verify_promise(&promise, entry->set, log->key, why))
        return error_wrap(why, "signed entry timestamp");
    if (!time_window_has(&log->window, entry->integrated_time * 1000))
        return error_set(why, REASON_EXPIRED, "log entry: integrated outside the time of the log's key");
    return true;
}

static bool verify_inclusion(const struct log_entry *entry, const struct trust_log *log, struct span leaf, bool v2,
                             struct error *why)
{
    struct merkle_hash hashes[LIMIT_PROOF_HASHES];
    struct tlog_proof proof = {
        .log_index = entry->proof_index, .tree_size = entry->tree_size, .has_root = entry->has_root,
        .hashes = hashes, .hash_count = entry->hash_count, .checkpoint = entry->checkpoint,
    };
    bool is_v2 = !v2;

    memcpy(proof.root.bytes, entry->root, sizeof(proof.root.bytes));
    for (size_t i = 0; i < entry->hash_count; i++)
        memcpy(hashes[i].bytes, entry->hashes[i], sizeof(hashes[i].bytes));
    if (!tlog_verify_inclusion(&proof, entry->index, leaf, log->host, log->key, &is_v2, why))
        return error_wrap(why, "inclusion proof");
    /* A rebuilt leaf under v1 rules, or a stored one under v2's, would mix two sets of checks. */
    return is_v2 == v2
               ? true
               : error_set(why, REASON_NO_LOG_ENTRY, "log entry: its kind and its checkpoint are of two generations");
}

static bool verify_v1(struct verification *run, const struct log_entry *entry, const struct trust_log *log,
                      const struct rekor_subject *subject, struct proven *proven, struct error *why)
{
    if (!rekor_check_body(&run->claims->keep, entry, subject, why))
        return false;
    if (entry->set.len > 0) {
        if (!verify_promise(entry, log, why))
            return false;
        proven->set = true;
    }
    if (entry->has_proof && entry->checkpoint.len > 0) {
        if (!verify_inclusion(entry, log, entry->body, false, why))
            return false;
        proven->proof = true;
    }
    return proven->set || proven->proof ? true : error_set(why, REASON_NO_LOG_ENTRY, "log entry: without any proof");
}

/* An inclusion proof states no time; where the same root proved one, the log's key must have been in force then. */
static bool in_window(const struct claim *claim, size_t root_index, const struct trust_log *log)
{
    bool any = false;

    for (size_t i = 0; i < claim->time_count; i++) {
        if (claim->times[i].root != root_index || claim->times[i].kind != TIME_TSA)
            continue;
        if (time_window_has(&log->window, claim->times[i].at * 1000))
            return true;
        any = true;
    }
    return !any;
}

static bool verify_v2(const struct log_entry *entry, const struct trust_log *log, const struct rekor_subject *subject,
                      struct proven *proven, struct error *why)
{
    struct buf leaf CLEANUP(buf_free) = BUF_INIT(256 * 1024);

    if (entry->set.len > 0)
        return error_set(why, REASON_MALFORMED, "log entry: Rekor v2 makes no signed entry timestamps");
    if (!entry->has_proof || entry->checkpoint.len == 0)
        return error_set(why, REASON_NO_LOG_ENTRY, "log entry: without inclusion proof");
    if (!rekor_rebuild_v2(subject, &leaf, why) || !verify_inclusion(entry, log, buf_as_span(&leaf), true, why))
        return false;
    proven->proof = true;
    return true;
}

static bool add_log(struct claim *claim, size_t root_index, const struct trust_log *log, const struct log_entry *entry,
                    const struct proven *proven, struct error *err)
{
    struct claim_log *item = claim_add_log(claim);

    if (!item)
        return error_oom(err);
    *item = (struct claim_log){
        .root = root_index, .log = mem_strdup(log->url), .index = entry->index,
        .set_verified = proven->set, .proof_verified = proven->proof,
    };
    if (proven->set) {
        item->set = entry->set;
        item->body = entry->body;
        item->integrated_time = entry->integrated_time;
        memcpy(item->log_id, entry->log_id, sizeof(item->log_id));
    }
    if (!item->log)
        return error_oom(err);
    if (!proven->set)
        return true;
    return add_time(claim, TIME_LOG, root_index, entry->integrated_time, log->url, err);
}

/* Takes back what this root's entries gave: one of them is a lie. */
static void drop_logs(struct claim *claim, size_t root_index)
{
    size_t kept = 0;

    for (size_t i = 0; i < claim->log_count; i++) {
        if (claim->logs[i].root == root_index)
            mem_free(claim->logs[i].log);
        else
            claim->logs[kept++] = claim->logs[i];
    }
    claim->log_count = kept;
    kept = 0;
    for (size_t i = 0; i < claim->time_count; i++) {
        if (claim->times[i].root == root_index && claim->times[i].kind == TIME_LOG)
            mem_free(claim->times[i].authority);
        else
            claim->times[kept++] = claim->times[i];
    }
    claim->time_count = kept;
}

static bool verify_under(struct verification *run, const struct log_entry *entry, const struct rekor_subject *subject,
                         const struct claim *claim, size_t root_index, const struct trust_log *log,
                         struct proven *ret, struct error *why)
{
    *ret = (struct proven){false, false};
    if (!run_check(run, why) || !(rekor_entry_is_v2(entry) ? verify_v2(entry, log, subject, ret, why)
                                                           : verify_v1(run, entry, log, subject, ret, why)))
        return false;
    return ret->set || in_window(claim, root_index, log)
               ? true
               : error_set(why, REASON_EXPIRED, "log entry: timestamped outside the time of the log's key");
}

/* The log of the root that the entry verifies under; NULL when none does, and then `why` is the first one's answer. */
static const struct trust_log *prove(struct verification *run, const struct log_entry *entry,
                                     const struct rekor_subject *subject, const struct claim *claim,
                                     size_t root_index, struct proven *ret, struct error *why)
{
    const struct trust_root *root = run->input->roots[root_index];
    const struct trust_log *log = find_log(root, entry, 0);

    if (!log || verify_under(run, entry, subject, claim, root_index, log, ret, why))
        return log;
    while ((log = find_log(root, entry, (size_t)(log - root->logs.items) + 1)) != NULL) {
        struct error ignored = ERROR_INIT;

        if (verify_under(run, entry, subject, claim, root_index, log, ret, &ignored))
            return log;
    }
    return NULL;
}

static bool verify_entries(struct verification *run, const struct object *object, const struct rekor_subject *subject,
                           size_t root_index, struct claim *claim, struct error *err)
{
    const struct trust_root *root = run->input->roots[root_index];

    for (size_t i = 0; i < object->entry_count; i++) {
        const struct log_entry *entry = &object->entries[i];
        const struct trust_log *log;
        struct proven proven = {false, false};
        struct error why = ERROR_INIT;

        if (!find_log(root, entry, 0)) {
            (void)error_set(&why, REASON_NO_LOG_ENTRY, "log entry: by a log that the trust root does not name");
            if (!set_problem(&claim->log_problem, &why, err))
                return false;
            continue;
        }
        log = prove(run, entry, subject, claim, root_index, &proven, &why);
        if (!log) {
            drop_logs(claim, root_index);
            return set_problem(&claim->log_problem, &why, err);
        }
        if (!add_log(claim, root_index, log, entry, &proven, err))
            return false;
    }
    return true;
}

bool proofs_verify(struct verification *run, const struct object *object, const struct cert *cert,
                   const struct pubkey *key, struct claim *claim, struct error *err)
{
    const struct rekor_subject subject = {
        .message = object->message, .digest = object->message_digest,
        .is_dsse = object->form == CONTENT_ATTESTATION || object->form == CONTENT_BUNDLE,
        .is_legacy = object->layout == LAYOUT_LEGACY, .payload = object->payload, .envelope = object->envelope,
        .signature = object->signature, .cert = cert, .key = cert ? NULL : key,
    };

    for (size_t i = 0; i < run->input->root_count; i++)
        if (!verify_timestamps(run, object, i, claim, err) || !verify_entries(run, object, &subject, i, claim, err))
            return false;
    return true;
}
