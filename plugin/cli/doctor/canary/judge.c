/* SPDX-License-Identifier: Apache-2.0 */
/* What became of the canary: our registry's own observation first, the runtime's words second. */
#include <string.h>

#include "base/encode.h"
#include "plugin/cli/doctor/canary/canary.h"

/* From `at` to the end of its line. */
static void line_from(const char *at, char *dst, size_t size)
{
    text_clean(span_of(at, strcspn(at, "\n")), dst, size);
}

/* Errors stand at the end. */
static void last_line(const char *text, char *dst, size_t size)
{
    struct span rest = span_trim(span_str(text));
    size_t start = rest.len;

    while (start > 0 && rest.ptr[start - 1] != '\n')
        start--;
    text_clean(span_cut(rest, start, SIZE_MAX), dst, size);
}

struct sign {
    const char *text;  /* what the runtime's words contain */
    const char *after; /* the reason begins behind this; NULL = with text */
    enum canary_outcome outcome;
};

/* containerd.md section 3. The first that fits counts. */
static const struct sign containerd_signs[] = {
    { "verifier pullguard rejected image (exit code", "): ", CANARY_STOPPED },
    { "failed to call verifier pullguard", NULL, CANARY_STOPPED_BROKEN },
    { "rejected image (exit code", NULL, CANARY_STOPPED_OTHER },
    { "failed to call verifier", NULL, CANARY_STOPPED_OTHER },
};

/* crio.md section 2.5. */
static const struct sign library_signs[] = {
    { "HTTP response to HTTPS client", NULL, CANARY_NOT_TRIED },
    { " 403 pullguard: ", "pullguard: ", CANARY_STOPPED },
    { "is rejected by policy", NULL, CANARY_STOPPED_NATIVE },
    { "reading signature from", NULL, CANARY_STOPPED_BROKEN },
    { "Source image rejected: Get ", "Source image rejected: ", CANARY_STOPPED_BROKEN },
    { "Source image rejected: ", "Source image rejected: ", CANARY_STOPPED_NATIVE },
};

static bool find_sign(const struct sign *signs, size_t count, const char *text, enum canary_outcome *ret, char *reason,
                      size_t size)
{
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(text, signs[i].text);
        const char *after = at != NULL && signs[i].after != NULL ? strstr(at, signs[i].after) : NULL;

        if (at == NULL)
            continue;
        line_from(after != NULL ? after + strlen(signs[i].after) : at, reason, size);
        *ret = signs[i].outcome;
        return true;
    }
    return false;
}

enum canary_outcome canary_judge(enum client_kind kind, bool pulled, unsigned int manifests, unsigned int blobs,
                                 const char *text, char *reason, size_t reason_size)
{
    bool containerd = kind == CLIENT_CTR || kind == CLIENT_CRI;
    enum canary_outcome outcome = CANARY_NOT_TRIED;

    last_line(text, reason, reason_size);
    /* Verifiers run before anything of the image is fetched: a layer asked for is an image let in. */
    if (pulled)
        reason[0] = '\0';
    if (pulled || blobs > 0)
        return CANARY_NOT_STOPPED;
    if (find_sign(containerd ? containerd_signs : library_signs,
                  containerd ? ARRAY_LEN(containerd_signs) : ARRAY_LEN(library_signs), text, &outcome, reason,
                  reason_size))
        return outcome;
    return manifests > 0 ? CANARY_STOPPED_OTHER : CANARY_NOT_TRIED;
}

const char *canary_outcome_name(enum canary_outcome outcome)
{
    static const char *const names[] = {
        [CANARY_NOT_TRIED] = "not-tried",
        [CANARY_STOPPED] = "stopped",
        [CANARY_STOPPED_NATIVE] = "stopped-by-policy-json",
        [CANARY_STOPPED_BROKEN] = "stopped-by-failure",
        [CANARY_STOPPED_OTHER] = "stopped-otherwise",
        [CANARY_NOT_STOPPED] = "not-stopped",
    };

    return names[outcome];
}
