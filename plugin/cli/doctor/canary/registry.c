/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/canary/registry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "plugin/crio/http.h"

/* A client that says nothing is dropped; runtimes open a handful of connections. */
enum { CONNECTIONS_MAX = 32, CONNECTION_MS = 10000, ANSWER_MAX_BYTES = 32 * 1024, BACKLOG = 32, LISTENER = 0 };

struct connection {
    int fd; /* -1 = free */
    int64_t deadline;
    bool answering;
    struct buf head;
    struct buf answer;
    size_t sent;
};

void canary_registry_done(struct canary_registry *registry)
{
    child_kill(&registry->child);
    for (size_t i = 0; i < registry->count; i++)
        canary_image_done(&registry->images[i]);
    if (registry->seen != NULL)
        (void)munmap(registry->seen, CANARY_IMAGES_MAX * sizeof(*registry->seen));
    fd_closep(&registry->fd);
    *registry = (struct canary_registry){ .fd = -1, .child = { .pidfd = -1 } };
}

bool canary_registry_listen(struct canary_registry *registry, uint16_t port, struct error *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    socklen_t len = sizeof(address);
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    void *shared;
    int yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return error_errno(err, REASON_IO, errno, "listening on 127.0.0.1:%u", port);
    shared = mmap(NULL, CANARY_IMAGES_MAX * sizeof(*registry->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                  -1, 0);
    if (shared == MAP_FAILED)
        return error_oom(err);
    registry->seen = shared;
    registry->port = ntohs(address.sin_port);
    registry->fd = TAKE_FD(fd);
    return true;
}

/* ---- in the child ---------------------------------------------------------------------------------------------- */

static void respond(struct connection *connection, bool head_only, const char *status, const char *type,
                    const char *digest, struct span body)
{
    buf_printf(&connection->answer,
               "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n"
               "Docker-Distribution-Api-Version: registry/2.0\r\n",
               status, type, body.len);
    if (digest != NULL)
        buf_printf(&connection->answer, "Docker-Content-Digest: %s\r\n", digest);
    buf_str(&connection->answer, "\r\n");
    if (!head_only)
        buf_span(&connection->answer, body);
}

static void respond_blob(struct connection *connection, bool head_only, const char *type,
                         const struct canary_blob *blob)
{
    respond(connection, head_only, "200 OK", type, blob->digest, buf_as_span(&blob->bytes));
}

/* What is below /v2/REPOSITORY of one image; false = not there. */
static bool answer_image(struct canary_registry *registry, size_t index, struct connection *connection, bool head_only,
                         struct span rest)
{
    const struct canary_image *image = &registry->images[index];
    struct canary_seen *seen = &registry->seen[index];

    if (span_starts(rest, "/manifests/")) {
        rest = span_cut(rest, strlen("/manifests/"), SIZE_MAX);
        if (!span_eq_str(rest, CANARY_TAG) && !span_eq_str(rest, image->manifest.digest))
            return false; /* no signature lies here under any name */
        seen->manifests++;
        respond_blob(connection, head_only, "application/vnd.oci.image.manifest.v1+json", &image->manifest);
        return true;
    }
    if (!span_starts(rest, "/blobs/"))
        return false;
    rest = span_cut(rest, strlen("/blobs/"), SIZE_MAX);
    if (!span_eq_str(rest, image->config.digest) && !span_eq_str(rest, image->layer.digest))
        return false;
    if (!head_only)
        seen->blobs++;
    respond_blob(connection, head_only, "application/octet-stream",
                 span_eq_str(rest, image->config.digest) ? &image->config : &image->layer);
    return true;
}

static void answer(struct canary_registry *registry, struct connection *connection, const struct http_request *request)
{
    struct span target = span_cut(request->target, 0, span_find_byte(request->target, '?'));
    static const char unknown[] = "{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"not here\"}]}";

    if (span_eq_str(target, "/v2/") || span_eq_str(target, "/v2")) {
        respond(connection, request->head_only, "200 OK", "application/json", NULL, span_str("{}"));
        return;
    }
    target = span_starts(target, "/v2/") ? span_cut(target, 4, SIZE_MAX) : span_str("");
    for (size_t i = 0; i < registry->count; i++)
        if (span_starts(target, registry->images[i].repository) &&
            answer_image(registry, i, connection, request->head_only,
                         span_cut(target, strlen(registry->images[i].repository), SIZE_MAX)))
            return;
    respond(connection, request->head_only, "404 Not Found", "application/json", NULL, span_str(unknown));
}

static void drop(struct connection *connection)
{
    fd_closep(&connection->fd);
    connection->fd = -1;
    buf_clear(&connection->head);
    buf_clear(&connection->answer);
    connection->answering = false;
    connection->sent = 0;
}

/* false = nothing more is to be had from it. */
static bool read_request(struct canary_registry *registry, struct connection *connection)
{
    struct http_request request = { 0 };
    struct error ignored = ERROR_INIT;
    uint8_t chunk[1024];
    bool done = false;
    ssize_t got = recv(connection->fd, chunk, sizeof(chunk), 0);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got <= 0)
        return false;
    buf_append(&connection->head, chunk, (size_t)got);
    if (!buf_ok(&connection->head))
        return false;
    if (!http_parse_request(buf_as_span(&connection->head), &done, &request, &ignored))
        respond(connection, false, "400 Bad Request", "text/plain", NULL, span_str(""));
    else if (done)
        answer(registry, connection, &request);
    else
        return true;
    connection->answering = buf_ok(&connection->answer);
    return connection->answering;
}

static bool write_answer(struct connection *connection)
{
    struct span rest = span_cut(buf_as_span(&connection->answer), connection->sent, SIZE_MAX);
    ssize_t wrote = send(connection->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

    if (wrote < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (wrote <= 0)
        return false;
    connection->sent += (size_t)wrote;
    if (connection->sent < connection->answer.len)
        return true;
    (void)shutdown(connection->fd, SHUT_WR);
    return false;
}

static void accept_one(struct connection *connections)
{
    int fd = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (connections[i].fd < 0) {
            connections[i].fd = fd;
            connections[i].deadline = mono_ms() + CONNECTION_MS;
            return;
        }
    close(fd);
}

static void serve_connection(struct canary_registry *registry, struct connection *connection, short events)
{
    bool alive = mono_ms() < connection->deadline;

    if (alive && events != 0)
        alive = connection->answering ? write_answer(connection) : read_request(registry, connection);
    if (!alive)
        drop(connection);
}

static void loop(struct canary_registry *registry, struct connection *connections)
{
    for (;;) {
        struct pollfd waits[CONNECTIONS_MAX + 1] = { { .fd = LISTENER, .events = POLLIN } };

        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            waits[i + 1] = (struct pollfd){ .fd = connections[i].fd,
                                            .events = connections[i].answering ? POLLOUT : POLLIN };
        if (poll(waits, ARRAY_LEN(waits), CONNECTION_MS) < 0 && errno != EINTR)
            return;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (connections[i].fd >= 0)
                serve_connection(registry, &connections[i], waits[i + 1].revents);
        if (waits[0].revents != 0)
            accept_one(connections);
    }
}

static _Noreturn void child(struct canary_registry *registry, const struct sandbox *sandbox)
{
    static struct connection connections[CONNECTIONS_MAX];
    struct error err = ERROR_INIT;
    sigset_t none;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        connections[i] = (struct connection){ .fd = -1,
                                              .head = BUF_INIT(HTTP_HEAD_BYTES + 1024),
                                              .answer = BUF_INIT(ANSWER_MAX_BYTES) };
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGINT, SIG_IGN); /* the terminal's; our parent ends us when it has cleaned up */
    if (dup2(registry->fd, LISTENER) < 0)
        _exit(1);
    close_from(LISTENER + 1);
    if (!sandbox_enter(SANDBOX_LISTENER, sandbox, &err))
        _exit(1);
    loop(registry, connections);
    _exit(0);
}

bool canary_registry_serve(struct canary_registry *registry, const struct sandbox *sandbox, struct error *err)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return error_errno(err, REASON_INTERNAL, errno, "fork");
    if (pid == 0)
        child(registry, sandbox);
    child_adopt(&registry->child, pid);
    fd_closep(&registry->fd); /* when the child dies nobody listens any more */
    registry->fd = -1;
    return true;
}
