/* SPDX-License-Identifier: Apache-2.0 */
/* The endorser's table of clients: who waits, who makes room, who is told what; and whose socket is at the end. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "plugin/crio/connections.h"
#include "plugin/crio/peer.h"
#include "tests/unit/harness.h"

enum { OWNER = 7, ALICE = 1000, BOB = 1001 };

static const char request[] = "GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

static struct connections *table;
static struct pollfd fds[CONNECTIONS_MAX];

static void setup(void)
{
    struct rlimit descriptors = {.rlim_cur = 4 * CONNECTIONS_MAX, .rlim_max = 4 * CONNECTIONS_MAX};

    (void)setrlimit(RLIMIT_NOFILE, &descriptors); /* both ends of each */
    table = mem_new(1, sizeof(*table));
    ck_assert_ptr_nonnull(table);
    table->owner = OWNER;
}

static void teardown(void)
{
    connections_done(table);
    mem_free(table);
}

/* A client of that user; returns its end. */
static int client(uid_t user, int64_t now)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    connections_add(table, ends[1], user, now);
    return ends[0];
}

static void step(int64_t now)
{
    connections_poll(table, fds);
    ck_assert_int_ge(poll(fds, CONNECTIONS_MAX, 0), 0);
    connections_step(table, fds, now);
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What the client was told; "" = nothing, and still connected; "-" = cut off. */
static const char *told(int fd)
{
    static char text[4096];
    ssize_t got = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (got == 0)
        return "-";
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static size_t count(enum connection_state state)
{
    size_t found = 0;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        found += table->items[i].state == state;
    return found;
}

START_TEST(silent_clients_delay_nobody)
{
    int silent[CONNECTIONS_MAX], one;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        silent[i] = client(0, 1000);
    one = client(0, 1001);
    say(one, request);
    step(1001);
    ck_assert_ptr_nonnull(connections_next(table));
    ck_assert_int_eq(connections_next(table)->user, 0);
    ck_assert_str_eq(told(silent[0]), "-"); /* the longest silent one made room */
    ck_assert_str_eq(told(silent[1]), "");
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        (void)close(silent[i]);
    (void)close(one);
}
END_TEST

START_TEST(heads_have_a_deadline)
{
    int slow = client(0, 1000), talker = client(0, 1000);

    ck_assert_int_eq(connections_wait_ms(table, 1000), HEAD_WAIT_MS);
    say(slow, "GET /a HT");
    for (int64_t now = 1000; now < 1000 + HEAD_WAIT_MS; now += 500) {
        say(talker, "G"); /* a byte now and then buys no time */
        step(now);
    }
    ck_assert_str_eq(told(slow), "");
    step(1000 + HEAD_WAIT_MS);
    ck_assert(strstr(told(slow), "HTTP/1.1 400 pullguard: no whole request came within 5 s\r\n") != NULL);
    ck_assert(strstr(told(talker), "HTTP/1.1 400 pullguard: no whole request came within 5 s\r\n") != NULL);
    ck_assert_uint_eq(count(CONNECTION_CLOSING), 2);
    step(1000 + HEAD_WAIT_MS + CLOSE_WAIT_MS);
    ck_assert_uint_eq(count(CONNECTION_FREE), CONNECTIONS_MAX);
    ck_assert_int_eq(connections_wait_ms(table, 0), -1);
    (void)close(slow);
    (void)close(talker);
}
END_TEST

START_TEST(malformed_heads_are_told_so)
{
    char header[1024];
    int wrong = client(0, 0), endless = client(0, 0), gone = client(0, 0);

    say(wrong, "POST / HTTP/1.1\r\n\r\n");
    (void)close(gone);
    memset(header, 'x', sizeof(header));
    say(endless, "GET /a HTTP/1.1\r\nX: ");
    for (size_t i = 0; i < 10; i++) {
        if (count(CONNECTION_CLOSING) < 2)
            ck_assert_int_eq(write(endless, header, sizeof(header)), (ssize_t)sizeof(header));
        step(0);
    }
    ck_assert(strstr(told(wrong), "HTTP/1.1 400 pullguard: only GET is answered here\r\n") != NULL);
    ck_assert(strstr(told(endless), "HTTP/1.1 400 pullguard: the request's head is too long\r\n") != NULL);
    ck_assert_uint_eq(count(CONNECTION_FREE), CONNECTIONS_MAX - 2);
    (void)close(wrong);
    (void)close(endless);
    step(0);
    ck_assert_uint_eq(count(CONNECTION_FREE), CONNECTIONS_MAX);
}
END_TEST

/* One user has a share, all users but root another; who goes beyond his displaces his own. */
START_TEST(users_have_shares)
{
    int ends[CONNECTIONS_MAX], root = client(0, 0);
    size_t used = 0;

    for (size_t i = 0; i < CONNECTIONS_USER + 10; i++)
        ends[used++] = client(ALICE, 0);
    ck_assert_uint_eq(count(CONNECTION_READING), CONNECTIONS_USER + 1);
    ck_assert_str_eq(told(ends[0]), "-");
    ck_assert_str_eq(told(ends[9]), "-");
    ck_assert_str_eq(told(ends[10]), "");
    for (size_t i = 0; i < CONNECTIONS_OTHERS; i++)
        ends[used++] = client((uid_t)(BOB + i), 0); /* many users, each with one */
    ck_assert_uint_eq(count(CONNECTION_READING), CONNECTIONS_OTHERS + 1);
    ck_assert_str_eq(told(root), "");
    while (used > 0)
        (void)close(ends[--used]);
    (void)close(root);
}
END_TEST

/* Requests that are whole are not given up for newcomers. */
START_TEST(requests_are_not_displaced)
{
    int ends[CONNECTIONS_USER], late;

    for (size_t i = 0; i < CONNECTIONS_USER; i++) {
        ends[i] = client(ALICE, 0);
        say(ends[i], request);
    }
    step(0);
    ck_assert_uint_eq(count(CONNECTION_READY), CONNECTIONS_USER);
    late = client(ALICE, 0);
    ck_assert(strstr(told(late), "HTTP/1.1 503 pullguard: too many requests wait already\r\n") != NULL);
    ck_assert_uint_eq(count(CONNECTION_READY), CONNECTIONS_USER);
    step(TURN_WAIT_MS);
    ck_assert(strstr(told(ends[0]), "HTTP/1.1 503 pullguard: too many requests at once") != NULL);
    for (size_t i = 0; i < CONNECTIONS_USER; i++)
        (void)close(ends[i]);
    (void)close(late);
}
END_TEST

static size_t answer_all(pid_t first)
{
    struct connection *next;
    size_t started = 0;

    while ((next = connections_next(table)))
        connections_answered_by(table, next, first + (pid_t)started++);
    return started;
}

START_TEST(answers_take_turns)
{
    int ends[100];

    for (size_t i = 0; i < 30; i++)
        ends[i] = client(ALICE, 0);
    for (size_t i = 30; i < 60; i++)
        ends[i] = client((uid_t)(BOB + i), 0);
    for (size_t i = 60; i < 100; i++)
        ends[i] = client(i % 2 ? 0 : OWNER, 0);
    for (size_t i = 0; i < 100; i++)
        say(ends[i], request);
    step(0);
    /* 16 of alice's, 16 of the others', and root's 32 beside them: 64. */
    ck_assert_uint_eq(answer_all(1), ANSWERS_MAX);
    ck_assert_ptr_null(connections_next(table));
    connections_answer_over(table, 1); /* alice's */
    ck_assert_int_eq(connections_next(table)->user, ALICE);
    ck_assert_uint_eq(answer_all(1), 1);
    connections_answer_over(table, ANSWERS_MAX); /* one of root's, who may take it and the others may not */
    ck_assert(connections_next(table)->user == 0 || connections_next(table)->user == OWNER);
    connections_answer_over(table, 99999);
    for (size_t i = 0; i < 100; i++)
        (void)close(ends[i]);
}
END_TEST

START_TEST(knows_its_peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ours, theirs;
    uid_t user = 4711;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (geteuid() == 0)
        ck_assert_int_eq(fchown(theirs, 1234, (gid_t)-1), 0); /* the socket's owner is what the kernel tells */
    ck_assert_int_eq(connect(theirs, (struct sockaddr *)&address, sizeof(address)), 0);
    ours = accept(listener, NULL, NULL);
    if (peer_user(ours, &user)) /* not every kernel has the interface */
        ck_assert_uint_eq(user, geteuid() == 0 ? 1234 : geteuid());
    ck_assert(!peer_user(listener, &user));
    /* Of a socket that was closed the kernel tells user 0: whoever hangs up would be root. */
    (void)close(theirs);
    user = 4711;
    ck_assert(!peer_user(ours, &user));
    ck_assert_uint_eq(user, 4711);
    (void)close(ours);
    (void)close(listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_connections");
    TCase *cases = tcase_create("connections");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, silent_clients_delay_nobody);
    tcase_add_test(cases, heads_have_a_deadline);
    tcase_add_test(cases, malformed_heads_are_told_so);
    tcase_add_test(cases, users_have_shares);
    tcase_add_test(cases, requests_are_not_displaced);
    tcase_add_test(cases, answers_take_turns);
    tcase_add_test(cases, knows_its_peer);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
