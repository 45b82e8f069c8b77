/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/content.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/claims_build.h"
#include "verifier/simplesigning.h"
#include "verifier/statement.h"

static bool read_simple_signing(struct keep *keep, struct span bytes, const struct digest *image,
                                struct content *content, struct error *err)
{
    struct simplesigning payload;
    char wanted[DIGEST_TEXT_BYTES], found[DIGEST_TEXT_BYTES];

    if (!simplesigning_parse(keep, bytes, &payload, err))
        return false;
    if (!digest_eq(&payload.digest, image))
        return error_set(err, REASON_DIGEST_MISMATCH, "the signed payload is about %s, not %s",
                         digest_format(&payload.digest, found), digest_format(image, wanted));
    content->kind = CLAIM_SIGNATURE;
    content->docker_reference = payload.docker_reference;
    content->annotations = payload.optional;
    return true;
}

static bool read_statement(struct keep *keep, struct span bytes, enum content_form form, const struct digest *image,
                           struct content *content, struct error *err)
{
    struct statement statement;

    if (!statement_parse(keep, bytes, &statement, err) ||
        !statement_match(&statement, image, &content->annotations, err))
        return false;
    content->predicate_type = statement.predicate_type;
    /* Trap 10: only this type says "signed"; any other statement by the same key says something else. */
    content->kind = form == CONTENT_BUNDLE && span_eq_str(statement.predicate_type, statement_sign_v1)
                        ? CLAIM_SIGNATURE
                        : CLAIM_ATTESTATION;
    content->statement = content->kind == CLAIM_ATTESTATION ? statement.root : NULL;
    return true;
}

bool content_read(struct keep *keep, enum content_form form, struct span payload, const struct digest *image,
                  struct content *ret, struct error *err)
{
    struct content content = {0};

    switch (form) {
    case CONTENT_SIMPLE_SIGNING:
        if (!read_simple_signing(keep, payload, image, &content, err))
            return false;
        break;
    case CONTENT_ATTESTATION:
    case CONTENT_BUNDLE:
        if (!read_statement(keep, payload, form, image, &content, err))
            return false;
        break;
    case CONTENT_ARTIFACT:
        content.kind = CLAIM_SIGNATURE;
        break;
    default:
        return error_set(err, REASON_INTERNAL, "unknown form of content");
    }
    *ret = content;
    return true;
}

bool content_to_claim(const struct content *content, struct claim *claim, struct error *err)
{
    claim->kind = content->kind;
    claim->statement = content->statement;
    if (content->docker_reference.ptr) {
        claim->docker_reference = span_dup(content->docker_reference);
        if (!claim->docker_reference)
            return error_oom(err);
    }
    if (content->predicate_type.ptr) {
        claim->predicate_type = span_dup(content->predicate_type);
        if (!claim->predicate_type)
            return error_oom(err);
    }
    for (const struct node *item = content->annotations ? content->annotations->child : NULL; item; item = item->next) {
        struct claim_annotation *annotation = claim_add_annotation(claim);

        if (!annotation)
            return error_oom(err);
        *annotation = (struct claim_annotation){item->name, item->text, item->kind == NODE_STRING};
    }
    return true;
}
