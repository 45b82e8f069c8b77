/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The look-aside protocol of containers' image library, as far as an endorser speaks it: what is asked, and what an
 * answer looks like. Pure. Sources: containers signature-protocols.md (URL scheme), signature/sigstore.go (stored
 * form); the limits are the client's.
 */
#ifndef PG_PLUGIN_CRIO_LOOKASIDE_H
#define PG_PLUGIN_CRIO_LOOKASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/*
 * GET /v1/<host>/<repository>@sha256=<64 hex>/signature-<n>: host is in the base URL that registries.d gives per scope.
 *
 * The library puts the path that the image has at the place it is pulled from behind the base URL. Where that is a
 * mirror with a path of its own, the base URL ends in a component that no repository can have: "-<n>" = the next n
 * components are the mirror's. /v1/docker.io/-1/hub-proxy/library/alpine@... is about docker.io/library/alpine.
 */
struct lookaside_request {
    char *repository; /* host/repository */
    char *digest;     /* "sha256:<hex>" of the platform manifest */
    uint32_t number;  /* from 1 */
};

/* Most the client asks for before it calls the server broken. */
enum { LOOKASIDE_MAX_NUMBER = 128, LOOKASIDE_MAX_DROPPED = 16, LOOKASIDE_TARGET_BYTES = 2048 };

/* target: the path of a request line. BAD_REQUEST names what is wrong. Free with lookaside_request_done. */
bool lookaside_parse_target(struct span target, struct lookaside_request *ret, struct error *err) MUST_CHECK;
void lookaside_request_done(struct lookaside_request *request);

/*
 * The payload that is signed (simple signing, sigstore.md 1.3): exactly the members containers' library wants, the
 * identity being the repository. Appends to ret.
 */
void lookaside_payload(const struct lookaside_request *request, struct buf *ret);

/* The stored form: NUL "sigstore-json" LF JSON{mimeType, payload, annotations}. Appends to ret. */
void lookaside_signature(struct span payload, struct span signature, struct buf *ret);

#endif
