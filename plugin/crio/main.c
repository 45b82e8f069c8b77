/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-endorser: the look-aside signature store of this node, for CRI-O, podman, buildah, skopeo and bootc. Every
 * signature it hands out is an endorsement by the node key, made when the policy allows the image.
 *
 * One process per request, at most MAX_CHILDREN, so that one slow client delays nobody; the listener itself reads only
 * the auth helper's messages, from root. Loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/crio/control.h"
#include "plugin/crio/endorse.h"
#include "plugin/crio/http.h"
#include "plugin/crio/node_key.h"

enum {
    MAX_CHILDREN = 64,       /* as many requests at once; more are told to come back (503) */
    HEAD_WAIT_MS = 5000,     /* a client on loopback sends its head at once */
    CONTROL_WAIT_MS = 500,
    CONTROL_MAX_BYTES = 256 * 1024 + 64,
    RESPONSE_MAX_BYTES = 4 * 1024 * 1024, /* the image library's own limit */
    BACKLOG = 128,
};

struct server {
    struct endorser endorser;
    int http_fd, control_fd, signal_fd;
    unsigned int children;
};

static int fail(const char *text)
{
    (void)fprintf(stderr, "pullguard-endorser: %s\n", text);
    return EXIT_FAILURE;
}

/* "127.0.0.1:14242": IPv4 loopback and a port; anything else would offer this node's word to other machines. */
static bool parse_listen(const char *text, struct sockaddr_in *ret, struct error *err)
{
    struct span span = span_str(text);
    size_t colon = span_find_byte(span, ':');
    char *host CLEANUP(mem_freep) = span_dup(span_cut(span, 0, colon == SIZE_MAX ? 0 : colon));
    uint64_t port = 0;

    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    if (!host || colon == SIZE_MAX || inet_pton(AF_INET, host, &ret->sin_addr) != 1 ||
        (ntohl(ret->sin_addr.s_addr) >> 24) != IN_LOOPBACKNET ||
        !span_to_u64(span_cut(span, colon + 1, SIZE_MAX), 65535, &port) || port == 0)
        return error_set(err, REASON_BAD_REQUEST, "--listen: want 127.x.y.z:PORT (loopback only), found %.100s", text);
    ret->sin_port = htons((uint16_t)port);
    return true;
}

static bool listen_http(const char *text, int *ret, struct error *err)
{
    struct sockaddr_in address;
    int fd CLEANUP(fd_closep) = -1, yes = 1;

    if (!parse_listen(text, &address, err))
        return false;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, BACKLOG) != 0)
        return error_errno(err, REASON_IO, errno, "listening on %s", text);
    *ret = TAKE_FD(fd);
    return true;
}

/* The socket is root's alone (0600): what comes over it is credentials. */
static bool listen_control(const char *root, int *ret, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd CLEANUP(fd_closep) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s", root ? root : "", CONTROL_SOCKET);
    mode_t mask;
    bool bound;

    if (len < 0 || (size_t)len >= sizeof(address.sun_path))
        return error_set(err, REASON_LIMIT, "--root: too long for a socket's path");
    (void)unlink(address.sun_path);
    mask = umask(0177);
    bound = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, BACKLOG) == 0;
    (void)umask(mask);
    if (!bound)
        return error_errno(err, REASON_IO, errno, "%s", address.sun_path);
    *ret = TAKE_FD(fd);
    return true;
}

static bool read_head(int fd, struct buf *head, struct span *ret_target, struct error *err)
{
    int64_t deadline = mono_ms() + HEAD_WAIT_MS;
    bool done = false;

    while (!done) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint8_t chunk[1024];
        ssize_t got;

        if (poll(&wait, 1, deadline_left_ms(deadline)) <= 0)
            return error_set(err, REASON_TIMEOUT, "no request within %d ms", HEAD_WAIT_MS);
        got = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return error_set(err, REASON_UNAVAILABLE, "the client closed the connection");
        buf_append(head, chunk, (size_t)got);
        if (!buf_ok(head))
            return error_set(err, REASON_LIMIT, "the request's head is too long");
        if (!http_parse_head(buf_as_span(head), &done, ret_target, err))
            return false;
    }
    return true;
}

static void send_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        bytes = span_cut(bytes, (size_t)sent, SIZE_MAX);
    }
}

static void serve_request(struct server *server, int fd)
{
    struct buf head CLEANUP(buf_free) = BUF_INIT(HTTP_HEAD_BYTES + 1024);
    struct buf response CLEANUP(buf_free) = BUF_INIT(RESPONSE_MAX_BYTES);
    struct timeval send_limit = {.tv_sec = HEAD_WAIT_MS / 1000};
    struct error err = ERROR_INIT;
    struct span target = {NULL, 0};

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof(send_limit));
    if (read_head(fd, &head, &target, &err))
        endorse(&server->endorser, target, &response);
    else
        http_respond(&response, 400, err.text, span_str(""));
    if (buf_ok(&response))
        send_all(fd, buf_as_span(&response));
}

static void run_child(struct server *server, int fd)
{
    sigset_t none;

    (void)close(server->http_fd);
    (void)close(server->control_fd);
    (void)close(server->signal_fd);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_request(server, fd);
    _exit(EXIT_SUCCESS);
}

static void refuse_busy(int fd)
{
    struct buf response CLEANUP(buf_free) = BUF_INIT(1024);

    http_respond(&response, 503, "pullguard: too many requests at once", span_str(""));
    if (buf_ok(&response))
        send_all(fd, buf_as_span(&response));
}

static void accept_http(struct server *server)
{
    int fd CLEANUP(fd_closep) = accept4(server->http_fd, NULL, NULL, SOCK_CLOEXEC);
    pid_t pid;

    if (fd < 0)
        return;
    if (server->children >= MAX_CHILDREN) {
        refuse_busy(fd);
        return;
    }
    pid = fork();
    if (pid == 0)
        run_child(server, fd);
    if (pid > 0)
        server->children++;
    else
        refuse_busy(fd);
}

static bool read_control(int fd, struct pull *ret, struct error *err)
{
    struct buf message CLEANUP(buf_wipe) = BUF_INIT(CONTROL_MAX_BYTES);
    struct wire_message parsed;
    struct reader records;
    uint16_t tag = 0;
    struct span json;

    if (!wire_receive(fd, CONTROL_MAX_BYTES, mono_ms() + CONTROL_WAIT_MS, &message, err) ||
        !wire_parse(buf_as_span(&message), &parsed, err))
        return false;
    records = reader_of(parsed.records);
    if (parsed.type != CONTROL_PULL || !wire_next(&records, &tag, &json) || tag != CONTROL_TAG_JSON)
        return error_set(err, REASON_MALFORMED, "not a message of the auth helper");
    return pull_parse(json, ret, err);
}

static void accept_control(struct server *server)
{
    int fd CLEANUP(fd_closep) = accept4(server->control_fd, NULL, NULL, SOCK_CLOEXEC);
    struct pull pull CLEANUP(pull_done) = {0};
    struct error err = ERROR_INIT;
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return;
    if (peer.uid != 0 && peer.uid != geteuid())
        return;
    if (read_control(fd, &pull, &err))
        pulls_add(&server->endorser.pulls, &pull, mono_ms());
    else
        (void)fprintf(stderr, "pullguard-endorser: auth helper: %s\n", err.text);
}

/* Children that ended, and whether we were asked to stop. */
static bool read_signals(struct server *server)
{
    struct signalfd_siginfo info;
    bool stop = false;

    while (read(server->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        stop = stop || info.ssi_signo != SIGCHLD;
    while (server->children > 0 && waitpid(-1, NULL, WNOHANG) > 0)
        server->children--;
    return stop;
}

static void serve(struct server *server)
{
    bool stop = false;

    while (!stop) {
        struct pollfd waits[] = {{.fd = server->signal_fd, .events = POLLIN},
                                 {.fd = server->control_fd, .events = POLLIN},
                                 {.fd = server->http_fd, .events = POLLIN}};

        if (poll(waits, ARRAY_LEN(waits), -1) < 0 && errno != EINTR)
            return;
        if (waits[0].revents)
            stop = read_signals(server);
        if (waits[1].revents) /* before HTTP: the helper speaks before the request it helps */
            accept_control(server);
        if (waits[2].revents)
            accept_http(server);
    }
}

static bool catch_signals(int *ret, struct error *err)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return error_errno(err, REASON_INTERNAL, errno, "blocking signals");
    *ret = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret >= 0 || error_errno(err, REASON_INTERNAL, errno, "signalfd");
}

static int run(const char *root, const char *listen_text)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct server *server = mem_new(1, sizeof(*server)); /* the table of pulls is too large for the stack */
    struct error err = ERROR_INIT;

    if (!server)
        return fail("out of memory");
    server->http_fd = server->control_fd = server->signal_fd = -1;
    (void)prctl(PR_SET_DUMPABLE, 0); /* the node key and credentials stay out of core files */
    if (node_key_open(root, &key, &err) && catch_signals(&server->signal_fd, &err) &&
        listen_control(root, &server->control_fd, &err) && listen_http(listen_text, &server->http_fd, &err)) {
        server->endorser.root = root;
        server->endorser.node_key = key;
        serve(server);
        err.text[0] = '\0';
    }
    fd_closep(&server->http_fd);
    fd_closep(&server->control_fd);
    fd_closep(&server->signal_fd);
    pulls_done(&server->endorser.pulls);
    mem_free(server);
    return err.text[0] ? fail(err.text) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *root = NULL, *listen_text = "127.0.0.1:14242";

    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("pullguard-endorser " PG_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--root") == 0)
            root = argv[i + 1];
        else if (i + 1 < argc && strcmp(argv[i], "--listen") == 0)
            listen_text = argv[i + 1];
        else
            return fail("usage: pullguard-endorser [--root DIR] [--listen 127.0.0.1:PORT]");
    }
    return run(root, listen_text);
}
