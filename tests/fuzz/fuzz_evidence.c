/* SPDX-License-Identifier: Apache-2.0 */
/* want_read and evidence_read: what is read writes to the same bytes of meaning again. */
#include <string.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/evidence.h"

static void check_want(struct span record)
{
    CLEANUP(want_done) struct want want = {0}, again = {0};
    CLEANUP(buf_free) struct buf buf = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;

    if (!want_read(record, &want, &err)) {
        FUZZ_CHECK(err.reason != REASON_INTERNAL);
        return;
    }
    want_write(&buf, &want);
    FUZZ_CHECK(want_read(buf_as_span(&buf), &again, &err));
    FUZZ_CHECK(strcmp(want.target, again.target) == 0 && want.kind == again.kind && want.id == again.id);
    FUZZ_CHECK(strchr(want.target, '\n') == NULL && strchr(want.host, '/') == NULL);
}

static void check_evidence(struct span record)
{
    CLEANUP(evidence_done) struct evidence item = {0}, again = {0};
    CLEANUP(buf_free) struct buf buf = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;

    if (!evidence_read(record, false, &item, &err)) {
        FUZZ_CHECK(err.reason != REASON_INTERNAL);
        return;
    }
    evidence_write(&buf, &item);
    FUZZ_CHECK(evidence_read(buf_as_span(&buf), true, &again, &err));
    FUZZ_CHECK(span_eq(item.body, again.body) && item.status == again.status && item.id == again.id);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    check_want(span_of(bytes, len));
    check_evidence(span_of(bytes, len));
    return 0;
}
