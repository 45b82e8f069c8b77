/* SPDX-License-Identifier: Apache-2.0 */
/* What the endorser hears: a request's head and the path in it, and the auth helper's JSON. */
#include <stdio.h>
#include <string.h>

#include "plugin/crio/http.h"
#include "plugin/crio/lookaside.h"
#include "plugin/crio/pulls.h"
#include "tests/fuzz/fuzz.h"

static void hear_target(struct span target)
{
    struct lookaside_request request = {0};
    struct error err = ERROR_INIT;
    char path[LOOKASIDE_TARGET_BYTES + 1];
    int len;

    if (!lookaside_parse_target(target, &request, &err))
        return;
    /* One image has one path, but for a mirror's components: what was understood, written again, is what was asked. */
    len = snprintf(path, sizeof(path), "/v1/%s@sha256=%s/signature-%u", request.repository,
                   request.digest + strlen("sha256:"), request.number);
    FUZZ_CHECK(len > 0 && (span_eq(span_of(path, (size_t)len), target) || span_find(target, "/-") != SIZE_MAX));
    lookaside_request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size), target;
    struct error err = ERROR_INIT;
    struct pull pull = {0};
    bool done = false;

    if (http_parse_head(input, &done, &target, &err) && done)
        hear_target(target);
    hear_target(input);
    if (pull_parse(input, &pull, &err))
        pull_done(&pull);
    return 0;
}
