/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One decision: a judge of its own, a fetcher on loan, the client that waits. A session never blocks: it names the
 * descriptors it waits for and is told what happened to them. The one-request engine runs one, the resident one many.
 */
#ifndef PG_PLUGIN_ENGINE_SESSION_H
#define PG_PLUGIN_ENGINE_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "plugin/engine/fetcher.h"
#include "plugin/engine/job.h"
#include "plugin/engine/load.h"
#include "plugin/engine/sandbox.h"
#include "plugin/message.h"
#include "plugin/process.h"

enum { SESSION_POLLFDS = 3, RELAY_CHUNK_BYTES = 64 * 1024 };

struct session {
    const char *root;                   /* borrowed, as the next three */
    const struct engine_config *config;
    const struct sandbox *sandbox;
    struct request *request;
    struct fetcher *fetcher;            /* NULL = none: every want is then a failure */
    int client;                         /* watched for its end only; -1 = nobody to watch */
    enum job_look look;
    struct job_plan
        plan; /* plan.kept is the caller's; with mirrors in it, a deny may deserve a look at the registry itself */
    int64_t deadline;                   /* mono_ms */

    struct child judge;
    int judge_socket;
    struct buf from_judge;              /* a message that is not complete yet */
    struct buf to_fetcher;
    size_t to_fetcher_sent;
    uint8_t
        relay[RELAY_CHUNK_BYTES]; /* from the fetcher to the judge, as it comes: bytes of outside are not parsed here */
    size_t relay_start, relay_end;
    uint32_t ended;                     /* of the jobs sent to the fetcher (plan.job.id), those completely answered */
    uint8_t frame[12];                  /* header of the message that is passing through the relay */
    size_t frame_len;
    size_t frame_left;                  /* bytes of its records still to pass */

    bool heard;                         /* the fetcher has answered something */
    bool lost;                          /* it has ended */

    bool done;
    struct response response;           /* valid when done */
};

/* Forks the judge. On failure the session is done, with a deny. The session is then fed until done. */
void session_start(struct session *session);
/* Fills fds; unused places have fd -1. */
void session_poll(const struct session *session, struct pollfd fds[SESSION_POLLFDS]);
void session_step(struct session *session, const struct pollfd fds[SESSION_POLLFDS]);
/* Ends it with a deny, whatever it is doing. */
void session_fail(struct session *session, enum reason reason, const char *text);
/*
 * After the response: waits until the fetcher has answered everything it was asked, throwing it away, so that another
 * session can have it. False: it has not by the deadline, or is broken; it must be stopped.
 */
bool session_drain(struct session *session, int64_t deadline) MUST_CHECK;
/* Kills what is left of it and frees; the response goes too unless taken. */
void session_done(struct session *session);

#endif
