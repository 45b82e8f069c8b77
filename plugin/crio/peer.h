/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_CRIO_PEER_H
#define PG_PLUGIN_CRIO_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whose socket is at the other end of a TCP connection over loopback? Asked of the kernel (sock_diag(7)), which knows
 * the user who made it. false: it is gone already, or this kernel has no such interface.
 */
bool peer_user(int fd, uid_t *ret);

#endif
