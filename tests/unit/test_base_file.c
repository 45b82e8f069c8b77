/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/unit/harness.h"
#include "tests/unit/scratch.h"

static void check_read(const char *path, enum file_trust trust, const char *want)
{
    CLEANUP(buf_free) struct buf content = BUF_INIT(0);
    struct error err = ERROR_INIT;

    ck_assert_msg(file_read(scratch_path(path), 100, trust, &content, &err), "%s", err.text);
    ck_assert_str_eq(buf_cstr(&content), want);
}

static void check_fails(const char *path, size_t max, enum file_trust trust, enum reason reason, const char *want)
{
    CLEANUP(buf_free) struct buf content = BUF_INIT(0);
    struct error err = ERROR_INIT;

    ck_assert(!file_read(scratch_path(path), max, trust, &content, &err));
    ck_assert_str_eq(reason_name(err.reason), reason_name(reason));
    ck_assert_msg(strstr(err.text, want) != NULL, "\"%s\" is not in: %s", want, err.text);
    ck_assert_msg(strstr(err.text, scratch_root) != NULL, "the path is not in: %s", err.text);
    ck_assert_uint_eq(content.len, 0);
}

START_TEST(whole_files)
{
    scratch_put("/a", "hello");
    scratch_put("/empty", "");
    check_read("/a", FILE_ANY, "hello");
    check_read("/a", FILE_TRUSTED, "hello");
    check_read("/empty", FILE_TRUSTED, "");
    check_fails("/a", 4, FILE_ANY, REASON_LIMIT, "more than 4 bytes");
    check_fails("/missing", 100, FILE_ANY, REASON_NOT_FOUND, "No such file");
    check_fails("/missing", 100, FILE_TRUSTED, REASON_NOT_FOUND, "No such file");
    check_fails("/a/b", 100, FILE_TRUSTED, REASON_NOT_FOUND, "Not a directory");
    check_fails("/missing/b", 100, FILE_TRUSTED, REASON_NOT_FOUND, "No such file");
}
END_TEST

/* /proc's files say that they are empty. */
START_TEST(files_that_hide_their_size)
{
    CLEANUP(buf_free) struct buf content = BUF_INIT(0);
    struct error err = ERROR_INIT;

    ck_assert(!file_read("/proc/self/status", 10, FILE_ANY, &content, &err));
    ck_assert_int_eq(err.reason, REASON_LIMIT);
    ck_assert(file_read("/proc/self/status", 1 << 20, FILE_ANY, &content, &err));
    ck_assert(span_starts(buf_as_span(&content), "Name:"));
}
END_TEST

START_TEST(only_regular_files)
{
    ck_assert_int_eq(mkfifo(scratch_path("/fifo"), 0600), 0);
    ck_assert_int_eq(mkdir(scratch_path("/dir"), 0755), 0);
    check_fails("/fifo", 100, FILE_ANY, REASON_IO, "not a regular file"); /* and does not hang */
    check_fails("/fifo", 100, FILE_TRUSTED, REASON_IO, "not a regular file");
    check_fails("/dir", 100, FILE_ANY, REASON_IO, "not a regular file");
    check_fails("/dir", 100, FILE_TRUSTED, REASON_IO, "not a regular file");
}
END_TEST

START_TEST(files_others_may_write)
{
    scratch_put("/a", "x");
    ck_assert_int_eq(chmod(scratch_path("/a"), 0664), 0);
    check_fails("/a", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"a\" is writable by group or others (mode 0664)");
    check_read("/a", FILE_ANY, "x");
    ck_assert_int_eq(chmod(scratch_path("/a"), 0602), 0);
    check_fails("/a", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "(mode 0602)");
}
END_TEST

START_TEST(directories_others_may_write)
{
    scratch_put("/dir/sub/a", "x");
    ck_assert_int_eq(chmod(scratch_path("/dir"), 0777), 0);
    check_fails("/dir/sub/a", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"dir\" is writable by group or others");
    ck_assert_int_eq(chmod(scratch_path("/dir"), 01777), 0); /* sticky: what is ours stays ours */
    check_read("/dir/sub/a", FILE_TRUSTED, "x");
}
END_TEST

START_TEST(links_are_followed_and_checked)
{
    scratch_put("/real/a", "x");
    scratch_put("/open/other", "y");
    ck_assert_int_eq(symlink("real/a", scratch_path("/to-file")), 0);
    ck_assert_int_eq(symlink("real", scratch_path("/to-dir")), 0);
    ck_assert_int_eq(symlink("to-dir", scratch_path("/to-link")), 0);
    ck_assert_int_eq(symlink("../real/./../to-file", scratch_path("/open/up")), 0);
    ck_assert_int_eq(symlink("loop", scratch_path("/loop")), 0);
    ck_assert_int_eq(symlink("nowhere", scratch_path("/dangling")), 0);
    check_read("/to-file", FILE_TRUSTED, "x"); /* the link is the path's last part */
    check_read("/to-dir/a", FILE_TRUSTED, "x");
    check_read("/to-link/a", FILE_TRUSTED, "x");
    check_read("//to-link//./a", FILE_TRUSTED, "x");
    check_read("/open/up", FILE_TRUSTED, "x");
    check_fails("/loop", 100, FILE_TRUSTED, REASON_IO, "Too many levels of symbolic links");
    check_fails("/dangling", 100, FILE_TRUSTED, REASON_NOT_FOUND, "No such file");
    /* The directory that holds the link decides as much as the one that holds the file. */
    ck_assert_int_eq(chmod(scratch_path("/open"), 0777), 0);
    check_fails("/open/up", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"open\" is writable by group or others");
    ck_assert_int_eq(chmod(scratch_path("/real"), 0777), 0);
    check_fails("/to-file", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"real\" is writable by group or others");
}
END_TEST

START_TEST(files_of_other_users)
{
    if (geteuid() != 0)
        return; /* only root can give files away */
    scratch_put("/dir/a", "x");
    ck_assert_int_eq(chown(scratch_path("/dir/a"), 12345, 12345), 0);
    check_fails("/dir/a", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"a\" belongs to user 12345, wanted root");
    ck_assert_int_eq(chown(scratch_path("/dir/a"), 0, 0), 0);
    ck_assert_int_eq(chown(scratch_path("/dir"), 12345, 0), 0);
    check_fails("/dir/a", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"dir\" belongs to user 12345, wanted root");
    ck_assert_int_eq(chown(scratch_path("/dir"), 0, 0), 0);
    ck_assert_int_eq(symlink("dir/a", scratch_path("/link")), 0);
    ck_assert_int_eq(lchown(scratch_path("/link"), 12345, 0), 0);
    check_fails("/link", 100, FILE_TRUSTED, REASON_UNTRUSTED_FILE, "\"link\" belongs to user 12345");
}
END_TEST

START_TEST(checks_without_reading)
{
    struct error err = ERROR_INIT;

    scratch_put("/dir/a", "x");
    ck_assert(file_check_trusted(scratch_path("/dir"), &err));
    ck_assert(file_check_trusted(scratch_path("/dir/"), &err));
    ck_assert(file_check_trusted(scratch_path("/dir/a"), &err));
    ck_assert(file_check_trusted("/", &err));
    ck_assert_int_eq(chmod(scratch_path("/dir"), 0775), 0);
    ck_assert(!file_check_trusted(scratch_path("/dir/"), &err));
    ck_assert_int_eq(err.reason, REASON_UNTRUSTED_FILE);
}
END_TEST

START_TEST(relative_paths)
{
    CLEANUP(fd_closep) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(buf_free) struct buf content = BUF_INIT(0);
    struct error err = ERROR_INIT;
    bool done;

    scratch_put("/dir/a", "x");
    ck_assert_int_eq(chdir(scratch_root), 0);
    done = file_read("dir/../dir/a", 10, FILE_TRUSTED, &content, &err);
    ck_assert_int_eq(fchdir(here), 0);
    ck_assert_msg(done, "%s", err.text);
}
END_TEST

START_TEST(odd_names_are_shown_clean)
{
    scratch_put("/a", "x");
    check_fails("/a\nb", 100, FILE_ANY, REASON_NOT_FOUND, "/a\\x0ab: No such file");
}
END_TEST

START_TEST(directories_are_listed)
{
    static const char *const suffixes[] = {".yaml", ".yml", NULL};
    CLEANUP(names_free) struct names names = {0}, all = {0};
    struct error err = ERROR_INIT;

    scratch_put("/d/20-b.yaml", "");
    scratch_put("/d/10-a.yml", "");
    scratch_put("/d/.hidden.yaml", "");
    scratch_put("/d/30-c.yaml.bak", "");
    scratch_put("/d/Z.yaml", "");
    ck_assert(dir_list(scratch_path("/d"), suffixes, &names, &err));
    ck_assert_uint_eq(names.count, 3);
    ck_assert_str_eq(names.items[0], "10-a.yml");
    ck_assert_str_eq(names.items[1], "20-b.yaml");
    ck_assert_str_eq(names.items[2], "Z.yaml");
    ck_assert(dir_list(scratch_path("/d"), NULL, &all, &err));
    ck_assert_uint_eq(all.count, 4);
    ck_assert(!dir_list(scratch_path("/missing"), NULL, &all, &err));
    ck_assert_int_eq(err.reason, REASON_NOT_FOUND);
    ck_assert_uint_eq(all.count, 4);
}
END_TEST

START_TEST(paths_under_a_root)
{
    static const char *const cases[][3] = {
        {"", "/a", "/a"},         {"/r", "/a", "/r/a"},   {"/r/", "/a", "/r/a"}, {"/r//", "a", "/r/a"},
        {"/", "/a", "/a"},        {"r", "/a/b", "r/a/b"}, {"/r", "/", "/r/"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem_freep) char *path = path_under(cases[i][0], cases[i][1]);

        ck_assert_str_eq(path, cases[i][2]);
    }
    CLEANUP(mem_freep) char *path = path_under(NULL, "/a");

    ck_assert_str_eq(path, "/a");
}
END_TEST

START_TEST(files_are_written_whole)
{
    CLEANUP(names_free) struct names names = {0};
    struct error err = ERROR_INIT;
    struct stat st;

    ck_assert(file_write_atomic(scratch_path("/f"), span_str("one"), 0640, true, &err));
    ck_assert(file_write_atomic(scratch_path("/f"), span_str("two"), 0600, false, &err));
    check_read("/f", FILE_TRUSTED, "two");
    ck_assert_int_eq(stat(scratch_path("/f"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert(!file_write_atomic(scratch_path("/no/f"), span_str("x"), 0600, false, &err));
    ck_assert_int_eq(err.reason, REASON_NOT_FOUND);
    ck_assert_int_eq(mkdir(scratch_path("/taken"), 0755), 0);
    ck_assert(!file_write_atomic(scratch_path("/taken"), span_str("x"), 0600, false, &err));
    ck_assert(dir_list(scratch_root, NULL, &names, &err));
    ck_assert_uint_eq(names.count, 2); /* and no temporary file is left, not even a hidden one: */
    ck_assert_int_eq(rmdir(scratch_path("/taken")), 0);
    ck_assert_int_eq(unlink(scratch_path("/f")), 0);
    ck_assert_int_eq(rmdir(scratch_root), 0);
    ck_assert_int_eq(mkdir(scratch_root, 0700), 0);
}
END_TEST

START_TEST(descriptors_are_read_to_the_end)
{
    struct buf whole = BUF_INIT(5), endless = BUF_INIT(100000);
    int ends[2], zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert(fd_write_all(ends[1], "abcde", 5));
    (void)close(ends[1]);
    ck_assert(fd_read_all(ends[0], &whole));
    ck_assert(span_eq_str(buf_as_span(&whole), "abcde"));
    ck_assert(fd_read_all(ends[0], &whole)); /* nothing more */
    ck_assert(!fd_read_all(zero, &whole));
    ck_assert_int_eq(errno, EFBIG);
    ck_assert(!fd_read_all(zero, &endless));
    ck_assert_int_eq(errno, EFBIG);
    (void)close(zero);
    (void)close(ends[0]);
    ck_assert(!fd_read_all(-1, &whole));
    ck_assert_int_eq(errno, EBADF);
    ck_assert(span_eq_str(buf_as_span(&whole), "abcde"));
    buf_free(&whole);
    buf_free(&endless);
}
END_TEST

START_TEST(directories_above_are_made)
{
    struct error err = ERROR_INIT;
    struct stat st;

    ck_assert(file_make_above(scratch_path("/one/two/file"), &err));
    ck_assert(file_make_above(scratch_path("/one/two/file"), &err));
    ck_assert(stat(scratch_path("/one/two"), &st) == 0 && S_ISDIR(st.st_mode));
    ck_assert(stat(scratch_path("/one/two/file"), &st) != 0);
    scratch_put("/taken", "");
    ck_assert(!file_make_above(scratch_path("/taken/two/file"), &err));
    ck_assert_int_eq(err.reason, REASON_IO);
    ck_assert_msg(strstr(err.text, "/taken/two") != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_file");
    TCase *cases = tcase_create("file");

    tcase_add_checked_fixture(cases, scratch_begin, scratch_end);
    tcase_add_test(cases, whole_files);
    tcase_add_test(cases, files_that_hide_their_size);
    tcase_add_test(cases, only_regular_files);
    tcase_add_test(cases, files_others_may_write);
    tcase_add_test(cases, directories_others_may_write);
    tcase_add_test(cases, links_are_followed_and_checked);
    tcase_add_test(cases, files_of_other_users);
    tcase_add_test(cases, checks_without_reading);
    tcase_add_test(cases, relative_paths);
    tcase_add_test(cases, odd_names_are_shown_clean);
    tcase_add_test(cases, directories_are_listed);
    tcase_add_test(cases, paths_under_a_root);
    tcase_add_test(cases, files_are_written_whole);
    tcase_add_test(cases, descriptors_are_read_to_the_end);
    tcase_add_test(cases, directories_above_are_made);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
