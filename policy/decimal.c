/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/decimal.h"

#include <stddef.h>
#include <stdint.h>

/* value = sign * 0.DIGITS * 10^exponent; DIGITS are `count` digits of `text` from `first` on, skipping the point. */
struct decimal {
    bool negative, zero;
    struct span text;
    size_t first, count;
    int64_t exponent;
};

static bool is_digit(struct span text, size_t at)
{
    return at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9';
}

static bool parse_exponent(struct span text, size_t *at, int64_t *ret)
{
    bool negative = false;
    int64_t value = 0;
    size_t start;

    *ret = 0;
    if (*at >= text.len || (text.ptr[*at] != 'e' && text.ptr[*at] != 'E'))
        return true;
    (*at)++;
    if (*at < text.len && (text.ptr[*at] == '+' || text.ptr[*at] == '-'))
        negative = text.ptr[(*at)++] == '-';
    for (start = *at; is_digit(text, *at); (*at)++) {
        if (*at - start >= 6)
            return false;
        value = value * 10 + (text.ptr[*at] - '0');
    }
    *ret = negative ? -value : value;
    return *at > start;
}

/* RFC 8259 section 6. */
static bool parse(struct span text, struct decimal *ret)
{
    struct decimal d = {.text = text, .zero = true};
    size_t at = 0, whole, first = SIZE_MAX, point = SIZE_MAX, end;
    int64_t exponent;

    if (at < text.len && text.ptr[at] == '-') {
        d.negative = true;
        at++;
    }
    whole = at;
    while (is_digit(text, at))
        at++;
    if (at == whole || (text.ptr[whole] == '0' && at - whole > 1))
        return false;
    point = at;
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        if (!is_digit(text, at))
            return false;
        while (is_digit(text, at))
            at++;
    }
    end = at;
    if (!parse_exponent(text, &at, &exponent) || at != text.len)
        return false;
    for (size_t i = whole; i < end; i++) {
        if (text.ptr[i] == '.' || text.ptr[i] == '0')
            continue;
        first = i;
        break;
    }
    if (first != SIZE_MAX) {
        d.zero = false;
        d.first = first;
        d.count = end - first - (first < point && end > point ? 1 : 0);
        d.exponent = exponent + (first < point ? (int64_t)(point - first) : -(int64_t)(first - point - 1));
    }
    *ret = d;
    return true;
}

/* The i-th digit, 0 beyond the last. */
static uint8_t digit(const struct decimal *d, size_t i)
{
    for (size_t at = d->first; i < d->count; at++) {
        if (d->text.ptr[at] == '.')
            continue;
        if (i-- == 0)
            return d->text.ptr[at];
    }
    return '0';
}

static int compare_magnitude(const struct decimal *a, const struct decimal *b)
{
    size_t count = a->count > b->count ? a->count : b->count;

    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    for (size_t i = 0; i < count; i++) {
        uint8_t x = digit(a, i), y = digit(b, i);

        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

enum { DECIMAL_MAX_BYTES = 64 };

bool decimal_compare(struct span a, struct span b, int *ret)
{
    struct decimal x, y;
    int magnitude;

    /* Also keeps the digit loops short. */
    if (a.len > DECIMAL_MAX_BYTES || b.len > DECIMAL_MAX_BYTES || !parse(a, &x) || !parse(b, &y))
        return false;
    if (x.zero || y.zero) {
        *ret = x.zero && y.zero ? 0 : x.zero ? (y.negative ? 1 : -1) : (x.negative ? -1 : 1);
        return true;
    }
    if (x.negative != y.negative) {
        *ret = x.negative ? -1 : 1;
        return true;
    }
    magnitude = compare_magnitude(&x, &y);
    *ret = x.negative ? -magnitude : magnitude;
    return true;
}
