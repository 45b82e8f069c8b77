/* SPDX-License-Identifier: Apache-2.0 */
/* trusted_root.json (protobuf-specs sigstore_trustroot.proto; sigstore.md 3.1). */
#include "verifier/trustroot_json.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "verifier/proto.h"

static const char media_type_v01[] = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

enum { KEY_MAX_BYTES = 4096 };

/* Finer times than milliseconds: the start is rounded up, the end down (crypto/window.h). */
static bool parse_time(const struct node *node, bool is_start, int64_t *ret_ms, struct error *err)
{
    int64_t seconds;
    uint32_t nanos;

    if (!node_is(node, NODE_STRING) || !time_parse(node->text, &seconds, &nanos))
        return error_set(err, REASON_MALFORMED, "validFor.%s is not a time", is_start ? "start" : "end");
    *ret_ms = seconds * 1000 + (is_start ? nanos + 999999 : nanos) / 1000000;
    return true;
}

static bool parse_window(const struct node *node, bool start_needed, struct time_window *ret, struct error *err)
{
    const struct node *start = NULL, *end = NULL;
    const struct field fields[] = {{"start", NODE_STRING, false, &start}, {"end", NODE_STRING, false, &end}};
    struct time_window window = {INT64_MIN, INT64_MAX};

    if (node && !proto_fields(node, "validFor", fields, ARRAY_LEN(fields), err))
        return false;
    if (!start && start_needed)
        return error_set(err, REASON_MALFORMED, "validFor.start is missing");
    if ((start && !parse_time(start, true, &window.start_ms, err)) ||
        (end && !parse_time(end, false, &window.end_ms, err)))
        return false;
    *ret = window;
    return true;
}

static bool decode(const struct node *node, const char *what, size_t max, struct buf *ret, struct error *err)
{
    *ret = (struct buf)BUF_INIT(max);
    if (!base64_decode(node->text, BASE64_JSON, ret) || ret->len == 0)
        return error_set(err, REASON_MALFORMED, "%s is not base64 of at most %zu bytes", what, max);
    return true;
}

/* A length in DER (X.690 section 8.1.3), definite and minimal. */
static void put_length(struct buf *buf, size_t len)
{
    if (len > 255) {
        buf_byte(buf, 0x82);
        buf_u16(buf, (uint16_t)len);
        return;
    }
    if (len > 127)
        buf_byte(buf, 0x81);
    buf_byte(buf, (uint8_t)len);
}

/* PKCS#1 key bytes into a SubjectPublicKeyInfo: the deprecated PKCS1_RSA_PKCS1V5 of the staging root. */
static void wrap_pkcs1(struct span key, struct buf *spki)
{
    static const uint8_t rsa_encryption[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                             0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    size_t bits = key.len + 1;
    size_t bits_header = bits > 255 ? 4 : bits > 127 ? 3 : 2;

    buf_byte(spki, 0x30);
    put_length(spki, sizeof(rsa_encryption) + bits_header + bits);
    buf_append(spki, rsa_encryption, sizeof(rsa_encryption));
    buf_byte(spki, 0x03);
    put_length(spki, bits);
    buf_byte(spki, 0);
    buf_span(spki, key);
}

static const struct key_detail {
    const char *name;
    enum key_type type;
    bool pkcs1;
} key_details[] = {
    {"PKIX_ECDSA_P256_SHA_256", KEY_EC_P256, false},       {"PKIX_ECDSA_P384_SHA_384", KEY_EC_P384, false},
    {"PKIX_ECDSA_P521_SHA_512", KEY_EC_P521, false},       {"PKIX_RSA_PKCS1V15_2048_SHA256", KEY_RSA, false},
    {"PKIX_RSA_PKCS1V15_3072_SHA256", KEY_RSA, false},     {"PKIX_RSA_PKCS1V15_4096_SHA256", KEY_RSA, false},
    {"PKIX_ED25519", KEY_ED25519, false},                  {"PKCS1_RSA_PKCS1V5", KEY_RSA, true},
};

static const struct key_detail *find_detail(const struct node *name)
{
    for (size_t i = 0; i < ARRAY_LEN(key_details); i++)
        if (node_str_is(name, key_details[i].name))
            return &key_details[i];
    return NULL;
}

/* NULL in *ret when it is a kind of key that we do not verify with. */
static bool parse_key(const struct node *raw, const struct node *details, struct pubkey **ret, struct error *err)
{
    const struct key_detail *detail = find_detail(details);
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct buf bytes CLEANUP(buf_free) = {0};
    struct buf spki CLEANUP(buf_free) = BUF_INIT(KEY_MAX_BYTES + 64);

    *ret = NULL;
    if (!detail)
        return true;
    if (!decode(raw, "publicKey.rawBytes", KEY_MAX_BYTES, &bytes, err))
        return false;
    if (detail->pkcs1)
        wrap_pkcs1(buf_as_span(&bytes), &spki);
    else
        buf_span(&spki, buf_as_span(&bytes));
    if (!buf_ok(&spki) || !pubkey_parse_der(buf_as_span(&spki), &key, err))
        return error_wrap(err, "publicKey");
    if (pubkey_type(key) != detail->type)
        return error_set(err, REASON_MALFORMED, "publicKey is %s, not %s", pubkey_type_name(key), detail->name);
    *ret = TAKE_PTR(key);
    return true;
}

static bool parse_log_id(const struct node *node, struct tlog_id *ret, struct error *err)
{
    const struct node *key_id;
    const struct field fields[] = {{"keyId", NODE_STRING, true, &key_id}};
    struct buf bytes CLEANUP(buf_free) = {0};

    if (!proto_fields(node, "logId", fields, 1, err) || !decode(key_id, "logId.keyId", TLOG_ID_BYTES, &bytes, err))
        return false;
    if (bytes.len != TLOG_ID_BYTES)
        return error_set(err, REASON_MALFORMED, "logId.keyId is not %d bytes", TLOG_ID_BYTES);
    memcpy(ret->bytes, bytes.ptr, TLOG_ID_BYTES);
    return true;
}

static bool check_hash(const struct node *hash, struct error *err)
{
    return !hash || node_str_is(hash, "SHA2_256")
               ? true
               : error_set(err, REASON_UNSUPPORTED, "hashAlgorithm is not SHA2_256");
}

static bool parse_log(const struct node *node, struct trust_root *root, struct trust_logs *list, struct error *err)
{
    const struct node *url, *hash, *public_key, *log_id, *checkpoint_id, *operator_name, *raw, *details, *valid;
    const struct field fields[] = {
        {"baseUrl", NODE_STRING, false, &url},      {"hashAlgorithm", NODE_STRING, false, &hash},
        {"publicKey", NODE_MAP, true, &public_key}, {"logId", NODE_MAP, true, &log_id},
        {"checkpointKeyId", NODE_MAP, false, &checkpoint_id}, {"operator", NODE_STRING, false, &operator_name},
    };
    const struct field key_fields[] = {
        {"rawBytes", NODE_STRING, true, &raw},
        {"keyDetails", NODE_STRING, true, &details},
        {"validFor", NODE_MAP, true, &valid},
    };
    struct pubkey *key CLEANUP(pubkey_freep) = NULL;
    struct time_window window;
    struct tlog_id id = {0};
    struct trust_log *log;

    if (!proto_fields(node, "log", fields, ARRAY_LEN(fields), err) ||
        !proto_fields(public_key, "publicKey", key_fields, ARRAY_LEN(key_fields), err) || !check_hash(hash, err) ||
        !parse_window(valid, true, &window, err) || !parse_log_id(log_id, &id, err) ||
        !parse_key(raw, details, &key, err))
        return false;
    if (!key) {
        root->skipped++;
        return true;
    }
    log = trust_logs_grow(list, err);
    if (!log)
        return false;
    log->key = TAKE_PTR(key);
    log->id = id;
    log->window = window;
    log->url = url ? span_dup(url->text) : mem_strdup("");
    if (!log->url)
        return error_oom(err);
    /* A URL without a host only means that no v2 checkpoint can be by this log. */
    if (!tlog_host_of_url(span_str(log->url), log->host, sizeof(log->host)))
        log->host[0] = '\0';
    return true;
}

static bool parse_logs(const struct node *list, const char *what, struct trust_root *root, struct trust_logs *logs,
                       struct error *err)
{
    for (const struct node *item = list ? list->child : NULL; item; item = item->next)
        if (!parse_log(item, root, logs, err))
            return error_wrap(err, "%s", what);
    return true;
}

static bool parse_chain(const struct node *node, struct certs *chain, struct error *err)
{
    const struct node *certificates, *raw;
    const struct field fields[] = {{"certificates", NODE_LIST, true, &certificates}};
    const struct field raw_fields[] = {{"rawBytes", NODE_STRING, true, &raw}};

    if (!proto_fields(node, "certChain", fields, 1, err))
        return false;
    if (certificates->count == 0 || certificates->count > LIMIT_CHAIN_CERTIFICATES)
        return error_set(err, REASON_MALFORMED, "certChain has %u certificates", certificates->count);
    for (const struct node *item = certificates->child; item; item = item->next) {
        struct buf der CLEANUP(buf_free) = {0};
        struct cert *cert = NULL;

        if (!proto_fields(item, "certificate", raw_fields, 1, err) ||
            !decode(raw, "certificate.rawBytes", LIMIT_CERTIFICATE_BYTES, &der, err) ||
            !cert_parse_der(buf_as_span(&der), &cert, err) || !certs_add(chain, cert, err))
            return false;
    }
    return true;
}

static bool parse_authority(const struct node *node, struct trust_authorities *list, struct error *err)
{
    const struct node *subject, *uri, *chain, *valid, *operator_name;
    const struct field fields[] = {
        {"subject", NODE_MAP, false, &subject}, {"uri", NODE_STRING, false, &uri},
        {"certChain", NODE_MAP, true, &chain},  {"validFor", NODE_MAP, false, &valid},
        {"operator", NODE_STRING, false, &operator_name},
    };
    struct trust_authority *authority;

    if (!proto_fields(node, "authority", fields, ARRAY_LEN(fields), err))
        return false;
    authority = trust_authorities_grow(list, err);
    if (!authority || !parse_chain(chain, &authority->chain, err) ||
        !parse_window(valid, false, &authority->window, err))
        return false;
    authority->name = uri && uri->text.len > 0 ? span_dup(uri->text)
                                               : mem_strdup(cert_subject(authority->chain.items[0]));
    return authority->name ? true : error_oom(err);
}

static bool parse_authorities(const struct node *list, const char *what, struct trust_authorities *authorities,
                              struct error *err)
{
    for (const struct node *item = list ? list->child : NULL; item; item = item->next)
        if (!parse_authority(item, authorities, err))
            return error_wrap(err, "%s", what);
    return true;
}

bool trustroot_read_json(struct span bytes, struct trust_root *root, struct error *err)
{
    const struct node *media_type, *logs, *authorities, *ct_logs, *timestamp_authorities;
    const struct field fields[] = {
        {"mediaType", NODE_STRING, true, &media_type}, {"tlogs", NODE_LIST, false, &logs},
        {"certificateAuthorities", NODE_LIST, false, &authorities}, {"ctlogs", NODE_LIST, false, &ct_logs},
        {"timestampAuthorities", NODE_LIST, false, &timestamp_authorities},
    };
    struct tree *tree CLEANUP(tree_freep) = NULL;
    char clean[100];

    if (bytes.len > LIMIT_TRUST_ROOT_BYTES)
        return error_set(err, REASON_LIMIT, "%zu bytes, more than %d", bytes.len, LIMIT_TRUST_ROOT_BYTES);
    if (!json_parse(bytes, "trusted_root.json", TREE_DEFAULT, &tree, err) ||
        !proto_fields(tree_root(tree), "trusted_root.json", fields, ARRAY_LEN(fields), err))
        return false;
    if (!node_str_is(media_type, media_type_v01))
        return error_set(err, REASON_UNSUPPORTED, "mediaType is \"%s\", not %s",
                         text_clean(media_type->text, clean, sizeof(clean)), media_type_v01);
    return parse_logs(logs, "tlogs", root, &root->logs, err) &&
           parse_logs(ct_logs, "ctlogs", root, &root->ct_logs, err) &&
           parse_authorities(authorities, "certificateAuthorities", &root->authorities, err) &&
           parse_authorities(timestamp_authorities, "timestampAuthorities", &root->timestamp_authorities, err);
}
