/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/dsse.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

static const char in_toto[] = "application/vnd.in-toto+json";

static bool parse_signatures(struct keep *keep, const struct node *list, enum dsse_front front, struct dsse *dsse,
                             struct error *err)
{
    if (list->count == 0 || list->count > DSSE_SIGNATURES_MAX)
        return error_set(err, list->count == 0 ? REASON_MALFORMED : REASON_LIMIT, "DSSE envelope: %u signatures",
                         list->count);
    if (front == DSSE_BUNDLE && list->count != 1)
        return error_set(err, REASON_MALFORMED, "DSSE envelope: %u signatures; a bundle has exactly one", list->count);
    for (const struct node *item = list->child; item; item = item->next) {
        const struct node *sig, *keyid;
        const struct field fields[] = {{"sig", NODE_STRING, true, &sig}, {"keyid", NODE_STRING, false, &keyid}};

        if (!node_fields(item, "DSSE signature", fields, ARRAY_LEN(fields), front == DSSE_LEGACY, REASON_MALFORMED,
                         err) ||
            !keep_base64(keep, sig->text, BASE64_JSON, LIMIT_SIGNATURE_BYTES, "DSSE signature",
                         &dsse->signatures[dsse->signature_count], err))
            return false;
        dsse->signature_count++;
    }
    return true;
}

/* Pre-authentication encoding (DSSE protocol.md, "Signature Definition"), built around the one decoded copy. */
static bool build_pae(struct keep *keep, struct span payload64, struct dsse *dsse, struct error *err)
{
    struct buf buf CLEANUP(buf_free) = BUF_INIT(LIMIT_ATTESTATION_BYTES + 128);
    size_t len = base64_decoded_len(payload64);
    size_t header;

    if (len > LIMIT_ATTESTATION_BYTES)
        return error_set(err, REASON_LIMIT, "DSSE payload: %zu bytes, more than %d", len, LIMIT_ATTESTATION_BYTES);
    /* Room for all at once: growing by doubling would copy a large payload several times. */
    if (!buf_reserve(&buf, len + 128))
        return error_oom(err);
    buf_clear(&buf);
    buf_printf(&buf, "DSSEv1 %zu %s %zu ", sizeof(in_toto) - 1, in_toto, len);
    header = buf.len;
    if (!base64_decode(payload64, BASE64_JSON, &buf) || buf.len - header != len)
        return error_set(err, REASON_MALFORMED, "DSSE payload: not base64");
    dsse->pae = buf_as_span(&buf);
    dsse->payload = span_cut(dsse->pae, header, SIZE_MAX);
    return keep_block(keep, buf_take(&buf), err);
}

bool dsse_parse(struct keep *keep, const struct node *node, enum dsse_front front, struct dsse *ret, struct error *err)
{
    const struct node *payload, *type, *signatures;
    const struct field fields[] = {
        {"payload", NODE_STRING, true, &payload},
        {"payloadType", NODE_STRING, true, &type},
        {"signatures", NODE_LIST, true, &signatures},
    };
    struct dsse dsse = {0};

    if (!node_fields(node, "DSSE envelope", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err))
        return false;
    if (!node_str_is(type, in_toto))
        return error_set(err, REASON_UNSUPPORTED, "DSSE envelope: payloadType is not %s", in_toto);
    if (!parse_signatures(keep, signatures, front, &dsse, err) || !build_pae(keep, payload->text, &dsse, err))
        return false;
    *ret = dsse;
    return true;
}
