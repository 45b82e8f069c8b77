/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/simplesigning.h"

#include "base/encode.h"
#include "base/limits.h"

static const char cosign_type[] = "cosign container image signature";

static bool parse_critical(const struct node *critical, struct simplesigning *payload, struct error *err)
{
    const struct node *type, *image, *identity, *digest, *reference;
    const struct field fields[] = {
        {"type", NODE_STRING, true, &type},
        {"image", NODE_MAP, true, &image},
        {"identity", NODE_MAP, true, &identity},
    };
    const struct field image_fields[] = {{"docker-manifest-digest", NODE_STRING, true, &digest}};
    const struct field identity_fields[] = {{"docker-reference", NODE_STRING, true, &reference}};
    char clean[100];

    if (!node_fields(critical, "critical", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err) ||
        !node_fields(image, "critical.image", image_fields, 1, false, REASON_MALFORMED, err) ||
        !node_fields(identity, "critical.identity", identity_fields, 1, false, REASON_MALFORMED, err))
        return false;
    /* cosign does not look at the type; a payload signed for something else must not pass as an image signature. */
    if (!node_str_is(type, cosign_type))
        return error_set(err, REASON_MALFORMED, "critical.type is \"%s\", not \"%s\"",
                         text_clean(type->text, clean, sizeof(clean)), cosign_type);
    if (!digest_parse(digest->text, &payload->digest))
        return error_set(err, REASON_MALFORMED, "critical.image.docker-manifest-digest is not a digest");
    payload->docker_reference = reference->text;
    return true;
}

bool simplesigning_parse(struct keep *keep, struct span bytes, struct simplesigning *ret, struct error *err)
{
    const struct node *root, *critical, *optional;
    const struct field fields[] = {
        {"critical", NODE_MAP, true, &critical},
        {"optional", FIELD_ANY, false, &optional},
    };
    struct simplesigning payload = {0};

    if (bytes.len > LIMIT_PAYLOAD_BYTES)
        return error_set(err, REASON_LIMIT, "signed payload: %zu bytes, more than %d", bytes.len, LIMIT_PAYLOAD_BYTES);
    if (!keep_json(keep, bytes, "signed payload", &root, err) ||
        !node_fields(root, "signed payload", fields, ARRAY_LEN(fields), false, REASON_MALFORMED, err) ||
        !parse_critical(critical, &payload, err))
        return error_wrap(err, "simple signing");
    if (optional && optional->kind != NODE_NULL && optional->kind != NODE_MAP)
        return error_set(err, REASON_MALFORMED, "simple signing: optional is a %s", node_kind_name(optional->kind));
    payload.optional = node_is(optional, NODE_MAP) ? optional : NULL;
    *ret = payload;
    return true;
}
