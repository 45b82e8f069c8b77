/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-layer-auth: the program that containers-registries.conf(5) names in additional-layer-store-auth-helper. The
 * image library runs it after the manifest and before the signatures are read, with the reference and the credentials
 * of this pull on stdin. It hands them, unread, to the endorser's socket. Its exit status is ignored by the library, so
 * it can help a pull and never allow one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/crio/control.h"

enum { INPUT_MAX_BYTES = 256 * 1024, SEND_MS = 2000 };

static bool hand_over(const char *root, struct span input, struct error *err)
{
    struct buf message CLEANUP(buf_wipe) = BUF_INIT(INPUT_MAX_BYTES + 64);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd CLEANUP(fd_closep) = -1;
    size_t start = wire_begin(&message, CONTROL_PULL);
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", root ? root : "", CONTROL_SOCKET);

    wire_put(&message, CONTROL_TAG_JSON, input);
    wire_end(&message, start);
    if (len < 0 || (size_t)len >= sizeof(address.sun_path) || !buf_ok(&message))
        return error_set(err, REASON_LIMIT, "the socket's path or the input is too long");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return error_errno(err, REASON_UNAVAILABLE, errno, "%s", address.sun_path);
    return wire_send(fd, buf_as_span(&message), mono_ms() + SEND_MS, err);
}

int main(int argc, char **argv)
{
    struct buf input CLEANUP(buf_wipe) = BUF_INIT(INPUT_MAX_BYTES);
    const char *root = argc == 3 && strcmp(argv[1], "--root") == 0 ? argv[2] : NULL;
    struct error err = ERROR_INIT;

    if (argc != 1 && !root) {
        (void)fputs(
            "usage: pullguard-layer-auth [--root DIR]   (reads the pull's reference and credentials on stdin)\n",
            stderr);
        return 2;
    }
    if (fd_read_all(STDIN_FILENO, &input) && hand_over(root, buf_as_span(&input), &err))
        return 0;
    (void)fprintf(stderr, "pullguard-layer-auth: %s\n", err.text[0] ? err.text : "stdin could not be read");
    return 1;
}
