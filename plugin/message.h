/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the engine, one response from it, and their form on the wire (base/wire.h). libc only. */
#ifndef PG_PLUGIN_MESSAGE_H
#define PG_PLUGIN_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "plugin/verdict.h"

/* Numbers from 16 on are the fetcher's (verifier/fetch/fetch.h). */
enum message_type {
    MESSAGE_REQUEST = 1,
    MESSAGE_RESPONSE = 2,
    MESSAGE_WANTS = 3, /* judge to engine: a list of want records */
    MESSAGE_READY = 4, /* fetcher to engine, first: its sandbox stands; or one record, why not */
};

enum operation { OPERATION_PULL = 1, OPERATION_CREATE = 2 };

enum request_flags {
    REQUEST_REPORT = 1 << 0,     /* response.report wanted */
    REQUEST_EVIDENCE = 1 << 1,   /* response.evidence wanted: the decision as an evidence file (plugin/replay) */
    REQUEST_NO_CACHE = 1 << 2,   /* decide anew */
    REQUEST_NO_NETWORK = 1 << 3, /* verdicts kept on this node only (start gates) */
    REQUEST_INSECURE =
        1 << 4, /* --allow-insecure-registry: plain HTTP or unverified TLS for this registry; command line only */
    REQUEST_COLLECT = 1 << 5,  /* fetch everything findable and return it as evidence; the verdict is deny */
    REQUEST_NO_RECORD = 1 << 6 /* no journal, audit or metrics: `pullguard verify`, `explain` */
};

struct request {
    char *reference;   /* as written by the user or the runtime */
    char *digest;      /* "sha256:..."; NULL = resolve the tag (command line only) */
    char *media_type;  /* of the manifest; may be NULL */
    char *descriptor; /* the OCI descriptor as JSON, unparsed: must agree with digest, and gives media_type; may be NULL
                       */
    char *runtime;     /* "containerd", "crio", "podman", "crun", "nri", "cli" */
    enum operation operation;
    uint32_t flags;
    uint32_t deadline_ms; /* from receipt; 0 = the settings' */
    char *username, *password, *identity_token; /* of this one pull; may be NULL */
    char *policy; /* ad-hoc policy documents (JSON) instead of policy.d: accepted by an engine started for this request
                     only */
    char *trust_root;  /* with policy: the trusted_root.json named "adhoc" */
    char *bundle;      /* OPERATION_CREATE: the OCI bundle's directory; reference may then be NULL */
    char *container_id;
    char *member;      /* digest of a platform manifest: the image decided on must be it, or an index that lists it */
    char *https_proxy, *http_proxy, *no_proxy; /* the caller's; the settings' go first. NULL = none */
};

struct response {
    struct verdict verdict;
    bool warned;       /* let through by warn mode or no-match setting */
    enum reason reason;
    char *message;     /* one clean line, at most LIMIT_REASON_LINE_BYTES */
    char *policy, *authority, *key_id; /* NULL = none */
    char *digest;      /* the digest decided on */
    char *policy_sha256;
    char *report;      /* JSON, NULL unless asked for */
    struct span evidence; /* borrowed from evidence_owned (mem_free) */
    void *evidence_owned;
    bool cached;
    uint32_t duration_us;
    uint32_t requests; /* HTTP requests made, for the bench */
};

/* Both zero the struct; secrets are overwritten first. Also for CLEANUP. */
void request_done(struct request *request);
/* Overwrites and drops credentials: what reads bytes from outside holds none. */
void request_forget_secrets(struct request *request);
void response_done(struct response *response);
void request_write(struct buf *buf, const struct request *request);   /* a whole message */
bool request_read(struct span message, struct request *ret, struct error *err) MUST_CHECK;
void response_write(struct buf *buf, const struct response *response);
/* Writes it to fd, the evidence from where it is. */
bool response_send(int fd, const struct response *response, int64_t deadline, struct error *err) MUST_CHECK;
/* Refuses an allow whose reason is not one of allow's, or that names no digest. */
bool response_read(struct span message, struct response *ret, struct error *err) MUST_CHECK;
/* The same for a message in `block`, which ret takes over when there is evidence in it: that may be large. */
bool response_take(struct buf *block, struct span message, struct response *ret, struct error *err) MUST_CHECK;
/* A deny: frees what ret held, then reason and the text made one clean line. */
void response_deny(struct response *ret, enum reason reason, const char *text);
/*
 * Puts text (owned, freed here; NULL = no memory for it: the old message stays) in the message's place, made one clean
 * line of the length that response_read takes. Whatever lengthens a message goes through this: one that is too long
 * would turn an allow into a deny at the other end.
 */
void response_say(struct response *response, char *text);
/* The reasons that go with allow (base/reason.h). */
bool reason_allows(enum reason reason);

#endif
