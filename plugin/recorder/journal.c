/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's native protocol (systemd's JOURNAL_NATIVE_PROTOCOL): one datagram of KEY=VALUE lines. Written here and
 * not through libsystemd, which brings six further libraries into every cold decision for this one sendto(). Values of
 * records are single lines, so that the protocol's binary form is never needed.
 */
#include "plugin/recorder/journal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum { ENTRY_MAX_BYTES = 64 * 1024, WAIT_MS = 100 };

static pid_t spoken_for; /* 0 = each process for itself */

void journal_speak_for(pid_t service)
{
    spoken_for = service;
}

/* A full socket is waited for briefly: a log must not hold up a pull. */
static bool send_datagram(const char *root, const char *path, struct span bytes, int *ret_errno)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int printed = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", root, path);
    CLEANUP(fd_closep) int fd = -1;
    struct pollfd entry = {.events = POLLOUT};

    *ret_errno = ENAMETOOLONG;
    if (printed < 0 || (size_t)printed >= sizeof(address.sun_path))
        return false;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) != 0) {
        *ret_errno = errno;
        return false;
    }
    if (send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) >= 0)
        return true;
    entry.fd = fd;
    if (errno == EAGAIN && poll(&entry, 1, WAIT_MS) > 0 && send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) >= 0)
        return true;
    *ret_errno = errno;
    return false;
}

static void write_native(struct buf *buf, const struct record *record)
{
    buf_printf(buf, "MESSAGE_ID=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=pullguard\n", record->message_id, record->priority);
    if (spoken_for > 0)
        buf_printf(buf, "OBJECT_PID=%ld\n", (long)spoken_for);
    for (size_t i = 0; i < record->count; i++)
        buf_printf(buf, "%s=%s\n", record->fields[i].name, record->fields[i].value);
}

/* RFC 3164 as local syslog daemons read it: without time and host. */
static void write_syslog(struct buf *buf, const struct record *record)
{
    buf_printf(buf, "<%d>pullguard[%ld]: %s verdict=%s", LOG_DAEMON | record->priority, (long)getpid(),
               record_get(record, "MESSAGE"), record->verdict);
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->fields[i].name, "MESSAGE") != 0 && strcmp(record->fields[i].name, "VERDICT") != 0)
            buf_printf(buf, " %s=\"%s\"", record->fields[i].name, record->fields[i].value);
}

/* Below a root that has no log of its own, the node's: an image that is being prepared does not log for itself. */
static bool send_rooted(const char *root, const char *path, struct span bytes, int *ret_errno)
{
    if (root && root[0] != '\0' && send_datagram(root, path, bytes, ret_errno))
        return true;
    return send_datagram("", path, bytes, ret_errno);
}

bool journal_send(const char *root, const struct record *record, struct error *err)
{
    CLEANUP(buf_free) struct buf native = BUF_INIT(ENTRY_MAX_BYTES);
    CLEANUP(buf_free) struct buf plain = BUF_INIT(ENTRY_MAX_BYTES);
    int code = 0, ignored;

    write_native(&native, record);
    write_syslog(&plain, record);
    if (!buf_ok(&native) || !buf_ok(&plain))
        return error_oom(err);
    if (send_rooted(root, "/run/systemd/journal/socket", buf_as_span(&native), &code) ||
        send_rooted(root, "/dev/log", buf_as_span(&plain), &ignored))
        return true;
    return error_errno(err, REASON_IO, code, "journal");
}
