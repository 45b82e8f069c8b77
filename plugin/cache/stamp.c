/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cache/stamp.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/wire.h"
#include "config.h"
#include "plugin/cache/format.h"

enum { TAG_VERSION = 1, TAG_FINGERPRINT = 2, TAG_ENGINE_ONLY = 3, TAG_FILE = 4 };

/* How a path is compared. */
enum kind {
    KIND_ABSENT = 1, /* must still be missing */
    KIND_WHOLE = 2,  /* same inode, size, times, owner, mode: content and, for a directory, its names are unchanged */
    KIND_ABOVE = 3,  /* a directory above: same inode, owner, mode; what happens in it does not matter */
};

/* Change times of file systems advance in ticks; a later change within this time could leave no trace. */
enum { RECENT_SECONDS = 2 };

/* Without padding, whose bytes are anything: mark_of() goes over all of them. */
struct identity {
    uint64_t device, inode, size, changed_ns, modified_ns;
    uint32_t mode, uid, gid, zero;
};
static_assert(sizeof(struct identity) == 5 * sizeof(uint64_t) + 4 * sizeof(uint32_t), "padding in struct identity");

static uint64_t nanoseconds(const struct timespec *at)
{
    return (uint64_t)at->tv_sec * 1000000000U + (uint64_t)at->tv_nsec;
}

static void identify(const struct stat *status, enum kind kind, struct identity *ret)
{
    *ret = (struct identity){.device = status->st_dev,
                             .inode = status->st_ino,
                             .mode = status->st_mode,
                             .uid = status->st_uid,
                             .gid = status->st_gid};
    if (kind == KIND_WHOLE) {
        ret->size = (uint64_t)status->st_size;
        ret->changed_ns = nanoseconds(&status->st_ctim);
        ret->modified_ns = nanoseconds(&status->st_mtim);
    }
}

/* kind, identity, path: a record of fixed fields in front, so that reading is cheap. */
static void put_file(struct buf *buf, enum kind kind, const struct identity *identity, const char *path)
{
    size_t nested = wire_open(buf, TAG_FILE);

    buf_byte(buf, (uint8_t)kind);
    buf_u64(buf, identity->device);
    buf_u64(buf, identity->inode);
    buf_u64(buf, identity->size);
    buf_u64(buf, identity->changed_ns);
    buf_u64(buf, identity->modified_ns);
    buf_u32(buf, identity->mode);
    buf_u32(buf, identity->uid);
    buf_u32(buf, identity->gid);
    buf_str(buf, path);
    buf_byte(buf, 0);
    wire_close(buf, nested);
}

static bool file_unchanged(struct span record)
{
    struct reader reader = reader_of(record);
    enum kind kind = (enum kind)read_u8(&reader);
    struct identity then, now;
    struct stat status;
    const char *path;

    then.device = read_u64(&reader);
    then.inode = read_u64(&reader);
    then.size = read_u64(&reader);
    then.changed_ns = read_u64(&reader);
    then.modified_ns = read_u64(&reader);
    then.mode = read_u32(&reader);
    then.uid = read_u32(&reader);
    then.gid = read_u32(&reader);
    if (reader.failed || reader.rest.len < 2 || span_find_byte(reader.rest, 0) != reader.rest.len - 1)
        return false;
    path = (const char *)reader.rest.ptr;
    if (stat(path, &status) != 0)
        return kind == KIND_ABSENT && errno == ENOENT;
    if (kind != KIND_WHOLE && kind != KIND_ABOVE)
        return false;
    identify(&status, kind, &now);
    return then.device == now.device && then.inode == now.inode && then.size == now.size &&
           then.changed_ns == now.changed_ns && then.modified_ns == now.modified_ns && then.mode == now.mode &&
           then.uid == now.uid && then.gid == now.gid;
}

static bool names_has(const struct names *names, const char *name)
{
    for (size_t i = names->count; i > 0; i--) /* neighbours share directories: the last ones first */
        if (strcmp(names->items[i - 1], name) == 0)
            return true;
    return false;
}

/* The directories that really lie above a path, symbolic links resolved. */
static bool add_above(struct buf *buf, struct names *seen, const char *path, struct error *err)
{
    char real[PATH_MAX];
    struct identity identity;
    struct stat status;
    char *slash;

    if (!realpath(path, real))
        return true; /* an absent file; the directory it is missing from is recorded itself */
    while ((slash = strrchr(real, '/')) != NULL) {
        slash[slash == real ? 1 : 0] = '\0';
        if (names_has(seen, real))
            return true;
        if (!names_add(seen, real))
            return error_oom(err);
        if (stat(real, &status) != 0)
            return error_errno(err, REASON_IO, errno, "%s", real);
        identify(&status, KIND_ABOVE, &identity);
        put_file(buf, KIND_ABOVE, &identity, real);
        if (slash == real)
            return true;
    }
    return true;
}

/* 0 = not there. */
static uint64_t mark_of(const struct identity *identity)
{
    return format_hash(span_of(identity, sizeof(*identity))) | 1;
}

bool consulted_add(struct consulted *consulted, const char *path, struct error *err)
{
    struct identity identity;
    struct stat status;
    uint64_t mark = 0;

    if (stat(path, &status) == 0) {
        identify(&status, KIND_WHOLE, &identity);
        mark = mark_of(&identity);
    }
    if (!mem_grow(&consulted->marks, &consulted->capacity, consulted->paths.count, sizeof(*consulted->marks),
                  SIZE_MAX / 2) ||
        !names_add(&consulted->paths, path))
        return error_oom(err);
    consulted->marks[consulted->paths.count - 1] = mark;
    return true;
}

void consulted_done(struct consulted *consulted)
{
    names_free(&consulted->paths);
    mem_free(consulted->marks);
    *consulted = (struct consulted){0};
}

static bool add_file(struct buf *buf, const struct consulted *consulted, size_t number, struct error *err)
{
    const char *path = consulted->paths.items[number];
    struct identity identity = {0};
    struct stat status;
    bool there = stat(path, &status) == 0;

    if (!there && errno != ENOENT)
        return error_errno(err, REASON_IO, errno, "%s", path);
    if (there)
        identify(&status, KIND_WHOLE, &identity);
    if (consulted->marks[number] != (there ? mark_of(&identity) : 0))
        return error_set(err, REASON_UNSUPPORTED, "%s changed while it was read", path);
    if (there && status.st_ctim.tv_sec >= consulted->began - RECENT_SECONDS)
        return error_set(err, REASON_UNSUPPORTED, "%s changed just now", path);
    put_file(buf, there ? KIND_WHOLE : KIND_ABSENT, &identity, path);
    return true;
}

bool stamp_make(const struct consulted *consulted, const char *fingerprint, bool engine_only, struct buf *ret,
                struct error *err)
{
    CLEANUP(names_free) struct names seen = {0};
    size_t start = wire_begin(ret, FORMAT_STAMP);

    wire_put_str(ret, TAG_VERSION, PG_VERSION);
    wire_put_str(ret, TAG_FINGERPRINT, fingerprint);
    wire_put_u32(ret, TAG_ENGINE_ONLY, engine_only ? 1 : 0);
    for (size_t i = 0; i < consulted->paths.count; i++)
        if (!add_file(ret, consulted, i, err) || !add_above(ret, &seen, consulted->paths.items[i], err))
            return false;
    wire_end(ret, start);
    format_seal(ret);
    return buf_ok(ret) || error_set(err, REASON_LIMIT, "the stamp is too long");
}

bool stamp_holds(struct span bytes, struct stamp *ret)
{
    struct wire_message message;
    struct stamp stamp = {0};
    struct reader records;
    struct span value;
    uint32_t engine_only = 0;
    bool version = false;
    uint16_t tag;

    if (!format_open(bytes, FORMAT_STAMP, &message))
        return false;
    records = reader_of(message.records);
    while (wire_next(&records, &tag, &value)) {
        if (tag == TAG_VERSION)
            version = span_eq_str(value, PG_VERSION);
        else if (tag == TAG_FINGERPRINT)
            stamp.fingerprint = value;
        else if (tag == TAG_ENGINE_ONLY && !wire_u32(value, &engine_only))
            return false;
        else if (tag == TAG_FILE && !file_unchanged(value))
            return false;
    }
    stamp.engine_only = engine_only != 0;
    if (records.failed || !version || stamp.fingerprint.len == 0)
        return false;
    *ret = stamp;
    return true;
}
