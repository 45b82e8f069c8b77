/* SPDX-License-Identifier: Apache-2.0 */
/* The fetcher's inside: jobs in flight, their look-ups, and what lives on between jobs. */
#ifndef PG_VERIFIER_FETCH_FETCHER_H
#define PG_VERIFIER_FETCH_FETCHER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verifier/fetch/auth.h"
#include "verifier/fetch/exchange.h"
#include "verifier/fetch/fetch.h"

struct fetcher;
struct running;

/* A token on its way; everybody who needs it waits for the one request. */
struct token_request {
    struct token_request *next;
    struct fetcher *fetcher;
    char *key;     /* auth_token_key; secret */
    char *service; /* host of the token service, for messages */
    char *scope;
    struct exchange exchange;
    uint64_t budget;
};

enum lookup_state {
    LOOKUP_QUEUED = 0,  /* starts, or starts again, when a place is free and resume_at has come */
    LOOKUP_RUNNING,     /* its exchange is with libcurl */
    LOOKUP_WAITS_TOKEN, /* for `waits_for` */
    LOOKUP_DONE
};

/* One want on its way to an answer. */
struct lookup {
    struct running *running;
    const struct want *want;
    const struct fetch_registry *registry;
    size_t endpoint;       /* index of the one being asked */
    enum lookup_state state;
    int64_t resume_at;     /* mono_ms; 0 = at once */
    int64_t endpoint_deadline;
    struct token_request *waits_for;
    struct exchange exchange;

    char *url;             /* of the exchange; NULL = to be made from the want */
    bool own_host;         /* no redirect has led away */
    const char *scheme;    /* "http", "https", NULL = the endpoint's */
    bool scheme_switched;
    char *token;           /* bearer token sent with the exchange; secret */
    bool token_fresh;      /* it was got for this look-up */
    bool basic_sent;
    unsigned int logins, redirects, retries;
    uint32_t depth, auth_depth;
    struct evidence held;  /* the answer before the scheme was switched */
};

/* One job in flight. */
struct running {
    struct running *next;
    struct fetcher *fetcher;
    struct fetch_job job;
    struct lookup *lookups;
    size_t count, left;
    uint64_t budget; /* bytes that its bodies may still have */
    struct fetch_counters counters;
    uint32_t told; /* of counters.requests, in evidence messages */
};

/* Small facts about endpoints: which scheme works, which endpoint listed a repository's referrers. */
struct fact {
    char *key, *value;
};
enum { FACTS_MAX = 256, FACT_SCHEME = 's', FACT_LISTER = 'l' };

/* Bytes on their way to the engine: a message, or the part of one that lies elsewhere (a body). */
struct outgoing {
    struct outgoing *next;
    void *owned;
    struct span left; /* not sent yet, of what is owned */
};

struct fetcher {
    CURLM *multi;
    int fd, parser_fd;
    struct auth_cache auth;
    struct fact facts[FACTS_MAX];
    size_t fact_next;
    struct running *jobs;
    struct token_request *tokens;
    size_t active; /* exchanges of look-ups with libcurl */
    struct buf incoming;
    struct outgoing *first_out, *last_out;
    bool broken;   /* the engine is gone or memory is out: the loop ends */
    bool worn;     /* connections are given up as soon as nothing is under way: fetcher_wear */
};

/* facts.c */
const char *fact_get(const struct fetcher *fetcher, char kind, const char *a, const char *b);
void fact_put(struct fetcher *fetcher, char kind, const char *a, const char *b, const char *value);
void facts_done(struct fetcher *fetcher);

/* lookup.c */
void lookup_init(struct lookup *lookup, struct running *running, const struct want *want);
void lookup_start(struct lookup *lookup); /* from LOOKUP_QUEUED */
void lookup_token_ready(struct lookup *lookup, const char *token);
void lookup_token_failed(struct lookup *lookup, const struct error *why);
void lookup_expire(struct lookup *lookup); /* the job's deadline has passed while it waited */
void lookup_done(struct lookup *lookup);
const struct fetch_endpoint *lookup_endpoint(const struct lookup *lookup);

/* login.c */
enum login { LOGIN_READY, LOGIN_WAIT, LOGIN_FAILED };
/* What the next exchange of the look-up sends; READY with NULL = nothing. The value is secret. */
enum login login_prepare(struct lookup *lookup, char **ret_authorization, struct error *err);
/* After a 401: true = try again (queued or waiting); false = err says why there is no more to try. */
bool login_again(struct lookup *lookup, struct error *err) MUST_CHECK;
/* After a 400 or 403: true = it was about a remembered token, which is renewed (queued or waiting). */
bool login_renew(struct lookup *lookup);
/* How this look-up was logged in did not lead to a token: the next one starts from a challenge. */
void login_forget(struct lookup *lookup);
void token_request_free(struct token_request *request);

/* outcome.c */
/* The answer that the ended exchange amounts to at this endpoint; nothing is allocated but in ret. */
void outcome_of(struct lookup *lookup, struct evidence *ret);
/* An error answer: "SOURCE: asked for WHAT, GOT; NEXT". */
void outcome_error(const struct lookup *lookup, enum reason reason, const char *got, const char *advice,
                   struct evidence *ret);
/* Likewise for an error that is a sentence already. */
void outcome_failed(const struct lookup *lookup, const struct error *why, const char *advice, struct evidence *ret);
/* What an ended exchange without usable response ended with, for messages; the reason it is. */
enum reason outcome_transport(const struct exchange *exchange, char *dst, size_t size, const char **ret_advice);

/* serve.c */
void fetcher_answer(struct running *running, struct evidence *evidence);
void fetcher_send(struct fetcher *fetcher, struct buf *message);
/*
 * An exchange has ended: was it on a connection that brought nothing in time? It may be dead (a firewall has forgotten
 * it, a balancer is gone), and libcurl goes on putting new HTTP/2 streams on it until the kernel gives it up, after a
 * quarter of an hour. The next job has new connections.
 */
void fetcher_wear(struct fetcher *fetcher, const struct exchange *exchange);

#endif
