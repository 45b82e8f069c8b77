/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

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

/*
 * Greedy with two fall-back points: the last `*` and the last `**`. That is enough: what an earlier `*` could take
 * instead is out of reach because the last one may not cross '/', and an earlier `**` is subsumed by the last.
 */
bool glob_match(const char *glob, struct span text)
{
    const char *star = NULL, *deep = NULL; /* pattern behind the last * and ** */
    size_t star_at = 0, deep_at = 0;       /* where in text they have taken up to */
    size_t at = 0;

    for (;;) {
        if (*glob == '*') {
            size_t run = strspn(glob, "*");

            glob += run;
            if (run > 1) {
                deep = glob;
                deep_at = at;
                star = NULL;
            } else {
                star = glob;
                star_at = at;
            }
            continue;
        }
        if (at < text.len && *glob != '\0' && (uint8_t)*glob == text.ptr[at]) {
            glob++;
            at++;
            continue;
        }
        if (at == text.len && *glob == '\0')
            return true;
        if (star != NULL && star_at < text.len && text.ptr[star_at] != '/') {
            at = ++star_at;
            glob = star;
            continue;
        }
        if (deep == NULL || deep_at >= text.len)
            return false;
        at = ++deep_at;
        glob = deep;
        star = NULL;
    }
}
