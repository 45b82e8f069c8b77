/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two layers below NRI's messages on one descriptor: the multiplexer (8-byte header: connection id u32, length u32,
 * big-endian; 1 = the plugin's service, 2 = the runtime's) and ttrpc (10-byte header: length u32, stream u32, type u8,
 * flags u8). A ttrpc frame may be spread over several multiplexer frames.
 */
#ifndef PG_PLUGIN_NRI_LINK_H
#define PG_PLUGIN_NRI_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"

enum { NRI_PLUGIN_SERVICE = 1, NRI_RUNTIME_SERVICE = 2 };
enum { TTRPC_REQUEST = 1, TTRPC_RESPONSE = 2 };
enum { TTRPC_HEADER_BYTES = 10, TTRPC_DATA_BYTES = 4 * 1024 * 1024 }; /* ttrpc's own limit */

struct nri_link {
    int fd;                  /* borrowed */
    struct buf incoming[2];  /* bytes of connections 1 and 2 that are no whole frame yet */
};

struct nri_frame {
    uint32_t connection; /* 1 or 2 */
    uint32_t stream;
    uint8_t type;
    struct buf data;     /* owned */
};

void nri_link_init(struct nri_link *link, int fd);
void nri_link_done(struct nri_link *link);
/* Waits for the next whole ttrpc frame. UNAVAILABLE when the runtime closed, MALFORMED, LIMIT. Free data with buf_free.
 */
bool nri_link_receive(struct nri_link *link, struct nri_frame *ret, struct error *err) MUST_CHECK;
bool nri_link_send(struct nri_link *link, uint32_t connection, uint32_t stream, uint8_t type, struct span data,
                   struct error *err) MUST_CHECK;

#endif
