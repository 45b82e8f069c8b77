/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time are int64 seconds since 1970-01-01 UTC; deadlines are monotonic milliseconds. */
#ifndef PG_BASE_CLOCK_H
#define PG_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/span.h"

enum { TIME_TEXT_BYTES = 32 };

/* RFC 3339 with any offset; fractions are read and, when `ret_nanos` is given, returned (else dropped). */
bool time_parse(struct span text, int64_t *ret_seconds, uint32_t *ret_nanos) MUST_CHECK;
/* "2026-11-23T18:22:00Z"; returns dst. */
const char *time_format(int64_t seconds, char dst[TIME_TEXT_BYTES]);
/* Civil date to seconds; false outside years 1..9999 or for a day that does not exist. */
bool time_from_civil(int year, int month, int day, int hour, int minute, int second, int64_t *ret) MUST_CHECK;
/* "90d", "12h", "30m", "45s" or a sum like "1h30m"; units s m h d w, each at most once, largest first. */
bool duration_parse(struct span text, int64_t *ret_seconds) MUST_CHECK;

int64_t time_now(void);          /* wall clock; the judge is handed its time and never calls this */
int64_t mono_ms(void);           /* monotonic clock, milliseconds */
int64_t mono_us(void);

/* A deadline is a mono_ms() value. Milliseconds left, never negative, at most INT_MAX: fits poll(). */
int deadline_left_ms(int64_t deadline);

#endif
