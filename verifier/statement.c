/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/statement.h"

#include "base/encode.h"
#include "base/limits.h"

const char statement_sign_v1[] = "https://sigstore.dev/cosign/sign/v1";

static bool check_subject(const struct node *subject, struct error *err)
{
    const struct node *name, *digest, *annotations;
    const struct field fields[] = {
        {"name", FIELD_ANY, false, &name},
        {"digest", NODE_MAP, true, &digest},
        {"annotations", NODE_MAP, false, &annotations},
    };

    if (!node_fields(subject, "subject", fields, ARRAY_LEN(fields), true, REASON_MALFORMED, err))
        return false;
    if (digest->count > LIMIT_SUBJECT_DIGESTS)
        return error_set(err, REASON_LIMIT, "subject: %u digests, more than %d", digest->count, LIMIT_SUBJECT_DIGESTS);
    for (const struct node *item = digest->child; item; item = item->next)
        if (item->kind != NODE_STRING)
            return error_set(err, REASON_MALFORMED, "subject: a digest is a %s, not a string",
                             node_kind_name(item->kind));
    return true;
}

static bool check_type(const struct node *type, struct error *err)
{
    char clean[100];

    if (node_str_is(type, "https://in-toto.io/Statement/v1") || node_str_is(type, "https://in-toto.io/Statement/v0.1"))
        return true;
    return error_set(err, REASON_UNSUPPORTED, "_type \"%s\" is no in-toto statement v0.1 or v1",
                     text_clean(type->text, clean, sizeof(clean)));
}

bool statement_parse(struct keep *keep, struct span payload, struct statement *ret, struct error *err)
{
    const struct node *root, *type, *subject, *predicate_type, *predicate;
    const struct field fields[] = {
        {"_type", NODE_STRING, true, &type},
        {"subject", NODE_LIST, true, &subject},
        {"predicateType", NODE_STRING, true, &predicate_type},
        {"predicate", FIELD_ANY, false, &predicate},
    };

    if (!keep_json(keep, payload, "in-toto statement", &root, err) ||
        !node_fields(root, "in-toto statement", fields, ARRAY_LEN(fields), true, REASON_MALFORMED, err) ||
        !check_type(type, err))
        return false;
    if (subject->count == 0 || subject->count > LIMIT_STATEMENT_SUBJECTS)
        return error_set(err, subject->count == 0 ? REASON_MALFORMED : REASON_LIMIT, "in-toto statement: %u subjects",
                         subject->count);
    for (const struct node *item = subject->child; item; item = item->next)
        if (!check_subject(item, err))
            return error_wrap(err, "in-toto statement");
    *ret = (struct statement){.root = root, .predicate_type = predicate_type->text, .subjects = subject};
    return true;
}

bool statement_match(const struct statement *statement, const struct digest *digest,
                     const struct node **ret_annotations, struct error *err)
{
    char hex[2 * DIGEST_MAX_BYTES + 1];

    (void)digest_hex(digest, hex);
    for (const struct node *item = statement->subjects->child; item; item = item->next) {
        const struct node *value = node_get(node_get(item, "digest"), digest_alg_name(digest->alg));

        if (!node_str_is(value, hex))
            continue;
        *ret_annotations = node_get(item, "annotations");
        return true;
    }
    return error_set(err, REASON_DIGEST_MISMATCH, "the signed statement is about another image");
}
