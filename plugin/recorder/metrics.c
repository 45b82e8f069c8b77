/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recorder/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "config.h"

enum {
    FILE_MAX_BYTES = 256 * 1024,
    SERIES_MAX = 512,   /* verdict x reason x runtime: far fewer occur */
    LOCK_WAIT_MS = 200, /* the decision is made; its counting may not keep anybody waiting */
    LOCK_STEP_NS = 2 * 1000 * 1000,
};

static const char total_name[] = "pullguard_verifications_total";
static const char duration_name[] = "pullguard_verification_duration_seconds";

/* Upper bounds; the texts are the labels. */
static const struct {
    const char *text;
    uint64_t us;
} bounds[] = {{"0.005", 5000},     {"0.025", 25000},    {"0.1", 100000},    {"0.25", 250000}, {"0.5", 500000},
              {"1", 1000000},      {"2.5", 2500000},    {"5", 5000000},     {"10", 10000000}};

struct series {
    char *labels; /* between the braces */
    uint64_t value;
};

struct metrics {
    struct series *series;
    size_t count, capacity;
    uint64_t buckets[ARRAY_LEN(bounds)];
    uint64_t observations, sum_us;
};

static void metrics_done(struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->count; i++)
        mem_free(metrics->series[i].labels);
    mem_free(metrics->series);
}

static bool add(struct metrics *metrics, struct span labels, uint64_t value)
{
    struct series *series;

    for (size_t i = 0; i < metrics->count; i++) {
        if (span_eq_str(labels, metrics->series[i].labels)) {
            metrics->series[i].value += value;
            return true;
        }
    }
    if (!mem_grow(&metrics->series, &metrics->capacity, metrics->count, sizeof(*series), SERIES_MAX))
        return false;
    series = &metrics->series[metrics->count];
    series->labels = span_dup(labels);
    series->value = value;
    metrics->count += series->labels != NULL;
    return series->labels != NULL;
}

/* "12.345678" as written below. */
static bool read_seconds(struct span text, uint64_t *ret_us)
{
    size_t point = span_find_byte(text, '.');
    struct span fraction = point == SIZE_MAX ? span_of(NULL, 0) : span_cut(text, point + 1, SIZE_MAX);
    uint64_t seconds = 0, us = 0;

    if (fraction.len != 6 || !span_to_u64(span_cut(text, 0, point), UINT32_MAX, &seconds))
        return false;
    for (size_t i = 0; i < fraction.len; i++) {
        if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9')
            return false;
        us = us * 10 + (uint64_t)(fraction.ptr[i] - '0');
    }
    *ret_us = seconds * 1000000 + us;
    return true;
}

/* One line of our own making; anything else is passed over and so not written again. */
static void read_line(struct metrics *metrics, struct span line)
{
    size_t space = span_find_byte(line, ' '), open = span_find_byte(line, '{');
    struct span name = span_cut(line, 0, open < space ? open : space), text = span_cut(line, space + 1, SIZE_MAX);
    struct span labels = open < space ? span_cut(line, open + 1, space - open - 2) : span_of(NULL, 0);
    uint64_t value = 0;

    if (space == SIZE_MAX || span_starts(line, "#"))
        return;
    if (span_eq_str(name, "pullguard_verification_duration_seconds_sum")) {
        (void)!read_seconds(text, &metrics->sum_us);
        return;
    }
    if (!span_to_u64(text, UINT64_MAX / 2, &value))
        return;
    if (span_eq_str(name, total_name))
        (void)!add(metrics, labels, value);
    else if (span_eq_str(name, "pullguard_verification_duration_seconds_count"))
        metrics->observations = value;
    for (size_t i = 0; span_eq_str(name, "pullguard_verification_duration_seconds_bucket") && i < ARRAY_LEN(bounds);
         i++)
        if (span_starts(labels, "le=\"") && span_eq_str(span_cut(labels, 4, labels.len - 5), bounds[i].text))
            metrics->buckets[i] = value;
}

static void read_all_lines(struct metrics *metrics, struct span text)
{
    while (text.len > 0) {
        size_t end = span_find_byte(text, '\n');

        if (end == SIZE_MAX)
            return; /* cut off */
        read_line(metrics, span_cut(text, 0, end));
        text = span_cut(text, end + 1, SIZE_MAX);
    }
}

/* Runtimes name themselves; a name that is no plain word is not repeated. */
static const char *plain(const char *value)
{
    return value[0] && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(value) && strlen(value) < 40
               ? value
               : "other";
}

static bool count_record(struct metrics *metrics, const struct record *record)
{
    char *labels CLEANUP(mem_freep) =
        mem_printf("verdict=\"%s\",reason=\"%s\",runtime=\"%s\"", plain(record->verdict),
                   plain(record_get(record, "REASON")), plain(record_get(record, "RUNTIME")));
    uint64_t us = 0;

    if (!labels || !add(metrics, span_str(labels), 1))
        return false;
    if (!span_to_u64(span_str(record_get(record, "DURATION_US")), UINT32_MAX, &us))
        return true;
    metrics->observations++;
    metrics->sum_us += us;
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        metrics->buckets[i] += us <= bounds[i].us;
    return true;
}

static void write_all_lines(const struct metrics *metrics, struct buf *buf)
{
    buf_printf(buf, "# HELP pullguard_info Version of the program that wrote this.\n# TYPE pullguard_info gauge\n"
                    "pullguard_info{version=\"%s\"} 1\n", PG_VERSION);
    buf_printf(buf, "# HELP %s Decisions about images.\n# TYPE %s counter\n", total_name, total_name);
    for (size_t i = 0; i < metrics->count; i++)
        buf_printf(buf, "%s{%s} %llu\n", total_name, metrics->series[i].labels,
                   (unsigned long long)metrics->series[i].value);
    buf_printf(buf, "# HELP %s Time that a decision took.\n# TYPE %s histogram\n", duration_name, duration_name);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
        buf_printf(buf, "%s_bucket{le=\"%s\"} %llu\n", duration_name, bounds[i].text,
                   (unsigned long long)metrics->buckets[i]);
    buf_printf(buf, "%s_bucket{le=\"+Inf\"} %llu\n", duration_name, (unsigned long long)metrics->observations);
    buf_printf(buf, "%s_sum %llu.%06llu\n", duration_name, (unsigned long long)(metrics->sum_us / 1000000),
               (unsigned long long)(metrics->sum_us % 1000000));
    buf_printf(buf, "%s_count %llu\n", duration_name, (unsigned long long)metrics->observations);
}

static bool lock(int fd, struct error *err)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_NS};
    int64_t deadline = mono_ms() + LOCK_WAIT_MS;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(err, REASON_IO, errno, "locking");
        if (deadline_left_ms(deadline) == 0)
            return error_set(err, REASON_TIMEOUT, "others hold the lock for more than %d ms", LOCK_WAIT_MS);
        (void)nanosleep(&step, NULL);
    }
    return true;
}

bool metrics_count(const char *path, const struct record *record, struct error *err)
{
    CLEANUP(metrics_done) struct metrics metrics = {0};
    CLEANUP(mem_freep) char *lock_path = mem_printf("%s.lock", path);
    CLEANUP(fd_closep) int fd = lock_path ? open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    CLEANUP(buf_free) struct buf before = BUF_INIT(0);
    CLEANUP(buf_free) struct buf after = BUF_INIT(FILE_MAX_BYTES);
    struct error absent = ERROR_INIT;

    if (fd < 0)
        return lock_path ? error_errno(err, REASON_IO, errno, "%s", lock_path) : error_oom(err);
    if (!lock(fd, err))
        return false;
    if (file_read(path, FILE_MAX_BYTES, FILE_ANY, &before, &absent))
        read_all_lines(&metrics, buf_as_span(&before));
    if (!count_record(&metrics, record))
        return error_set(err, REASON_LIMIT, "more than %d series", SERIES_MAX);
    write_all_lines(&metrics, &after);
    if (!buf_ok(&after))
        return error_set(err, REASON_LIMIT, "the metrics are larger than %d bytes", FILE_MAX_BYTES);
    return file_write_atomic(path, buf_as_span(&after), 0644, false, err);
}
