/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

enum { DAY_SECONDS = 86400 };

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01, counted in years that begin in March, so that the leap day is a year's last. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;

    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

bool time_from_civil(int year, int month, int day, int hour, int minute, int second, int64_t *ret)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    *ret = days_from_civil(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    return true;
}

/* Exactly len digits. */
static int read_digits(struct reader *reader, size_t len)
{
    struct span digits = read_bytes(reader, len);
    int value = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            reader->failed = true;
        value = value * 10 + (digits.ptr[i] - '0');
    }
    return reader->failed ? -1 : value;
}

static void read_char(struct reader *reader, uint8_t wanted)
{
    if (read_u8(reader) != wanted)
        reader->failed = true;
}

static bool is_next_digit(const struct reader *reader)
{
    return !reader->failed && reader->rest.len > 0 && reader->rest.ptr[0] >= '0' && reader->rest.ptr[0] <= '9';
}

/* ".5": one digit or more; what is finer than a nanosecond is dropped. */
static uint32_t read_fraction(struct reader *reader)
{
    uint32_t nanos = 0;
    uint32_t unit = 100000000;

    if (reader->failed || reader->rest.len == 0 || reader->rest.ptr[0] != '.')
        return 0;
    (void)read_u8(reader);
    if (!is_next_digit(reader))
        reader->failed = true;
    while (is_next_digit(reader)) {
        nanos += (uint32_t)(read_u8(reader) - '0') * unit;
        unit /= 10;
    }
    return nanos;
}

/* "Z" or "+hh:mm"; seconds east of UTC. */
static int64_t read_offset(struct reader *reader)
{
    uint8_t sign = read_u8(reader);
    int hours, minutes;

    if (sign == 'Z' || sign == 'z')
        return 0;
    if (sign != '+' && sign != '-') {
        reader->failed = true;
        return 0;
    }
    hours = read_digits(reader, 2);
    read_char(reader, ':');
    minutes = read_digits(reader, 2);
    if (hours > 23 || minutes > 59)
        reader->failed = true;
    return (sign == '-' ? -60 : 60) * ((int64_t)hours * 60 + minutes);
}

/* RFC 3339 section 5.6. Leap seconds (":60") are refused: the seconds we count have none. */
bool time_parse(struct span text, int64_t *ret_seconds, uint32_t *ret_nanos)
{
    struct reader reader = reader_of(text);
    int year, month, day, hour, minute, second;
    int64_t local, offset;
    uint32_t nanos;
    uint8_t t;

    year = read_digits(&reader, 4);
    read_char(&reader, '-');
    month = read_digits(&reader, 2);
    read_char(&reader, '-');
    day = read_digits(&reader, 2);
    t = read_u8(&reader);
    hour = read_digits(&reader, 2);
    read_char(&reader, ':');
    minute = read_digits(&reader, 2);
    read_char(&reader, ':');
    second = read_digits(&reader, 2);
    nanos = read_fraction(&reader);
    offset = read_offset(&reader);
    if (!reader_done(&reader) || (t != 'T' && t != 't'))
        return false;
    if (!time_from_civil(year, month, day, hour, minute, second, &local))
        return false;
    *ret_seconds = local - offset;
    if (ret_nanos)
        *ret_nanos = nanos;
    return true;
}

/* The inverse of days_from_civil. Not gmtime_r: its first call opens /etc/localtime, which a sandbox does not allow. */
static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + 719468; /* from 0000-03-01 */
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_shifted = (5 * day_of_year + 2) / 153;

    *day = (int)(day_of_year - (153 * month_shifted + 2) / 5 + 1);
    *month = (int)(month_shifted < 10 ? month_shifted + 3 : month_shifted - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

const char *time_format(int64_t seconds, char dst[TIME_TEXT_BYTES])
{
    /* Years 1 to 9999, the range of time_from_civil. */
    const int64_t first = INT64_C(-62135596800), last = INT64_C(253402300799);
    int64_t days, rest;
    int year, month, day;

    if (seconds < first || seconds > last) {
        (void)snprintf(dst, TIME_TEXT_BYTES, "(no date)");
        return dst;
    }
    days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0 ? 1 : 0);
    rest = seconds - days * DAY_SECONDS;
    civil_from_days(days, &year, &month, &day);
    (void)snprintf(dst, TIME_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ", year % 10000, month % 100, day % 100,
                   (int)(rest / 3600) % 100, (int)(rest / 60 % 60), (int)(rest % 60));
    return dst;
}

static int64_t unit_seconds(uint8_t unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return DAY_SECONDS;
    case 'w':
        return INT64_C(7) * DAY_SECONDS;
    default:
        return 0;
    }
}

bool duration_parse(struct span text, int64_t *ret_seconds)
{
    int64_t total = 0;
    int64_t previous = INT64_MAX;

    if (text.len == 0)
        return false;
    while (text.len > 0) {
        size_t digits = 0;
        uint64_t number;
        int64_t unit, part;

        while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
            digits++;
        if (digits == text.len || !span_to_u64(span_cut(text, 0, digits), INT64_MAX, &number))
            return false;
        unit = unit_seconds(text.ptr[digits]);
        if (unit == 0 || unit >= previous)
            return false;
        if (__builtin_mul_overflow((int64_t)number, unit, &part) || __builtin_add_overflow(total, part, &total))
            return false;
        previous = unit;
        text = span_cut(text, digits + 1, SIZE_MAX);
    }
    *ret_seconds = total;
    return true;
}

int64_t time_now(void)
{
    struct timespec now;

    /* Cannot fail for this clock and a valid pointer; zero would make everything "not yet valid". */
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    return now.tv_sec;
}

int64_t mono_us(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t mono_ms(void)
{
    return mono_us() / 1000;
}

int deadline_left_ms(int64_t deadline)
{
    int64_t now = mono_ms();

    if (deadline <= now)
        return 0;
    return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}
