/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From when to when a key or authority counts (validFor of a trust root, sigstore.md 3.1). Both ends belong to it.
 * Milliseconds since 1970-01-01 UTC, because trust roots write ".999Z". When reading finer times, round the start up
 * and the end down.
 */
#ifndef PG_CRYPTO_WINDOW_H
#define PG_CRYPTO_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct time_window {
    int64_t start_ms; /* INT64_MIN: open */
    int64_t end_ms;   /* INT64_MAX: open; a zeroed window holds 1970-01-01 00:00:00 only */
};

static inline bool time_window_has(const struct time_window *window, int64_t at_ms)
{
    return at_ms >= window->start_ms && at_ms <= window->end_ms;
}

#endif
