/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings on policies that load: what can never match, what matches more than it seems to, what is not checked. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "policy/condition.h"
#include "policy/model.h"
#include "policy/regex.h"

enum { WARNING_BYTES = 512, WARNINGS_MAX = 100 * 1000, SHOWN_BYTES = 120 };

struct lint {
    const struct policy_set *set;
    const struct policy *policy;
    struct policy_warnings *warnings;
    struct error *err;
};

PRINTF_LIKE(3, 4) static bool warn(struct lint *lint, struct place at, const char *format, ...)
{
    struct policy_warnings *warnings = lint->warnings;
    struct policy_warning *warning;
    char text[WARNING_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (warnings->count >= WARNINGS_MAX)
        return true;
    if (!mem_grow(&warnings->items, &warnings->capacity, warnings->count, sizeof(*warnings->items), WARNINGS_MAX))
        return error_oom(lint->err);
    warning = &warnings->items[warnings->count++];
    warning->file = mem_strdup(lint->policy->file);
    warning->line = at.line;
    warning->column = at.column;
    warning->text = mem_strdup(text);
    return (warning->file != NULL && warning->text != NULL) || error_oom(lint->err);
}

/* Why a glob can never match a name (verifier/ref.h says what names look like); NULL when it can. */
static const char *never_matches(const char *glob)
{
    const char *slash = strchr(glob, '/'), *at = strchr(glob, '@');
    struct span host = span_of(glob, slash != NULL ? (size_t)(slash - glob) : 0);

    if (strstr(glob, "://") != NULL)
        return "image names have no scheme such as \"https://\"";
    if (glob[0] == '/')
        return "image names do not begin with \"/\"";
    if (strstr(glob, "//") != NULL)
        return "image names have no empty part between two \"/\"";
    if (span_ends(host, ":443"))
        return "the port 443 is the default and stands in no canonical name; leave it out";
    if (span_eq_str(host, "registry-1.docker.io"))
        return "Docker Hub's canonical name is \"index.docker.io\"";
    for (size_t i = 0; i < host.len; i++) {
        if (host.ptr[i] >= 'A' && host.ptr[i] <= 'Z')
            return "host names are lower case";
    }
    for (const char *c = glob + host.len; *c != '\0' && *c != ':' && c != at; c++) {
        if (*c >= 'A' && *c <= 'Z')
            return "repositories are lower case";
    }
    if (at != NULL && strchr(at, '*') == NULL && strncmp(at, "@sha256:", 8) != 0 && strncmp(at, "@sha384:", 8) != 0 &&
        strncmp(at, "@sha512:", 8) != 0)
        return "behind \"@\" stands a digest such as \"sha256:...\"";
    return NULL;
}

/* Docker's rule: without a dot, a colon or "localhost" the first part is no host, and Docker Hub is meant. */
static bool names_no_host(const char *glob)
{
    size_t first = strcspn(glob, "/");
    struct span host = span_of(glob, first);

    if (span_find_byte(host, '*') != SIZE_MAX)
        return false;
    if (glob[first] == '\0')
        return true;
    return span_find_byte(host, '.') == SIZE_MAX && span_find_byte(host, ':') == SIZE_MAX &&
           !span_eq_str(host, "localhost");
}

static bool lint_glob(struct lint *lint, const struct policy_glob *glob)
{
    const char *text = glob->text, *never = never_matches(text), *last_slash = strrchr(text, '/');
    size_t len = strlen(text), body = len;
    const char *tag = last_slash != NULL ? strchr(last_slash, ':') : NULL;
    char shown[SHOWN_BYTES];

    text_clean(span_str(text), shown, sizeof(shown));
    if (never != NULL)
        return warn(lint, glob->at, "glob \"%s\" can never match: %s", shown, never);
    if (names_no_host(text) &&
        !warn(lint, glob->at,
              "glob \"%s\" names no registry and matches only references written just so; for Docker Hub write "
              "\"index.docker.io/%s%s\"",
              shown, last_slash == NULL ? "library/" : "", shown))
        return false;
    while (body > 0 && text[body - 1] == '*')
        body--;
    if (tag == NULL && body < len && body > 0 && strchr("/:@-_.", text[body - 1]) == NULL &&
        !warn(lint, glob->at,
              "glob \"%s\" also covers names that only begin so, such as \"%.*s-evil\"; end it in \"/**\", "
              "\":*\" or \"@*\", or leave the * out",
              shown, (int)(body < SHOWN_BYTES ? body : SHOWN_BYTES), text))
        return false;
    if (tag != NULL && strchr(text, '@') == NULL &&
        !warn(lint, glob->at,
              "glob \"%s\" holds for pulls by tag only: a pull by digest alone (\"name@sha256:...\") has no tag "
              "to match",
              shown))
        return false;
    return true;
}

static bool lint_matcher(struct lint *lint, struct place at, const char *what, const struct matcher *matcher)
{
    struct span text = span_str(matcher->text);
    char shown[SHOWN_BYTES];

    text_clean(text, shown, sizeof(shown));
    if (matcher->regex == NULL && span_find_byte(text, '*') != SIZE_MAX)
        return warn(lint, at, "%s \"%s\" is compared whole, and * stands for itself; %sRegExp takes an expression",
                    what, shown, what);
    if (matcher->regex == NULL)
        return true;
    if (regex_search(matcher->regex, span_str("")) && regex_search(matcher->regex, span_str("\x01")))
        return warn(lint, at, "%sRegExp \"%s\" matches anything", what, shown);
    if ((!span_starts(text, "^") && !span_starts(text, "(?i)^") && !span_starts(text, "\\A")) ||
        (!span_ends(text, "$") && !span_ends(text, "\\z")))
        return warn(lint, at,
                    "%sRegExp \"%s\" is not anchored: it may match anywhere; begin it with ^ and end it with $", what,
                    shown);
    return true;
}

static bool lint_identities(struct lint *lint, const struct authority *authority)
{
    for (size_t i = 0; i < authority->identity_count; i++) {
        const struct identity *identity = &authority->identities[i];

        if (!lint_matcher(lint, identity->at, "issuer", &identity->issuer) ||
            !lint_matcher(lint, identity->at, "subject", &identity->subject))
            return false;
    }
    return true;
}

static bool lint_keys(struct lint *lint, const struct authority *authority)
{
    for (size_t i = 0; i < authority->member_count; i++) {
        const char *fingerprint = pubkey_fingerprint(lint->set->keys[authority->members[i].key].key);

        if (table_find(&lint->set->revoked_keys, span_str(fingerprint)) != SIZE_MAX &&
            !warn(lint, authority->at, "authority \"%s\" names the key %.12s..., which is revoked", authority->name,
                  fingerprint))
            return false;
        if (authority->members[i].has_not_after && authority->log_root == ROOT_NONE &&
            authority->tsa_root == ROOT_NONE)
            return warn(lint, authority->at,
                        "authority \"%s\" ends the key %.12s... (notAfter) and asks for no trusted time: from then on "
                        "its older signatures are refused as well; ctlog or rfc3161timestamp keeps them",
                        authority->name, fingerprint);
    }
    return true;
}

/* What cosign cannot sign, or by default does not. */
static bool lint_signed_words(struct lint *lint, const struct authority *authority)
{
    char shown[SHOWN_BYTES];

    for (size_t i = 0; i < authority->annotation_count; i++) {
        if (strchr(authority->annotations[i].value, ',') != NULL &&
            !warn(lint, authority->at,
                  "authority \"%s\" wants a value with a comma for the annotation \"%s\"; \"cosign sign -a\" splits at "
                  "commas, so it signs no such value",
                  authority->name, text_clean(span_str(authority->annotations[i].key), shown, sizeof(shown))))
            return false;
    }
    if (authority->reference != REFERENCE_REPOSITORY && authority->reference != REFERENCE_EXACT)
        return true;
    return authority->format == FORMAT_LEGACY ||
           warn(lint, authority->at,
                "authority \"%s\" wants the image's name signed (identity); cosign 3 makes bundles, which sign none, "
                "unless told --new-bundle-format=false",
                authority->name);
}

static bool warn_condition(void *context, uint32_t line, uint32_t column, const char *text)
{
    return warn(context, (struct place){line, column}, "%s", text);
}

static bool lint_attestations(struct lint *lint, const struct authority *authority)
{
    const struct condition_lint sink = {.context = lint, .warn = warn_condition};

    if (authority->attestation_count > 0 && !authority->signed_and_attested &&
        !warn(lint, authority->at,
              "authority \"%s\" looks at attestations only, not at the image's signature; add pullguard: "
              "{signedAndAttested: true} if both are meant",
              authority->name))
        return false;
    for (size_t i = 0; i < authority->attestation_count; i++) {
        const struct attestation_rule *rule = &authority->attestations[i];

        if (rule->conditions != NULL && !condition_check_types(rule->conditions, rule->predicate_type, &sink))
            return false;
    }
    return true;
}

/* Nothing is verified here: what holds the name decides, and a tag is a name that whoever may push can move. */
static bool lint_static_pass(struct lint *lint, const struct policy *policy)
{
    char shown[SHOWN_BYTES];
    bool passes = false;

    for (size_t i = 0; i < policy->authority_count; i++)
        passes |= policy->authorities[i].kind == AUTHORITY_STATIC && policy->authorities[i].static_pass;
    for (size_t i = 0; passes && i < policy->glob_count; i++) {
        const char *text = policy->globs[i].text, *last_slash = strrchr(text, '/');
        const char *tag = strchr(last_slash != NULL ? last_slash : text, ':');

        text_clean(span_str(text), shown, sizeof(shown));
        if (strspn(text, "*") == strlen(text) &&
            !warn(lint, policy->globs[i].at, "glob \"%s\" with static: pass lets every image through unverified",
                  shown))
            return false;
        if (tag != NULL && strchr(text, '@') == NULL &&
            !warn(lint, policy->globs[i].at,
                  "glob \"%s\" with static: pass names a tag, and whoever can push moves tags: name the digest "
                  "(\"...@sha256:...\"), or ask for a signature",
                  shown))
            return false;
    }
    return true;
}

static bool lint_authorities(struct lint *lint)
{
    const struct policy *policy = lint->policy;

    for (size_t i = 0; i < policy->authority_count; i++) {
        const struct authority *authority = &policy->authorities[i];

        if (authority->kind == AUTHORITY_STATIC && authority->static_pass && policy->authority_count > 1 &&
            policy->threshold == 1 && policy->required_count == 0 &&
            !warn(lint, authority->at,
                  "authority \"%s\" passes everything (static: pass), so the others decide nothing", authority->name))
            return false;
        if (!lint_identities(lint, authority) || !lint_keys(lint, authority) || !lint_attestations(lint, authority) ||
            !lint_signed_words(lint, authority))
            return false;
    }
    return true;
}

/* policy.json: scopes that no lookup ever asks for (the format does not check them), and what cosign's signatures lack.
 */
static bool lint_scope(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    const char *scope = policy->globs[0].text, *star = strchr(scope, '*');
    struct span first = span_of(scope, strcspn(scope, "/"));
    char shown[SHOWN_BYTES];

    text_clean(span_str(scope), shown, sizeof(shown));
    if (strcmp(policy->name, "default") != 0) {
        if (star != NULL &&
            (star != scope || scope[1] != '.' || strchr(scope + 1, '*') != NULL || strchr(scope, '/') != NULL) &&
            !warn(lint, policy->at,
                  "scope \"%s\" is never looked up: * stands only at the beginning of a host, as in "
                  "\"*.example.com\"",
                  shown))
            return false;
        if (span_eq_str(first, "index.docker.io") &&
            !warn(lint, policy->at, "scope \"%s\" is never looked up: Docker Hub is \"docker.io\" in a policy.json",
                  shown))
            return false;
    }
    for (size_t i = 0; i < policy->authority_count; i++) {
        if (policy->authorities[i].kind != AUTHORITY_STATIC &&
            policy->authorities[i].reference == REFERENCE_MATCH_REPO_DIGEST_OR_EXACT &&
            !warn(lint, policy->authorities[i].at,
                  "cosign's signatures name a repository without a tag: pulls by tag need "
                  "signedIdentity {\"type\": \"matchRepository\"}"))
            return false;
    }
    return lint_authorities(lint);
}

static bool lint_policy(struct lint *lint)
{
    const struct policy *policy = lint->policy;

    if (lint->set->dialect == DIALECT_CONTAINERS)
        return lint_scope(lint);
    for (size_t i = 0; i < policy->glob_count; i++) {
        if (!lint_glob(lint, &policy->globs[i]))
            return false;
    }
    if (policy->lint_first_block_only &&
        !warn(lint, policy->at, "key.data holds several keys; here each of them counts, in a cluster only the first"))
        return false;
    return lint_static_pass(lint, policy) && lint_authorities(lint);
}

bool policy_lint(const struct policy_set *set, struct policy_warnings *ret, struct error *err)
{
    struct policy_warnings warnings CLEANUP(policy_warnings_done) = {0};
    struct lint lint = {.set = set, .warnings = &warnings, .err = err};

    for (size_t i = 0; i < set->policy_count; i++) {
        lint.policy = &set->policies[i];
        if (!lint_policy(&lint))
            return false;
    }
    *ret = warnings;
    warnings = (struct policy_warnings){0};
    return true;
}

void policy_warnings_done(struct policy_warnings *warnings)
{
    for (size_t i = 0; i < warnings->count; i++) {
        mem_free(warnings->items[i].file);
        mem_free(warnings->items[i].text);
    }
    mem_free(warnings->items);
    *warnings = (struct policy_warnings){0};
}
