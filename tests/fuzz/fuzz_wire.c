/* SPDX-License-Identifier: Apache-2.0 */
/* wire_parse, and records within records. A message that was taken is the same when it is built again. */
#include "base/mem.h"
#include "base/wire.h"
#include "tests/fuzz/fuzz.h"

static void walk(struct span records, unsigned int depth)
{
    struct reader reader = reader_of(records);
    struct span value;
    uint16_t tag;

    while (wire_next(&reader, &tag, &value)) {
        CLEANUP(mem_freep) char *text = wire_str(value);
        uint32_t u32 = 0;
        uint64_t u64 = 0;

        FUZZ_CHECK(!text || span_eq_str(value, text));
        FUZZ_CHECK(wire_u32(value, &u32) == (value.len == 4));
        FUZZ_CHECK(wire_u64(value, &u64) == (value.len == 8));
        if (depth < 8)
            walk(value, depth + 1);
    }
    FUZZ_CHECK(reader.failed != reader_done(&reader));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(buf_free) struct buf built = BUF_INIT(len);
    struct error err = ERROR_INIT;
    struct wire_message message;
    struct reader reader;
    struct span value;
    uint16_t tag;
    size_t start;

    if (!wire_parse(span_of(bytes, len), &message, &err)) {
        FUZZ_CHECK(err.reason == REASON_MALFORMED);
        return 0;
    }
    walk(message.records, 0);
    start = wire_begin(&built, message.type);
    reader = reader_of(message.records);
    while (wire_next(&reader, &tag, &value))
        wire_put(&built, tag, value);
    wire_end(&built, start);
    FUZZ_CHECK(buf_ok(&built) && span_eq(buf_as_span(&built), span_of(bytes, len)));
    return 0;
}
