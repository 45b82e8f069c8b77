/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bundles and annotations carry inside of strings: log entries' bodies and statements (JSON in base64),
 * certificates, timestamps and signatures (DER in base64), checkpoints and PEM (lines), and what is inside of those.
 * Each field is left out, doubled, of another type, empty or cut short, with every length around it corrected, so that
 * the fault is met by whoever reads that field and not by the one who counts bytes. No such mutant may prove anything
 * new.
 */
#include "base/encode.h"
#include "base/tree.h"
#include "tests/unit/mutation.h"

enum { DEPTH_MAX = 6, INNER_MAX_BYTES = 1 << 20 };

/* Where inner bytes stand in the text around them, and how they are written there. */
struct inner {
    try_fn *attempt;
    const void *context;
    struct span text;
    size_t from, to; /* the value with its quotes */
    bool base64;     /* else the string itself */
};

static void put_json_string(struct buf *out, struct span text)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20)
            buf_printf(out, "\\u%04x", text.ptr[i]);
        else if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_printf(out, "\\%c", text.ptr[i]);
        else
            buf_byte(out, text.ptr[i]);
    }
    buf_byte(out, '"');
}

static void attempt_inner(struct run *run, const void *context, struct span bytes, size_t at)
{
    const struct inner *inner = context;
    struct buf value = BUF_INIT(INNER_MAX_BYTES);

    (void)at;
    if (inner->base64) {
        buf_byte(&value, '"');
        base64_encode(bytes, &value);
        buf_byte(&value, '"');
    } else {
        put_json_string(&value, bytes);
    }
    ck_assert(buf_ok(&value));
    splice(run, inner->context, inner->attempt, inner->text, inner->from, inner->to, buf_as_span(&value));
    buf_free(&value);
}

/* --- DER --- */

enum der_fault { DER_LEFT_OUT, DER_TWICE, DER_OTHER_TYPE, DER_EMPTY, DER_CUT, DER_FAULTS };

struct tlv {
    uint8_t tag;
    struct span content;
    size_t whole; /* bytes with the header */
};

static bool tlv_read(struct span bytes, struct tlv *ret)
{
    size_t len, header = 2;

    if (bytes.len < 2 || (bytes.ptr[0] & 0x1f) == 0x1f)
        return false;
    len = bytes.ptr[1];
    if (len > 0x80 && len <= 0x82) {
        size_t octets = len & 0x7f;

        if (bytes.len < 2 + octets)
            return false;
        len = 0;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | bytes.ptr[2 + i];
        header += octets;
    } else if (len >= 0x80) {
        return false;
    }
    if (bytes.len - header < len)
        return false;
    *ret = (struct tlv){bytes.ptr[0], span_cut(bytes, header, len), header + len};
    return true;
}

/* Constructed, or an OCTET STRING that holds nothing but such (extensions, the TSTInfo). */
static bool has_fields(const struct tlv *tlv)
{
    struct span rest = tlv->content;
    struct tlv field;

    if (tlv->tag & 0x20)
        return true;
    if (tlv->tag != 0x04 || rest.len == 0 || (rest.ptr[0] != 0x30 && rest.ptr[0] != 0x04))
        return false;
    while (rest.len > 0) {
        if (!tlv_read(rest, &field))
            return false;
        rest = span_cut(rest, field.whole, SIZE_MAX);
    }
    return true;
}

static void tlv_write(struct buf *out, uint8_t tag, struct span content)
{
    buf_byte(out, tag);
    if (content.len >= 0x80)
        buf_byte(out, content.len > 0xff ? 0x82 : 0x81);
    if (content.len > 0xff)
        buf_byte(out, (uint8_t)(content.len >> 8));
    buf_byte(out, (uint8_t)content.len);
    buf_span(out, content);
}

static void write_fault(struct buf *out, const struct tlv *tlv, enum der_fault fault)
{
    switch (fault) {
    case DER_TWICE:
        tlv_write(out, tlv->tag, tlv->content);
        tlv_write(out, tlv->tag, tlv->content);
        break;
    case DER_OTHER_TYPE:
        tlv_write(out, tlv->tag ^ 1, tlv->content);
        break;
    case DER_EMPTY:
        tlv_write(out, tlv->tag, span_of(NULL, 0));
        break;
    case DER_CUT:
        tlv_write(out, tlv->tag, span_cut(tlv->content, 0, tlv->content.len > 0 ? tlv->content.len - 1 : 0));
        break;
    case DER_LEFT_OUT:
    case DER_FAULTS:
        break;
    }
}

/* Writes all fields anew, the one with this number (in depth-first order) with the fault. */
static void write_fields(struct buf *out, struct span bytes, size_t *number, enum der_fault fault)
{
    struct tlv tlv;

    for (; bytes.len > 0 && tlv_read(bytes, &tlv); bytes = span_cut(bytes, tlv.whole, SIZE_MAX)) {
        if ((*number)-- == 0) {
            write_fault(out, &tlv, fault);
        } else if (has_fields(&tlv)) {
            struct buf content = BUF_INIT(INNER_MAX_BYTES);

            write_fields(&content, tlv.content, number, fault);
            tlv_write(out, tlv.tag, buf_as_span(&content));
            buf_free(&content);
        } else {
            tlv_write(out, tlv.tag, tlv.content);
        }
    }
    buf_span(out, bytes); /* what was no field */
}

static size_t count_fields(struct span bytes)
{
    size_t count = 0;
    struct tlv tlv;

    for (; bytes.len > 0 && tlv_read(bytes, &tlv); bytes = span_cut(bytes, tlv.whole, SIZE_MAX))
        count += 1 + (has_fields(&tlv) ? count_fields(tlv.content) : 0);
    return count;
}

static void break_der(struct run *run, struct span der, const struct inner *inner)
{
    size_t count = count_fields(der);

    for (size_t target = 0; target < count; target++) {
        for (enum der_fault fault = 0; fault < DER_FAULTS; fault++) {
            struct buf mutant = BUF_INIT(INNER_MAX_BYTES);
            size_t number = target;

            write_fields(&mutant, der, &number, fault);
            ck_assert(buf_ok(&mutant));
            if (!span_eq(buf_as_span(&mutant), der)) /* an empty one stays empty */
                attempt_inner(run, inner, buf_as_span(&mutant), target);
            buf_free(&mutant);
        }
    }
}

/* --- Lines: checkpoints, PEM --- */

static void break_lines(struct run *run, struct span text, const struct inner *inner)
{
    for (size_t at = 0; at < text.len;) {
        size_t end = span_find_byte(span_cut(text, at, SIZE_MAX), '\n');
        size_t next = end == SIZE_MAX ? text.len : at + end + 1;
        struct span line = span_cut(text, at, next - at);
        static const char *const more[] = {"\n", "x\n", "0\n", "AAAA\n"};

        splice(run, inner, attempt_inner, text, at, next, span_str("")); /* left out */
        splice(run, inner, attempt_inner, text, at, at, line);           /* twice */
        splice(run, inner, attempt_inner, text, at, at + 1, span_str("")); /* its first byte */
        if (line.len > 1)
            splice(run, inner, attempt_inner, text, next - 2, next, span_str("\n")); /* its last one */
        for (size_t i = 0; i < ARRAY_LEN(more); i++) {
            splice(run, inner, attempt_inner, text, at, at, span_str(more[i]));
            splice(run, inner, attempt_inner, text, at, next, span_str(more[i]));
        }
        at = next;
    }
}

/* --- What is inside of what --- */

static void break_strings(struct run *run, struct span text, try_fn *attempt, const void *context, int depth,
                          size_t *kinds);

enum { KIND_JSON, KIND_DER, KIND_LINES, KINDS };

static void break_content(struct run *run, struct span bytes, const struct inner *inner, int depth, size_t *kinds)
{
    if (bytes.len < 8)
        return;
    if (bytes.ptr[0] == '{') {
        kinds[KIND_JSON]++;
        break_members(run, bytes, attempt_inner, inner);
        break_strings(run, bytes, attempt_inner, inner, depth + 1, kinds);
    } else if (inner->base64 && bytes.ptr[0] == 0x30) {
        kinds[KIND_DER]++;
        break_der(run, bytes, inner);
    } else if (span_find_byte(bytes, '\n') != SIZE_MAX) {
        kinds[KIND_LINES]++;
        break_lines(run, bytes, inner);
    }
}

/* One string member: what base64 holds, or else its own text. */
static void break_string(struct run *run, struct inner *inner, int depth, size_t *kinds)
{
    struct buf decoded = BUF_INIT(INNER_MAX_BYTES);
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    struct span value;

    ck_assert(json_parse(span_cut(inner->text, inner->from, inner->to - inner->from), "value", TREE_NO_PLACES, &tree,
                         &err));
    value = tree_root(tree)->text;
    inner->base64 = value.len >= 16 && base64_decode(value, BASE64_STD, &decoded) && buf_ok(&decoded);
    break_content(run, inner->base64 ? buf_as_span(&decoded) : value, inner, depth, kinds);
    buf_free(&decoded);
    tree_free(tree);
}

static void break_strings(struct run *run, struct span text, try_fn *attempt, const void *context, int depth,
                          size_t *kinds)
{
    size_t at = 0, start, value;

    while (depth < DEPTH_MAX && next_member(text, &at, &start, &value)) {
        struct inner inner = {.attempt = attempt, .context = context, .text = text, .from = value,
                              .to = value_end(text, value)};

        if (text.ptr[value] == '"')
            break_string(run, &inner, depth, kinds);
    }
}

START_TEST(no_inner_field_can_be_left_out_or_exchanged)
{
    struct run run;
    size_t kinds[KINDS] = {0};

    run_start(&run, samples[_i].repository, samples[_i].key, samples[_i].attestation);
    for (size_t i = 0; i < run.discovery.count; i++)
        break_strings(&run, run.discovery.candidates[i].evidence->body, attempt_blob, &run.discovery.candidates[i], 0,
                      kinds);
    for (size_t i = 0; i < run.set.count; i++)
        if (run.set.wants[i].kind == WANT_MANIFEST && run.set.items[i].status == EVIDENCE_FOUND)
            break_strings(&run, run.set.items[i].body, attempt_manifest, &i, 0, kinds);
    ck_assert(kinds[KIND_DER] > 0 || strstr(samples[_i].repository, "ed25519")); /* an ECDSA signature at least */
    if (strstr(samples[_i].repository, "kl-"))
        ck_assert(kinds[KIND_JSON] > 0 && kinds[KIND_DER] > 1 && kinds[KIND_LINES] > 0);
    run_done(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_mutation_inner");
    TCase *cases = tcase_create("mutation");
    struct error err = ERROR_INIT;

    if (!crypto_init(&err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 3600);
    tcase_add_loop_test(cases, no_inner_field_can_be_left_out_or_exchanged, 0, COUNT);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
