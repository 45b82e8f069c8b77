/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: a chain that goes on over rotations and several writers, that shows each change, and survives a full
 * disk. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

#include "base/buf.h"
#include "plugin/recorder/audit.h"
#include "plugin/recorder/line.h"
#include "tests/unit/harness.h"
#include "tests/unit/scratch.h"

#define LOG "/audit.jsonl"
enum { WRITERS = 4, LINES_EACH = 60, ROTATIONS = 12 };

static bool append(const char *image, struct error *err)
{
    struct record record = {.verdict = "deny", .count = 2};

    record.fields[0] = (struct record_field){.name = "VERDICT", .value = "deny"};
    record.fields[1] = (struct record_field){.name = "IMAGE_REF", .value = image};
    return audit_append(scratch_path(LOG), &record, err);
}

static void must_append(const char *image)
{
    struct error err = ERROR_INIT;

    ck_assert_msg(append(image, &err), "%s", err.text);
}

static void read_log(const char *name, struct buf *ret)
{
    struct error err = ERROR_INIT;

    *ret = (struct buf)BUF_INIT(1 << 20);
    ck_assert_msg(file_read(scratch_path(name), 1 << 20, FILE_ANY, ret, &err), "%s", err.text);
}

/* The chain goes on from `head` through this file. */
static void is_whole(const char *name, struct audit_head *head, size_t torn)
{
    CLEANUP(buf_free) struct buf bytes;
    struct error err = ERROR_INIT;
    size_t found = 0;

    read_log(name, &bytes);
    ck_assert_msg(audit_verify(buf_as_span(&bytes), head, &found, &err), "%s", err.text);
    ck_assert_uint_eq(found, torn);
}

static bool rotate(const char *from, const char *to)
{
    return rename(scratch_path(from), scratch_path(to)) == 0;
}

START_TEST(goes_on_over_rotations)
{
    struct audit_head head = {0}, alone = {0};

    for (int i = 0; i < 3; i++)
        must_append("a");
    ck_assert(rotate(LOG, LOG ".1"));
    must_append("b");
    must_append("b");
    ck_assert(rotate(LOG ".1", LOG ".2") && rotate(LOG, LOG ".1"));
    must_append("c");
    is_whole(LOG ".2", &head, 0);
    ck_assert_uint_eq(head.seq, 3);
    is_whole(LOG ".1", &head, 0);
    is_whole(LOG, &head, 0);
    ck_assert_uint_eq(head.seq, 6);
    is_whole(LOG, &alone, 0); /* older ones may be gone */
    ck_assert_uint_eq(alone.seq, 6);
    ck_assert_str_eq(alone.hash, head.hash);
}
END_TEST

/* Whatever is changed, exchanged or left out in the middle shows. */
START_TEST(changes_show)
{
    CLEANUP(buf_free) struct buf bytes;
    struct error err = ERROR_INIT;

    for (int i = 0; i < 4; i++)
        must_append("image");
    read_log(LOG, &bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        struct audit_head head = {0};
        size_t torn = 0, first = span_find_byte(buf_as_span(&bytes), '\n'), last = bytes.len - 1;

        while (bytes.ptr[last - 1] != '\n')
            last--;
        bytes.ptr[i] ^= 2;
        /* The last line's hash stands in no other, and a first one that cannot be read is as if it were not there. */
        if (audit_verify(buf_as_span(&bytes), &head, &torn, &err))
            ck_assert_msg(i >= last - 1 || (i <= first && torn == 1), "byte %zu", i);
        bytes.ptr[i] ^= 2;
    }
    {
        struct span whole = buf_as_span(&bytes);
        size_t first = span_find_byte(whole, '\n') + 1;
        struct span rest = span_cut(whole, first, SIZE_MAX);
        size_t second = span_find_byte(rest, '\n') + 1;
        CLEANUP(buf_free) struct buf other = BUF_INIT(1 << 20);
        struct audit_head head = {0};
        size_t torn = 0;

        buf_span(&other, span_cut(whole, 0, first)); /* without the second line */
        buf_span(&other, span_cut(rest, second, SIZE_MAX));
        ck_assert(!audit_verify(buf_as_span(&other), &head, &torn, &err));
        ck_assert_int_eq(err.reason, REASON_DIGEST_MISMATCH);
        ck_assert_ptr_nonnull(strstr(err.text, "line 2"));
        ck_assert_uint_eq(head.seq, 1);
    }
}
END_TEST

START_TEST(a_torn_line_is_passed_over)
{
    struct audit_head head = {0}, other = {0};
    FILE *file;

    must_append("a");
    file = fopen(scratch_path(LOG), "ae");
    ck_assert_ptr_nonnull(file);
    (void)fputs("{\"seq\":2,\"time\":\"2026-", file);
    ck_assert_int_eq(fclose(file), 0);
    must_append("b");
    must_append("c");
    is_whole(LOG, &head, 1);
    ck_assert_uint_eq(head.seq, 3);
    ck_assert(rotate(LOG, LOG ".1"));
    scratch_put(LOG, "{\"seq\":4"); /* the first line of a file, too */
    must_append("d");
    is_whole(LOG, &other, 1);
    ck_assert_uint_eq(other.seq, 4);
}
END_TEST

/* Several processes write while the file is renamed under them: each line is there once, in one chain. */
START_TEST(writers_and_rotations)
{
    struct audit_head head = {0};
    pid_t pids[WRITERS];
    char from[32], to[32];
    struct stat seen;
    int failed = 0, done = 0, status;

    for (size_t i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] > 0)
            continue;
        for (int line = 0; line < LINES_EACH; line++) {
            struct error err = ERROR_INIT;

            while (!append("image", &err)) /* a lock that is held for long: the machine may be busy */
                if (err.reason != REASON_TIMEOUT) {
                    (void)fprintf(stderr, "%s\n", err.text);
                    _exit(1);
                }
            (void)usleep(1000);
        }
        _exit(0);
    }
    for (int tries = 0; tries < 1000 && done < ROTATIONS; tries++) {
        (void)usleep(3000);
        if (stat(scratch_path(LOG), &seen) != 0 || seen.st_size == 0) /* logrotate's notifempty */
            continue;
        for (int i = done; i > 0; i--) {
            (void)snprintf(from, sizeof(from), LOG ".%d", i);
            (void)snprintf(to, sizeof(to), LOG ".%d", i + 1);
            ck_assert(rotate(from, to));
        }
        ck_assert(rotate(LOG, LOG ".1"));
        done++;
    }
    for (size_t i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        failed += status != 0;
    }
    ck_assert_int_eq(failed, 0);
    ck_assert_int_gt(done, 2);
    for (int i = done; i > 0; i--) {
        (void)snprintf(from, sizeof(from), LOG ".%d", i);
        is_whole(from, &head, 0);
    }
    if (access(scratch_path(LOG), F_OK) == 0)
        is_whole(LOG, &head, 0);
    ck_assert_uint_eq(head.seq, WRITERS * LINES_EACH);
}
END_TEST

START_TEST(a_full_disk_tears_nothing)
{
    struct rlimit before, full;
    struct audit_head head = {0};
    struct error err = ERROR_INIT;
    struct stat status;
    int failures = 0;

    must_append("a");
    ck_assert_int_eq(stat(scratch_path(LOG), &status), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (rlim_t more = 0; more < 100; more += 10) { /* room for nothing, and for a part of a line */
        full = (struct rlimit){(rlim_t)status.st_size + more, before.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
        err = (struct error)ERROR_INIT;
        failures += !append("b", &err);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(failures, 10);
    ck_assert_int_eq(err.reason, REASON_IO);
    must_append("c");
    is_whole(LOG, &head, 0);
    ck_assert_uint_eq(head.seq, 2);
}
END_TEST

/* The JSON log: what a full disk has cut off must not take the next line with it. */
START_TEST(a_torn_json_line_stands_alone)
{
    struct record record = {.verdict = "deny", .count = 1};
    struct rlimit before, full;
    CLEANUP(buf_free) struct buf bytes;
    struct error err = ERROR_INIT;
    struct span rest;
    size_t whole;

    record.fields[0] = (struct record_field){.name = "VERDICT", .value = "deny"};
    ck_assert(line_append(scratch_path("/log.json"), &record, &err));
    read_log("/log.json", &bytes);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    full = (struct rlimit){.rlim_cur = bytes.len + 10, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
    ck_assert(!line_append(scratch_path("/log.json"), &record, &err));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert(line_append(scratch_path("/log.json"), &record, &err));
    whole = bytes.len;
    buf_free(&bytes);
    read_log("/log.json", &bytes);
    rest = span_cut(buf_as_span(&bytes), bytes.len - whole - 1, SIZE_MAX);
    ck_assert(span_starts(rest, "\n{\"time\":") && span_ends(rest, "\"verdict\":\"deny\"}\n"));
}
END_TEST

START_TEST(a_held_lock_is_waited_for_briefly)
{
    struct error err = ERROR_INIT;
    int fd;

    must_append("a");
    fd = open(scratch_path(LOG), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert(!append("b", &err));
    ck_assert_int_eq(err.reason, REASON_TIMEOUT);
    ck_assert_int_eq(close(fd), 0);
    must_append("b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_audit");
    TCase *cases = tcase_create("audit");

    tcase_add_checked_fixture(cases, scratch_begin, scratch_end);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, goes_on_over_rotations);
    tcase_add_test(cases, changes_show);
    tcase_add_test(cases, a_torn_line_is_passed_over);
    tcase_add_test(cases, writers_and_rotations);
    tcase_add_test(cases, a_full_disk_tears_nothing);
    tcase_add_test(cases, a_torn_json_line_stands_alone);
    tcase_add_test(cases, a_held_lock_is_waited_for_briefly);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
