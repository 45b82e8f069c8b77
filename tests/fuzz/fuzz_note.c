/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints. What is signed and what signs it lie apart, and inside the note. */
#include "crypto/note.h"
#include "tests/fuzz/fuzz.h"

static bool inside(struct span outer, struct span inner)
{
    return inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(checkpoint_done) struct checkpoint checkpoint = {.size = 0};
    struct error err = ERROR_INIT;
    struct span note = span_of(bytes, len);

    if (!checkpoint_parse(note, &checkpoint, &err)) {
        FUZZ_CHECK(!checkpoint.signatures && err.reason != REASON_INTERNAL);
        return 0;
    }
    FUZZ_CHECK(checkpoint.signature_count > 0 && checkpoint.signature_count <= NOTE_MAX_SIGNATURES);
    FUZZ_CHECK(inside(note, checkpoint.text) && inside(checkpoint.text, checkpoint.origin));
    FUZZ_CHECK(checkpoint.text.ptr[checkpoint.text.len - 1] == '\n');
    for (size_t i = 0; i < checkpoint.signature_count; i++) {
        FUZZ_CHECK(inside(note, checkpoint.signatures[i].name) &&
                   !inside(checkpoint.text, checkpoint.signatures[i].name));
        FUZZ_CHECK(checkpoint.signatures[i].len > 0 &&
                   checkpoint.signatures[i].len <= sizeof(checkpoint.signatures[i].bytes));
    }
    (void)checkpoint_is_rekor_v1(&checkpoint);
    return 0;
}
