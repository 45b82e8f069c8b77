/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3161 tokens: no token is by an authority that nobody trusts. */
#include "crypto/timestamp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    /* The imprint is checked first: the seeds' own message lets the fuzzer go on behind it. */
    static const char message[] = "the signature bytes\n";
    const struct timestamp_authority untrusted = {.leaf = NULL, .window = {INT64_MIN, INT64_MAX}};
    struct error err = ERROR_INIT;
    int64_t time = 1;
    size_t which = 2;

    FUZZ_CHECK(!timestamp_verify(span_of(bytes, len), span_str(message), &untrusted, 1, &which, &time, &err));
    FUZZ_CHECK(time == 1 && which == 2 && err.reason != REASON_OK && err.text[0] != '\0');
    return 0;
}
