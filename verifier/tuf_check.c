/* SPDX-License-Identifier: Apache-2.0 */
/* What new metadata must stand against: freeze, rollback, mix and match (specification section 5). */
#include "base/clock.h"
#include "base/encode.h"
#include "verifier/tuf_internal.h"

/* 5.3.10, 5.4.4, 5.5.6, 5.6.5: a freeze attack holds back newer files until what it serves has expired. */
bool tuf_check_expiry(const struct tuf *tuf, const struct tuf_document *document, struct error *err)
{
    char when[TIME_TEXT_BYTES];

    if (document->expires > tuf->now)
        return true;
    return error_set(err, REASON_EXPIRED, "%s version %lld expired at %s", document->file,
                     (long long)document->version, time_format(document->expires, when));
}

bool tuf_rolled_back(enum tuf_role role, int64_t had, int64_t got, struct error *err)
{
    return error_set(err, REASON_UNTRUSTED_CHAIN, "%s would go back from version %lld to %lld (rollback)",
                     tuf_role_file(role), (long long)had, (long long)got);
}

/* 5.5.5: no role's version goes back, and none that was there disappears. */
bool tuf_check_rollback(const struct tuf_document *old, const struct tuf_document *new, struct error *err)
{
    const struct node *entries = node_get(old->signed_part, "meta");

    for (const struct node *entry = entries ? entries->child : NULL; entry; entry = entry->next) {
        const struct node *other = node_get_span(node_get(new->signed_part, "meta"), entry->name);
        struct tuf_meta had, got;
        char name[128];

        text_clean(entry->name, name, sizeof(name));
        if (!node_is(other, NODE_MAP))
            return error_set(err, REASON_UNTRUSTED_CHAIN, "snapshot.json no longer names %s (rollback)", name);
        if (!tuf_meta_parse(entry, false, &had, err) || !tuf_meta_parse(other, false, &got, err))
            return false;
        if (got.version < had.version)
            return error_set(err, REASON_UNTRUSTED_CHAIN,
                             "snapshot.json takes %s back from version %lld to %lld (rollback)", name,
                             (long long)had.version, (long long)got.version);
    }
    return true;
}

bool tuf_check_named(const struct tuf *tuf, enum tuf_role role, const struct tuf_document *document,
                     struct error *err)
{
    struct tuf_meta meta;

    if (!tuf_wanted_meta(tuf, role, document->file, &meta, err) ||
        !tuf_meta_matches(&meta, span_of(document->bytes, document->len), document->file, err))
        return false;
    if (document->version != meta.version)
        return error_set(err, REASON_UNTRUSTED_CHAIN,
                         "%s is of version %lld; the %s names version %lld (mix and match)", document->file,
                         (long long)document->version, role == TUF_SNAPSHOT ? "timestamp" : "snapshot",
                         (long long)meta.version);
    return tuf_check_expiry(tuf, document, err);
}

bool tuf_check_against(const struct tuf *tuf, enum tuf_role role, const struct tuf_document *document,
                       struct error *err)
{
    return tuf_verify_role(&tuf->trusted[TUF_ROOT], role, document, err) && tuf_check_named(tuf, role, document, err);
}
