/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/wantlist.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "verifier/ref.h"

enum { TAG_WANT = 1 };

bool wantlist_read(struct span message, struct wants *ret, struct error *err)
{
    CLEANUP(wants_done) struct wants wants = {0};
    struct reader records;
    struct span bytes;
    uint16_t tag;

    if (!wire_records(message, MESSAGE_WANTS, &records, err))
        return error_wrap(err, "the judge");
    while (wire_next(&records, &tag, &bytes)) {
        if (tag != TAG_WANT)
            return error_set(err, REASON_MALFORMED, "the judge sends an unknown record");
        if (!mem_grow(&wants.items, &wants.capacity, wants.count, sizeof(*wants.items), LIMIT_EVIDENCE_ITEMS))
            return error_set(err, REASON_LIMIT, "more than %d objects would have to be fetched", LIMIT_EVIDENCE_ITEMS);
        if (!want_read(bytes, &wants.items[wants.count], err))
            return false;
        wants.count++;
    }
    if (records.failed)
        return error_set(err, REASON_MALFORMED, "the judge sends a record that is cut off");
    *ret = wants;
    wants = (struct wants){0};
    return true;
}

/* Tags and digests: [A-Za-z0-9_.:+-]; nothing that could be a path, a query or an escape. */
static bool is_plain_target(const char *target)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:+-";

    return target[0] != '\0' && target[0] != '.' && target[strspn(target, plain)] == '\0';
}

/* A further page stays below the repository it is a page of (distribution specification, listing referrers). */
static bool is_page_target(const char *target)
{
    return target[0] == '/' && target[1] != '/' && !strstr(target, "/../") && !strpbrk(target, " \t\r\n#\\");
}

static bool check_one(const struct engine_config *config, const struct ref *ref, const struct want *want,
                      struct error *err)
{
    CLEANUP(mem_freep) char *name = mem_printf("%s/%s", want->host, want->repository);

    if (!name)
        return error_oom(err);
    if (strcmp(name, ref->name) != 0 && !policy_set_names_repository(config->policies, name))
        return error_set(err, REASON_INTERNAL, "the judge asks for an object of a repository that is not concerned");
    if (want->kind == WANT_PAGE ? !is_page_target(want->target) : !is_plain_target(want->target))
        return error_set(err, REASON_INTERNAL, "the judge asks for an object whose name is not of its kind");
    return true;
}

bool wantlist_check(const struct engine_config *config, const struct request *request, const struct wants *wants,
                    struct error *err)
{
    CLEANUP(ref_done) struct ref ref = {0};

    if (!ref_parse(span_str(request->reference), &ref, err))
        return false;
    for (size_t i = 0; i < wants->count; i++)
        if (!check_one(config, &ref, &wants->items[i], err))
            return false;
    return true;
}
