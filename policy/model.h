/* SPDX-License-Identifier: Apache-2.0 */
/* The one model that policy documents become. Private to policy/; built by the loaders, read-only afterwards. */
#ifndef PG_POLICY_MODEL_H
#define PG_POLICY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "policy/table.h"

struct condition;
struct regex;

/* Where in a file something stands, for lint and messages. */
struct place {
    uint32_t line, column;
};

struct policy_glob {
    char *text; /* as matched: after the two rewrites of the format (policy.md 1.2) */
    struct place at;
};

struct policy_pair {
    char *key, *value;
};

/* A key as an authority names it. One pubkey may stand in many members. */
struct member {
    char *name;                     /* for `required` and messages; NULL = none */
    size_t key;                     /* index into policy_set.keys */
    enum digest_alg hash;           /* NONE = by key type */
    bool has_not_before, has_not_after;
    int64_t not_before, not_after;  /* closed interval */
};

/* A string that is compared whole, or a regular expression; neither = anything. */
struct matcher {
    char *exact;
    struct regex *regex;
    char *text;                     /* the expression as written, for messages */
    enum san_kind kind;             /* only names of this kind; SAN_NONE = any */
};

/* Fulcio's certificate extensions 1.3.6.1.4.1.57264.1.2 to .6: GitHub's trigger, sha, name, repository, ref. */
enum { WORKFLOW_FIRST_OID = 2, WORKFLOW_FIELDS = 5 };

struct identity {
    char *name;                     /* for `required`; NULL = none */
    struct matcher issuer, subject;
    struct matcher host;            /* policy.json's subjectHostname, beside or instead of subject (hostname.h) */
    char *workflow[WORKFLOW_FIELDS];/* exact; NULL = anything */
    struct place at;
};

struct attestation_rule {
    char *name;
    char *predicate_type;           /* the URI; short names are resolved at load time */
    struct condition *conditions;   /* NULL = any predicate */
    struct place at;
};

enum authority_kind { AUTHORITY_KEY, AUTHORITY_KEYLESS, AUTHORITY_STATIC };
enum signature_format { FORMAT_ANY, FORMAT_LEGACY, FORMAT_BUNDLE };

/*
 * What the signed docker-reference must say: pullguard.identity of our own (any, repository, exact), then the kinds of
 * containers' signedIdentity (policy.md 2), which differ from these in how tag and digest of the pull are treated.
 */
enum reference_rule {
    REFERENCE_ANY, REFERENCE_REPOSITORY, REFERENCE_EXACT,
    REFERENCE_MATCH_EXACT, REFERENCE_MATCH_REPO_DIGEST_OR_EXACT, REFERENCE_MATCH_REPOSITORY,
    REFERENCE_EXACT_REFERENCE, REFERENCE_EXACT_REPOSITORY, REFERENCE_REMAP
};

#define ROOT_NONE SIZE_MAX

struct authority {
    char *name;
    size_t index;
    enum authority_kind kind;
    struct place at;

    bool static_pass;
    char *static_message;

    char *source_repository;        /* canonical host/path; NULL = the image's own */
    char *tag_prefix;               /* "" = none */
    enum signature_format format;

    struct member *members;         /* AUTHORITY_KEY */
    size_t member_count, member_capacity;

    struct identity *identities;    /* AUTHORITY_KEYLESS */
    size_t identity_count, identity_capacity;
    size_t trust_root;              /* index into policy_set.roots, for the chain */
    bool ignore_sct;

    size_t log_root;                /* a log entry under this root is required; ROOT_NONE = not required, not trusted */
    size_t tsa_root;                /* a signed timestamp under this root is required; ROOT_NONE likewise */

    struct policy_pair *annotations;
    size_t annotation_count, annotation_capacity;

    struct attestation_rule *attestations;
    size_t attestation_count, attestation_capacity;

    /* The `pullguard` block. */
    bool signed_and_attested;
    size_t threshold;               /* distinct signers; 1 unless set */
    char **required;                /* names of members or identities that must be among them */
    size_t required_count, required_capacity;
    bool has_max_age;
    int64_t max_age;                /* seconds, against trusted time */
    enum reference_rule reference;
    char *reference_name;           /* EXACT_REFERENCE, EXACT_REPOSITORY; REMAP: prefix */
    char *reference_signed;         /* REMAP: signedPrefix */
};

/* The path when the source is a directory; NULL otherwise. Borrowed. */
const char *authority_directory(const struct authority *authority);

enum policy_mode { MODE_ENFORCE, MODE_WARN };

struct policy {
    char *name;
    const char *file;               /* borrowed from the set */
    struct place at;
    enum policy_mode mode;
    struct policy_glob *globs;
    size_t glob_count, glob_capacity;
    struct authority *authorities;
    size_t authority_count, authority_capacity;
    size_t threshold;               /* authorities with distinct signers; 1 unless set: the format's OR */
    char **required;                /* names of authorities that must be among them */
    size_t required_count, required_capacity;
    bool all;                       /* policy.json: every authority must be satisfied, by whomever */
    bool lint_first_block_only;     /* key.data with several blocks: a cluster reads the first only */
};

struct set_key {
    struct pubkey *key;
};

struct set_root {
    char *name;
    void *bytes;                    /* owned; as read at load time */
    size_t len;
};

/* A revocation with who said it, for the message. */
struct revocation {
    size_t policy;                  /* index; SIZE_MAX while its policy is being loaded */
    struct place at;
};

enum dialect { DIALECT_NONE, DIALECT_CLUSTER, DIALECT_CONTAINERS };

struct policy_set {
    enum dialect dialect;
    struct policy *policies;
    size_t policy_count, policy_capacity;
    struct table policy_names;      /* name -> policy */

    struct set_key *keys;
    size_t key_count, key_capacity;
    struct table key_fingerprints;  /* fingerprint -> key */
    struct table key_texts;         /* SHA-256 of the PEM text -> key: equal texts are parsed once */

    struct set_root *roots;
    size_t root_count, root_capacity;
    const char **root_names;        /* the same, as the public look at them */
    size_t root_name_capacity;

    /* Revocations hold on the whole node, whichever policy states them. */
    struct table revoked_keys, revoked_certificates, revoked_digests;
    struct revocation *revocations;
    size_t revocation_count, revocation_capacity;

    struct table scopes;            /* DIALECT_CONTAINERS: docker scope -> policy */
    size_t default_policy;          /* likewise: the one without a scope */
    bool has_other_transports;      /* likewise: read and checked, but no pull from a registry asks them */

    char **files;                   /* names, owned */
    size_t file_count, file_capacity;
    char fingerprint[2 * DIGEST_MAX_BYTES + 1];
};

void policy_done(struct policy *policy);
void authority_done(struct authority *authority);

/* The key of one PEM block or DER, parsed once per text and kept once per fingerprint. */
bool set_add_key(struct policy_set *set, struct span pem, size_t *ret_key, struct error *err) MUST_CHECK;
/* A trust root that a document spells out itself; takes the bytes over. Gets a name of its own. */
bool set_add_own_root(struct policy_set *set, struct buf *bytes, size_t *ret_root, struct error *err) MUST_CHECK;
/* The trust root of that name, read at its first use. */
bool set_add_root(struct policy_set *set, const char *name, const struct policy_source *source, size_t *ret_root,
                  struct error *err) MUST_CHECK;
/* Chains bytes of one kind into the set's fingerprint. */
bool set_mix(struct policy_set *set, const char *kind, struct span bytes, struct error *err) MUST_CHECK;

#endif
