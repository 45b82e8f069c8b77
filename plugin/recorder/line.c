/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recorder/line.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LINE_MAX_BYTES = 64 * 1024, NAME_MAX_BYTES = 32 };

static void lower(const char *name, char dst[NAME_MAX_BYTES])
{
    size_t i;

    for (i = 0; name[i] && i + 1 < NAME_MAX_BYTES; i++)
        dst[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    dst[i] = '\0';
}

void line_members(struct json_out *out, const struct record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct record_field *field = &record->fields[i];
        char name[NAME_MAX_BYTES];

        lower(field->name, name);
        if (field->number)
            json_put_raw(out, name, span_str(field->value));
        else
            json_put_str(out, name, field->value);
    }
}

/* Has a full disk cut off the last line? The next one must not be lost with it. */
static bool ends_torn(int fd, const char *path)
{
    CLEANUP(fd_closep) int in = -1;
    struct stat status;
    char last = '\n';

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        return false;
    in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return in >= 0 && pread(in, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

bool line_append(const char *path, const struct record *record, struct error *err)
{
    CLEANUP(buf_free) struct buf line = BUF_INIT(LINE_MAX_BYTES);
    struct json_out out = json_out_to(&line);
    CLEANUP(fd_closep) int fd = -1;
    char now[TIME_TEXT_BYTES];
    ssize_t wrote;

    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0)
        return error_errno(err, REASON_IO, errno, "%s", path);
    if (ends_torn(fd, path))
        buf_byte(&line, '\n');
    json_open_map(&out, NULL);
    json_put_str(&out, "time", time_format(time_now(), now));
    line_members(&out, record);
    json_close_map(&out);
    buf_byte(&line, '\n');
    if (!buf_ok(&line))
        return error_oom(err);
    wrote = write(fd, line.ptr, line.len); /* one call: lines of parallel processes do not mix */
    if (wrote == (ssize_t)line.len)
        return true;
    return wrote < 0 ? error_errno(err, REASON_IO, errno, "%s", path) : error_set(err, REASON_IO, "%s: cut off", path);
}
