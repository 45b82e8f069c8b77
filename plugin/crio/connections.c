/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/connections.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "plugin/crio/http.h"

enum { CHUNK_BYTES = 1024, REFUSAL_BYTES = 4096 };

struct load {
    size_t all, others, user;
};

static bool is_root(const struct connections *connections, uid_t user)
{
    return user == 0 || user == connections->owner;
}

static void load_add(struct load *load, const struct connections *connections, uid_t one, uid_t user)
{
    load->all++;
    load->others += !is_root(connections, one);
    load->user += one == user;
}

static bool load_permits(const struct load *load, bool root, size_t all, size_t others, size_t user)
{
    return load->all < all && (root || (load->others < others && load->user < user));
}

static void drop(struct connection *connection)
{
    if (connection->state != CONNECTION_FREE)
        (void)close(connection->fd);
    buf_free(&connection->head);
    *connection = (struct connection){.state = CONNECTION_FREE, .fd = -1};
}

/* The longest silent one: of one user, of all users but root, or of everybody. NULL when all have spoken. */
static struct connection *silent_one(struct connections *connections, const struct load *load, uid_t user)
{
    bool root = is_root(connections, user);
    bool own = !root && load->user >= CONNECTIONS_USER;
    struct connection *found = NULL;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *one = &connections->items[i];

        if ((one->state != CONNECTION_READING && one->state != CONNECTION_CLOSING) || (own && one->user != user) ||
            (!root && is_root(connections, one->user)))
            continue;
        if (!found || one->order < found->order)
            found = one;
    }
    return found;
}

static struct connection *find_place(struct connections *connections, uid_t user)
{
    struct connection *place = NULL;
    struct load load = {0};

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *one = &connections->items[i];

        if (one->state == CONNECTION_FREE)
            place = place ? place : one;
        else
            load_add(&load, connections, one->user, user);
    }
    if (place && load_permits(&load, is_root(connections, user), CONNECTIONS_MAX, CONNECTIONS_OTHERS, CONNECTIONS_USER))
        return place;
    place = silent_one(connections, &load, user);
    if (place)
        drop(place);
    return place;
}

void connections_add(struct connections *connections, int fd, uid_t user, int64_t now)
{
    struct connection spare = {.fd = -1};
    struct connection *place = find_place(connections, user);
    bool full = !place;

    if (full)
        place = &spare;
    *place = (struct connection){.state = CONNECTION_READING, .fd = fd, .user = user, .deadline = now + HEAD_WAIT_MS,
                                 .order = connections->arrivals++,
                                 .head = (struct buf)BUF_INIT(HTTP_HEAD_BYTES + CHUNK_BYTES)};
    if (full) {
        connections_refuse(&spare, 503, "too many requests wait already", now);
        drop(&spare);
    }
}

void connections_poll(const struct connections *connections, struct pollfd *fds)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *one = &connections->items[i];
        bool listens = one->state == CONNECTION_READING || one->state == CONNECTION_CLOSING;

        fds[i] = (struct pollfd){.fd = listens ? one->fd : -1, .events = POLLIN};
    }
}

int connections_wait_ms(const struct connections *connections, int64_t now)
{
    int64_t soonest = INT64_MAX;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (connections->items[i].state != CONNECTION_FREE && connections->items[i].deadline < soonest)
            soonest = connections->items[i].deadline;
    if (soonest == INT64_MAX)
        return -1;
    return soonest <= now ? 0 : (int)(soonest - now < INT_MAX ? soonest - now : INT_MAX);
}

/* The answer is small and the first on this connection: the socket takes it whole, or the client is no client. */
void connections_refuse(struct connection *connection, unsigned int status, const char *text, int64_t now)
{
    struct buf response CLEANUP(buf_free) = BUF_INIT(REFUSAL_BYTES);

    http_refuse(&response, status, text);
    if (buf_ok(&response))
        (void)send(connection->fd, response.ptr, response.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_CLOSING;
    connection->deadline = now + CLOSE_WAIT_MS;
}

static void hear(struct connections *connections, struct connection *one, struct span chunk, int64_t now)
{
    struct error err = ERROR_INIT;
    struct span target;
    bool done = false;

    buf_span(&one->head, chunk);
    if (!buf_ok(&one->head)) {
        connections_refuse(one, 400, "the request's head is too long", now);
    } else if (!http_parse_head(buf_as_span(&one->head), &done, &target, &err)) {
        connections_refuse(one, 400, err.text, now);
    } else if (done) {
        one->state = CONNECTION_READY;
        one->deadline = now + TURN_WAIT_MS;
        one->order = connections->arrivals++;
    }
}

/* One read per turn: nobody is heard twice before everybody was heard once. */
static void read_some(struct connections *connections, struct connection *one, int64_t now)
{
    uint8_t chunk[CHUNK_BYTES];
    ssize_t got = recv(one->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0)
        drop(one);
    else if (one->state == CONNECTION_READING)
        hear(connections, one, span_of(chunk, (size_t)got), now);
}

static void expire(struct connection *one, int64_t now)
{
    if (one->state == CONNECTION_READING)
        connections_refuse(one, 400, "no whole request came within 5 s", now);
    else if (one->state == CONNECTION_READY)
        connections_refuse(one, 503, "too many requests at once, none of them ended within 30 s", now);
    else
        drop(one);
}

void connections_step(struct connections *connections, const struct pollfd *fds, int64_t now)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *one = &connections->items[i];

        if (one->state != CONNECTION_FREE && fds[i].fd == one->fd && fds[i].revents)
            read_some(connections, one, now);
        if (one->state != CONNECTION_FREE && one->deadline <= now)
            expire(one, now);
    }
}

static bool may_be_answered(const struct connections *connections, uid_t user)
{
    struct load load = {0};

    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (connections->answers[i].pid != 0)
            load_add(&load, connections, connections->answers[i].user, user);
    return load_permits(&load, is_root(connections, user), ANSWERS_MAX, ANSWERS_OTHERS, ANSWERS_USER);
}

struct connection *connections_next(struct connections *connections)
{
    struct connection *found = NULL;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *one = &connections->items[i];

        if (one->state == CONNECTION_READY && (!found || one->order < found->order) &&
            may_be_answered(connections, one->user))
            found = one;
    }
    return found;
}

void connections_answered_by(struct connections *connections, struct connection *connection, pid_t pid)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++) {
        if (connections->answers[i].pid != 0)
            continue;
        connections->answers[i].pid = pid;
        connections->answers[i].user = connection->user;
        break;
    }
    drop(connection);
}

void connections_answer_over(struct connections *connections, pid_t pid)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (connections->answers[i].pid == pid)
            connections->answers[i].pid = 0;
}

void connections_leave_all_but(struct connections *connections, const struct connection *one)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (&connections->items[i] != one)
            drop(&connections->items[i]);
}

void connections_done(struct connections *connections)
{
    connections_leave_all_but(connections, NULL);
}
