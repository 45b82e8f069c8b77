/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that no registry, blob store or token service has: the ways to a cloud's metadata service and the like. */
#ifndef PG_VERIFIER_FETCH_GUARD_H
#define PG_VERIFIER_FETCH_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

enum address_kind {
    ADDRESS_PLAIN = 0,
    ADDRESS_LOOPBACK, /* fine for a registry on this machine, not for what a registry elsewhere sends us to */
    ADDRESS_FORBIDDEN /* link-local, metadata services, unspecified, multicast, broadcast, other families */
};

enum address_kind address_kind(const struct sockaddr *address, socklen_t len);
/* Of a numeric address in text, without brackets; PLAIN when it is none. */
enum address_kind address_kind_of_text(const char *text);

#endif
