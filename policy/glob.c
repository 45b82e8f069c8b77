/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

#include <stdint.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

static bool glob_byte_allowed(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("-_:/*.@", byte) != NULL);
}

char *glob_new(struct span written, struct error *err)
{
    char *glob;
    char shown[8];

    if (written.len == 0 || written.len > GLOB_MAX_BYTES) {
        error_set(err, REASON_POLICY_ERROR, "a glob has 1 to %d characters", GLOB_MAX_BYTES);
        return NULL;
    }
    for (size_t i = 0; i < written.len; i++) {
        if (!glob_byte_allowed(written.ptr[i])) {
            error_set(err, REASON_POLICY_ERROR,
                      "character \"%s\" is not allowed in a glob: letters, digits, - _ : / . @ and the wildcards * and "
                      "** are (no regular expressions)",
                      text_clean(span_of(written.ptr + i, 1), shown, sizeof(shown)));
            return NULL;
        }
    }
    if (span_eq_str(written, "*"))
        glob = mem_strdup("index.docker.io/library/*");
    else if (span_eq_str(written, "*/*"))
        glob = mem_strdup("index.docker.io/*/*");
    else
        glob = span_dup(written);
    if (glob == NULL)
        error_oom(err);
    return glob;
}

/* Places in a glob where the rest of the text may begin, one bit each. */
enum { PLACE_WORDS = GLOB_MAX_BYTES / 64 + 1 };

struct places {
    uint64_t bits[PLACE_WORDS];
    uint64_t work; /* bytes of the glob that were looked at */
};

/* A run of stars may also take nothing, so what stands behind it is a place as well. */
static void places_add(struct places *places, const char *glob, size_t at)
{
    size_t run = strspn(glob + at, "*");

    places->bits[at / 64] |= UINT64_C(1) << at % 64;
    places->bits[(at + run) / 64] |= UINT64_C(1) << (at + run) % 64;
    places->work += run + 1;
}

static void places_step(struct places *next, const char *glob, size_t at, uint8_t byte)
{
    if (glob[at] == '\0')
        return; /* the glob is used up and the text is not */
    if (glob[at] != '*' && (uint8_t)glob[at] == byte)
        places_add(next, glob, at + 1);
    else if (glob[at] == '*' && (glob[at + 1] == '*' || byte != '/'))
        places_add(next, glob, at);
}

/*
 * All ways at once, so that the time is at most the glob's length times the text's: trying one way after the other
 * takes the square of the text where `*` and `**` stand together.
 */
bool glob_match_counted(const char *glob, struct span text, uint64_t *work)
{
    struct places now = {{0}, 0};
    size_t len = strlen(glob), words = len / 64 + 1;

    if (len > GLOB_MAX_BYTES)
        return false;
    places_add(&now, glob, 0);
    for (size_t i = 0; i < text.len; i++) {
        struct places next = {{0}, now.work + words};
        uint64_t any = 0;

        for (size_t word = 0; word < words; word++) {
            for (uint64_t left = now.bits[word]; left != 0; left &= left - 1)
                places_step(&next, glob, word * 64 + (size_t)__builtin_ctzll(left), text.ptr[i]);
        }
        for (size_t word = 0; word < words; word++)
            any |= next.bits[word];
        now = next;
        if (any == 0)
            break;
    }
    *work += now.work;
    return (now.bits[len / 64] >> len % 64 & 1) != 0;
}

bool glob_match(const char *glob, struct span text)
{
    uint64_t work = 0;

    return glob_match_counted(glob, text, &work);
}
