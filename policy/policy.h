/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: documents become one model, once; decide() is a pure function over model and claims.
 * Semantics: ClusterImagePolicy (policy.md 1) and our additions; AND over matching policies, OR over authorities.
 */
#ifndef PG_POLICY_POLICY_H
#define PG_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json_out.h"
#include "base/span.h"
#include "crypto/key.h"
#include "verifier/claims.h"

struct policy_set; /* all documents of one load; immutable afterwards; safe to share over fork */

/*
 * Gives the bytes of a key file or trust root that a policy names; the engine reads files, the replay has them in
 * memory. A key's name is a plain file name in the keys directory, or, from a policy.json only, an absolute path.
 */
struct policy_source {
    void *context;
    /* name is what the policy wrote ("vendor.pub", "public-good"); the buffer is freed by the caller. */
    bool (*read_key)(void *context, const char *name, struct buf *ret, struct error *err);
    bool (*read_trust)(void *context, const char *name, struct buf *ret, struct error *err);
};

enum no_match { NO_MATCH_DENY = 0, NO_MATCH_WARN, NO_MATCH_ALLOW };

struct policy_set *policy_set_new(void) MUST_CHECK;
/*
 * Adds every document of one file (JSON when the name ends in .json, else YAML). Strict: anything unknown or not
 * handled is an error "FILE:LINE:COLUMN: PATH: ..." and the whole load fails. The set keeps the raw bytes for its
 * fingerprint.
 */
bool policy_set_add(struct policy_set *set, const char *file, struct span bytes, const struct policy_source *source,
                    struct error *err) MUST_CHECK;
void policy_set_free(struct policy_set *set);
void policy_set_freep(struct policy_set **set);
size_t policy_set_count(const struct policy_set *set); /* policies */
/* Names of all trust roots that some policy uses (borrowed); the engine loads and parses them, policy knows names only.
 */
const char *const *policy_set_roots(const struct policy_set *set, size_t *ret_count);
/* The bytes of one of them as read at load time: parse these, so that what is fingerprinted is what decides. */
struct span policy_set_root_bytes(const struct policy_set *set, size_t index);
/* The directories that authorities name as their source, each once; the list is the caller's (mem_free), the paths are
 * the set's. */
bool policy_set_directories(const struct policy_set *set, const char ***ret, size_t *ret_count,
                            struct error *err) MUST_CHECK;
/* Is "host/path" the canonical repository of some authority's source? (Where else than at the image's own may be
 * looked.) */
bool policy_set_names_repository(const struct policy_set *set, const char *name);
/* SHA-256 hex over all documents, key bytes and trust roots, in order: changes whenever a decision could. */
const char *policy_set_fingerprint(const struct policy_set *set);

/* Until when a decision made now stays the same if nothing but time passes; 0 = for good, `now` = it may not be kept.
 */
int64_t policy_set_valid_until(const struct policy_set *set, int64_t now);

/*
 * When keys count (notBefore, notAfter): each key of each authority that limits it. Strings are the set's, the list is
 * the caller's (mem_free).
 */
struct policy_window {
    const char *policy, *authority;
    const char *name;               /* of the key; NULL = none */
    const char *fingerprint;
    int64_t not_before, not_after;  /* closed; INT64_MIN, INT64_MAX = open */
    bool proves_time;               /* asks for a trusted time: signatures made within stay good afterwards */
};
enum policy_window_state { WINDOW_OPEN, WINDOW_ENDS_SOON, WINDOW_NOT_YET, WINDOW_ENDED };
enum { WINDOW_SOON_SECONDS = 30 * 24 * 3600 }; /* what is left then is announced */
enum policy_window_state policy_window_state(const struct policy_window *window, int64_t now);
bool policy_set_windows(const struct policy_set *set, struct policy_window **ret, size_t *ret_count,
                        struct error *err) MUST_CHECK;

/* The names an image is known by in this pull (policy.md trap 2). */
struct policy_image {
    const char *written;    /* as the user wrote it */
    const char *host;       /* canonical */
    const char *repository; /* canonical */
    const char *tag;        /* NULL when unknown */
    struct digest digest;   /* DIGEST_NONE when unknown (explain without a digest) */
    const char *media_type; /* of the image manifest, may be NULL */
};

/* Where to look for signatures of this image: what the matching policies' authorities name (deduplicated). */
#define POLICY_DIRECTORY_HOST "directory"
struct policy_place {
    const char *repository; /* host/path; NULL = the image's own repository; "directory//path" for a directory */
    const char
        *directory; /* absolute path when signatures are looked for there instead of in a registry; NULL = none */
    const char *tag_prefix; /* "" = none */
    bool signatures;        /* look for signatures */
    bool attestations;      /* look for attestations */
};

/* What the verifier may try: keys, and the names of trust roots for keyless, logs and timestamps. Borrowed from the
 * set. */
struct policy_key {
    const struct pubkey *key;
    enum digest_alg hash; /* NONE = by key type */
};

struct policy_needs {
    struct policy_place *places;
    size_t place_count;
    struct policy_key *keys;
    size_t key_count;
    const char **roots;    /* names of trust roots; claims' root indexes count in this order */
    size_t root_count;
    bool nothing;          /* static policies only, or no match: no evidence needed */
};
bool policy_needs(const struct policy_set *set, const struct policy_image *image, struct policy_needs *ret,
                  struct error *err) MUST_CHECK;
void policy_needs_done(struct policy_needs *needs);

/*
 * The judgement, still without the word allow: `satisfied` says whether policy is content. The judge's last line turns
 * it into a verdict (design rule 1).
 */
struct policy_decision {
    bool satisfied;        /* zero = no */
    bool warned;           /* satisfied only because of warn mode or no-match: warn|allow */
    enum reason reason;
    char
        *policy; /* name of the policy that decided (the first that failed, else the first that matched); NULL = none */
    char *authority;       /* likewise */
    char *key_id;          /* fingerprint or identity of the signer that satisfied; NULL */
    char *message;         /* one clean sentence: wanted and found */
    char *report; /* JSON object: each policy, authority, claim and finding considered, and why; NULL unless asked */
};
bool policy_decide(const struct policy_set *set, const struct policy_image *image, const struct claims *claims,
                   const struct policy_needs *needs, enum no_match no_match, int64_t now, bool want_report,
                   struct policy_decision *ret, struct error *err) MUST_CHECK;
void policy_decision_done(struct policy_decision *decision);

/* Which policies match, and by which glob; JSON list into out. */
bool policy_explain(const struct policy_set *set, const struct policy_image *image, struct json_out *out,
                    struct error *err) MUST_CHECK;

/*
 * The set in the other dialect: ClusterImagePolicy documents as a containers policy.json, a policy.json as
 * ClusterImagePolicy YAML. UNSUPPORTED, with file and place, when something does not mean the same there.
 */
bool policy_convert(const struct policy_set *set, struct buf *ret, struct error *err) MUST_CHECK;
/*
 * What the native check of CRI-O and podman can demand beside ours without ever refusing what the policies allow: a
 * list
 * [{"scope": "host/team", "requirements": [["PEM", ...], ...]}]. Each inner list is one sigstoreSigned requirement (any
 * of its keys, matchRepository); all of a scope's requirements together. Policies that do not map exactly are left out.
 */
bool policy_set_native(const struct policy_set *set, struct json_out *out, struct error *err) MUST_CHECK;

/* Warnings on documents that load: globs that cannot match, missing separators, "signed AND attested"... */
struct policy_warning {
    char *file;
    uint32_t line, column;
    char *text;
};
struct policy_warnings {
    struct policy_warning *items;
    size_t count, capacity;
};
bool policy_lint(const struct policy_set *set, struct policy_warnings *ret, struct error *err) MUST_CHECK;
void policy_warnings_done(struct policy_warnings *warnings);

#endif
