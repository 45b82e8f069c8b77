/* SPDX-License-Identifier: Apache-2.0 */
/* Starting one program and never losing it: no zombie, no stray kill. libc only; used by the hook and the engine. */
#ifndef PG_PLUGIN_PROCESS_H
#define PG_PLUGIN_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/error.h"

/* A process of ours that has not been reaped. {0} = none. */
struct child {
    pid_t pid;  /* 0 = none */
    int pidfd;  /* valid with pid; -1 when the kernel has none */
};

/* The descriptor on which a started program finds the socket to its parent. */
enum { CHILD_SOCKET = 3 };

/*
 * Starts the program at the absolute path with a clean environment, 0 to 2 on /dev/null, `socket` as descriptor 3 and
 * nothing else open, default signals, in our process group. argv[0] included, NULL-terminated.
 */
bool child_spawn(const char *path, char *const argv[], int socket, struct child *ret, struct error *err) MUST_CHECK;

/* Adopts a fork()ed pid. */
void child_adopt(struct child *child, pid_t pid);

/* In a fork()ed child: it ends with its parent (whose getpid() was taken before the fork), however that ends. */
void child_bind(pid_t parent);

/*
 * Waits up to grace_ms for its end, then kills it, and reaps it. Zeroes *child. Returns the wait status as waitpid
 * gives it, or -1 when somebody else in the host process reaped it first.
 */
int child_finish(struct child *child, int grace_ms);
/* child_finish with no grace, for CLEANUP. */
void child_kill(struct child *child);

/*
 * Kills and reaps every child of this process, and, in a subreaper, what comes to it as an orphan meanwhile, for at
 * most patience_ms. Without /proc children are waited for, and not killed.
 */
void children_end(int patience_ms);

/* "ended with status 3", "was killed by signal 9"; returns dst. */
const char *child_fate(int status, char *dst, size_t size);

/* A connected pair of stream sockets, close-on-exec, not blocking: every transfer polls with a deadline. */
bool socket_pair(int *ret_a, int *ret_b, struct error *err) MUST_CHECK;

/* Closes every descriptor from `first` on. */
void close_from(int first);

#endif
