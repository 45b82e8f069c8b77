/* SPDX-License-Identifier: Apache-2.0 */
/* keyless, ctlog, rfc3161timestamp, signatureFormat (policy.md 1.1). */
#include "policy/load_keyless.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/regex.h"

enum { IDENTITIES_MAX = 1000, ROOT_NAME_BYTES = 100 };

/* The trust root that stands for Sigstore's public-good instance. */
static const char public_good[] = "public-good";

static bool root_name_ok(struct span name)
{
    if (name.len == 0 || name.len > ROOT_NAME_BYTES || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

/*
 * Which trust root a block means: the one it names, else the public one when its URL is the public instance's (or,
 * where the format has a default URL, absent). Another URL alone says nothing about whom to trust.
 */
static bool load_root(struct load *load, const struct path *block, const struct node *at, const struct node *ref,
                      const struct node *url, const char *public_url, size_t *ret_root)
{
    struct path ref_path = {.up = block, .name = "trustRootRef"}, url_path = {.up = block, .name = "url"};
    char name[ROOT_NAME_BYTES + 1], shown[120];

    if (ref != NULL) {
        if (!root_name_ok(ref->text))
            return load_fail(load, &ref_path, ref, "wanted a name of letters, digits, . _ and -");
        memcpy(name, ref->text.ptr, ref->text.len);
        name[ref->text.len] = '\0';
    } else {
        struct span text = url != NULL ? url->text : span_str(public_url);

        if (span_ends(text, "/"))
            text = span_cut(text, 0, text.len - 1);
        if (!span_eq_str(text, public_url))
            return load_fail(load, &url_path, url,
                             "\"%s\" is not the public instance (%s): name its trust root with trustRootRef, a "
                             "trusted_root.json in the trust directory",
                             text_clean(url->text, shown, sizeof(shown)), public_url);
        memcpy(name, public_good, sizeof(public_good));
    }
    if (!set_add_root(load->set, name, load->source, ret_root, load->err))
        return load_fail_error(load, ref != NULL ? &ref_path : block, ref != NULL ? ref : at);
    return true;
}

/* One of `exact` and `regexp`, never both, never none. */
static bool load_matcher(struct load *load, const struct path *up, const struct node *at, const char *name,
                         const struct node *exact, const struct node *regexp, struct matcher *matcher)
{
    char regexp_name[24];
    struct path exact_path = {.up = up, .name = name}, regexp_path = {.up = up, .name = regexp_name};

    (void)snprintf(regexp_name, sizeof(regexp_name), "%sRegExp", name);
    if ((exact != NULL) == (regexp != NULL))
        return load_fail(load, up, at, "wanted exactly one of \"%s\" and \"%s\"", name, regexp_name);
    if (exact != NULL) {
        if (!load_string(load, &exact_path, exact, &matcher->exact))
            return false;
        matcher->text = mem_strdup(matcher->exact);
        return matcher->text != NULL || error_oom(load->err);
    }
    if (!load_string(load, &regexp_path, regexp, &matcher->text))
        return false;
    return regex_new(regexp->text, &matcher->regex, load->err) || load_fail_error(load, &regexp_path, regexp);
}

/* identities[].pullguard: a name for `required`, and GitHub's workflow claims. */
static bool load_identity_block(struct load *load, const struct path *up, const struct node *node,
                                struct identity *identity)
{
    enum { NAME, FIRST_WORKFLOW, FIELDS = FIRST_WORKFLOW + WORKFLOW_FIELDS };
    /* In the order of Fulcio's extensions .2 to .6. */
    static const struct field_rule rules[FIELDS] = {
        [NAME] = {"name", NODE_STRING, FIELD_OPTIONAL, NULL},
        [FIRST_WORKFLOW] = {"githubWorkflowTrigger", NODE_STRING, FIELD_OPTIONAL, NULL},
        {"githubWorkflowSha", NODE_STRING, FIELD_OPTIONAL, NULL},
        {"githubWorkflowName", NODE_STRING, FIELD_OPTIONAL, NULL},
        {"githubWorkflowRepository", NODE_STRING, FIELD_OPTIONAL, NULL},
        {"githubWorkflowRef", NODE_STRING, FIELD_OPTIONAL, NULL},
    };
    struct path path = {.up = up, .name = "pullguard"};
    const struct node *fields[FIELDS];

    if (node == NULL)
        return true;
    if (!fields_read(load, &path, node, rules, FIELDS, fields))
        return false;
    for (size_t i = 0; i < FIELDS; i++) {
        struct path field = {.up = &path, .name = rules[i].name};
        char **place = i == NAME ? &identity->name : &identity->workflow[i - FIRST_WORKFLOW];

        if (fields[i] != NULL && !load_string(load, &field, fields[i], place))
            return false;
    }
    return true;
}

/* `required` names entries, so a name is one identity's. */
static bool check_name_free(struct load *load, const struct path *up, const struct node *block,
                            const struct authority *authority)
{
    const struct identity *identity = &authority->identities[authority->identity_count - 1];
    struct path path = {.up = up, .name = "pullguard"}, name = {.up = &path, .name = "name"};

    for (const struct identity *other = authority->identities; identity->name != NULL && other < identity; other++) {
        if (other->name != NULL && strcmp(other->name, identity->name) == 0)
            return load_fail(load, &name, node_get(block, "name"), "the name \"%s\" is taken by another identity",
                             identity->name);
    }
    return true;
}

static bool load_identity(struct load *load, const struct path *path, const struct node *node,
                          struct authority *authority)
{
    enum { ISSUER, ISSUER_RE, SUBJECT, SUBJECT_RE, PULLGUARD, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [ISSUER] = {"issuer", NODE_STRING, FIELD_OPTIONAL, NULL},
        [ISSUER_RE] = {"issuerRegExp", NODE_STRING, FIELD_OPTIONAL, NULL},
        [SUBJECT] = {"subject", NODE_STRING, FIELD_OPTIONAL, NULL},
        [SUBJECT_RE] = {"subjectRegExp", NODE_STRING, FIELD_OPTIONAL, NULL},
        [PULLGUARD] = {"pullguard", NODE_MAP, FIELD_OPTIONAL, NULL},
    };
    const struct node *fields[FIELDS];
    struct identity *identity;

    if (!fields_read(load, path, node, rules, FIELDS, fields))
        return false;
    if (!mem_grow(&authority->identities, &authority->identity_capacity, authority->identity_count,
                  sizeof(*authority->identities), IDENTITIES_MAX))
        return load_fail(load, path, node, "more than %d identities", IDENTITIES_MAX);
    identity = &authority->identities[authority->identity_count++];
    identity->at = (struct place){node->line, node->column};
    return load_matcher(load, path, node, "issuer", fields[ISSUER], fields[ISSUER_RE], &identity->issuer) &&
           load_matcher(load, path, node, "subject", fields[SUBJECT], fields[SUBJECT_RE], &identity->subject) &&
           load_identity_block(load, path, fields[PULLGUARD], identity) &&
           check_name_free(load, path, fields[PULLGUARD], authority);
}

bool load_keyless(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    enum { URL, IDENTITIES, ROOT, IGNORE_SCT, CA_CERT, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [URL] = {"url", NODE_STRING, FIELD_OPTIONAL, NULL},
        [IDENTITIES] = {"identities", NODE_LIST, FIELD_MANDATORY, "without one, anybody with an account could sign"},
        [ROOT] = {"trustRootRef", NODE_STRING, FIELD_OPTIONAL, NULL},
        [IGNORE_SCT] = {"insecureIgnoreSCT", NODE_BOOL, FIELD_OPTIONAL, NULL},
        [CA_CERT] = {"ca-cert", FIELD_ANY, FIELD_REFUSED,
                     "put the certificate authority into a trusted_root.json in the trust directory and name it with "
                     "trustRootRef"},
    };
    struct path path = {.up = up, .name = "keyless"}, list = {.up = &path, .name = "identities"},
                element = {.up = &list};
    const struct node *fields[FIELDS];

    if (!fields_read(load, &path, node, rules, FIELDS, fields) ||
        !load_not_empty(load, &list, fields[IDENTITIES], "identity"))
        return false;
    for (const struct node *item = fields[IDENTITIES]->child; item != NULL; item = item->next, element.index++) {
        if (!load_identity(load, &element, item, authority))
            return false;
    }
    if (fields[IGNORE_SCT] != NULL && !node_bool(fields[IGNORE_SCT], &authority->ignore_sct))
        return load_fail(load, &path, fields[IGNORE_SCT], "wanted true or false");
    return load_root(load, &path, node, fields[ROOT], fields[URL], "https://fulcio.sigstore.dev",
                     &authority->trust_root);
}

static bool load_ctlog(struct load *load, const struct path *up, const struct node *node, struct authority *authority)
{
    enum { URL, ROOT, KEY, FIELDS };
    static const struct field_rule rules[FIELDS] = {
        [URL] = {"url", NODE_STRING, FIELD_OPTIONAL, NULL},
        [ROOT] = {"trustRootRef", NODE_STRING, FIELD_OPTIONAL, NULL},
        [KEY] = {"publicKey", FIELD_ANY, FIELD_REFUSED,
                 "put the log's key into a trusted_root.json in the trust directory and name it with trustRootRef"},
    };
    struct path path = {.up = up, .name = "ctlog"};
    const struct node *fields[FIELDS];

    if (!fields_read(load, &path, node, rules, FIELDS, fields))
        return false;
    /* A cluster ignores such a block, which its author cannot have meant. */
    if (fields[URL] == NULL && fields[ROOT] == NULL)
        return load_fail(load, &path, node, "names neither \"url\" nor \"trustRootRef\"");
    return load_root(load, &path, node, fields[ROOT], fields[URL], "https://rekor.sigstore.dev", &authority->log_root);
}

static bool load_timestamp(struct load *load, const struct path *up, const struct node *node,
                           struct authority *authority)
{
    static const struct field_rule rules[] = {
        {"trustRootRef", NODE_STRING, FIELD_MANDATORY, "the trust root that holds the timestamp authority"}};
    struct path path = {.up = up, .name = "rfc3161timestamp"};
    const struct node *fields[ARRAY_LEN(rules)];

    return fields_read(load, &path, node, rules, ARRAY_LEN(rules), fields) &&
           load_root(load, &path, node, fields[0], NULL, "", &authority->tsa_root);
}

bool load_proofs(struct load *load, const struct path *up, const struct node *ctlog, const struct node *timestamp,
                 const struct node *format, struct authority *authority)
{
    static const char *const formats[] = {"legacy", "bundle"};
    struct path format_path = {.up = up, .name = "signatureFormat"};
    size_t which;

    if ((ctlog != NULL && !load_ctlog(load, up, ctlog, authority)) ||
        (timestamp != NULL && !load_timestamp(load, up, timestamp, authority)))
        return false;
    /* A short-lived certificate needs a log entry unless a timestamp is asked for instead (policy.md 1.1). */
    if (authority->kind == AUTHORITY_KEYLESS && ctlog == NULL && timestamp == NULL)
        authority->log_root = authority->trust_root;
    if (format == NULL)
        return true;
    if (!load_word(load, &format_path, format, formats, ARRAY_LEN(formats), &which))
        return false;
    authority->format = which == 0 ? FORMAT_LEGACY : FORMAT_BUNDLE;
    return true;
}
