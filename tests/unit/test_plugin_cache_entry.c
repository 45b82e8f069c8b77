/* SPDX-License-Identifier: Apache-2.0 */
/* A kept verdict's file: whatever is missing, of another length, out of range, cut or changed makes it no verdict. */
#include "plugin/cache/entry.h"

#include <string.h>

#include "base/encode.h"
#include "plugin/cache/format.h"
#include "tests/unit/harness.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Which record is left out, or comes otherwise than it should. */
enum fault { NONE, NO_FINGERPRINT, NO_REFERENCE, NO_DECIDED, NO_EXPIRES, SHORT_EXPIRES, EMPTY_REFERENCE };

static const struct {
    uint64_t decided, expires;
    enum fault fault;
    bool good;
} rows[] = {
    {1000, 2000, NONE, true},
    {1000, 1001, NONE, true},
    {1000, 1000, NONE, false},
    {1000, 999, NONE, false},
    {0, 2000, NONE, false},
    {1000, INT64_MAX, NONE, true},
    {1000, (uint64_t)INT64_MAX + 1, NONE, false}, /* an end before 1970, once it is a signed number */
    {1000, UINT64_MAX, NONE, false},
    {(uint64_t)INT64_MAX + 1, (uint64_t)INT64_MAX + 2, NONE, false},
    {1000, 2000, NO_FINGERPRINT, false},
    {1000, 2000, NO_REFERENCE, false},
    {1000, 2000, EMPTY_REFERENCE, false},
    {1000, 2000, NO_DECIDED, false},
    {1000, 2000, NO_EXPIRES, false},
    {1000, 2000, SHORT_EXPIRES, false},
};

static void write_entry(struct buf *buf, int row)
{
    size_t start = wire_begin(buf, FORMAT_VERDICT);
    enum fault fault = rows[row].fault;

    if (fault != NO_FINGERPRINT)
        wire_put_str(buf, ENTRY_FINGERPRINT, "abc");
    if (fault != NO_REFERENCE)
        wire_put_str(buf, ENTRY_REFERENCE, fault == EMPTY_REFERENCE ? "" : "r.io/app:v1");
    if (fault != NO_DECIDED)
        wire_put_u64(buf, ENTRY_DECIDED, rows[row].decided);
    if (fault == SHORT_EXPIRES)
        wire_put_str(buf, ENTRY_EXPIRES, "1234567");
    else if (fault != NO_EXPIRES)
        wire_put_u64(buf, ENTRY_EXPIRES, rows[row].expires);
    wire_put_str(buf, ENTRY_RESPONSE, "response");
    wire_end(buf, start);
    format_seal(buf);
    ck_assert(buf_ok(buf));
}

START_TEST(fields_are_held_to_their_range)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    struct entry entry = {0};

    write_entry(&file, _i);
    ck_assert_msg(entry_read(buf_as_span(&file), &entry) == rows[_i].good, "row %d", _i);
    if (rows[_i].good) {
        ck_assert(span_eq_str(entry.reference, "r.io/app:v1"));
        ck_assert_int_eq(entry.times.decided, (int64_t)rows[_i].decided);
        ck_assert_int_eq(entry.times.expires, (int64_t)rows[_i].expires);
    } else {
        ck_assert_uint_eq(entry.reference.len, 0); /* untouched */
    }
}
END_TEST

START_TEST(cut_and_changed_files_are_none)
{
    CLEANUP(buf_free) struct buf file = BUF_INIT(ENTRY_MAX_BYTES);
    struct entry entry = {0};
    uint8_t copy[512];
    size_t len;

    write_entry(&file, 0);
    len = file.len;
    ck_assert_uint_lt(len, sizeof(copy));
    for (size_t i = 0; i < len; i++) {
        ck_assert(!entry_read(span_of(file.ptr, i), &entry));
        for (unsigned int bit = 0; bit < 8; bit++) {
            memcpy(copy, file.ptr, len);
            copy[i] = (uint8_t)(copy[i] ^ 1u << bit);
            ck_assert_msg(!entry_read(span_of(copy, len), &entry), "byte %zu bit %u", i, bit);
        }
    }
    memcpy(copy, file.ptr, len);
    copy[len] = 0;
    ck_assert(!entry_read(span_of(copy, len + 1), &entry));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_cache_entry");
    TCase *tcase = tcase_create("entry");

    tcase_add_loop_test(tcase, fields_are_held_to_their_range, 0, ARRAY_LEN(rows));
    tcase_add_test(tcase, cut_and_changed_files_are_none);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
