/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TUF client (The Update Framework specification 1.0, section 5; sigstore.md 3.9) as a state machine: it says which
 * file it wants next and is given the bytes. It opens no file, has no network and reads no clock, so that what parses
 * a mirror's bytes cannot reach anything.
 *
 *     tuf_new(stored state, names of targets, now)
 *     while (tuf_wants(tuf, &request))            GET <base>/<request.name>, at most request.max_bytes
 *         tuf_give(tuf, bytes) or tuf_absent(tuf) (404; anything else that fails ends the update)
 *     tuf_target(tuf, i) ...                      the files
 *     tuf_state(tuf) ...                          what to store, also after a failure
 *
 * Delegations are followed (specification 5.6.7). Delegated metadata is not stored: what protects it from going back is
 * the snapshot, which names every role's version and is stored.
 */
#ifndef PG_VERIFIER_TUF_H
#define PG_VERIFIER_TUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

enum tuf_role { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS, TUF_ROLES };

/* What an earlier update stored. Only root must be there (the first time: the root that came with the program or was
 * given by hand; it is trusted as it is). Bytes that no longer verify are as good as absent. */
struct tuf_stored {
    struct span roles[TUF_ROLES];
    const struct span *targets; /* in the order of the names, empty where there is none; NULL = none at all */
};

/* Delegated roles in one update: as many as python-tuf and go-tuf visit. */
enum { TUF_NAME_BYTES = 512, TUF_MAX_TARGETS = 16, TUF_MAX_DELEGATIONS = 32 };

struct tuf_request {
    char name[TUF_NAME_BYTES]; /* relative to the repository's base URL: "15.root.json",
                                  "targets/<sha256>.trusted_root.json" */
    size_t max_bytes;          /* give no more than that: a longer file is refused */
};

struct tuf;

/*
 * Begins an update at the time `now` (seconds; the whole update uses this one time). `names` are target paths.
 * Copies what it needs. Errors: MALFORMED, THRESHOLD (the stored root does not even sign itself), LIMIT.
 */
bool tuf_new(const struct tuf_stored *stored, const char *const *names, size_t name_count, int64_t now,
             struct tuf **ret, struct error *err) MUST_CHECK;
void tuf_free(struct tuf *tuf);
void tuf_freep(struct tuf **tuf);

/* The file wanted next; false when nothing is (finished, or failed). */
bool tuf_wants(const struct tuf *tuf, struct tuf_request *ret);
bool tuf_finished(const struct tuf *tuf);

/*
 * The file asked for. A failure ends the update; what was trusted before stays trusted.
 * Errors: THRESHOLD (signatures), EXPIRED (freeze attack), UNTRUSTED_CHAIN (rollback, mix and match: a version that is
 * not the one wanted), DIGEST_MISMATCH, MALFORMED, LIMIT, NOT_FOUND (no such target), UNSUPPORTED.
 */
bool tuf_give(struct tuf *tuf, struct span bytes, struct error *err) MUST_CHECK;
/* The file asked for does not exist. Fine only for the next root. Else NOT_FOUND. */
bool tuf_absent(struct tuf *tuf, struct error *err) MUST_CHECK;

/* The verified bytes of target `index`; empty before it is there. Lives with tuf. */
struct span tuf_target(const struct tuf *tuf, size_t index);
/* What to store for the next time; empty = store nothing, and remove what is stored (keys were rotated). */
struct span tuf_state(const struct tuf *tuf, enum tuf_role role);
/* Versions and expiry of what is trusted now, for people; 0 when there is none. */
int64_t tuf_version(const struct tuf *tuf, enum tuf_role role);
int64_t tuf_expires(const struct tuf *tuf, enum tuf_role role);
/* File name of a role's stored metadata: "root.json". */
const char *tuf_role_file(enum tuf_role role);

#endif
