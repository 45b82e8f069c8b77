/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/hostname.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/span.h"

enum { IPV6_BYTES = 16, ADDRESS_TEXT_BYTES = 64 };

/* IPv4 as IPv4 in IPv6 (RFC 4291 section 2.5.5.2), so that both forms are one address. */
static bool address_parse(struct span text, uint8_t ret[IPV6_BYTES])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[ADDRESS_TEXT_BYTES];

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    memcpy(ret, mapped, sizeof(mapped));
    return inet_pton(AF_INET, copy, ret + sizeof(mapped)) == 1 || inet_pton(AF_INET6, copy, ret) == 1;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

static bool same_folded(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

static bool label_ok(struct span label)
{
    for (size_t i = 0; i < label.len; i++) {
        uint8_t byte = lower(label.ptr[i]);

        if ((byte < 'a' || byte > 'z') && (byte < '0' || byte > '9') && byte != '_' && (byte != '-' || i == 0))
            return false;
    }
    return label.len > 0;
}

/* The first label, cut off `rest`, which is then empty after the last one. */
static struct span next_label(struct span *rest)
{
    size_t dot = span_find_byte(*rest, '.');
    struct span label = span_cut(*rest, 0, dot);

    *rest = dot == SIZE_MAX ? span_of(NULL, 0) : span_cut(*rest, dot + 1, SIZE_MAX);
    return label;
}

/* Letters, digits, '-' and '_' in labels that are not empty; a pattern may begin with "*." (RFC 6125 section 6.4.3). */
static bool is_hostname(struct span name, bool pattern)
{
    struct span rest = name;

    if (name.len == 0 || name.ptr[name.len - 1] == '.' || span_eq_str(name, "*"))
        return false;
    if (pattern && span_starts(name, "*."))
        rest = span_cut(name, 2, SIZE_MAX);
    while (rest.len > 0) {
        if (!label_ok(next_label(&rest)))
            return false;
    }
    return true;
}

static bool pattern_matches(struct span pattern, struct span host)
{
    if (!span_starts(pattern, "*."))
        return same_folded(pattern, host);
    (void)next_label(&host);
    return same_folded(span_cut(pattern, 2, SIZE_MAX), host);
}

bool hostname_matches(const char *wanted, enum san_kind kind, const char *found)
{
    struct span host = span_str(wanted), name = span_str(found), bare = host;
    uint8_t wanted_address[IPV6_BYTES], found_address[IPV6_BYTES];

    if (span_starts(host, "[") && span_ends(host, "]"))
        host = span_cut(host, 1, host.len - 2);
    if (address_parse(host, wanted_address))
        return kind == SAN_IP && address_parse(name, found_address) &&
               memcmp(wanted_address, found_address, sizeof(found_address)) == 0;
    if (kind != SAN_DNS)
        return false;
    host = bare;
    if (span_ends(host, "."))
        bare = span_cut(host, 0, host.len - 1);
    if (is_hostname(bare, false) && is_hostname(name, true))
        return pattern_matches(name, bare);
    /* Not names of hosts: the same text, and nothing clever. */
    return host.len > 0 && !span_eq_str(host, ".") && same_folded(name, host);
}
