/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"

enum { FIRST_SOCKET = 3 };

static struct {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    size_t path_len;
    int socket;
    int64_t watchdog_ms;
} manager = {.socket = -1};

static bool number_of(const char *name, uint64_t *ret)
{
    const char *text = secure_getenv(name);

    return text && span_to_u64(span_str(text), INT64_MAX, ret);
}

static bool is_for_us(const char *pid_name)
{
    uint64_t pid = 0;

    return number_of(pid_name, &pid) && pid == (uint64_t)getpid();
}

void notify_init(void)
{
    const char *path = secure_getenv("NOTIFY_SOCKET");
    uint64_t value = 0;

    if (path && (path[0] == '/' || path[0] == '@') && strlen(path) < sizeof(manager.path)) {
        manager.path_len = strlen(path);
        memcpy(manager.path, path, manager.path_len);
        if (path[0] == '@')
            manager.path[0] = '\0'; /* an abstract name */
    }
    if (is_for_us("LISTEN_PID") && number_of("LISTEN_FDS", &value) && value == 1)
        manager.socket = FIRST_SOCKET;
    if ((is_for_us("WATCHDOG_PID") || !secure_getenv("WATCHDOG_PID")) && number_of("WATCHDOG_USEC", &value))
        manager.watchdog_ms = (int64_t)(value / 2000);
}

void notify_send(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(fd_closep) int fd = -1;

    if (manager.path_len == 0)
        return;
    memcpy(address.sun_path, manager.path, manager.path_len);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)(const void *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + manager.path_len)) < 0)
        return; /* the manager will notice by itself */
}

int notify_listen_socket(void)
{
    return manager.socket;
}

int64_t notify_watchdog_ms(void)
{
    return manager.watchdog_ms;
}
