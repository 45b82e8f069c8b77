/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between the engine and the fetcher: jobs go in, evidence comes out, over one stream socket, as messages
 * of base/wire.h. The engine links job.c only; libcurl is on the fetcher's side alone.
 *
 * A job is one round of one decision: where each registry is reached (endpoints in order, with what each may be sent)
 * and what is wanted of it. Several jobs may be in flight; tokens, connections and resolved names outlive them.
 */
#ifndef PG_VERIFIER_FETCH_FETCH_H
#define PG_VERIFIER_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "verifier/evidence.h"

enum fetch_message {
    FETCH_MESSAGE_JOB = 16,      /* engine to fetcher */
    FETCH_MESSAGE_EVIDENCE = 17, /* fetcher to engine: one answer of a job */
    FETCH_MESSAGE_END = 18,      /* fetcher to engine: every want of the job is answered */
    FETCH_MESSAGE_PARSE = 19,    /* fetcher to its parser child */
    FETCH_MESSAGE_PARSED = 20,   /* and back */
};

/* What one registry may be told about us. Every text may be NULL. */
struct fetch_credentials {
    char *username;
    char *password;
    char *identity_token; /* OAuth2 refresh token (docker's identitytoken) */
    char *registry_token; /* a bearer token to be used as it is (docker's registrytoken) */
};

enum fetch_endpoint_flags {
    FETCH_SKIP_VERIFY = 1 << 0,   /* any certificate will do */
    FETCH_EITHER_SCHEME = 1 << 1, /* when the URL's scheme turns out to be wrong, try the other one (loopback) */
    FETCH_CAN_RESOLVE = 1 << 2,   /* asked for tags */
    FETCH_CAN_PULL = 1 << 3,      /* asked for digests */
    FETCH_CAN_REFERRERS = 1 << 4, /* asked for referrers */
};
enum { FETCH_CAN_ALL = FETCH_CAN_RESOLVE | FETCH_CAN_PULL | FETCH_CAN_REFERRERS };

/* One way to reach a registry: the registry itself, or a mirror of it. */
struct fetch_endpoint {
    char *url;           /* the API's root without a slash at the end: "https://registry.example.com/v2" */
    uint32_t flags;      /* enum fetch_endpoint_flags */
    char *repository;    /* what the repository is called there; NULL = as in the want */
    char *ns;            /* sent as ?ns= to mirrors (containerd); NULL = not sent */
    uint32_t connect_ms; /* 0 = the fetcher's own limit */
    char *ca_pem;        /* certificates trusted beside the system's: PEM text, not a path */
    char *client_cert_pem, *client_key_pem;
    char **headers;      /* "Name: value", sent to this endpoint only, never to a redirect's target */
    size_t header_count;
    struct fetch_credentials credentials;
};

/* Where the wants for host/repository go, in order. The most exact registry of a job is used. */
struct fetch_registry {
    char *host;       /* canonical, as in wants */
    char *repository; /* NULL = every repository of the host */
    struct fetch_endpoint *endpoints;
    size_t count, capacity;
};

struct fetch_proxies {
    char *http, *https; /* as libcurl's CURLOPT_PROXY; NULL = none. The environment is never looked at. */
    char *no_proxy;
};

struct fetch_job {
    uint32_t id;      /* unique on its connection while the job is in flight */
    int64_t deadline; /* base/clock.h mono_ms(): the same clock in every process of the machine */
    char *ca_dir;     /* hashed directory of trusted certificates; NULL = none but the endpoints' own */
    char *ca_file;    /* bundle, used only when there is no ca_dir: it costs 20 to 30 ms */
    char *user_agent;
    struct fetch_proxies proxies;
    struct fetch_registry *registries;
    size_t registry_count, registry_capacity;
    struct wants wants;
};

void fetch_credentials_done(struct fetch_credentials *credentials); /* overwrites */
bool fetch_credentials_copy(const struct fetch_credentials *from, struct fetch_credentials *ret,
                            struct error *err) MUST_CHECK;
void fetch_endpoint_done(struct fetch_endpoint *endpoint);
void fetch_job_done(struct fetch_job *job); /* overwrites what is secret; also for CLEANUP */

/* The registry of the job for host and repository, made when missing; NULL when out of memory or too many. */
struct fetch_registry *fetch_job_registry(struct fetch_job *job, const char *host, const char *repository) MUST_CHECK;
/* Takes the endpoint over (zeroes it) as the last of the registry. */
bool fetch_registry_add(struct fetch_registry *registry, struct fetch_endpoint *endpoint, struct error *err) MUST_CHECK;
/*
 * The registry's own endpoint: https://HOST/v2; registry-1.docker.io for index.docker.io; plain HTTP (or HTTPS with any
 * certificate) for a loopback host with a port (containerd.md section 7); with `insecure` any certificate or plain
 * HTTP.
 */
bool fetch_endpoint_default(const char *host, bool insecure, const struct fetch_credentials *credentials,
                            struct fetch_endpoint *ret, struct error *err) MUST_CHECK;
/* Is anything of it nobody else's business: credentials, a client's key, headers? */
bool fetch_registry_has_secrets(const struct fetch_registry *registry);
/* "localhost", 127.0.0.0/8 or ::1, with or without a port. */
bool fetch_host_is_loopback(const char *host);

/* A whole message each. The reading side bounds everything by base/limits.h. */
void fetch_job_write(struct buf *buf, const struct fetch_job *job);
bool fetch_job_read(struct span message, struct fetch_job *ret, struct error *err) MUST_CHECK;

/* What a job cost. */
struct fetch_counters {
    uint32_t requests;   /* HTTP requests made, those for authentication included */
    uint32_t auth_requests; /* of these: answered 401, and to token services */
    uint32_t depth;      /* longest chain of requests that had to follow one another */
    uint32_t auth_depth; /* the part of the longest such chain that went to authentication */
    uint64_t bytes;      /* of bodies */
};

struct fetch_answer {
    uint32_t job;
    bool end;                       /* FETCH_MESSAGE_END: counters are the whole job's; else evidence is set */
    uint32_t requests;              /* with evidence: HTTP requests of this job since the evidence before it */
    struct evidence evidence;
    struct fetch_counters counters;
};
void fetch_evidence_write(struct buf *buf, uint32_t job, uint32_t requests, const struct evidence *evidence);
/* The message but for the body's bytes, which follow it. */
void fetch_evidence_write_head(struct buf *buf, uint32_t job, uint32_t requests, const struct evidence *evidence);
void fetch_end_write(struct buf *buf, uint32_t job, const struct fetch_counters *counters);
/* `message` is EVIDENCE or END. With `copy` the body is copied, else it borrows from message. */
bool fetch_answer_read(struct span message, bool copy, struct fetch_answer *ret, struct error *err) MUST_CHECK;
void fetch_answer_done(struct fetch_answer *answer);

/*
 * The fetcher's side (links libcurl).
 * fetch_preload opens and loads what must be there before a sandbox: libcurl, OpenSSL, the resolver. After it, only
 * ca_dir, ca_file and the resolver's files are opened, read-only; threads are made to resolve names.
 * fetch_serve answers jobs on fd until its end (true). parser_fd leads to a process that runs fetch_parser_serve.
 */
bool fetch_preload(struct error *err) MUST_CHECK;
bool fetch_serve(int fd, int parser_fd, struct error *err) MUST_CHECK;
/* The parser child: no network, no file. Reads challenges and token answers, true at the end of fd. */
bool fetch_parser_serve(int fd, struct error *err) MUST_CHECK;

#endif
