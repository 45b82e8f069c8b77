/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recorder/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/tree.h"
#include "crypto/digest.h"
#include "plugin/recorder/line.h"

enum { LINE_MAX_BYTES = 64 * 1024, LOCK_WAIT_MS = 100, LOCK_PAUSE_US = 2000, CLOCK_STEP_SECONDS = 5 };

static bool hash_line(struct span line, char ret[AUDIT_HASH_BYTES], struct error *err)
{
    struct digest digest;

    if (!digest_compute(DIGEST_SHA256, line, &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 fails");
    hex_encode(span_of(digest.bytes, digest_size(DIGEST_SHA256)), ret);
    return true;
}

/* seq, time and prev of one line; the head's hash becomes the line's own. */
static bool read_line(struct span line, struct audit_head *ret, char ret_prev[AUDIT_HASH_BYTES], struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct audit_head head = {0};
    const struct node *prev, *when;
    int64_t seq = 0;

    if (!json_parse(line, "audit line", TREE_NO_PLACES, &tree, err) || !hash_line(line, head.hash, err))
        return false;
    prev = node_get(tree_root(tree), "prev");
    when = node_get(tree_root(tree), "time");
    if (!node_int(node_get(tree_root(tree), "seq"), false, &seq) || seq < 1 || !node_is(prev, NODE_STRING) ||
        prev->text.len >= AUDIT_HASH_BYTES || !node_is(when, NODE_STRING) || !time_parse(when->text, &head.time, NULL))
        return error_set(err, REASON_MALFORMED, "audit line: seq, time or prev is missing");
    head.seq = (uint64_t)seq;
    memset(ret_prev, 0, AUDIT_HASH_BYTES);
    if (prev->text.len > 0)
        memcpy(ret_prev, prev->text.ptr, prev->text.len);
    *ret = head;
    return true;
}

/* The last line of an open file; a torn one (a crash, a full disk) is passed over. None: seq stays 0. *ret_torn: the
 * file does not end with a whole line. */
static bool read_head(int fd, struct audit_head *ret, bool *ret_torn, struct error *err)
{
    CLEANUP(buf_free) struct buf tail = BUF_INIT(2 * LINE_MAX_BYTES);
    struct error unread = ERROR_INIT;
    char prev[AUDIT_HASH_BYTES];
    struct stat status;
    struct span rest;
    off_t from;
    ssize_t got;

    *ret_torn = false;
    if (fstat(fd, &status) != 0)
        return error_errno(err, REASON_IO, errno, "audit log");
    if (status.st_size == 0)
        return true;
    from = status.st_size > 2 * LINE_MAX_BYTES ? status.st_size - 2 * LINE_MAX_BYTES : 0;
    if (!buf_reserve(&tail, (size_t)(status.st_size - from)))
        return error_oom(err);
    got = pread(fd, tail.ptr, tail.len, from);
    if (got != (ssize_t)tail.len)
        return error_set(err, REASON_IO, "audit log: cannot be read");
    rest = buf_as_span(&tail);
    *ret_torn = rest.ptr[rest.len - 1] != '\n';
    while (rest.len > 0) {
        size_t start;

        while (rest.len > 0 && rest.ptr[rest.len - 1] == '\n')
            rest.len--;
        for (start = rest.len; start > 0 && rest.ptr[start - 1] != '\n'; start--)
            ;
        if (rest.len > start && read_line(span_cut(rest, start, rest.len - start), ret, prev, &unread))
            return true;
        rest.len = start;
    }
    return true;
}

static bool lock(int fd, const char *path, int64_t deadline, struct error *err)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (deadline_left_ms(deadline) == 0)
            return error_set(err, REASON_TIMEOUT, "%s: another process holds it", path);
        (void)usleep(LOCK_PAUSE_US);
    }
    return true;
}

/* Where a rotated predecessor ended; nothing when there is none. Whoever still writes to it is waited for. */
static bool read_predecessor(const char *path, struct audit_head *head, struct error *err)
{
    CLEANUP(mem_freep) char *older = mem_printf("%s.1", path);
    CLEANUP(fd_closep) int fd = older ? open(older, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    struct error ignored = ERROR_INIT;
    bool torn;

    if (!older)
        return error_oom(err);
    if (fd < 0)
        return true;
    if (!lock(fd, older, mono_ms() + LOCK_WAIT_MS, err))
        return false;
    if (!read_head(fd, head, &torn, &ignored)) /* a chain of its own begins, and audit verify shows it */
        *head = (struct audit_head){0};
    return true;
}

/* The kernel's number of this boot: a clock that jumps at a reboot is told from one that was set. */
static void put_boot(struct json_out *out)
{
    CLEANUP(fd_closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[37] = "";

    if (fd >= 0 && read(fd, text, sizeof(text) - 1) == sizeof(text) - 1)
        json_put_str(out, "boot", text);
}

static void compose(struct buf *line, const struct audit_head *head, bool torn, const struct record *record)
{
    struct json_out out = json_out_to(line);
    char now[TIME_TEXT_BYTES], host[65] = "";

    if (torn)
        buf_byte(line, '\n');
    (void)gethostname(host, sizeof(host) - 1);
    json_open_map(&out, NULL);
    json_put_int(&out, "seq", (int64_t)head->seq + 1);
    json_put_str(&out, "time", time_format(time_now(), now));
    put_boot(&out);
    json_put_str(&out, "host", host);
    json_put_str(&out, "event", "decision");
    line_members(&out, record);
    json_put_str(&out, "prev", head->hash);
    json_close_map(&out);
    buf_byte(line, '\n');
}

static int open_log(const char *path)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    CLEANUP(mem_freep) char *directory = NULL;
    char *slash;

    if (fd >= 0 || errno != ENOENT)
        return fd;
    directory = mem_strdup(path);
    slash = directory ? strrchr(directory, '/') : NULL;
    if (!slash)
        return -1;
    *slash = '\0';
    if (mkdir(directory, 0750) != 0)
        return -1;
    return open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
}

/* Is what was opened and locked still what the name says? A rotation may have come between. */
static bool still_there(int fd, const char *path)
{
    struct stat mine, named;

    return fstat(fd, &mine) == 0 && lstat(path, &named) == 0 && mine.st_dev == named.st_dev &&
           mine.st_ino == named.st_ino;
}

static bool open_locked(const char *path, int *ret_fd, struct error *err)
{
    int64_t deadline = mono_ms() + LOCK_WAIT_MS;

    for (;;) {
        CLEANUP(fd_closep) int fd = open_log(path);

        if (fd < 0)
            return error_errno(err, REASON_IO, errno, "%s", path);
        if (!lock(fd, path, deadline, err))
            return false;
        if (still_there(fd, path)) {
            *ret_fd = TAKE_FD(fd);
            return true;
        }
        if (deadline_left_ms(deadline) == 0)
            return error_set(err, REASON_TIMEOUT, "%s: renamed again and again", path);
    }
}

bool audit_append(const char *path, const struct record *record, struct error *err)
{
    CLEANUP(buf_free) struct buf line = BUF_INIT(LINE_MAX_BYTES);
    CLEANUP(fd_closep) int fd = -1;
    struct audit_head head = {0};
    off_t end;
    bool torn = false;

    if (!open_locked(path, &fd, err))
        return false;
    end = lseek(fd, 0, SEEK_END);
    if (!read_head(fd, &head, &torn, err))
        return error_wrap(err, "%s", path);
    if (head.seq == 0 && !read_predecessor(path, &head, err))
        return false;
    compose(&line, &head, torn, record);
    if (!buf_ok(&line))
        return error_oom(err);
    if (write(fd, line.ptr, line.len) == (ssize_t)line.len)
        return true;
    if (end >= 0 && ftruncate(fd, end) != 0) /* a full disk: half a line helps nobody */
        return error_errno(err, REASON_IO, errno, "%s: a line is torn", path);
    return error_set(err, REASON_IO, "%s: no room", path);
}

static bool check_link(const struct audit_head *before, const struct audit_head *line, const char *prev,
                       struct error *err)
{
    if (before->seq > 0 && strcmp(prev, before->hash) != 0)
        return error_set(err, REASON_DIGEST_MISMATCH, "the line before it was changed or removed");
    if (before->seq > 0 && line->seq != before->seq + 1)
        return error_set(err, REASON_MALFORMED, "number %llu follows %llu", (unsigned long long)line->seq,
                         (unsigned long long)before->seq);
    if (before->seq == 0 && line->seq == 1 && prev[0] != '\0')
        return error_set(err, REASON_MALFORMED, "the first line names a predecessor");
    if (line->time + CLOCK_STEP_SECONDS < before->time)
        return error_set(err, REASON_MALFORMED, "the clock went back");
    return true;
}

bool audit_verify(struct span file, struct audit_head *head, size_t *torn, struct error *err)
{
    for (unsigned long number = 1; file.len > 0; number++) {
        size_t end = span_find_byte(file, '\n');
        struct span line = span_cut(file, 0, end);
        struct error unread = ERROR_INIT;
        struct audit_head this = {0};
        char prev[AUDIT_HASH_BYTES];

        file = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(file, end + 1, SIZE_MAX);
        if (end == SIZE_MAX || !read_line(line, &this, prev, &unread)) {
            (*torn)++;
            continue;
        }
        if (!check_link(head, &this, prev, err))
            return error_wrap(err, "line %lu", number);
        *head = this;
    }
    return true;
}
