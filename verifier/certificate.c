/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/certificate.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "verifier/trustroot.h"

static bool is_anchor(const struct verification *run, struct span der)
{
    for (size_t i = 0; i < run->input->root_count; i++) {
        const struct trust_authorities *list = &run->input->roots[i]->authorities;

        for (size_t j = 0; j < list->count; j++)
            if (span_eq(der, cert_der(list->items[j].chain.items[list->items[j].chain.count - 1])))
                return true;
    }
    return false;
}

bool signer_parse(const struct verification *run, const struct object *object, struct signer *ret, struct error *err)
{
    struct signer signer CLEANUP(signer_done) = {0};

    if (object->certificate_der.len > 0 ? !cert_parse_der(object->certificate_der, &signer.cert, err)
                                        : !cert_parse_pem_first(object->certificate_pem, &signer.cert, err))
        return error_wrap(err, "certificate");
    if (!cert_key(signer.cert))
        return error_set(err, REASON_UNSUPPORTED, "certificate: a key of a kind that is not handled");
    for (size_t i = 0; i < object->chain_count; i++)
        if (is_anchor(run, object->chain_der[i]))
            return error_set(err, REASON_MALFORMED, "the bundle brings the certificate authority's root along");
    /* "Empty = absent" (trap 6); a chain that is there must be one. */
    if (span_trim(object->chain_pem).len > 0 && !certs_parse_pem(object->chain_pem, &signer.chain, err))
        return error_wrap(err, "certificate chain");
    *ret = signer;
    signer = (struct signer){0};
    return true;
}

void signer_done(struct signer *signer)
{
    cert_free(signer->cert);
    certs_done(&signer->chain);
    *signer = (struct signer){0};
}

static enum san_kind san_kind_of(const struct cert_san *san)
{
    switch (san ? san->kind : CERT_SAN_NONE) {
    case CERT_SAN_EMAIL:
        return SAN_EMAIL;
    case CERT_SAN_URI:
        return SAN_URI;
    case CERT_SAN_DNS:
        return SAN_DNS;
    case CERT_SAN_IP:
        return SAN_IP;
    case CERT_SAN_OTHER:
        return SAN_OTHER;
    case CERT_SAN_NONE:
    default:
        return SAN_NONE;
    }
}

static bool copy_text(const char *text, char **ret)
{
    if (!text)
        return true;
    *ret = mem_strdup(text);
    return *ret != NULL;
}

static bool copy_sans(const struct cert *cert, struct claim_certificate *facts)
{
    size_t count = cert_san_count(cert);

    if (count == 0)
        return true;
    facts->sans = mem_new(count, sizeof(*facts->sans));
    facts->san_kinds = mem_new(count, sizeof(*facts->san_kinds));
    if (!facts->sans || !facts->san_kinds)
        return false;
    for (size_t i = 0; i < count; i++) {
        facts->san_kinds[i] = san_kind_of(cert_san(cert, i));
        if (!copy_text(cert_san(cert, i)->text, &facts->sans[i]))
            return false;
        facts->san_count++;
    }
    return true;
}

bool certificate_to_claim(struct verification *run, const struct object *object, const struct signer *signer,
                          struct claim *claim, struct error *err)
{
    const struct cert *cert = signer->cert;
    const struct cert_san *san = cert_identity(cert);
    struct claim_certificate *facts = mem_new(1, sizeof(*facts));
    struct span der = cert_der(cert);
    void *copy;

    if (!facts)
        return error_oom(err);
    claim->signer = SIGNER_CERTIFICATE;
    claim->certificate = facts;
    facts->san_kind = san_kind_of(san);
    memcpy(facts->fingerprint, cert_fingerprint(cert), sizeof(facts->fingerprint));
    memcpy(facts->key_fingerprint, pubkey_fingerprint(cert_key(cert)), sizeof(facts->key_fingerprint));
    if (!copy_text(san ? san->text : NULL, &facts->san) || !copy_text(cert_issuer(cert), &facts->issuer) ||
        !copy_text(cert_serial(cert), &facts->serial))
        return error_oom(err);
    for (size_t i = 0; i < ARRAY_LEN(facts->extensions) && i < CERT_EXTENSIONS; i++)
        if (!copy_text(cert_extension(cert, i), &facts->extensions[i]))
            return error_oom(err);
    /* Any name counts in the legacy layout; a bundle has one identity (sigstore.md 3.3). */
    if (object->layout == LAYOUT_LEGACY && !copy_sans(cert, facts))
        return error_oom(err);
    copy = mem_dup(der.ptr, der.len);
    if (!keep_block(&run->claims->keep, copy, err))
        return false;
    facts->der = span_of(copy, der.len);
    return true;
}

/* The authority's chain with the signer's own intermediates behind it: they help to build a path, nothing more. */
static bool join_pool(const struct trust_authority *authority, const struct certs *extra, struct cert ***ret_list,
                      struct cert_pool *ret, struct error *err)
{
    struct cert_pool pool = trust_authority_pool(authority);
    size_t total = pool.intermediate_count + extra->count;

    if (extra->count > 0) {
        *ret_list = mem_new(total, sizeof(struct cert *));
        if (!*ret_list)
            return error_oom(err);
        for (size_t i = 0; i < pool.intermediate_count; i++)
            (*ret_list)[i] = pool.intermediates[i];
        for (size_t i = 0; i < extra->count; i++)
            (*ret_list)[pool.intermediate_count + i] = extra->items[i];
        pool.intermediates = *ret_list;
        pool.intermediate_count = total;
    }
    *ret = pool;
    return true;
}

/*
 * Fulcio's profile has code signing in every certificate, and the issuer whose token it saw. A certificate of an
 * authority of one's own may leave its key's purpose open (RFC 5280 section 4.2.1.12), as Go and so cosign take it.
 */
static enum cert_purpose purpose_of(const struct trust_root *root, const struct cert *leaf)
{
    return root->ct_logs.count > 0 || cert_issuer(leaf) ? CERT_PURPOSE_CODE_SIGNING : CERT_PURPOSE_UNRESTRICTED;
}

/* Does some authority of the root vouch for the certificate at this time? EXPIRED outranks UNTRUSTED_CHAIN as a reason.
 */
static bool chain_at(const struct trust_root *root, const struct signer *signer, int64_t at, struct cert **ret_issuer,
                     struct error *why)
{
    struct error best = ERROR_INIT;
    bool any = false;

    (void)error_set(&best, REASON_UNTRUSTED_CHAIN, "the trust root has no certificate authority");
    for (size_t i = 0; i < root->authorities.count; i++) {
        const struct trust_authority *authority = &root->authorities.items[i];
        struct cert **list CLEANUP(mem_freep) = NULL;
        struct cert_pool pool;
        struct error one = ERROR_INIT;

        if (!join_pool(authority, &signer->chain, &list, &pool, why))
            return false;
        if (cert_verify_chain(signer->cert, &pool, purpose_of(root, signer->cert), at, ret_issuer, &one)) {
            if (time_window_has(&authority->window, at * 1000))
                return true;
            cert_free(*ret_issuer);
            *ret_issuer = NULL;
            (void)error_set(&one, REASON_EXPIRED, "certificate authority %s was not in force then", authority->name);
        }
        if (!any || one.reason == REASON_EXPIRED)
            best = one;
        any = true;
    }
    *why = best;
    return false;
}

struct standing {
    struct cert *issuer; /* of the leaf, from the first time that passed */
    bool all;            /* every verified time of this root passed, and there was one */
    bool some;           /* there was one */
    struct error why;
};

static void standing_done(struct standing *standing)
{
    cert_free(standing->issuer);
}

static void look_at(const struct trust_root *root, const struct signer *signer, int64_t at, bool counts,
                    bool *ret_valid, struct standing *standing)
{
    struct cert *issuer CLEANUP(cert_freep) = NULL;
    struct error why = ERROR_INIT;

    *ret_valid = chain_at(root, signer, at, &issuer, &why);
    if (*ret_valid && !standing->issuer)
        standing->issuer = TAKE_PTR(issuer);
    if (counts && !*ret_valid && (standing->all || !standing->some))
        standing->why = why;
    if (counts) {
        standing->all = (standing->all || !standing->some) && *ret_valid;
        standing->some = true;
    }
}

static bool verify_root(struct verification *run, const struct signer *signer, const struct claim *claim,
                        struct claim_chain *chain, struct error *err)
{
    const struct trust_root *root = run->input->roots[chain->root];
    struct standing standing CLEANUP(standing_done) = {.why = ERROR_INIT};
    const char *more = "";
    bool valid;

    if (claim->time_count > 0) {
        chain->valid_at = mem_new(claim->time_count, sizeof(*chain->valid_at));
        if (!chain->valid_at)
            return error_oom(err);
    }
    for (size_t i = 0; i < claim->time_count; i++)
        look_at(root, signer, claim->times[i].at, claim->times[i].root == chain->root, &chain->valid_at[i], &standing);
    if (!standing.some) {
        chain->now_used = true;
        look_at(root, signer, run->input->now, true, &valid, &standing);
        /* The usual cause is not the certificate, which lives for minutes, but a proof that failed. */
        if (!valid && standing.why.reason == REASON_EXPIRED)
            more = ", and no verified log entry or timestamp proves an earlier time";
    }
    chain->chain_verified = standing.all;
    if (standing.issuer &&
        sct_verify(signer->cert, standing.issuer, root->sct_logs, root->ct_logs.count, NULL, &standing.why))
        chain->sct_verified = true;
    if (chain->chain_verified && chain->sct_verified)
        return true;
    chain->problem = mem_printf("%s%s", standing.why.text, more);
    return chain->problem ? true : error_oom(err);
}

bool certificate_verify_chains(struct verification *run, const struct signer *signer, struct claim *claim,
                               struct error *err)
{
    struct claim_certificate *facts = claim->certificate;

    if (run->input->root_count == 0)
        return true;
    facts->chains = mem_new(run->input->root_count, sizeof(*facts->chains));
    if (!facts->chains)
        return error_oom(err);
    for (size_t i = 0; i < run->input->root_count; i++) {
        facts->chains[i].root = i;
        facts->chain_count++;
        if (!verify_root(run, signer, claim, &facts->chains[i], err))
            return false;
    }
    return true;
}
