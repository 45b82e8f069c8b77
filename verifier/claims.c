/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/claims.h"

#include "base/limits.h"
#include "base/mem.h"
#include "verifier/claims_build.h"

/* One manifest's layers times a handful of keys; the number of signature checks is bounded before this is. */
enum { CLAIMS_MAX = 16 * 1024, FINDINGS_MAX = 16 * 1024 };

bool claim_place_set(struct claim_place *place, const struct place_view *view, struct error *err)
{
    place->repository = mem_printf("%s/%s", view->host, view->repository);
    place->tag_prefix = mem_strdup(view->tag_prefix);
    place->manifest = mem_strdup(view->manifest);
    place->layer = view->layer;
    if (!place->repository || !place->tag_prefix || !place->manifest)
        return error_oom(err);
    return true;
}

static void place_done(struct claim_place *place)
{
    mem_free(place->repository);
    mem_free(place->tag_prefix);
    mem_free(place->manifest);
    *place = (struct claim_place){0};
}

bool claims_add(struct claims *claims, struct claim *claim, struct error *err)
{
    if (!mem_grow(&claims->items, &claims->capacity, claims->count, sizeof(*claims->items), CLAIMS_MAX)) {
        claim_done(claim);
        return error_oom(err);
    }
    claims->items[claims->count++] = *claim;
    *claim = (struct claim){0};
    return true;
}

bool claims_note(struct claims *claims, const struct place_view *view, enum claim_kind kind, const struct error *why,
                 struct error *err)
{
    struct finding *finding;

    if (claims->finding_count >= FINDINGS_MAX)
        return true; /* more of the same tells nobody anything */
    if (!mem_grow(&claims->findings, &claims->finding_capacity, claims->finding_count, sizeof(*finding), FINDINGS_MAX))
        return error_oom(err);
    finding = &claims->findings[claims->finding_count++];
    finding->kind = kind;
    finding->reason = why->reason;
    finding->text = mem_strdup(why->text);
    if (!claim_place_set(&finding->place, view, err))
        return false;
    return finding->text ? true : error_oom(err);
}

/* Lists of a claim have a count but no capacity: they are short (bundles hold at most 32 of each) and grow by one. */
static void *grow_by_one(void *list, size_t count, size_t size)
{
    char *block = mem_resize(list, count + 1, size);

    for (size_t i = 0; block && i < size; i++)
        block[count * size + i] = 0;
    return block;
}

struct claim_annotation *claim_add_annotation(struct claim *claim)
{
    struct claim_annotation *list = grow_by_one(claim->annotations, claim->annotation_count, sizeof(*list));

    if (!list)
        return NULL;
    claim->annotations = list;
    return &list[claim->annotation_count++];
}

struct claim_time *claim_add_time(struct claim *claim)
{
    struct claim_time *list = grow_by_one(claim->times, claim->time_count, sizeof(*list));

    if (!list)
        return NULL;
    claim->times = list;
    return &list[claim->time_count++];
}

struct claim_log *claim_add_log(struct claim *claim)
{
    struct claim_log *list = grow_by_one(claim->logs, claim->log_count, sizeof(*list));

    if (!list)
        return NULL;
    claim->logs = list;
    return &list[claim->log_count++];
}

void claim_certificate_free(struct claim_certificate *certificate)
{
    if (!certificate)
        return;
    mem_free(certificate->san);
    for (size_t i = 0; i < certificate->san_count; i++)
        mem_free(certificate->sans[i]);
    mem_free(certificate->sans);
    mem_free(certificate->san_kinds);
    mem_free(certificate->issuer);
    for (size_t i = 0; i < ARRAY_LEN(certificate->extensions); i++)
        mem_free(certificate->extensions[i]);
    mem_free(certificate->serial);
    for (size_t i = 0; i < certificate->chain_count; i++) {
        mem_free(certificate->chains[i].valid_at);
        mem_free(certificate->chains[i].problem);
    }
    mem_free(certificate->chains);
    mem_free(certificate);
}

void claim_done(struct claim *claim)
{
    place_done(&claim->place);
    claim_certificate_free(claim->certificate);
    mem_free(claim->docker_reference);
    mem_free(claim->annotations);
    mem_free(claim->predicate_type);
    for (size_t i = 0; i < claim->time_count; i++)
        mem_free(claim->times[i].authority);
    mem_free(claim->times);
    for (size_t i = 0; i < claim->log_count; i++)
        mem_free(claim->logs[i].log);
    mem_free(claim->logs);
    mem_free(claim->log_problem);
    mem_free(claim->time_problem);
    *claim = (struct claim){0};
}

void claims_done(struct claims *claims)
{
    for (size_t i = 0; i < claims->count; i++)
        claim_done(&claims->items[i]);
    for (size_t i = 0; i < claims->finding_count; i++) {
        place_done(&claims->findings[i].place);
        mem_free(claims->findings[i].text);
    }
    mem_free(claims->items);
    mem_free(claims->findings);
    keep_done(&claims->keep);
    *claims = (struct claims){0};
}
