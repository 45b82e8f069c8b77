/* SPDX-License-Identifier: Apache-2.0 */
/* What the tuf*.c files share; nobody else includes this. */
#ifndef PG_VERIFIER_TUF_INTERNAL_H
#define PG_VERIFIER_TUF_INTERNAL_H

#include "base/buf.h"
#include "base/tree.h"
#include "verifier/tuf.h"

enum { TUF_ROLE_NAME_MAX = 128, TUF_FILE_BYTES = TUF_ROLE_NAME_MAX + sizeof(".json") };

/* One metadata file, parsed. Zeroed = absent. */
struct tuf_document {
    char file[TUF_FILE_BYTES]; /* "root.json", "NAME.json": its name in other metadata and in messages */
    uint8_t *bytes; /* owned; the tree borrows from it */
    size_t len;
    struct tree *tree;
    const struct node *signed_part;
    const struct node *signatures;
    struct buf canonical; /* the bytes that are signed */
    int64_t version;
    int64_t expires;
};

void tuf_document_done(struct tuf_document *document); /* zeroes it; also for CLEANUP */
/* Takes the document out of from, freeing what ret held. */
void tuf_document_move(struct tuf_document *ret, struct tuf_document *from);

/*
 * Parses and checks type, version, expiry's form; verifies no signature. `file` NULL: the role's own; delegated roles
 * are of the type TUF_TARGETS and have files of their names. MALFORMED, UNSUPPORTED.
 */
bool tuf_document_parse(struct span bytes, enum tuf_role role, const char *file, struct tuf_document *ret,
                        struct error *err) MUST_CHECK;

/* Has the document enough signatures by the keys that `root` names for the role? THRESHOLD when not. */
bool tuf_verify_role(const struct tuf_document *root, enum tuf_role role, const struct tuf_document *document,
                     struct error *err) MUST_CHECK;
/* The same for a delegated role: `delegation` is the entry of `by` that names it. */
bool tuf_verify_delegated(const struct tuf_document *by, const struct node *delegation,
                          const struct tuf_document *document, struct error *err) MUST_CHECK;
/* Do two roots name the same keys and threshold for a role? */
bool tuf_same_role(const struct tuf_document *a, const struct tuf_document *b, enum tuf_role role);

/* METAFILES and TARGETS entries (specification 4.3 to 4.5). */
struct tuf_meta {
    int64_t version;           /* 0 for targets */
    int64_t length;            /* -1 when not stated */
    const struct node *hashes; /* NULL when not stated */
};
bool tuf_meta_parse(const struct node *entry, bool target, struct tuf_meta *ret, struct error *err) MUST_CHECK;
/* The entry of a file in timestamp or snapshot metadata. */
bool tuf_meta_find(const struct tuf_document *document, const char *file, struct tuf_meta *ret,
                   struct error *err) MUST_CHECK;
/* Each hash that we know is hex (it becomes part of a file's name), and there is one. MALFORMED, UNSUPPORTED. */
bool tuf_meta_check_hashes(const struct tuf_meta *meta, const char *what, struct error *err) MUST_CHECK;
/* Length and every hash that is stated. DIGEST_MISMATCH, UNSUPPORTED (no hash that we know). */
bool tuf_meta_matches(const struct tuf_meta *meta, struct span bytes, const char *what, struct error *err) MUST_CHECK;

/* A delegated role whose metadata is there and was verified under `delegation`. */
struct tuf_delegated {
    struct tuf_document document;
    const struct node *delegation;
};

/* Where the search for a target's metadata got to. */
struct tuf_search {
    const struct node *entry;            /* the target's, when found */
    const struct tuf_document *by;       /* who says it; or who delegates to the role that is wanted next */
    const struct node *delegation;       /* set: metadata of this role is wanted next ... */
    char file[TUF_FILE_BYTES];           /* ... which is this file; neither set: nobody names the target */
};

/*
 * Specification 5.6.7: pre-order, depth first, from the top-level targets role through those delegated roles whose
 * paths hold the target. Roles that are not there yet are wanted, one at a time: call again when it is.
 * Errors: MALFORMED, UNSUPPORTED (in delegations that were looked at), THRESHOLD, LIMIT (too many roles).
 */
bool tuf_search_target(const struct tuf_document *targets, const struct tuf_delegated *loaded, size_t count,
                       const char *target, struct tuf_search *ret, struct error *err) MUST_CHECK;
/* PATHPATTERN of 4.5: '*' and '?' within one part of the path. */
bool tuf_path_matches(struct span pattern, struct span path);

/* ---- one update ---- */

enum tuf_step {
    STEP_ROOT,
    STEP_TIMESTAMP,
    STEP_SNAPSHOT,
    STEP_TARGETS,
    STEP_DELEGATED, /* metadata of search's role is wanted */
    STEP_FILES,
    STEP_DONE,
    STEP_FAILED
};

struct tuf_file {
    char *name; /* owned */
    struct tuf_meta meta;
    uint8_t *bytes; /* owned */
    size_t len;
};

struct tuf {
    enum tuf_step step;
    int64_t now;
    size_t roots_read;
    struct tuf_document trusted[TUF_ROLES];
    struct tuf_file targets[TUF_MAX_TARGETS];
    size_t target_count;
    size_t target_at; /* STEP_FILES: the one wanted */
    bool consistent;  /* consistent_snapshot: names carry versions and hashes */
    struct tuf_delegated delegated[TUF_MAX_DELEGATIONS];
    size_t delegated_count;
    struct tuf_search search;
};

/* Which file of a role is wanted now, by the trusted metadata that names it (tuf_request.c, as tuf_wants is). */
bool tuf_wanted_meta(const struct tuf *tuf, enum tuf_role role, const char *file, struct tuf_meta *ret,
                     struct error *err) MUST_CHECK;
extern const size_t tuf_max_bytes[TUF_ROLES];

/* tuf_check.c: what new metadata must stand against. EXPIRED, UNTRUSTED_CHAIN, DIGEST_MISMATCH, MALFORMED. */
bool tuf_check_expiry(const struct tuf *tuf, const struct tuf_document *document, struct error *err) MUST_CHECK;
/* Between two snapshots. */
bool tuf_check_rollback(const struct tuf_document *old, const struct tuf_document *new, struct error *err) MUST_CHECK;
/* Everything that binds a snapshot or (delegated) targets file to the metadata that names it. */
bool tuf_check_named(const struct tuf *tuf, enum tuf_role role, const struct tuf_document *document,
                     struct error *err) MUST_CHECK;
/* The same, and the signatures of a top-level role. */
bool tuf_check_against(const struct tuf *tuf, enum tuf_role role, const struct tuf_document *document,
                       struct error *err) MUST_CHECK;
bool tuf_rolled_back(enum tuf_role role, int64_t had, int64_t got, struct error *err);

#endif
