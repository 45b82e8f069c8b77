/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cache/format.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

enum { CHECKSUM_BYTES = 8 };

uint64_t format_hash(struct span bytes)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.ptr[i]) * 0x100000001b3U;
    return hash;
}

void format_seal(struct buf *buf)
{
    buf_u64(buf, format_hash(buf_as_span(buf)));
}

bool format_open(struct span file, uint16_t type, struct wire_message *ret)
{
    struct error err = ERROR_INIT;
    struct reader end;

    if (file.len < CHECKSUM_BYTES)
        return false;
    end = reader_of(span_cut(file, file.len - CHECKSUM_BYTES, CHECKSUM_BYTES));
    file.len -= CHECKSUM_BYTES;
    return read_u64(&end) == format_hash(file) && wire_parse(file, ret, &err) && ret->type == type;
}

bool format_read(const char *path, struct buf *ret)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat status;
    uint8_t *place;

    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || (status.st_mode & 022) != 0 ||
        (status.st_uid != 0 && status.st_uid != geteuid()) || status.st_size <= 0 ||
        (uint64_t)status.st_size > ret->max)
        return false;
    place = buf_reserve(ret, (size_t)status.st_size);
    return place && read(fd, place, (size_t)status.st_size) == status.st_size;
}
