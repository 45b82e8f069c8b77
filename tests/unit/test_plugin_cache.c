/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on disk: a hit, and everything that must make it none, one thing at a time. */
#include "plugin/cache/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cache/entry.h"
#include "plugin/cache/format.h"
#include "plugin/cache/stamp.h"
#include "tests/unit/harness.h"
#include "tests/unit/scratch.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define STAMP CACHE_DIRECTORY "/stamp"

static char digest[] = DIGEST, other[] = OTHER, name[] = "registry.test/a:1", canonical[] = "registry.test/b:1";
static char text[] = "x";

/* --- Which requests and verdicts --- */

START_TEST(which_requests)
{
    static char upper[] = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    static char cut[] = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static char longer[] = DIGEST "a";
    static char dots[] = "sha256:../../../../../../../../../../../../../../../../../../../../aaaa";
    static char another[] = "sha512:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const struct {
        struct request request;
        bool may;
    } rows[] = {
        {{.reference = name, .digest = digest}, true},
        {{.reference = name, .digest = digest, .flags = REQUEST_NO_NETWORK | REQUEST_NO_RECORD}, true},
        {{.reference = name, .digest = digest, .operation = OPERATION_CREATE, .runtime = text, .username = text}, true},
        {{.digest = digest}, false},
        {{.reference = name}, false},
        {{.reference = name, .digest = upper}, false},
        {{.reference = name, .digest = cut}, false},
        {{.reference = name, .digest = longer}, false},
        {{.reference = name, .digest = dots}, false},
        {{.reference = name, .digest = another}, false},
        {{.reference = name, .digest = digest, .flags = REQUEST_REPORT}, false},
        {{.reference = name, .digest = digest, .flags = REQUEST_EVIDENCE}, false},
        {{.reference = name, .digest = digest, .flags = REQUEST_NO_CACHE}, false},
        {{.reference = name, .digest = digest, .flags = REQUEST_INSECURE}, false},
        {{.reference = name, .digest = digest, .flags = REQUEST_COLLECT}, false},
        {{.reference = name, .digest = digest, .policy = text}, false},
        {{.reference = name, .digest = digest, .member = digest}, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        ck_assert_msg(cache_may_hold(&rows[i].request) == rows[i].may, "row %zu", i);
}
END_TEST

/* Only what a rule satisfied, about this very digest. */
START_TEST(which_verdicts)
{
    const struct request request = {.reference = name, .digest = digest}, fresh = {.reference = name, .digest = digest,
                                                                                   .flags = REQUEST_NO_CACHE};
    const struct verdict allow = {VERDICT_WIRE_ALLOW};
    const struct {
        struct response response;
        bool keepable;
    } rows[] = {
        {{.verdict = allow, .reason = REASON_OK, .digest = digest}, true},
        {{.verdict = allow, .reason = REASON_STATIC_PASS, .digest = digest}, true},
        {{.verdict = {0}, .reason = REASON_OK, .digest = digest}, false},
        {{.verdict = {0}, .reason = REASON_NO_SIGNATURE, .digest = digest}, false},
        {{.verdict = allow, .reason = REASON_WARN_MODE, .digest = digest, .warned = true}, false},
        {{.verdict = allow, .reason = REASON_OK, .digest = digest, .warned = true}, false},
        {{.verdict = allow, .reason = REASON_WARN_MODE, .digest = digest}, false},
        {{.verdict = allow, .reason = REASON_OK, .digest = digest, .cached = true}, false},
        {{.verdict = allow, .reason = REASON_OK, .digest = other}, false},
        {{.verdict = allow, .reason = REASON_OK}, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ck_assert_msg(cache_is_keepable(&request, &rows[i].response) == rows[i].keepable, "row %zu", i);
        ck_assert(!cache_is_keepable(&fresh, &rows[i].response));
    }
}
END_TEST

/* Whatever an entry holds: a hit is an allow that no warning let through, for the digest that is asked about. */
START_TEST(which_entries)
{
    const struct request request = {.reference = name, .digest = digest};
    const struct verdict allow = {VERDICT_WIRE_ALLOW};
    const struct {
        struct response response;
        bool hit;
    } rows[] = {
        {{.verdict = allow, .reason = REASON_OK, .digest = digest, .requests = 7, .duration_us = 7}, true},
        {{.verdict = {0}, .reason = REASON_NO_SIGNATURE, .digest = digest}, false},
        {{.verdict = allow, .reason = REASON_WARN_MODE, .digest = digest, .warned = true}, false},
        {{.verdict = allow, .reason = REASON_OK, .digest = other}, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_free) struct buf bytes = BUF_INIT(ENTRY_MAX_BYTES);
        CLEANUP(response_done) struct response found = {0};
        struct entry entry = {0};

        response_write(&bytes, &rows[i].response);
        entry.response = buf_as_span(&bytes);
        ck_assert_msg(entry_response(&entry, &request, &found) == rows[i].hit, "row %zu", i);
        ck_assert_int_eq(verdict_is_allow(found.verdict), rows[i].hit);
        ck_assert(!rows[i].hit || (found.cached && found.requests == 0 && found.duration_us == 0));
    }
}
END_TEST

/* --- A node: one policy behind a link, one file that is looked for in vain, and the directory of both --- */

static struct consulted consulted;
static struct buf stamp;

static void consult(const char *path)
{
    struct error err = ERROR_INIT;

    ck_assert(consulted_add(&consulted, scratch_path(path), &err));
}

static void make_stamp(const char *fingerprint, bool engine_only)
{
    struct error err = ERROR_INIT;

    buf_clear(&stamp);
    ck_assert_msg(stamp_make(&consulted, fingerprint, engine_only, &stamp, &err), "%s", err.text);
}

static void node_begin(void)
{
    scratch_begin();
    consulted = (struct consulted){.began = time_now() + 100}; /* nothing has changed just now */
    stamp = (struct buf)BUF_INIT(STAMP_MAX_BYTES);
    scratch_put("/etc/above/policy.d/one", "1");
    scratch_put("/etc/above/key", "2");
    scratch_put("/etc/old", "3");
    ck_assert_int_eq(symlink(scratch_path("/etc/old"), scratch_path("/etc/link")), 0);
    consult("/etc/above/policy.d");
    consult("/etc/above/policy.d/one");
    consult("/etc/above/key");
    consult("/etc/above/missing");
    consult("/etc/link");
    make_stamp("print", false);
}

static void node_end(void)
{
    consulted_done(&consulted);
    buf_free(&stamp);
    scratch_end();
}

static bool store(const char *fingerprint, int64_t from, int64_t to, const char *also)
{
    const struct response response = {.verdict = {VERDICT_WIRE_ALLOW}, .reason = REASON_OK, .digest = digest};
    const struct request request = {.reference = name, .digest = digest};
    const struct cache_source source = {.fingerprint = fingerprint, .stamp = buf_as_span(&stamp),
                                        .times = {.decided = time_now() + from, .expires = time_now() + to}};
    struct error err = ERROR_INIT;

    return cache_store(scratch_root, &source, &request, also, &response, &err);
}

static bool look(const char *fingerprint, char *about, const char *reference, unsigned int how)
{
    const struct request request = {.reference = name, .digest = about};
    CLEANUP(response_done) struct response response = {0};
    struct cache_times times = {0};
    bool hit = cache_lookup(scratch_root, fingerprint, &request, reference, how, &response, &times);

    ck_assert_int_eq(hit, verdict_is_allow(response.verdict));
    ck_assert_int_eq(hit, times.decided != 0);
    return hit;
}

static bool hit(void)
{
    return look(NULL, digest, NULL, CACHE_FRESH);
}

START_TEST(the_key_is_all_of_it)
{
    ck_assert(!hit());
    ck_assert(store("print", -1, 60, NULL));
    ck_assert(hit());
    ck_assert(look("print", digest, NULL, CACHE_FRESH));
    ck_assert(look("print", digest, name, CACHE_BY_ENGINE));
    ck_assert(!look("prints", digest, NULL, CACHE_FRESH));
    ck_assert(!look("", digest, NULL, CACHE_FRESH));
    ck_assert(!look(NULL, other, NULL, CACHE_FRESH));
    ck_assert(!look(NULL, digest, canonical, CACHE_FRESH));
    ck_assert(store("print", -1, 60, canonical));
    ck_assert(look(NULL, digest, canonical, CACHE_FRESH));
}
END_TEST

/* A verdict under another's file name is not the other's. */
START_TEST(a_renamed_entry_is_none)
{
    char from[CACHE_PATH_BYTES], to[CACHE_PATH_BYTES];

    ck_assert(store("print", -1, 60, NULL));
    ck_assert(entry_path(scratch_root, DIGEST, name, from, sizeof(from)));
    ck_assert(entry_path(scratch_root, DIGEST, canonical, to, sizeof(to)));
    ck_assert_int_eq(link(from, to), 0);
    ck_assert(!look(NULL, digest, canonical, CACHE_FRESH));
    ck_assert(entry_path(scratch_root, OTHER, name, to, sizeof(to)));
    ck_assert_int_eq(link(from, to), 0);
    ck_assert(!look(NULL, other, NULL, CACHE_FRESH));
    ck_assert(hit());
}
END_TEST

START_TEST(it_has_a_life)
{
    ck_assert(store("print", -60, -1, NULL));
    ck_assert(!hit());
    ck_assert(look(NULL, digest, NULL, CACHE_EXPIRED_TOO));
    ck_assert(store("print", 60, 120, NULL)); /* a clock that went back */
    ck_assert(!hit());
    ck_assert(!look(NULL, digest, NULL, CACHE_EXPIRED_TOO));
}
END_TEST

/* Other logs than the journal are the engine's to write, so its hits are not the hook's. */
START_TEST(some_hits_are_the_engines)
{
    make_stamp("print", true);
    ck_assert(store("print", -1, 60, NULL));
    ck_assert(!hit());
    ck_assert(look(NULL, digest, NULL, CACHE_BY_ENGINE));
}
END_TEST

START_TEST(the_stamp_must_be_there_and_its_own)
{
    ck_assert(store("print", -1, 60, NULL));
    ck_assert_int_eq(unlink(scratch_path(STAMP)), 0);
    ck_assert(!hit());
    make_stamp("another", false);
    scratch_put_bytes(STAMP, buf_as_span(&stamp));
    ck_assert_int_eq(chmod(scratch_path(STAMP), 0600), 0);
    ck_assert(!hit()); /* of other rules than the verdict's */
    make_stamp("print", false);
    scratch_put_bytes(STAMP, buf_as_span(&stamp));
    ck_assert(hit());
    ck_assert_int_eq(chmod(scratch_path(STAMP), 0666), 0);
    ck_assert(!hit());
    ck_assert_int_eq(chmod(scratch_path(STAMP), 0600), 0);
    ck_assert(hit());
}
END_TEST

/* What is believed is a file of root's or our own, itself and not behind a link. */
START_TEST(files_are_ours)
{
    char path[CACHE_PATH_BYTES], moved[CACHE_PATH_BYTES];
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(4096);

    ck_assert(store("print", -1, 60, NULL));
    ck_assert(entry_path(scratch_root, DIGEST, name, path, sizeof(path)));
    ck_assert(hit());
    ck_assert_int_eq(chmod(path, 0620), 0);
    ck_assert(!hit());
    ck_assert_int_eq(chmod(path, 0602), 0);
    ck_assert(!hit());
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert(hit());
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 65534, 0), 0);
        ck_assert(!hit());
        ck_assert_int_eq(chown(path, 0, 65534), 0);
        ck_assert(hit());
    }
    ck_assert(snprintf(moved, sizeof(moved), "%s.moved", path) > 0);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(symlink(moved, path), 0);
    ck_assert(!hit());
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert(!hit() && !format_read(path, &bytes));
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert(!hit()); /* nor does it wait for a writer */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rename(moved, path), 0);
    ck_assert(hit());
}
END_TEST

/* Written again in place, as long as before, its time put back: the change time tells, once the clock has ticked. */
static void rewrite(const char *path, const char *content)
{
    struct timespec times[2];
    struct stat before, after;

    ck_assert_int_eq(stat(scratch_path(path), &before), 0);
    times[0] = before.st_atim;
    times[1] = before.st_mtim;
    do {
        FILE *file = fopen(scratch_path(path), "r+");

        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(content, file), 0);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_int_eq(utimensat(AT_FDCWD, scratch_path(path), times, 0), 0);
        ck_assert_int_eq(stat(scratch_path(path), &after), 0);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
    ck_assert_int_eq(after.st_size, before.st_size);
    ck_assert_int_eq(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
}

static void change(int what)
{
    switch (what) {
    case 0:
        rewrite("/etc/above/policy.d/one", "7");
        break;
    case 1:
        ck_assert_int_eq(unlink(scratch_path("/etc/above/key")), 0);
        break;
    case 2:
        scratch_put("/etc/above/key", "2"); /* the same, another file */
        break;
    case 3:
        scratch_put("/etc/above/missing", "5");
        break;
    case 4:
        scratch_put("/etc/above/policy.d/two", "6");
        break;
    case 5:
        ck_assert_int_eq(unlink(scratch_path("/etc/link")), 0);
        ck_assert_int_eq(symlink(scratch_path("/etc/above/key"), scratch_path("/etc/link")), 0);
        break;
    case 6:
        ck_assert_int_eq(chmod(scratch_path("/etc/above"), 0777), 0);
        break;
    case 7: /* another directory above, with the very same files in it */
        ck_assert_int_eq(rename(scratch_path("/etc/above"), scratch_path("/etc/below")), 0);
        ck_assert_int_eq(mkdir(scratch_path("/etc/above"), 0755), 0);
        ck_assert_int_eq(rename(scratch_path("/etc/below/policy.d"), scratch_path("/etc/above/policy.d")), 0);
        ck_assert_int_eq(rename(scratch_path("/etc/below/key"), scratch_path("/etc/above/key")), 0);
        break;
    case 8:
        ck_assert_int_eq(rename(scratch_path("/etc/above"), scratch_path("/etc/away")), 0);
        break;
    case 9: /* what is no directory cannot be looked into: neither there nor missing */
        ck_assert_int_eq(rename(scratch_path("/etc/above"), scratch_path("/etc/away")), 0);
        scratch_put("/etc/above", "a file");
        break;
    default:
        ck_assert(what < 10);
    }
}

START_TEST(any_change_ends_it)
{
    ck_assert(store("print", -1, 60, NULL));
    scratch_put("/etc/above/unrelated", "4"); /* what else happens in a directory above does not matter */
    ck_assert(hit());
    change(_i);
    ck_assert_msg(!hit(), "change %d", _i);
    ck_assert(!look(NULL, digest, NULL, CACHE_EXPIRED_TOO | CACHE_BY_ENGINE));
    ck_assert_int_eq(unlink(scratch_path(STAMP)), 0);
    ck_assert(!store("print", -1, 60, NULL)); /* and nothing is kept by the rules of then */
    ck_assert(access(scratch_path(STAMP), F_OK) != 0);
}
END_TEST

/* Without a stamp nothing is kept: the rules changed just now. */
START_TEST(no_stamp_no_entry)
{
    buf_clear(&stamp);
    ck_assert(!store("print", -1, 60, NULL));
    ck_assert(!hit());
}
END_TEST

enum stamp_fault { RIGHT, NO_VERSION, OTHER_VERSION, NO_FINGERPRINT, EMPTY_FINGERPRINT, SHORT_ENGINE_ONLY, NO_PATH,
                   NO_END, TWO_PATHS, CUT, OTHER_KIND, OTHER_TYPE, STAMP_FAULTS };

/* The tags as plugin/cache/stamp.c writes them. */
static void odd_stamp(enum stamp_fault fault)
{
    static const uint8_t absent[53] = {1}, unknown[53] = {4};
    size_t start, record;

    buf_clear(&stamp);
    start = wire_begin(&stamp, fault == OTHER_TYPE ? FORMAT_VERDICT : FORMAT_STAMP);
    if (fault != NO_VERSION)
        wire_put_str(&stamp, 1, fault == OTHER_VERSION ? PG_VERSION "x" : PG_VERSION);
    if (fault != NO_FINGERPRINT)
        wire_put_str(&stamp, 2, fault == EMPTY_FINGERPRINT ? "" : "print");
    if (fault == SHORT_ENGINE_ONLY)
        wire_put_str(&stamp, 3, "1");
    record = wire_open(&stamp, 4);
    if (fault == CUT)
        buf_append(&stamp, absent, 30);
    else
        buf_append(&stamp, fault == OTHER_KIND ? unknown : absent, 53);
    if (fault != NO_PATH && fault != CUT)
        buf_str(&stamp, fault == OTHER_KIND ? "/" : "/no/such/file");
    if (fault == TWO_PATHS)
        buf_byte(&stamp, 0);
    if (fault == TWO_PATHS)
        buf_str(&stamp, "/no");
    if (fault != NO_END)
        buf_byte(&stamp, 0);
    wire_close(&stamp, record);
    wire_end(&stamp, start);
    format_seal(&stamp);
    ck_assert(buf_ok(&stamp));
}

START_TEST(odd_stamps_hold_nothing)
{
    struct stamp found = {0};

    odd_stamp((enum stamp_fault)_i);
    ck_assert_msg(stamp_holds(buf_as_span(&stamp), &found) == (_i == RIGHT), "fault %d", _i);
    if (_i == RIGHT)
        ck_assert(span_eq_str(found.fingerprint, "print") && !found.engine_only);
    else
        ck_assert_uint_eq(found.fingerprint.len, 0); /* untouched */
}
END_TEST

/* --- pullguard cache --- */

struct listed {
    size_t count, current;
};

static bool count_entry(void *context, const struct cache_entry *entry)
{
    struct listed *listed = context;

    ck_assert_str_eq(entry->digest, DIGEST);
    listed->count++;
    listed->current += entry->current;
    return true;
}

static void list(size_t count, size_t current)
{
    struct listed listed = {0};
    struct error err = ERROR_INIT;

    ck_assert_msg(cache_list(scratch_root, count_entry, &listed, &err), "%s", err.text);
    ck_assert_uint_eq(listed.count, count);
    ck_assert_uint_eq(listed.current, current);
}

START_TEST(listed_and_cleared)
{
    struct error err = ERROR_INIT;
    uint64_t removed = 7;

    list(0, 0);
    ck_assert(cache_clear(scratch_root, NULL, &removed, &err));
    ck_assert_uint_eq(removed, 0);
    ck_assert(store("print", -1, 60, canonical));
    list(2, 2);
    ck_assert(store("print", -60, -1, NULL));
    list(2, 1); /* its time is over */
    make_stamp("another", false);
    ck_assert(store("another", -1, 60, NULL));
    list(2, 1); /* the canonical one is of other rules */
    ck_assert(cache_clear(scratch_root, "another", &removed, &err));
    ck_assert_uint_eq(removed, 1);
    ck_assert(hit());
    scratch_put("/etc/above/policy.d/two", "6");
    list(1, 0); /* the rules have changed */
    ck_assert(cache_clear(scratch_root, NULL, &removed, &err));
    ck_assert_uint_eq(removed, 1);
    list(0, 0);
    ck_assert(access(scratch_path(STAMP), F_OK) != 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_cache");
    TCase *which = tcase_create("which"), *disk = tcase_create("disk");

    tcase_add_test(which, which_requests);
    tcase_add_test(which, which_verdicts);
    tcase_add_test(which, which_entries);
    suite_add_tcase(suite, which);
    tcase_add_checked_fixture(disk, node_begin, node_end);
    tcase_set_timeout(disk, 60);
    tcase_add_test(disk, the_key_is_all_of_it);
    tcase_add_test(disk, a_renamed_entry_is_none);
    tcase_add_test(disk, it_has_a_life);
    tcase_add_test(disk, some_hits_are_the_engines);
    tcase_add_test(disk, the_stamp_must_be_there_and_its_own);
    tcase_add_test(disk, files_are_ours);
    tcase_add_loop_test(disk, any_change_ends_it, 0, 10);
    tcase_add_test(disk, no_stamp_no_entry);
    tcase_add_loop_test(disk, odd_stamps_hold_nothing, 0, STAMP_FAULTS);
    tcase_add_test(disk, listed_and_cleared);
    suite_add_tcase(suite, disk);
    return run_suite(suite);
}
