/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tlog.h"

#include <stdio.h>
#include <string.h>

#include "base/canonical.h"
#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/key_internal.h"
#include "crypto/note.h"

const struct sig_scheme tlog_scheme = {.kind = SCHEME_COSIGN_KEY, .hash = DIGEST_NONE};

static bool id_of_parts(const struct span *parts, size_t count, struct tlog_id *ret)
{
    struct digest digest;

    if (!digest_compute_parts(DIGEST_SHA256, parts, count, &digest))
        return false;
    memcpy(ret->bytes, digest.bytes, sizeof(ret->bytes));
    return true;
}

bool tlog_id_of_key(const struct pubkey *key, struct tlog_id *ret)
{
    const struct span spki = pubkey_spki(key);

    return id_of_parts(&spki, 1, ret);
}

bool tlog_id_of_v2(const char *host, const struct pubkey *key, struct tlog_id *ret)
{
    static const uint8_t ed25519_type[] = {'\n', 0x01};
    const struct span parts[] = {span_str(host), span_of(ed25519_type, sizeof(ed25519_type)),
                                 span_of(key->ed25519, KEY_ED25519_BYTES)};

    if (pubkey_type(key) != KEY_ED25519)
        return tlog_id_of_key(key, ret);
    return id_of_parts(parts, ARRAY_LEN(parts), ret);
}

bool tlog_id_eq(const struct tlog_id *id, struct span bytes)
{
    return span_eq(span_of(id->bytes, sizeof(id->bytes)), bytes);
}

bool tlog_host_of_url(struct span url, char *dst, size_t dst_size)
{
    size_t scheme = span_find(url, "://");
    struct span host;
    size_t end = 0;

    if (scheme == SIZE_MAX)
        return false;
    host = span_cut(url, scheme + 3, url.len);
    while (end < host.len && !memchr("/?#", host.ptr[end], 3))
        end++;
    host = span_cut(host, 0, end);
    if (span_has_nul(host) || span_find_byte(host, '@') != SIZE_MAX)
        return false;
    if (span_starts(host, "[")) {
        end = span_find_byte(host, ']');
        if (end == SIZE_MAX)
            return false;
        host = span_cut(host, 1, end - 1);
    } else {
        host = span_cut(host, 0, span_find_byte(host, ':'));
    }
    if (host.len == 0 || host.len >= dst_size)
        return false;
    memcpy(dst, host.ptr, host.len);
    dst[host.len] = '\0';
    return true;
}

/* What the log has signed: RFC 8785 over these four members. */
static bool canonical_promise(const struct tlog_promise *promise, struct buf *ret, struct error *err)
{
    struct buf text CLEANUP(buf_free) = BUF_INIT(LIMIT_EVIDENCE_BYTES);
    struct json_out out = json_out_to(&text);
    char id[2 * TLOG_ID_BYTES + 1], index[24];

    hex_encode(span_of(promise->log_id.bytes, TLOG_ID_BYTES), id);
    (void)snprintf(index, sizeof(index), "%llu", (unsigned long long)promise->log_index);
    json_open_map(&out, NULL);
    json_put_base64(&out, "body", promise->body);
    json_put_int(&out, "integratedTime", promise->integrated_time);
    json_put_raw(&out, "logIndex", span_str(index));
    json_put_str(&out, "logID", id);
    json_close_map(&out);
    if (!buf_ok(&text))
        return error_oom(err);
    return canonical_rewrite(buf_as_span(&text), ret, err);
}

bool tlog_verify_promise(const struct tlog_promise *promise, struct span set, const struct pubkey *key,
                         struct error *err)
{
    struct buf signed_bytes CLEANUP(buf_free) = BUF_INIT(LIMIT_EVIDENCE_BYTES);
    struct tlog_id id;

    if (!tlog_id_of_key(key, &id))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    if (!tlog_id_eq(&promise->log_id, span_of(id.bytes, sizeof(id.bytes))))
        return error_set(err, REASON_WRONG_KEY, "log entry is of another log than this key's");
    if (!canonical_promise(promise, &signed_bytes, err))
        return false;
    if (!pubkey_verify(key, &tlog_scheme, buf_as_span(&signed_bytes), set, err))
        return error_set(err, REASON_BAD_SIGNATURE, "the log's signed entry timestamp does not verify");
    return true;
}

static bool verify_v1(const struct tlog_proof *proof, const struct checkpoint *checkpoint,
                      const struct merkle_hash *leaf, const struct pubkey *key, struct error *err)
{
    if (!checkpoint_verify_v1(checkpoint, key, err))
        return false;
    if (!proof->has_root || !merkle_hash_eq(&proof->root, &checkpoint->root))
        return error_set(err, REASON_NO_LOG_ENTRY, "root hash of the inclusion proof is not the checkpoint's");
    if (proof->tree_size != checkpoint->size)
        return error_set(err, REASON_NO_LOG_ENTRY, "tree size of the inclusion proof is not the checkpoint's");
    return merkle_verify_inclusion(proof->log_index, proof->tree_size, leaf, proof->hashes, proof->hash_count,
                                   &checkpoint->root, err);
}

static bool verify_v2(const struct tlog_proof *proof, uint64_t entry_index, const struct checkpoint *checkpoint,
                      const struct merkle_hash *leaf, const char *host, const struct pubkey *key, struct error *err)
{
    if (!checkpoint_verify_v2(checkpoint, host, key, err))
        return false;
    /* sigstore.md 3.6 takes size and root from the checkpoint; where the proof states them too, they must agree. */
    if (proof->has_root && !merkle_hash_eq(&proof->root, &checkpoint->root))
        return error_set(err, REASON_NO_LOG_ENTRY, "root hash of the inclusion proof is not the checkpoint's");
    return merkle_verify_inclusion(entry_index, checkpoint->size, leaf, proof->hashes, proof->hash_count,
                                   &checkpoint->root, err);
}

bool tlog_verify_inclusion(const struct tlog_proof *proof, uint64_t entry_index, struct span leaf, const char *host,
                           const struct pubkey *key, bool *ret_v2, struct error *err)
{
    struct checkpoint checkpoint CLEANUP(checkpoint_done) = {.size = 0};
    struct merkle_hash hash;
    bool v2;

    if (!checkpoint_parse(proof->checkpoint, &checkpoint, err))
        return false;
    if (!merkle_leaf(leaf, &hash))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    v2 = !checkpoint_is_rekor_v1(&checkpoint);
    if (v2 ? !verify_v2(proof, entry_index, &checkpoint, &hash, host, key, err)
           : !verify_v1(proof, &checkpoint, &hash, key, err))
        return false;
    if (ret_v2)
        *ret_v2 = v2;
    return true;
}
