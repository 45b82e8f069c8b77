/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/logentry.h"

#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "verifier/proto.h"

enum { SET_MAX_BYTES = 256, CHECKPOINT_MAX_BYTES = 64 * 1024 };

/* The end of the year 9999, RFC 3339's last; milliseconds of it are still a number. */
static const int64_t time_max = INT64_C(253402300799);

static bool decode_hash(const struct node *node, const char *what, uint8_t dst[LOG_HASH_BYTES], struct error *err)
{
    struct buf buf CLEANUP(buf_free) = BUF_INIT(LOG_HASH_BYTES);

    if (!node_is(node, NODE_STRING) || !base64_decode(node->text, BASE64_JSON, &buf) || buf.len != LOG_HASH_BYTES)
        return error_set(err, REASON_MALFORMED, "%s is not a SHA-256 hash in base64", what);
    memcpy(dst, buf.ptr, LOG_HASH_BYTES);
    return true;
}

static bool parse_proof(const struct node *node, struct log_entry *entry, struct error *err)
{
    const struct node *index, *root, *size, *hashes, *checkpoint, *envelope = NULL;
    const struct field fields[] = {
        {"logIndex", FIELD_ANY, false, &index}, {"rootHash", NODE_STRING, false, &root},
        {"treeSize", FIELD_ANY, false, &size}, {"hashes", NODE_LIST, false, &hashes},
        {"checkpoint", NODE_MAP, false, &checkpoint},
    };
    const struct field checkpoint_fields[] = {{"envelope", NODE_STRING, true, &envelope}};

    if (!proto_fields(node, "inclusionProof", fields, ARRAY_LEN(fields), err) ||
        !proto_uint(index, "inclusionProof.logIndex", &entry->proof_index, err) ||
        !proto_uint(size, "inclusionProof.treeSize", &entry->tree_size, err) ||
        (checkpoint && !proto_fields(checkpoint, "checkpoint", checkpoint_fields, 1, err)))
        return false;
    entry->has_root = root != NULL;
    if (root && !decode_hash(root, "inclusionProof.rootHash", entry->root, err))
        return false;
    if (hashes && hashes->count > LIMIT_PROOF_HASHES)
        return error_set(err, REASON_LIMIT, "inclusionProof: %u hashes, more than %d", hashes->count,
                         LIMIT_PROOF_HASHES);
    for (const struct node *item = hashes ? hashes->child : NULL; item; item = item->next)
        if (!decode_hash(item, "inclusionProof.hashes", entry->hashes[entry->hash_count++], err))
            return false;
    if (envelope && envelope->text.len > CHECKPOINT_MAX_BYTES)
        return error_set(err, REASON_LIMIT, "checkpoint: %zu bytes", envelope->text.len);
    entry->checkpoint = envelope ? envelope->text : span_of(NULL, 0);
    entry->has_proof = true;
    return true;
}

static bool parse_promise(struct keep *keep, const struct node *time, const struct node *promise,
                          struct log_entry *entry, struct error *err)
{
    const struct node *set = NULL;
    const struct field fields[] = {{"signedEntryTimestamp", NODE_STRING, true, &set}};
    uint64_t seconds;

    if (!proto_uint(time, "integratedTime", &seconds, err))
        return false;
    if (seconds > (uint64_t)time_max)
        return error_set(err, REASON_MALFORMED, "integratedTime is not a time");
    entry->integrated_time = (int64_t)seconds;
    if (!promise)
        return true;
    return proto_fields(promise, "inclusionPromise", fields, 1, err) &&
           keep_base64(keep, set->text, BASE64_JSON, SET_MAX_BYTES, "signedEntryTimestamp", &entry->set, err);
}

bool logentry_parse_bundle(struct keep *keep, const struct node *node, struct log_entry *ret, struct error *err)
{
    const struct node *index, *log_id, *kind_version, *time, *promise, *proof, *body, *key_id, *kind, *version;
    const struct field fields[] = {
        {"logIndex", FIELD_ANY, false, &index}, {"logId", NODE_MAP, true, &log_id},
        {"kindVersion", NODE_MAP, true, &kind_version}, {"integratedTime", FIELD_ANY, false, &time},
        {"inclusionPromise", NODE_MAP, false, &promise}, {"inclusionProof", NODE_MAP, false, &proof},
        {"canonicalizedBody", NODE_STRING, true, &body},
    };
    const struct field id_fields[] = {{"keyId", NODE_STRING, true, &key_id}};
    const struct field kind_fields[] = {{"kind", NODE_STRING, true, &kind}, {"version", NODE_STRING, true, &version}};
    struct log_entry entry = {0};

    if (!proto_fields(node, "log entry", fields, ARRAY_LEN(fields), err) ||
        !proto_fields(log_id, "logId", id_fields, 1, err) ||
        !proto_fields(kind_version, "kindVersion", kind_fields, 2, err) ||
        !proto_uint(index, "log entry: logIndex", &entry.index, err) ||
        !decode_hash(key_id, "log entry: logId.keyId", entry.log_id, err) ||
        !parse_promise(keep, time, promise, &entry, err) || (proof && !parse_proof(proof, &entry, err)) ||
        !keep_base64(keep, body->text, BASE64_JSON, LIMIT_ATTESTATION_BYTES, "canonicalizedBody", &entry.body, err))
        return false;
    entry.kind = kind->text;
    entry.version = version->text;
    *ret = entry;
    return true;
}

bool logentry_parse_legacy(struct keep *keep, struct span json, struct log_entry *ret, struct error *err)
{
    const struct node *root, *set, *payload, *body, *time, *index, *log_id;
    const struct field fields[] = {
        {"SignedEntryTimestamp", NODE_STRING, true, &set},
        {"Payload", NODE_MAP, true, &payload},
    };
    const struct field payload_fields[] = {
        {"body", NODE_STRING, true, &body},
        {"integratedTime", NODE_NUMBER, true, &time},
        {"logIndex", NODE_NUMBER, true, &index},
        {"logID", NODE_STRING, true, &log_id},
    };
    struct log_entry entry = {0};
    int64_t number;

    if (!keep_json(keep, json, "log entry", &root, err) ||
        !node_fields(root, "log entry", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err) ||
        !node_fields(payload, "log entry: Payload", payload_fields, ARRAY_LEN(payload_fields), false, REASON_MALFORMED,
                     err) ||
        !keep_base64(keep, set->text, BASE64_STD, SET_MAX_BYTES, "SignedEntryTimestamp", &entry.set, err) ||
        !keep_base64(keep, body->text, BASE64_STD, LIMIT_ATTESTATION_BYTES, "log entry: body", &entry.body, err))
        return false;
    if (!hex_decode(log_id->text, entry.log_id, LOG_ID_BYTES))
        return error_set(err, REASON_MALFORMED, "log entry: logID is not a SHA-256 hash in hexadecimal");
    if (!node_int(index, false, &number) || number < 0)
        return error_set(err, REASON_MALFORMED, "log entry: logIndex is not a number from 0 on");
    entry.index = (uint64_t)number;
    if (!node_int(time, false, &entry.integrated_time) || entry.integrated_time <= 0 ||
        entry.integrated_time > time_max)
        return error_set(err, REASON_MALFORMED, "log entry: integratedTime is not a time");
    *ret = entry;
    return true;
}
