/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/note.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/key_internal.h"
#include "crypto/tlog.h"

/* Each signature line starts with an em dash (U+2014) and a space. */
static const char LINE_START[] = "\xe2\x80\x94 ";

enum { NOTE_SIGNATURE_MAX_BYTES = sizeof(((struct note_signature *)NULL)->bytes) };

/* signed-note.md: UTF-8, and no control characters but the line feed. */
static bool text_ok(struct span note)
{
    for (size_t i = 0; i < note.len; i++)
        if ((note.ptr[i] < 0x20 && note.ptr[i] != '\n') || note.ptr[i] == 0x7f)
            return false;
    return text_is_utf8(note);
}

/* The line up to its line feed; false at the end or when the last line has none. */
static bool next_line(struct span *rest, struct span *ret_line)
{
    size_t end = span_find_byte(*rest, '\n');

    if (end == SIZE_MAX)
        return false;
    *ret_line = span_cut(*rest, 0, end);
    *rest = span_cut(*rest, end + 1, rest->len);
    return true;
}

/* Text and signatures stand apart by the last empty line; the text keeps its own last line feed. */
static bool split(struct span note, struct span *ret_text, struct span *ret_signatures)
{
    for (size_t i = note.len; i >= 2; i--) {
        if (note.ptr[i - 1] != '\n' || note.ptr[i - 2] != '\n')
            continue;
        *ret_text = span_cut(note, 0, i - 1);
        *ret_signatures = span_cut(note, i, note.len);
        return true;
    }
    return false;
}

/* "— <name> <base64 of key id and signature>" */
static bool parse_line(struct span line, struct note_signature *ret)
{
    struct buf bytes CLEANUP(buf_free) = BUF_INIT(NOTE_KEY_ID_BYTES + NOTE_SIGNATURE_MAX_BYTES);
    struct span rest;
    size_t space;

    if (!span_starts(line, LINE_START))
        return false;
    rest = span_cut(line, strlen(LINE_START), line.len);
    space = span_find_byte(rest, ' ');
    if (space == SIZE_MAX || space == 0)
        return false;
    ret->name = span_cut(rest, 0, space);
    if (span_find_byte(ret->name, '+') != SIZE_MAX) /* signed-note.md: no plus sign in a key's name */
        return false;
    if (!base64_decode(span_cut(rest, space + 1, rest.len), BASE64_STD, &bytes) || bytes.len <= NOTE_KEY_ID_BYTES)
        return false;
    memcpy(ret->key_id, bytes.ptr, NOTE_KEY_ID_BYTES);
    ret->len = bytes.len - NOTE_KEY_ID_BYTES;
    memcpy(ret->bytes, bytes.ptr + NOTE_KEY_ID_BYTES, ret->len);
    return true;
}

static bool parse_signatures(struct span lines, struct checkpoint *ret, struct error *err)
{
    size_t capacity = 0;
    struct span line;

    while (next_line(&lines, &line)) {
        if (ret->signature_count == NOTE_MAX_SIGNATURES)
            return error_set(err, REASON_LIMIT, "checkpoint has more than %d signatures", (int)NOTE_MAX_SIGNATURES);
        if (!mem_grow(&ret->signatures, &capacity, ret->signature_count, sizeof(*ret->signatures), NOTE_MAX_SIGNATURES))
            return error_oom(err);
        if (!parse_line(line, &ret->signatures[ret->signature_count]))
            return error_set(err, REASON_MALFORMED, "checkpoint signature line %zu is malformed",
                             ret->signature_count + 1);
        ret->signature_count++;
    }
    if (lines.len > 0)
        return error_set(err, REASON_MALFORMED, "checkpoint's last line has no line feed");
    if (ret->signature_count == 0)
        return error_set(err, REASON_MALFORMED, "checkpoint has no signature");
    return true;
}

/* tlog-checkpoint.md: origin, tree size, base64 root, and extension lines, none of them empty. */
static bool parse_text(struct span text, struct checkpoint *ret, struct error *err)
{
    struct buf root CLEANUP(buf_free) = BUF_INIT(MERKLE_HASH_BYTES);
    struct span rest = text;
    struct span size;
    struct span root_text;
    struct span line;

    if (!next_line(&rest, &ret->origin) || !next_line(&rest, &size) || !next_line(&rest, &root_text))
        return error_set(err, REASON_MALFORMED, "checkpoint has fewer than three lines");
    if (ret->origin.len == 0)
        return error_set(err, REASON_MALFORMED, "checkpoint has no origin");
    if (!span_to_u64(size, INT64_MAX, &ret->size))
        return error_set(err, REASON_MALFORMED, "checkpoint's tree size is not a number");
    if (!base64_decode(root_text, BASE64_STD, &root) || !merkle_hash_of(buf_as_span(&root), &ret->root))
        return error_set(err, REASON_MALFORMED, "checkpoint's root hash is not 32 bytes of base64");
    while (next_line(&rest, &line))
        if (line.len == 0)
            return error_set(err, REASON_MALFORMED, "checkpoint has an empty extension line");
    return true;
}

bool checkpoint_parse(struct span note, struct checkpoint *ret, struct error *err)
{
    struct checkpoint made CLEANUP(checkpoint_done) = {.size = 0};
    struct span signatures;

    if (note.len > NOTE_MAX_BYTES)
        return error_set(err, REASON_LIMIT, "checkpoint of more than %d bytes", (int)NOTE_MAX_BYTES);
    if (!text_ok(note))
        return error_set(err, REASON_MALFORMED, "checkpoint has control characters or is not UTF-8");
    if (!split(note, &made.text, &signatures))
        return error_set(err, REASON_MALFORMED, "checkpoint has no empty line in front of its signatures");
    if (!parse_text(made.text, &made, err) || !parse_signatures(signatures, &made, err))
        return false;
    *ret = made;
    made.signatures = NULL; /* transferred */
    return true;
}

void checkpoint_done(struct checkpoint *checkpoint)
{
    mem_free(checkpoint->signatures);
    *checkpoint = (struct checkpoint){.size = 0};
}

bool checkpoint_is_rekor_v1(const struct checkpoint *checkpoint)
{
    struct span origin = checkpoint->origin;
    size_t digits = 0;

    while (digits < origin.len && origin.ptr[origin.len - 1 - digits] >= '0' &&
           origin.ptr[origin.len - 1 - digits] <= '9')
        digits++;
    return digits > 0 && span_ends(span_cut(origin, 0, origin.len - digits), " - ");
}

static bool verify_line(const struct checkpoint *checkpoint, const struct note_signature *line,
                        const struct pubkey *key, struct error *err)
{
    if (pubkey_verify(key, &tlog_scheme, checkpoint->text, span_of(line->bytes, line->len), err))
        return true;
    return error_set(err, REASON_BAD_SIGNATURE, "the log's signature on its checkpoint does not verify");
}

static bool foreign(const struct checkpoint *checkpoint, struct error *err)
{
    char origin[160];

    return error_set(err, REASON_WRONG_KEY, "checkpoint of \"%s\" is not signed by this log's key",
                     text_clean(checkpoint->origin, origin, sizeof(origin)));
}

bool checkpoint_verify_v1(const struct checkpoint *checkpoint, const struct pubkey *key, struct error *err)
{
    struct tlog_id id;

    if (!tlog_id_of_key(key, &id))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    /* As rekor's own verifier: a line by somebody else makes the whole note doubtful. */
    for (size_t i = 0; i < checkpoint->signature_count; i++) {
        const struct note_signature *line = &checkpoint->signatures[i];

        if (!span_eq(span_of(line->key_id, NOTE_KEY_ID_BYTES), span_of(id.bytes, NOTE_KEY_ID_BYTES)))
            return foreign(checkpoint, err);
        if (!verify_line(checkpoint, line, key, err))
            return false;
    }
    return checkpoint->signature_count > 0 ? true : foreign(checkpoint, err);
}

/* rekor-tiles: RSA keys have a type of their own in the key id; ECDSA keys are named by SHA-256(SPKI). */
static bool key_id_v2(const char *host, const struct pubkey *key, struct tlog_id *ret)
{
    static const uint8_t rsa_type[] = "\n\xffPKIX-RSA-PKCS#1v1.5";
    const struct span parts[] = {span_str(host), span_of(rsa_type, sizeof(rsa_type) - 1), pubkey_spki(key)};
    struct digest digest;

    if (pubkey_type(key) != KEY_RSA)
        return tlog_id_of_v2(host, key, ret);
    if (!digest_compute_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), &digest))
        return false;
    memcpy(ret->bytes, digest.bytes, sizeof(ret->bytes));
    return true;
}

bool checkpoint_verify_v2(const struct checkpoint *checkpoint, const char *host, const struct pubkey *key,
                          struct error *err)
{
    struct tlog_id id;
    bool verified = false;

    if (!span_eq_str(checkpoint->origin, host))
        return foreign(checkpoint, err);
    if (!key_id_v2(host, key, &id))
        return error_set(err, REASON_INTERNAL, "SHA-256 is not available");
    for (size_t i = 0; i < checkpoint->signature_count; i++) {
        const struct note_signature *line = &checkpoint->signatures[i];

        /* signed-note.md: lines of unknown keys (witnesses) are ignored wherever they stand */
        if (!span_eq_str(line->name, host) ||
            !span_eq(span_of(line->key_id, NOTE_KEY_ID_BYTES), span_of(id.bytes, NOTE_KEY_ID_BYTES)))
            continue;
        if (!verify_line(checkpoint, line, key, err))
            return false;
        verified = true;
    }
    return verified ? true : foreign(checkpoint, err);
}
