/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/pem.h"

#include <string.h>

#include "base/encode.h"

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";

static bool is_base64_line(struct span line)
{
    if (line.len == 0)
        return false;
    for (size_t i = 0; i < line.len; i++) {
        uint8_t byte = line.ptr[i];

        if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
              byte == '+' || byte == '/' || byte == '='))
            return false;
    }
    return true;
}

static struct span next_line(struct span *rest)
{
    size_t end = span_find_byte(*rest, '\n');
    struct span line = span_cut(*rest, 0, end);

    *rest = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(*rest, end + 1, SIZE_MAX);
    return line;
}

/* What stands where a block should: says so in the terms of the one who pasted it. */
static bool explain_no_block(struct span text, struct error *err)
{
    struct span first = text;

    if (span_starts(text, "ssh-") || span_starts(text, "ecdsa-sha2-"))
        return error_set(err, REASON_POLICY_ERROR,
                         "this is an OpenSSH key; wanted PEM (ssh-keygen -e -m PKCS8 -f FILE converts it)");
    if (span_starts(text, "untrusted comment:"))
        return error_set(err, REASON_POLICY_ERROR, "this is a minisign or signify key; wanted a PEM \"PUBLIC KEY\"");
    if (text.len > 2 && text.ptr[0] == 0x30 && (text.ptr[1] & 0x80 || text.ptr[2] == 0x30)) /* SEQUENCE of SEQUENCE */
        return error_set(err, REASON_POLICY_ERROR,
                         "this is a key in DER; wanted PEM (openssl pkey -pubin -inform DER -in FILE converts it)");
    if (is_base64_line(span_trim(next_line(&first))))
        return error_set(err, REASON_POLICY_ERROR,
                         "PEM starts with a line \"-----BEGIN PUBLIC KEY-----\", which is missing");
    if (span_find_byte(text, '\n') == SIZE_MAX && (span_ends(text, ".pub") || span_ends(text, ".pem")))
        return error_set(err, REASON_POLICY_ERROR,
                         "this looks like a file's name: write it under \"path\" instead of \"data\"");
    return error_set(err, REASON_POLICY_ERROR, "no PEM block: wanted \"-----BEGIN PUBLIC KEY-----\"");
}

static bool check_label(struct span text, struct error *err)
{
    static const char wanted[] = "-----BEGIN PUBLIC KEY-----";
    struct span line, label;
    char shown[64];
    size_t end;

    if (span_starts(text, wanted))
        return true;
    line = next_line(&text);
    label = span_cut(line, sizeof(begin_mark) - 1, SIZE_MAX);
    end = span_find(label, "-----");
    if (end != SIZE_MAX)
        label = span_cut(label, 0, end);
    if (span_find(label, "PRIVATE KEY") != SIZE_MAX)
        return error_set(
            err, REASON_POLICY_ERROR,
            "this is a PRIVATE key: take it out of here and replace it, as it may have been seen; wanted the "
            "public key (cosign.pub)");
    if (span_eq_str(label, "CERTIFICATE"))
        return error_set(err, REASON_POLICY_ERROR,
                         "this is a certificate; wanted its public key (openssl x509 -pubkey -noout -in FILE)");
    if (span_eq_str(label, "RSA PUBLIC KEY"))
        return error_set(err, REASON_POLICY_ERROR,
                         "this is a PKCS#1 key; wanted \"PUBLIC KEY\" (openssl rsa -RSAPublicKey_in -pubout -in FILE)");
    if (span_starts(label, "PGP "))
        return error_set(err, REASON_POLICY_ERROR,
                         "this is a PGP key; wanted a PEM \"PUBLIC KEY\" (signatures by gpg are not handled)");
    return error_set(err, REASON_POLICY_ERROR, "PEM label \"%s\"; wanted \"PUBLIC KEY\"",
                     text_clean(label, shown, sizeof(shown)));
}

/* The body between the two marks: only line breaks may divide it. */
static bool check_body(struct span body, struct error *err)
{
    size_t lines = 0, dots = 0;

    if (span_find(body, "\\n") != SIZE_MAX)
        return error_set(
            err, REASON_POLICY_ERROR,
            "PEM holds the two characters \\n instead of line breaks; use a block (data: |) or double quotes");
    if (span_find_byte(span_trim(body), '\n') == SIZE_MAX && span_find_byte(span_trim(body), ' ') != SIZE_MAX)
        return error_set(err, REASON_POLICY_ERROR,
                         "PEM stands on one line; write \"data: |\" (not \">\") and one PEM line per line");
    while (body.len > 0) {
        struct span line = span_trim(next_line(&body));

        if (line.len == 0)
            continue;
        lines++;
        dots += strspn("...", ".") == line.len && span_eq_str(line, "...") ? 1 : 0;
        if (span_find(line, begin_mark) != SIZE_MAX)
            return error_set(err, REASON_POLICY_ERROR, "a PEM block has no \"-----END PUBLIC KEY-----\" line");
        if (!is_base64_line(line) && !span_eq_str(line, "..."))
            return error_set(err, REASON_POLICY_ERROR, "line %zu of the PEM block is not base64", lines + 1);
    }
    if (dots > 0)
        return error_set(err, REASON_POLICY_ERROR, "the PEM block is a placeholder (\"...\"); put the real key there");
    return lines > 0 || error_set(err, REASON_POLICY_ERROR, "the PEM block is empty");
}

bool pem_next(struct span *rest, struct span *ret_block, struct error *err)
{
    struct span text = span_trim(*rest);
    struct span body;
    size_t end, tail;

    if (text.len == 0) {
        *rest = *ret_block = span_of(NULL, 0);
        return true;
    }
    if (!span_starts(text, begin_mark))
        return explain_no_block(text, err);
    if (!check_label(text, err))
        return false;
    body = span_cut(text, sizeof("-----BEGIN PUBLIC KEY-----") - 1, SIZE_MAX);
    end = span_find(body, end_mark);
    if (end == SIZE_MAX)
        return error_set(err, REASON_POLICY_ERROR,
                         "a PEM block has no \"-----END PUBLIC KEY-----\" line: is it cut off?");
    if (!check_body(span_cut(body, 0, end), err))
        return false;
    if (!span_starts(span_cut(body, end, SIZE_MAX), "-----END PUBLIC KEY-----"))
        return error_set(err, REASON_POLICY_ERROR, "the PEM block ends with another label than it begins with");
    tail = (size_t)(body.ptr + end - text.ptr) + sizeof("-----END PUBLIC KEY-----") - 1;
    *ret_block = span_cut(text, 0, tail);
    *rest = span_cut(text, tail, SIZE_MAX);
    return true;
}

size_t pem_unindented_line(struct span file)
{
    bool in_pem = false;
    size_t number = 0;

    while (file.len > 0) {
        struct span line = next_line(&file);
        struct span trimmed = span_trim(line);
        bool indented = line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');

        number++;
        if (span_starts(trimmed, begin_mark)) {
            if (!indented)
                return number;
            in_pem = true;
        } else if (in_pem && !indented && (is_base64_line(trimmed) || span_starts(trimmed, end_mark))) {
            return number;
        } else if (span_starts(trimmed, end_mark) || !is_base64_line(trimmed)) {
            in_pem = false;
        }
    }
    return 0;
}
