/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, responses, kept verdicts and stamps. The first byte chooses; what was taken is the same when written again.
 */
#include <string.h>

#include "plugin/cache/entry.h"
#include "plugin/cache/format.h"
#include "plugin/cache/stamp.h"
#include "plugin/message.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_BYTES = 16 * 1024 * 1024 };

static void try_request(struct span bytes)
{
    CLEANUP(request_done) struct request request = {0};
    CLEANUP(request_done) struct request again = {0};
    CLEANUP(buf_free) struct buf built = BUF_INIT(MAX_BYTES);
    struct error err = ERROR_INIT;

    if (!request_read(bytes, &request, &err))
        return;
    FUZZ_CHECK(request.reference || request.bundle || request.container_id);
    request_write(&built, &request);
    FUZZ_CHECK(buf_ok(&built) && request_read(buf_as_span(&built), &again, &err));
    FUZZ_CHECK(again.flags == request.flags && again.operation == request.operation);
}

static void try_response(struct span bytes)
{
    CLEANUP(response_done) struct response response = {0};
    CLEANUP(response_done) struct response again = {0};
    CLEANUP(buf_free) struct buf built = BUF_INIT(MAX_BYTES);
    struct error err = ERROR_INIT;

    if (!response_read(bytes, &response, &err))
        return;
    FUZZ_CHECK(verdict_is_allow(response.verdict) == reason_allows(response.reason));
    FUZZ_CHECK(!verdict_is_allow(response.verdict) || response.digest);
    response_write(&built, &response);
    FUZZ_CHECK(buf_ok(&built) && response_read(buf_as_span(&built), &again, &err));
    FUZZ_CHECK(again.reason == response.reason && again.warned == response.warned);
}

/* With the checksum that the bytes should have had: what lies behind it is reached. */
static void try_kept(struct span bytes)
{
    CLEANUP(buf_free) struct buf sealed = BUF_INIT(MAX_BYTES);
    struct entry entry;
    struct stamp stamp;

    (void)entry_read(bytes, &entry);
    buf_span(&sealed, bytes);
    format_seal(&sealed);
    if (!buf_ok(&sealed))
        return;
    if (entry_read(buf_as_span(&sealed), &entry))
        FUZZ_CHECK(entry.times.expires > entry.times.decided && entry.reference.len > 0);
    if (stamp_holds(buf_as_span(&sealed), &stamp))
        FUZZ_CHECK(stamp.fingerprint.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span rest;

    if (len == 0)
        return 0;
    rest = span_of(bytes + 1, len - 1);
    if (bytes[0] % 3 == 0)
        try_request(rest);
    else if (bytes[0] % 3 == 1)
        try_response(rest);
    else
        try_kept(rest);
    return 0;
}
