/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/fetch/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attributes.h"

struct range {
    uint32_t net, mask;
};

static const struct range forbidden_v4[] = {
    {0x00000000, 0xff000000}, /* 0.0.0.0/8 "this host" (RFC 1122); connects to loopback on Linux */
    {0xa9fe0000, 0xffff0000}, /* 169.254.0.0/16 link-local: metadata on AWS, Google, Azure, DigitalOcean, OpenStack */
    {0x646464c8, 0xffffffff}, /* 100.100.100.200 Alibaba's metadata */
    {0xa83f8110, 0xffffffff}, /* 168.63.129.16 Azure's wire server */
    {0xc00000c0, 0xffffffff}, /* 192.0.0.192 Oracle's metadata, old form */
    {0xe0000000, 0xe0000000}, /* 224.0.0.0/3 multicast, reserved, broadcast */
};

static enum address_kind kind_v4(uint32_t address)
{
    for (size_t i = 0; i < ARRAY_LEN(forbidden_v4); i++)
        if ((address & forbidden_v4[i].mask) == forbidden_v4[i].net)
            return ADDRESS_FORBIDDEN;
    return address >> 24 == 127 ? ADDRESS_LOOPBACK : ADDRESS_PLAIN;
}

static uint32_t tail_v4(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum address_kind kind_v6(const uint8_t bytes[16])
{
    static const uint8_t zero[12] = {0};
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};              /* ::ffff:0:0/96 */
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* 64:ff9b::/96, RFC 6052 */
    static const uint8_t aws[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};         /* fd00:ec2::254 */
    static const uint8_t google[16] = {0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54};      /* fd20:ce::254 */

    if (memcmp(bytes, zero, 12) == 0 && tail_v4(bytes + 12) == 1)
        return ADDRESS_LOOPBACK;
    if (memcmp(bytes, zero, 12) == 0) /* "::", and IPv4-compatible addresses, which nobody has */
        return ADDRESS_FORBIDDEN;
    if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, nat64, 12) == 0)
        return kind_v4(tail_v4(bytes + 12));
    if ((bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || bytes[0] == 0xff) /* fe80::/10, ff00::/8 */
        return ADDRESS_FORBIDDEN;
    if (memcmp(bytes, aws, 16) == 0 || memcmp(bytes, google, 16) == 0)
        return ADDRESS_FORBIDDEN;
    return ADDRESS_PLAIN;
}

enum address_kind address_kind(const struct sockaddr *address, socklen_t len)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET && len >= sizeof(v4)) {
        memcpy(&v4, address, sizeof(v4));
        return kind_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6 && len >= sizeof(v6)) {
        memcpy(&v6, address, sizeof(v6));
        return kind_v6(v6.sin6_addr.s6_addr);
    }
    return ADDRESS_FORBIDDEN;
}

enum address_kind address_kind_of_text(const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, text, &v4) == 1)
        return kind_v4(ntohl(v4.s_addr));
    if (inet_pton(AF_INET6, text, &v6) == 1)
        return kind_v6(v6.s6_addr);
    return ADDRESS_PLAIN;
}
