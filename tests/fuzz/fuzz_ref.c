/* SPDX-License-Identifier: Apache-2.0 */
/* ref_parse: what it makes of a name reads again as the same name. */
#include <string.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"
#include "verifier/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(ref_done) struct ref ref = {0}, again = {0}, repository = {0};
    CLEANUP(buf_free) struct buf text = BUF_INIT(4096);
    struct error err = ERROR_INIT;
    char digest[DIGEST_TEXT_BYTES];

    if (!ref_parse(span_of(bytes, len), &ref, &err)) {
        FUZZ_CHECK(err.reason == REASON_BAD_REQUEST && !ref.name);
        return 0;
    }
    buf_str(&text, ref.name);
    FUZZ_CHECK(ref_parse_repository(buf_as_span(&text), &repository, &err) && strcmp(repository.name, ref.name) == 0);
    if (ref.tag)
        buf_printf(&text, ":%s", ref.tag);
    if (ref.digest.alg != DIGEST_NONE)
        buf_printf(&text, "@%s", digest_format(&ref.digest, digest));
    FUZZ_CHECK(ref_parse(buf_as_span(&text), &again, &err));
    FUZZ_CHECK(strcmp(ref.host, again.host) == 0 && strcmp(ref.repository, again.repository) == 0);
    FUZZ_CHECK((ref.tag == NULL) == (again.tag == NULL) && (!ref.tag || strcmp(ref.tag, again.tag) == 0));
    FUZZ_CHECK(ref.digest.alg == again.digest.alg);
    return 0;
}
