/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint a registry has when nothing is configured for it (containerd.md section 7). */
#include <string.h>

#include "base/mem.h"
#include "verifier/fetch/fetch.h"
#include "verifier/ref.h"

/* host[:port] or [v6][:port] */
static void split_host(struct span text, struct span *ret_host, struct span *ret_port)
{
    size_t colon = span_find_byte(text, ':'), bracket = span_find_byte(text, ']');

    if (text.len > 0 && text.ptr[0] == '[' && bracket != SIZE_MAX) {
        *ret_host = span_cut(text, 1, bracket - 1);
        *ret_port = span_cut(text, bracket + 2, SIZE_MAX);
        return;
    }
    *ret_host = span_cut(text, 0, colon);
    *ret_port = colon == SIZE_MAX ? span_of(NULL, 0) : span_cut(text, colon + 1, SIZE_MAX);
}

/* Four decimal numbers: a name such as 127.example.com is not an address. */
static bool is_loopback_v4(struct span host)
{
    uint64_t value;
    int parts = 0;

    if (!span_starts(host, "127."))
        return false;
    while (parts < 4) {
        size_t dot = span_find_byte(host, '.');

        if (!span_to_u64(span_cut(host, 0, dot), 255, &value))
            return false;
        parts++;
        if (dot == SIZE_MAX)
            return parts == 4;
        host = span_cut(host, dot + 1, SIZE_MAX);
    }
    return false;
}

static bool span_is_loopback(struct span host)
{
    return span_eq_str(host, "localhost") || span_eq_str(host, "::1") || is_loopback_v4(host);
}

bool fetch_host_is_loopback(const char *host)
{
    struct span name, port;

    split_host(span_str(host), &name, &port);
    return span_is_loopback(name);
}

bool fetch_endpoint_default(const char *host, bool insecure, const struct fetch_credentials *credentials,
                            struct fetch_endpoint *ret, struct error *err)
{
    struct fetch_endpoint endpoint CLEANUP(fetch_endpoint_done) = {.flags = FETCH_CAN_ALL};
    const char *api_host = ref_api_host(host);
    const char *scheme = "https";
    struct span name, port;

    split_host(span_str(host), &name, &port);
    if (span_is_loopback(name) && port.len > 0) {
        scheme = "http";
        endpoint.flags |= FETCH_EITHER_SCHEME | FETCH_SKIP_VERIFY;
    } else if (insecure) {
        endpoint.flags |= FETCH_EITHER_SCHEME | FETCH_SKIP_VERIFY;
    }
    endpoint.url = mem_printf("%s://%s/v2", scheme, api_host);
    if (!endpoint.url)
        return error_oom(err);
    if (credentials && !fetch_credentials_copy(credentials, &endpoint.credentials, err))
        return false;
    *ret = endpoint;
    endpoint = (struct fetch_endpoint){0};
    return true;
}
