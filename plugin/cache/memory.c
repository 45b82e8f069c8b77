/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cache/memory.h"

#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "plugin/cache/entry.h"
#include "plugin/cache/format.h"

/* Which set a verdict belongs to; what it is about stands in the entry. */
static uint64_t key_of(struct span digest, struct span reference)
{
    return format_hash(reference) ^ (format_hash(digest) * 31);
}

static struct memory_place *set_of(const struct memory *memory, uint64_t key)
{
    return &memory->places[(key % MEMORY_SETS) * MEMORY_WAYS];
}

static void place_clear(struct memory_place *place)
{
    mem_free(place->bytes);
    *place = (struct memory_place){0};
}

/* The place of the same key, a free one, or the one used longest ago. */
static struct memory_place *place_for(const struct memory *memory, uint64_t key)
{
    struct memory_place *set = set_of(memory, key), *oldest = set;

    for (size_t i = 0; i < MEMORY_WAYS; i++)
        if (set[i].bytes && set[i].key == key)
            return &set[i];
    for (size_t i = 0; i < MEMORY_WAYS; i++) {
        if (!set[i].bytes)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    return oldest;
}

bool memory_put(struct memory *memory, const char *fingerprint, struct span bytes)
{
    CLEANUP(response_done) struct response response = {0};
    struct error ignored = ERROR_INIT;
    struct memory_place *place;
    struct entry entry;
    uint8_t *copy;
    uint64_t key;

    if (!entry_read(bytes, &entry) || !span_eq_str(entry.fingerprint, fingerprint) ||
        !response_read(entry.response, &response, &ignored) || !response.digest)
        return false;
    if (!memory->places && !(memory->places = mem_new(MEMORY_PLACES, sizeof(*memory->places))))
        return false;
    copy = mem_dup(bytes.ptr, bytes.len);
    if (!copy)
        return false;
    key = key_of(span_str(response.digest), entry.reference);
    place = place_for(memory, key);
    place_clear(place);
    *place = (struct memory_place){.bytes = copy, .len = bytes.len, .key = key, .used = ++memory->clock};
    return true;
}

bool memory_find(struct memory *memory, const char *fingerprint, const struct request *request, const char *reference,
                 struct response *ret, struct cache_times *ret_times)
{
    struct memory_place *set;
    uint64_t key;

    if (!memory->places || !cache_may_hold(request))
        return false;
    if (!reference)
        reference = request->reference;
    key = key_of(span_str(request->digest), span_str(reference));
    set = set_of(memory, key);
    for (size_t i = 0; i < MEMORY_WAYS; i++) {
        struct entry entry;

        if (!set[i].bytes || set[i].key != key)
            continue;
        if (!entry_read(span_of(set[i].bytes, set[i].len), &entry) || !span_eq_str(entry.fingerprint, fingerprint) ||
            !entry_counts(&entry, reference, CACHE_FRESH) || !entry_response(&entry, request, ret)) {
            place_clear(&set[i]);
            return false;
        }
        *ret_times = entry.times;
        set[i].used = ++memory->clock;
        return true;
    }
    return false;
}

void memory_follow(struct memory *memory, const char *root)
{
    CLEANUP(mem_freep) char *path = path_under(root, CACHE_DIRECTORY "/stamp");
    uint64_t mark = 0, before = memory->mark;
    struct stat status;

    if (path && stat(path, &status) == 0)
        mark = (((uint64_t)status.st_ino << 32) ^ (uint64_t)status.st_ctim.tv_sec * 1000000000U ^
                (uint64_t)status.st_ctim.tv_nsec) | 1;
    if (before != 0 && mark != before)
        memory_clear(memory);
    memory->mark = mark;
}

void memory_clear(struct memory *memory)
{
    for (size_t i = 0; memory->places && i < MEMORY_PLACES; i++)
        place_clear(&memory->places[i]);
    mem_free(memory->places);
    *memory = (struct memory){.mark = memory->mark};
}
