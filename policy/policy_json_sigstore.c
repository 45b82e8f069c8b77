/* SPDX-License-Identifier: Apache-2.0 */
/* sigstoreSigned (containers-policy.json(5)): keys, fulcio or pki; a log's key; signedIdentity. */
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/pem.h"
#include "policy/policy_json.h"
#include "verifier/ref.h"

enum { DATA_BYTES = 1024 * 1024 };

/* Text of a member NAMEPath (a file) or NAMEData (base64) into ret. */
static bool read_member(struct load *load, const struct path *path, const struct node *node, bool is_file,
                        struct buf *ret)
{
    char *name CLEANUP(mem_freep) = NULL;

    if (node->kind != NODE_STRING)
        return load_fail(load, path, node, "wanted text, found %s", node_kind_name(node->kind));
    if (!is_file) {
        *ret = (struct buf)BUF_INIT(DATA_BYTES);
        return (base64_decode(node->text, BASE64_STD, ret) && buf_ok(ret) && ret->len > 0) ||
               load_fail(load, path, node, "wanted base64 of the PEM text");
    }
    if (!load_string(load, path, node, &name))
        return false;
    if (name[0] != '/')
        return load_fail(load, path, node, "wanted an absolute path");
    if (load->source == NULL || load->source->read_key == NULL)
        return load_fail(load, path, node, "files cannot be read here");
    if (!load->source->read_key(load->source->context, name, ret, load->err))
        return load_fail_error(load, path, node);
    return set_mix(load->set, "file name", span_str(name), load->err) &&
           set_mix(load->set, "file", buf_as_span(ret), load->err);
}

static bool add_key(struct load *load, const struct path *path, const struct node *node, bool is_file,
                    struct authority *authority)
{
    /* The format knows SHA-256 only. */
    const struct member like = {.hash = DIGEST_SHA256};
    struct buf bytes CLEANUP(buf_free) = {0};
    size_t before = authority->member_count;

    if (!read_member(load, path, node, is_file, &bytes) ||
        !load_key_blocks(load, path, node, authority, &like, buf_as_span(&bytes)))
        return false;
    return authority->member_count - before == 1 ||
           load_fail(load, path, node,
                     "holds several keys, of which containers' tools read the first alone; list them one by one under "
                     "keyPaths or keyDatas");
}

/* One of the four forms: a path, paths, base64, several base64. */
static bool add_keys(struct load *load, const struct path *up, const char *name, const struct node *node, bool is_file,
                     struct authority *authority)
{
    struct path path = {.up = up, .name = name}, element = {.up = &path};

    if (node->kind == NODE_STRING)
        return add_key(load, &path, node, is_file, authority);
    if (!load_not_empty(load, &path, node, "key"))
        return false;
    for (const struct node *item = node->child; item != NULL; item = item->next, element.index++) {
        if (!add_key(load, &element, item, is_file, authority))
            return false;
    }
    return true;
}

/* A matcher for exactly this text. */
/* kind: a mailbox must stand as a mailbox in the certificate, a host name as a host name. */
static bool exact_matcher(struct load *load, const struct path *up, const char *name, const struct node *node,
                          enum san_kind kind, struct matcher *ret)
{
    struct path path = {.up = up, .name = name};

    ret->kind = kind;
    if (!load_string(load, &path, node, &ret->exact))
        return false;
    ret->text = mem_strdup(ret->exact);
    return ret->text != NULL || error_oom(load->err);
}

static bool new_identity(struct load *load, const struct node *node, struct authority *authority)
{
    if (!mem_grow(&authority->identities, &authority->identity_capacity, 0, sizeof(*authority->identities), 1))
        return error_oom(load->err);
    authority->identity_count = 1;
    authority->identities[0].at = (struct place){node->line, node->column};
    authority->kind = AUTHORITY_KEYLESS;
    authority->ignore_sct = true; /* the format has no certificate transparency */
    return true;
}

static bool one_of(struct load *load, const struct path *path, const struct node *at, const struct node *a,
                   const struct node *b, const char *names, bool optional)
{
    return (a != NULL) + (b != NULL) == 1 || (optional && a == NULL && b == NULL) ||
           load_fail(load, path, at, "wanted %s one of %s", optional ? "at most" : "exactly", names);
}

/* What `fulcio` and `pki` bring: certificates; held until the log keys are known. */
struct certificates {
    struct buf roots, intermediates;
};

static void certificates_done(struct certificates *certificates)
{
    buf_free(&certificates->roots);
    buf_free(&certificates->intermediates);
}

static bool load_fulcio(struct load *load, const struct path *up, const struct node *node, struct authority *authority,
                        struct certificates *certificates)
{
    enum { CA_PATH, CA_DATA, ISSUER, EMAIL, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [CA_PATH] = {"caPath", NODE_STRING, FIELD_OPTIONAL, NULL},
        [CA_DATA] = {"caData", NODE_STRING, FIELD_OPTIONAL, NULL},
        [ISSUER] = {"oidcIssuer", NODE_STRING, FIELD_MANDATORY, NULL},
        [EMAIL] = {"subjectEmail", NODE_STRING, FIELD_MANDATORY, NULL},
    };
    struct path path = {.up = up, .name = "fulcio"}, ca = {.up = &path, .name = "caPath"};
    const struct node *fields[FIELDS];
    bool is_file;

    if (!fields_read(load, &path, node, rules, FIELDS, fields) ||
        !one_of(load, &path, node, fields[CA_PATH], fields[CA_DATA], "caPath and caData", false) ||
        !new_identity(load, node, authority))
        return false;
    is_file = fields[CA_PATH] != NULL;
    ca.name = is_file ? "caPath" : "caData";
    return exact_matcher(load, &path, "oidcIssuer", fields[ISSUER], SAN_NONE, &authority->identities[0].issuer) &&
           exact_matcher(load, &path, "subjectEmail", fields[EMAIL], SAN_EMAIL, &authority->identities[0].subject) &&
           read_member(load, &ca, is_file ? fields[CA_PATH] : fields[CA_DATA], is_file, &certificates->roots);
}

static bool load_pki(struct load *load, const struct path *up, const struct node *node, struct authority *authority,
                     struct certificates *certificates)
{
    enum { ROOTS_PATH, ROOTS_DATA, MIDDLE_PATH, MIDDLE_DATA, EMAIL, HOST, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [ROOTS_PATH] = {"caRootsPath", NODE_STRING, FIELD_OPTIONAL, NULL},
        [ROOTS_DATA] = {"caRootsData", NODE_STRING, FIELD_OPTIONAL, NULL},
        [MIDDLE_PATH] = {"caIntermediatesPath", NODE_STRING, FIELD_OPTIONAL, NULL},
        [MIDDLE_DATA] = {"caIntermediatesData", NODE_STRING, FIELD_OPTIONAL, NULL},
        [EMAIL] = {"subjectEmail", NODE_STRING, FIELD_OPTIONAL, NULL},
        [HOST] = {"subjectHostname", NODE_STRING, FIELD_OPTIONAL, NULL},
    };
    struct path path = {.up = up, .name = "pki"}, roots = {.up = &path}, middle = {.up = &path};
    const struct node *fields[FIELDS], *root, *chain;

    if (!fields_read(load, &path, node, rules, FIELDS, fields) ||
        !one_of(load, &path, node, fields[ROOTS_PATH], fields[ROOTS_DATA], "caRootsPath and caRootsData", false) ||
        !one_of(load, &path, node, fields[MIDDLE_PATH], fields[MIDDLE_DATA],
                "caIntermediatesPath and caIntermediatesData", true) ||
        !new_identity(load, node, authority))
        return false;
    if (fields[EMAIL] == NULL && fields[HOST] == NULL)
        return load_fail(load, &path, node, "wanted subjectEmail, subjectHostname or both");
    root = fields[ROOTS_PATH] != NULL ? fields[ROOTS_PATH] : fields[ROOTS_DATA];
    chain = fields[MIDDLE_PATH] != NULL ? fields[MIDDLE_PATH] : fields[MIDDLE_DATA];
    roots.name = rules[fields[ROOTS_PATH] != NULL ? ROOTS_PATH : ROOTS_DATA].name;
    middle.name = rules[fields[MIDDLE_PATH] != NULL ? MIDDLE_PATH : MIDDLE_DATA].name;
    return (fields[EMAIL] == NULL ||
            exact_matcher(load, &path, "subjectEmail", fields[EMAIL], SAN_EMAIL, &authority->identities[0].subject)) &&
           (fields[HOST] == NULL ||
            exact_matcher(load, &path, "subjectHostname", fields[HOST], SAN_DNS, &authority->identities[0].host)) &&
           read_member(load, &roots, root, root == fields[ROOTS_PATH], &certificates->roots) &&
           (chain == NULL ||
            read_member(load, &middle, chain, chain == fields[MIDDLE_PATH], &certificates->intermediates));
}

/* signedIdentity: {type, and what the type needs}. */
static bool load_identity(struct load *load, const struct path *up, const struct node *node,
                          struct authority *authority)
{
    enum { TYPE, REFERENCE, REPOSITORY, PREFIX, SIGNED_PREFIX, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [TYPE] = {"type", NODE_STRING, FIELD_MANDATORY, NULL},
        [REFERENCE] = {"dockerReference", NODE_STRING, FIELD_OPTIONAL, NULL},
        [REPOSITORY] = {"dockerRepository", NODE_STRING, FIELD_OPTIONAL, NULL},
        [PREFIX] = {"prefix", NODE_STRING, FIELD_OPTIONAL, NULL},
        [SIGNED_PREFIX] = {"signedPrefix", NODE_STRING, FIELD_OPTIONAL, NULL},
    };
    static const char *const types[] = {"matchExact", "matchRepoDigestOrExact", "matchRepository", "exactReference",
                                        "exactRepository", "remapIdentity"};
    struct path path = {.up = up, .name = "signedIdentity"}, type = {.up = &path, .name = "type"};
    const struct node *fields[FIELDS];
    bool wanted[FIELDS] = {[TYPE] = true};
    size_t which;

    authority->reference = REFERENCE_MATCH_REPO_DIGEST_OR_EXACT;
    if (node == NULL)
        return true;
    if (!fields_read(load, &path, node, rules, FIELDS, fields) ||
        !load_word(load, &type, fields[TYPE], types, ARRAY_LEN(types), &which))
        return false;
    authority->reference = (enum reference_rule)((size_t)REFERENCE_MATCH_EXACT + which);
    wanted[REFERENCE] = authority->reference == REFERENCE_EXACT_REFERENCE;
    wanted[REPOSITORY] = authority->reference == REFERENCE_EXACT_REPOSITORY;
    wanted[PREFIX] = wanted[SIGNED_PREFIX] = authority->reference == REFERENCE_REMAP;
    for (size_t i = 0; i < FIELDS; i++) {
        struct path field = {.up = &path, .name = rules[i].name};

        if (wanted[i] && fields[i] == NULL)
            return load_fail(load, &field, node, "is missing: \"%s\" needs it", types[which]);
        if (!wanted[i] && fields[i] != NULL)
            return load_fail(load, &field, fields[i], "does not belong to \"%s\"", types[which]);
    }
    for (size_t i = REFERENCE; i <= PREFIX; i++) {
        struct path field = {.up = &path, .name = rules[i].name};

        if (fields[i] != NULL && !load_string(load, &field, fields[i], &authority->reference_name))
            return false;
    }
    if (fields[SIGNED_PREFIX] != NULL) {
        struct path field = {.up = &path, .name = "signedPrefix"};

        return load_string(load, &field, fields[SIGNED_PREFIX], &authority->reference_signed);
    }
    return true;
}

/* References compare in canonical form; a name that is none would never match, silently. */
static bool check_identity(struct load *load, const struct path *up, const struct node *at, struct authority *authority)
{
    struct path path = {.up = up, .name = "signedIdentity"};
    struct ref ref CLEANUP(ref_done) = {0};

    if (authority->reference == REFERENCE_EXACT_REFERENCE) {
        if (!ref_parse(span_str(authority->reference_name), &ref, load->err))
            return load_fail_error(load, &path, at);
        return !ref.tag_defaulted || load_fail(load, &path, at, "dockerReference needs a tag or digest");
    }
    if (authority->reference == REFERENCE_EXACT_REPOSITORY) {
        if (!ref_parse_repository(span_str(authority->reference_name), &ref, load->err))
            return load_fail_error(load, &path, at);
        mem_free(authority->reference_name);
        authority->reference_name = TAKE_PTR(ref.name);
    }
    return true;
}

/* Prefixes are compared with canonical names, in which Docker Hub is "index.docker.io". */
static bool canonical_prefix(struct load *load, char **prefix)
{
    static const char familiar[] = "docker.io";
    size_t len = sizeof(familiar) - 1;
    char *canonical;

    if (*prefix == NULL || strncmp(*prefix, familiar, len) != 0 || ((*prefix)[len] != '\0' && (*prefix)[len] != '/'))
        return true;
    canonical = mem_printf("index.%s", *prefix);
    if (canonical == NULL)
        return error_oom(load->err);
    mem_free(*prefix);
    *prefix = canonical;
    return true;
}

/* The log keys of rekorPublicKey*, and the certificates, as one trust root of the requirement's own. */
static bool make_root(struct load *load, const struct path *path, const struct node *at, const struct authority *logs,
                      const struct certificates *certificates, size_t *ret_root)
{
    struct buf text CLEANUP(buf_free) = {0};
    struct pubkey **keys CLEANUP(mem_freep) = mem_new(logs->member_count + 1, sizeof(struct pubkey *));
    struct own_root root = {.roots = buf_as_span(&certificates->roots),
                            .intermediates = buf_as_span(&certificates->intermediates),
                            .log_key_count = logs->member_count};

    if (keys == NULL)
        return error_oom(load->err);
    for (size_t i = 0; i < logs->member_count; i++)
        keys[i] = load->set->keys[logs->members[i].key].key;
    root.log_keys = keys;
    if (!own_root_write(&root, &text, load->err))
        return load_fail_error(load, path, at);
    return set_add_own_root(load->set, &text, ret_root, load->err);
}

enum { TYPE, KEY_PATH, KEY_PATHS, KEY_DATA, KEY_DATAS, FULCIO, PKI, REKOR_PATH, REKOR_PATHS, REKOR_DATA, REKOR_DATAS,
       IDENTITY, FIELDS };

static const struct field_rule rules[FIELDS] = {
    [TYPE] = {"type", NODE_STRING, FIELD_MANDATORY, NULL},
    [KEY_PATH] = {"keyPath", NODE_STRING, FIELD_OPTIONAL, NULL},
    [KEY_PATHS] = {"keyPaths", NODE_LIST, FIELD_OPTIONAL, NULL},
    [KEY_DATA] = {"keyData", NODE_STRING, FIELD_OPTIONAL, NULL},
    [KEY_DATAS] = {"keyDatas", NODE_LIST, FIELD_OPTIONAL, NULL},
    [FULCIO] = {"fulcio", NODE_MAP, FIELD_OPTIONAL, NULL},
    [PKI] = {"pki", NODE_MAP, FIELD_OPTIONAL, NULL},
    [REKOR_PATH] = {"rekorPublicKeyPath", NODE_STRING, FIELD_OPTIONAL, NULL},
    [REKOR_PATHS] = {"rekorPublicKeyPaths", NODE_LIST, FIELD_OPTIONAL, NULL},
    [REKOR_DATA] = {"rekorPublicKeyData", NODE_STRING, FIELD_OPTIONAL, NULL},
    [REKOR_DATAS] = {"rekorPublicKeyDatas", NODE_LIST, FIELD_OPTIONAL, NULL},
    [IDENTITY] = {"signedIdentity", NODE_MAP, FIELD_OPTIONAL, NULL},
};

/* How many of the fields from first to last are there, and which is the last of them. */
static int present(const struct node **fields, int first, int last, int *ret_which)
{
    int count = 0;

    for (int i = first; i <= last; i++) {
        if (fields[i] != NULL) {
            *ret_which = i;
            count++;
        }
    }
    return count;
}

static bool load_who(struct load *load, const struct path *path, const struct node *node, const struct node **fields,
                     struct authority *authority, struct certificates *certificates)
{
    int which = 0;

    if (present(fields, KEY_PATH, PKI, &which) != 1)
        return load_fail(load, path, node,
                         "wanted exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio and pki");
    if (which == FULCIO)
        return load_fulcio(load, path, fields[FULCIO], authority, certificates);
    if (which == PKI)
        return load_pki(load, path, fields[PKI], authority, certificates);
    authority->kind = AUTHORITY_KEY;
    return add_keys(load, path, rules[which].name, fields[which], which == KEY_PATH || which == KEY_PATHS, authority);
}

static bool load_trust(struct load *load, const struct path *path, const struct node *node, const struct node **fields,
                       struct authority *authority, const struct certificates *certificates)
{
    struct authority logs = {0};
    int which = 0, count = present(fields, REKOR_PATH, REKOR_DATAS, &which);
    size_t root = ROOT_NONE;
    bool good;

    if (count > 1)
        return load_fail(load, path, node, "wanted at most one form of rekorPublicKey");
    if (count == 0 && fields[FULCIO] != NULL)
        return load_fail(load, path, node,
                         "fulcio needs a rekorPublicKey: its certificates are valid for minutes, and the log "
                         "says when");
    if (count == 1 && fields[PKI] != NULL)
        return load_fail(load, path, node, "pki goes without rekorPublicKey");
    if (count == 0 && authority->kind == AUTHORITY_KEY)
        return true;
    good = (count == 0 || add_keys(load, path, rules[which].name, fields[which],
                                   which == REKOR_PATH || which == REKOR_PATHS, &logs)) &&
           make_root(load, path, node, &logs, certificates, &root);
    authority_done(&logs);
    if (!good)
        return false;
    if (count == 1)
        authority->log_root = root;
    if (authority->kind == AUTHORITY_KEYLESS)
        authority->trust_root = root;
    return true;
}

bool load_sigstore_signed(struct load *load, const struct path *path, const struct node *node,
                          struct authority *authority)
{
    struct certificates certificates CLEANUP(certificates_done) = {0};
    const struct node *fields[FIELDS];

    return fields_read(load, path, node, rules, FIELDS, fields) &&
           load_who(load, path, node, fields, authority, &certificates) &&
           load_trust(load, path, node, fields, authority, &certificates) &&
           load_identity(load, path, fields[IDENTITY], authority) &&
           check_identity(load, path, fields[IDENTITY] != NULL ? fields[IDENTITY] : node, authority) &&
           (authority->reference != REFERENCE_REMAP || (canonical_prefix(load, &authority->reference_name) &&
                                                        canonical_prefix(load, &authority->reference_signed)));
}
