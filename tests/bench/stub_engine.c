/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stub_engine SOCKET: a resident engine that denies at once, without looking. What is left of a decision is the hook's
 * own cost. Deny, because a stub cannot make an allow: only the judge can.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/wire.h"
#include "plugin/message.h"

enum { WAIT_MS = 5000 };

static bool answer(int fd, struct error *err)
{
    CLEANUP(buf_free) struct buf message = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES);
    CLEANUP(buf_free) struct buf reply = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES);
    char text[] = "no_signature: the stub denies everything";
    struct response response = {.reason = REASON_NO_SIGNATURE, .message = text};
    int64_t deadline = mono_ms() + WAIT_MS;

    if (!wire_receive(fd, LIMIT_HOOK_MESSAGE_BYTES, deadline, &message, err))
        return false;
    response_write(&reply, &response);
    return buf_ok(&reply) && wire_send(fd, buf_as_span(&reply), deadline, err);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path) || listener < 0)
        return 2;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
    if (bind(listener, (const struct sockaddr *)(const void *)&address, sizeof(address)) != 0 ||
        listen(listener, 128) != 0) {
        (void)fprintf(stderr, "stub_engine: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (;;) {
        struct error err = ERROR_INIT;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            continue;
        if (!answer(fd, &err))
            (void)fprintf(stderr, "stub_engine: %s\n", err.text);
        (void)close(fd);
    }
}
