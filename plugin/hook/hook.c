/* SPDX-License-Identifier: Apache-2.0 */
/* The public face of the hook: checks versions and sizes, and translates between the ABI's structs and our own. */
#include "plugin/hook/pullguard.h"

#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/client.h"

#define EXPORT __attribute__((visibility("default")))

_Static_assert(PULLGUARD_ALLOW == VERDICT_WIRE_ALLOW && PULLGUARD_DENY == VERDICT_WIRE_DENY, "one word for allow");

enum {
    /* Version 1 of each struct; later ones are longer, shorter ones were never given out. */
    REQUEST_BYTES_1 = sizeof(struct pullguard_request),
    VERDICT_BYTES_1 = sizeof(struct pullguard_verdict),
};

/* Our structs hold char *, since the receiving side owns them; the sending side only reads. */
static char *borrowed(const char *text)
{
    char *same;

    memcpy(&same, &text, sizeof(same));
    return same;
}

static struct request translate(const struct pullguard_request *request)
{
    return (struct request){
        .reference = borrowed(request->reference),
        .digest = borrowed(request->digest),
        .media_type = borrowed(request->media_type),
        .runtime = borrowed(request->runtime),
        .operation = request->operation == PULLGUARD_CREATE ? OPERATION_CREATE : OPERATION_PULL,
        .flags = (request->flags & PULLGUARD_NO_CACHE ? (uint32_t)REQUEST_NO_CACHE : 0U) |
                 (request->flags & PULLGUARD_NO_NETWORK ? (uint32_t)REQUEST_NO_NETWORK : 0U),
        .deadline_ms = request->deadline_ms,
        .username = borrowed(request->username),
        .password = borrowed(request->password),
        .identity_token = borrowed(request->identity_token),
        .bundle = borrowed(request->bundle),
        .container_id = borrowed(request->container_id),
        .descriptor = borrowed(request->descriptor),
    };
}

static const char *check(const struct pullguard_request *request)
{
    if (request->abi_version != PULLGUARD_ABI_VERSION || request->struct_size < REQUEST_BYTES_1)
        return "the caller's request has a version that this library does not know";
    if (request->operation != PULLGUARD_PULL && request->operation != PULLGUARD_CREATE)
        return "unknown operation";
    if (request->flags & ~(uint32_t)(PULLGUARD_NO_CACHE | PULLGUARD_NO_NETWORK) || request->reserved != 0)
        return "unknown flags";
    if (!request->reference && !(request->operation == PULLGUARD_CREATE && request->bundle))
        return "no image reference";
    return NULL;
}

static void fill_text(char *dst, size_t size, const char *text)
{
    (void)text_clean(span_str(text), dst, size);
}

/* Fills what the caller's version has and nothing behind it. */
static void fill(struct pullguard_verdict *verdict, const struct response *response)
{
    const char *reason = reason_name(response->reason);

    verdict->decision = verdict_is_allow(response->verdict) ? PULLGUARD_ALLOW : PULLGUARD_DENY;
    verdict->state = (response->warned ? PULLGUARD_WARNED : 0U) | (response->cached ? PULLGUARD_CACHED : 0U);
    verdict->duration_us = response->duration_us;
    verdict->reserved = 0;
    fill_text(verdict->reason, sizeof(verdict->reason), reason);
    fill_text(verdict->message, sizeof(verdict->message), response->message ? response->message : reason);
    fill_text(verdict->digest, sizeof(verdict->digest), response->digest);
    fill_text(verdict->policy, sizeof(verdict->policy), response->policy);
    fill_text(verdict->key, sizeof(verdict->key), response->key_id);
}

static uint32_t ask(const struct pullguard_request *request, struct pullguard_verdict *verdict)
{
    CLEANUP(response_done) struct response response = {0};
    const char *problem;

    if (!request || !verdict || verdict->abi_version != PULLGUARD_ABI_VERSION || verdict->struct_size < VERDICT_BYTES_1)
        return PULLGUARD_DENY;
    problem = check(request);
    if (problem) {
        response_deny(&response, REASON_BAD_REQUEST, problem);
    } else {
        struct client_options options = {.root = request->root};
        struct request own = translate(request);

        (void)client_ask(&options, &own, &response);
    }
    fill(verdict, &response);
    return verdict->decision;
}

static const struct pullguard_api api = {
    .abi_version = PULLGUARD_ABI_VERSION,
    .struct_size = sizeof(struct pullguard_api),
    .version = PG_VERSION,
    .ask = ask,
};

EXPORT const struct pullguard_api *pullguard_entry(uint32_t abi_version)
{
    return abi_version == PULLGUARD_ABI_VERSION ? &api : NULL;
}
