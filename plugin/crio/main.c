/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-endorser: the look-aside signature store of this node, for CRI-O, podman, buildah, skopeo and bootc. Every
 * signature it hands out is an endorsement by the node key, made when the policy allows the image.
 *
 * One process per whole request (connections.h), so that one slow client delays nobody; the listener itself reads
 * heads, and the auth helper's messages from root. Loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include "crypto/init.h"
#include "plugin/crio/connections.h"
#include "plugin/crio/control.h"
#include "plugin/crio/endorse.h"
#include "plugin/crio/http.h"
#include "plugin/crio/node_key.h"
#include "plugin/crio/peer.h"
#include "plugin/engine/notify.h"
#include "plugin/engine/settings.h"
#include "plugin/recorder/journal.h"

enum {
    CONTROL_WAIT_MS = 500,
    CONTROL_MAX_BYTES = 256 * 1024 + 64,
    RESPONSE_MAX_BYTES = 4 * 1024 * 1024, /* the image library's own limit */
    BACKLOG = 128,
    DRAIN_BYTES = 64 * 1024, /* what a client may still say after its request */
};

struct server {
    struct endorser endorser;
    struct connections connections;
    struct privkey *node_key;
    struct stat node_key_file; /* what node_key was read from */
    int http_fd, control_fd, signal_fd;
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
        return error_set(err, REASON_BAD_REQUEST, "listening: want 127.x.y.z:PORT (loopback only), found %.100s", text);
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

/* Until the client closes: an answer is lost when its socket is closed with bytes that were not read. */
static void drain(int fd)
{
    int64_t deadline = mono_ms() + CLOSE_WAIT_MS;
    size_t left = DRAIN_BYTES;
    uint8_t chunk[1024];

    (void)shutdown(fd, SHUT_WR);
    while (left >= sizeof(chunk)) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        if (poll(&wait, 1, deadline_left_ms(deadline)) <= 0 || recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) <= 0)
            return;
        left -= sizeof(chunk);
    }
}

static void serve_request(struct server *server, struct connection *connection)
{
    struct buf response CLEANUP(buf_free) = BUF_INIT(RESPONSE_MAX_BYTES);
    struct timeval send_limit = {.tv_sec = HEAD_WAIT_MS / 1000};
    struct error err = ERROR_INIT;
    struct span target = {NULL, 0};
    bool done = false;

    (void)fcntl(connection->fd, F_SETFL, 0); /* blocking again, with a limit */
    (void)setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof(send_limit));
    if (http_parse_head(buf_as_span(&connection->head), &done, &target, &err) && done)
        endorse(&server->endorser, target, &response);
    else
        http_refuse(&response, 400, err.text);
    if (buf_ok(&response))
        send_all(connection->fd, buf_as_span(&response));
    drain(connection->fd);
}

static void run_child(struct server *server, struct connection *connection)
{
    sigset_t none;

    (void)close(server->http_fd);
    (void)close(server->control_fd);
    (void)close(server->signal_fd);
    connections_leave_all_but(&server->connections, connection);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    journal_speak_for(getppid()); /* a kept verdict is logged from here */
    serve_request(server, connection);
    _exit(EXIT_SUCCESS);
}

/* `pullguard node-key rotate` counts from the next request on. A key that cannot be read leaves the old one in use. */
static void renew_node_key(struct server *server)
{
    struct privkey *key = NULL;
    struct error err = ERROR_INIT;

    if (!node_key_changed(server->endorser.root, &server->node_key_file))
        return;
    if (!node_key_open(server->endorser.root, &key, &err)) {
        (void)fprintf(stderr, "pullguard-endorser: the new node key: %s\n", err.text);
        return;
    }
    privkey_freep(&server->node_key);
    server->node_key = key;
    server->endorser.node_key = key;
}

static void start_answers(struct server *server)
{
    struct connection *next;

    while ((next = connections_next(&server->connections))) {
        pid_t pid;

        renew_node_key(server);
        pid = fork();
        if (pid == 0)
            run_child(server, next);
        if (pid > 0)
            connections_answered_by(&server->connections, next, pid);
        else
            connections_refuse(next, 503, "no process could be started for this request", mono_ms());
    }
}

/* Without the kernel's answer about the peer it counts as nobody's, which is one user more. */
static void accept_http(struct server *server)
{
    int fd = accept4(server->http_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    uid_t user = (uid_t)-1;

    if (fd < 0)
        return;
    (void)peer_user(fd, &user);
    connections_add(&server->connections, fd, user, mono_ms());
}

static bool read_control(int fd, struct pull *ret, struct error *err)
{
    struct buf message CLEANUP(buf_wipe) = BUF_INIT(CONTROL_MAX_BYTES);
    struct reader records;
    uint16_t tag = 0;
    struct span json;

    if (!wire_receive(fd, CONTROL_MAX_BYTES, mono_ms() + CONTROL_WAIT_MS, &message, err) ||
        !wire_records(buf_as_span(&message), CONTROL_PULL, &records, err))
        return false;
    if (!wire_next(&records, &tag, &json) || tag != CONTROL_TAG_JSON)
        return error_set(err, REASON_MALFORMED, "not a message of the auth helper");
    return pull_parse(json, ret, err);
}

static void hear_control(struct server *server, int fd)
{
    struct pull pull CLEANUP(pull_done) = {0};
    struct error err = ERROR_INIT;
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || (peer.uid != 0 && peer.uid != geteuid()))
        return;
    if (read_control(fd, &pull, &err))
        pulls_add(&server->endorser.pulls, &pull, mono_ms());
    else
        (void)fprintf(stderr, "pullguard-endorser: auth helper: %s\n", err.text);
}

/* All that wait: a helper has spoken before the request that it helps, and others may stand in front of it. */
static void accept_control(struct server *server)
{
    int fd;

    while ((fd = accept4(server->control_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        hear_control(server, fd);
        (void)close(fd);
    }
}

/* Children that ended, and whether we were asked to stop. */
static bool read_signals(struct server *server)
{
    struct signalfd_siginfo info;
    bool stop = false;
    pid_t pid;

    while (read(server->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        stop = stop || info.ssi_signo != SIGCHLD;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        connections_answer_over(&server->connections, pid);
    return stop;
}

static void serve(struct server *server)
{
    enum { SIGNALS, CONTROL, HTTP, CLIENTS };
    struct pollfd waits[CLIENTS + CONNECTIONS_MAX] = {[SIGNALS] = {.fd = server->signal_fd, .events = POLLIN},
                                                      [CONTROL] = {.fd = server->control_fd, .events = POLLIN},
                                                      [HTTP] = {.fd = server->http_fd, .events = POLLIN}};
    bool stop = false;

    while (!stop) {
        connections_poll(&server->connections, waits + CLIENTS);
        if (poll(waits, ARRAY_LEN(waits), connections_wait_ms(&server->connections, mono_ms())) < 0 && errno != EINTR)
            return;
        if (waits[SIGNALS].revents)
            stop = read_signals(server);
        connections_step(&server->connections, waits + CLIENTS, mono_ms());
        if (waits[HTTP].revents)
            accept_http(server);
        accept_control(server); /* before the answers */
        start_answers(server);
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

static bool open_node_key(struct server *server, struct error *err)
{
    if (!node_key_open(server->endorser.root, &server->node_key, err))
        return false;
    (void)node_key_changed(server->endorser.root, &server->node_key_file);
    server->endorser.node_key = server->node_key;
    return true;
}

/*
 * --listen, else as the settings say. While those do not load the usual address: the engine then refuses every image,
 * and its reason has to reach somebody.
 */
static char *listen_address(const char *root, const char *given)
{
    struct settings settings CLEANUP(settings_done) = {0};
    struct error err = ERROR_INIT;

    if (given)
        return mem_strdup(given);
    if (settings_load(root, &settings, &err))
        return TAKE_PTR(settings.endorser_listen);
    (void)fprintf(stderr, "pullguard-endorser: %s\n", err.text);
    return settings_default(&settings, &err) ? TAKE_PTR(settings.endorser_listen) : NULL;
}

static int run(const char *root, const char *listen_given)
{
    struct server *server = mem_new(1, sizeof(*server)); /* its tables are too large for the stack */
    char *listen_text CLEANUP(mem_freep) = listen_address(root, listen_given);
    struct error err = ERROR_INIT;

    if (!server || !listen_text) {
        mem_free(server);
        return fail("out of memory");
    }
    server->http_fd = server->control_fd = server->signal_fd = -1;
    (void)prctl(PR_SET_DUMPABLE, 0); /* the node key and credentials stay out of core files */
    server->connections.owner = geteuid();
    server->endorser.root = root;
    if (crypto_init(&err) && open_node_key(server, &err) && catch_signals(&server->signal_fd, &err) &&
        listen_control(root, &server->control_fd, &err) && listen_http(listen_text, &server->http_fd, &err)) {
        notify_send("READY=1");
        serve(server);
        err.text[0] = '\0';
    }
    fd_closep(&server->http_fd);
    fd_closep(&server->control_fd);
    fd_closep(&server->signal_fd);
    pulls_done(&server->endorser.pulls);
    connections_done(&server->connections);
    privkey_freep(&server->node_key);
    mem_free(server);
    return err.text[0] ? fail(err.text) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *root = NULL, *listen_given = NULL;

    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("pullguard-endorser " PG_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--root") == 0)
            root = argv[i + 1];
        else if (i + 1 < argc && strcmp(argv[i], "--listen") == 0)
            listen_given = argv[i + 1];
        else
            return fail("usage: pullguard-endorser [--root DIR] [--listen 127.0.0.1:PORT]");
    }
    notify_init();
    return run(root, listen_given);
}
