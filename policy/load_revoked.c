/* SPDX-License-Identifier: Apache-2.0 */
/* spec.pullguard.revoked: what never counts again, on the whole node. */
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/load_pullguard.h"
#include "policy/pem.h"

enum { REVOCATIONS_MAX = 1000 * 1000, HEX_MAX = 128 };

static bool add(struct load *load, const struct path *path, const struct node *at, struct table *table,
                struct span name)
{
    struct policy_set *set = load->set;

    if (table_find(table, name) != SIZE_MAX)
        return true;
    if (!mem_grow(&set->revocations, &set->revocation_capacity, set->revocation_count, sizeof(*set->revocations),
                  REVOCATIONS_MAX))
        return load_fail(load, path, at, "more than %d revocations", REVOCATIONS_MAX);
    /* The policy being loaded is the last. */
    set->revocations[set->revocation_count] =
        (struct revocation){.policy = set->policy_count - 1, .at = {at->line, at->column}};
    return table_add(table, name, set->revocation_count++) || error_oom(load->err);
}

/* Hexadecimal as tools print it: either case, colons between, "0x" or "sha256:" in front; lower case and bare after. */
static bool read_hex(struct span text, char dst[HEX_MAX + 1], size_t *ret_len)
{
    size_t len = 0;

    if (span_starts(text, "sha256:") || span_starts(text, "SHA256:"))
        text = span_cut(text, 7, SIZE_MAX);
    else if (span_starts(text, "0x"))
        text = span_cut(text, 2, SIZE_MAX);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == ':' && i > 0 && i + 1 < text.len)
            continue;
        if (c >= 'A' && c <= 'F')
            c = (uint8_t)(c - 'A' + 'a');
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) || len == HEX_MAX)
            return false;
        dst[len++] = (char)c;
    }
    dst[len] = '\0';
    *ret_len = len;
    return len > 0;
}

/* A fingerprint (SHA-256 of the SubjectPublicKeyInfo), or the key itself. */
static bool add_key(struct load *load, const struct path *path, const struct node *node)
{
    struct span rest = node->text, block;
    char hex[HEX_MAX + 1];
    size_t key, len;

    if (span_starts(span_trim(node->text), "-----BEGIN ")) {
        if (!pem_next(&rest, &block, load->err) || !set_add_key(load->set, block, &key, load->err))
            return load_fail_error(load, path, node);
        return add(load, path, node, &load->set->revoked_keys, span_str(pubkey_fingerprint(load->set->keys[key].key)));
    }
    if (!read_hex(node->text, hex, &len) || len != 64)
        return load_fail(load, path, node, "wanted a fingerprint of 64 hexadecimal digits, or the key in PEM");
    return add(load, path, node, &load->set->revoked_keys, span_str(hex));
}

/* A serial number, or a fingerprint (SHA-256 of the whole certificate). */
static bool add_certificate(struct load *load, const struct path *path, const struct node *node)
{
    char hex[HEX_MAX + 1];
    const char *bare = hex;
    size_t len;

    if (!read_hex(node->text, hex, &len))
        return load_fail(load, path, node,
                         "wanted a certificate's serial number or SHA-256 fingerprint in hexadecimal");
    while (len != 64 && bare[0] == '0' && bare[1] != '\0')
        bare++;
    return add(load, path, node, &load->set->revoked_certificates, span_str(bare));
}

static bool add_digest(struct load *load, const struct path *path, const struct node *node)
{
    struct digest digest;

    if (!digest_parse(node->text, &digest))
        return load_fail(load, path, node,
                         "wanted an image's digest, \"sha256:\" and 64 lower-case hexadecimal digits");
    return add(load, path, node, &load->set->revoked_digests, node->text);
}

bool load_revoked(struct load *load, const struct path *up, const struct node *node)
{
    enum { KEYS, CERTIFICATES, DIGESTS, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [KEYS] = {"keys", NODE_LIST, FIELD_OPTIONAL, "of fingerprints"},
        [CERTIFICATES] = {"certificates", NODE_LIST, FIELD_OPTIONAL, "of serial numbers"},
        [DIGESTS] = {"digests", NODE_LIST, FIELD_OPTIONAL, "of image digests"},
    };
    static bool (*const adders[FIELDS])(struct load *, const struct path *, const struct node *) = {
        [KEYS] = add_key, [CERTIFICATES] = add_certificate, [DIGESTS] = add_digest};
    struct path path = {.up = up, .name = "revoked"};
    const struct node *fields[FIELDS];

    if (!fields_read(load, &path, node, rules, FIELDS, fields))
        return false;
    for (size_t i = 0; i < FIELDS; i++) {
        struct path list = {.up = &path, .name = rules[i].name}, element = {.up = &list};

        for (const struct node *item = fields[i] != NULL ? fields[i]->child : NULL; item != NULL;
             item = item->next, element.index++) {
            if (item->kind != NODE_STRING)
                return load_fail(load, &element, item, "wanted text%s",
                                 item->kind == NODE_NUMBER ? ": put it in quotes" : "");
            if (!adders[i](load, &element, item))
                return false;
        }
    }
    return true;
}
