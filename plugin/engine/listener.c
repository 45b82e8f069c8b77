/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "config.h"

enum { BACKLOG = 128 };

/* A path that is too long or taken by a living engine is an error; a dead engine's socket is replaced. */
int listener_make(const char *root)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(mem_freep) char *directory = path_under(root, PG_RUNDIR);
    int printed = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s/engine.sock", root, PG_RUNDIR);
    int fd;

    if (!directory || printed < 0 || (size_t)printed >= sizeof(address.sun_path))
        return -1;
    *strrchr(directory, '/') = '\0'; /* a --root may have no /run yet */
    (void)mkdir(directory, 0755);
    directory[strlen(directory)] = '/';
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0) {
        (void)close(fd);
        errno = EADDRINUSE;
        return -1;
    }
    (void)unlink(address.sun_path);
    if (bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0 &&
        chmod(address.sun_path, 0600) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Root, or whoever runs this engine; nobody else may make it speak to registries. */
bool listener_welcomes(int client)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}
