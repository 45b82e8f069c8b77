/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endorser's clients: who is still speaking, whose request waits for its turn, who is being answered. Nobody is
 * waited for: a request is given to a process of its own only when its head is whole, so that a silent client costs a
 * place in this table and nothing else. When the table is full the one that has been silent longest makes room. The
 * image library has no deadline, so each state here has one.
 *
 * Anybody on this node may connect. Root (CRI-O, podman) may use everything; other users have shares, alone and all
 * together (one user may be many, by user namespaces), so that they can only stand in each other's way.
 */
#ifndef PG_PLUGIN_CRIO_CONNECTIONS_H
#define PG_PLUGIN_CRIO_CONNECTIONS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/buf.h"

enum {
    CONNECTIONS_MAX = 512, /* half of the 1024 descriptors that a service usually has */
    CONNECTIONS_OTHERS = 256,
    CONNECTIONS_USER = 64,
    ANSWERS_MAX = 64, /* processes at once, each with an engine at work */
    ANSWERS_OTHERS = 32,
    ANSWERS_USER = 16,
    HEAD_WAIT_MS = 5000,  /* a client on loopback sends its head at once */
    TURN_WAIT_MS = 30000, /* for one of ANSWERS_MAX to end */
    CLOSE_WAIT_MS = 1000, /* for a refused client to read why: closing on unread bytes would take the answer back */
};

enum connection_state {
    CONNECTION_FREE = 0,
    CONNECTION_READING,
    CONNECTION_READY, /* the head is whole */
    CONNECTION_CLOSING,
};

struct connection {
    enum connection_state state;
    int fd;
    uid_t user;
    int64_t deadline;
    uint64_t order; /* of arrival; of readiness once READY */
    struct buf head;
};

struct connections {
    uid_t owner; /* who counts as root: root, and who runs the endorser */
    uint64_t arrivals;
    struct connection items[CONNECTIONS_MAX];
    struct {
        pid_t pid; /* 0 = free */
        uid_t user;
    } answers[ANSWERS_MAX];
};

/* Takes a descriptor that does not block. One of the same user's or of anybody's may be closed for it, or itself. */
void connections_add(struct connections *connections, int fd, uid_t user, int64_t now);

/* fds: CONNECTIONS_MAX of them. */
void connections_poll(const struct connections *connections, struct pollfd *fds);
/* Milliseconds until something is over; -1 = nothing is. */
int connections_wait_ms(const struct connections *connections, int64_t now);
/* Reads what there is, refuses what is malformed or too late. */
void connections_step(struct connections *connections, const struct pollfd *fds, int64_t now);

/* The request that waits longest among those whose user may have one more answer; NULL when there is none. */
struct connection *connections_next(struct connections *connections);
/* A process answers it now. */
void connections_answered_by(struct connections *connections, struct connection *connection, pid_t pid);
void connections_answer_over(struct connections *connections, pid_t pid);
/* It cannot be answered now. */
void connections_refuse(struct connection *connection, unsigned int status, const char *text, int64_t now);

/* In the process that answers one: closes the others, which live on elsewhere. */
void connections_leave_all_but(struct connections *connections, const struct connection *one);
void connections_done(struct connections *connections);

#endif
