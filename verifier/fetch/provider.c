/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to credential programs and what they answer. */
#include "verifier/fetch/provider.h"

#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/tree.h"

enum { SHOWN_BYTES = 160, SECONDS_MAX = 365 * 24 * 3600 };

static bool is_text(const struct node *node)
{
    return node_is(node, NODE_STRING) && node->text.len > 0;
}

/* Names and passwords go into headers: no control characters. */
static bool take_secret(const struct node *node, char **place, const char *what, struct error *err)
{
    for (size_t i = 0; i < node->text.len; i++)
        if (node->text.ptr[i] < ' ' || node->text.ptr[i] == 0x7f)
            return error_set(err, REASON_MALFORMED, "%s: answered a name or secret with control characters", what);
    *place = span_dup(node->text);
    return *place != NULL || error_oom(err);
}

/* docker-credential-helpers: a user of this name says that the secret is an identity token. */
static bool take_login(const struct node *user, const struct node *secret, const char *what,
                       struct fetch_credentials *ret, struct error *err)
{
    if (node_str_is(user, "<token>"))
        return take_secret(secret, &ret->identity_token, what, err);
    return take_secret(user, &ret->username, what, err) && take_secret(secret, &ret->password, what, err);
}

static bool helper_failed(struct span output, int exit_status, const char *what, struct error *err)
{
    char shown[SHOWN_BYTES];

    return error_set(err, REASON_IO, "%s: ended with status %d (%s)", what, exit_status,
                     text_clean(span_trim(output), shown, sizeof(shown)));
}

bool helper_parse(struct span output, int exit_status, const char *what, bool *ret_found, struct fetch_credentials *ret,
                  struct error *err)
{
    struct fetch_credentials credentials CLEANUP(fetch_credentials_done) = {0};
    struct tree *tree CLEANUP(tree_freep) = NULL;
    const struct node *root, *user, *secret;

    if (exit_status != 0) {
        if (span_find(output, "credentials not found") == SIZE_MAX)
            return helper_failed(output, exit_status, what, err);
        *ret_found = false;
        return true;
    }
    if (!json_parse(output, what, TREE_NO_PLACES, &tree, err))
        return false;
    root = tree_root(tree);
    user = node_get(root, "Username");
    secret = node_get(root, "Secret");
    if (!is_text(user) || !is_text(secret))
        return error_set(err, REASON_MALFORMED, "%s: answered without Username and Secret", what);
    if (!take_login(user, secret, what, &credentials, err))
        return false;
    *ret = credentials;
    credentials = (struct fetch_credentials){0};
    *ret_found = true;
    return true;
}

void provider_request(const struct provider *provider, const char *image, struct buf *ret)
{
    struct json_out out = json_out_to(ret);

    json_open_map(&out, NULL);
    json_put_str(&out, "kind", "CredentialProviderRequest");
    json_put_str(&out, "apiVersion", provider->api_version);
    json_put_str(&out, "image", image);
    json_close_map(&out);
}

void provider_answer_done(struct provider_answer *answer)
{
    fetch_credentials_done(&answer->credentials);
    *answer = (struct provider_answer){0};
}

/* Go's time.Duration in text, whole seconds of it: "12h0m0s", "1.5h" counts as 1h, "300ms" as nothing. */
static bool go_duration(struct span text, int64_t *ret_seconds)
{
    int64_t total = 0;

    if (span_eq_str(text, "0")) {
        *ret_seconds = 0;
        return true;
    }
    if (text.len == 0 || text.len > 64)
        return false;
    while (text.len > 0) {
        uint64_t value = 0;
        size_t digits = 0;
        int64_t unit;

        for (; digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9'; digits++)
            if (value < SECONDS_MAX)
                value = value * 10 + (uint64_t)(text.ptr[digits] - '0');
        if (digits == 0)
            return false;
        if (digits < text.len && text.ptr[digits] == '.')
            for (digits++; digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9';)
                digits++;
        text = span_cut(text, digits, SIZE_MAX);
        unit = span_starts(text, "ms") || span_starts(text, "us") || span_starts(text, "ns") ? 0
               : span_starts(text, "h")                                                      ? 3600
               : span_starts(text, "m")                                                      ? 60
               : span_starts(text, "s")                                                      ? 1
                                                                                             : -1;
        if (unit < 0)
            return false;
        total += unit * (int64_t)(value < SECONDS_MAX ? value : SECONDS_MAX);
        text = span_cut(text, unit == 0 ? 2 : 1, SIZE_MAX);
    }
    *ret_seconds = total < SECONDS_MAX ? total : SECONDS_MAX;
    return true;
}

static enum provider_cache cache_kind(const struct node *node)
{
    return node_str_is(node, "Image")      ? PROVIDER_CACHE_IMAGE
           : node_str_is(node, "Registry") ? PROVIDER_CACHE_REGISTRY
           : node_str_is(node, "Global")   ? PROVIDER_CACHE_GLOBAL
                                           : PROVIDER_CACHE_NONE;
}

/* The most specific key wins; the kubelet sorts them in reverse, so that longer ones come before their prefixes. */
static const struct node *entry_for(const struct node *auth, const char *image)
{
    const struct node *best = NULL;

    for (const struct node *item = node_is(auth, NODE_MAP) ? auth->child : NULL; item; item = item->next)
        if (provider_glob_matches(item->name, image) && (!best || item->name.len > best->name.len))
            best = item;
    return best;
}

bool provider_parse(const struct provider *provider, struct span output, const char *image, struct provider_answer *ret,
                    struct error *err)
{
    struct provider_answer answer CLEANUP(provider_answer_done) = {.cache_s = provider->default_cache_s};
    struct tree *tree CLEANUP(tree_freep) = NULL;
    const struct node *root, *entry, *duration, *user, *password;

    if (!json_parse(output, provider->name, TREE_NO_PLACES, &tree, err))
        return false;
    root = tree_root(tree);
    if (!node_str_is(node_get(root, "kind"), "CredentialProviderResponse") ||
        !node_str_is(node_get(root, "apiVersion"), provider->api_version))
        return error_set(err, REASON_MALFORMED, "%s: answered something else than a CredentialProviderResponse of %s",
                         provider->name, provider->api_version);
    answer.cache = cache_kind(node_get(root, "cacheKeyType"));
    if (answer.cache == PROVIDER_CACHE_NONE)
        return error_set(err, REASON_MALFORMED, "%s: answered a cacheKeyType other than Image, Registry, Global",
                         provider->name);
    duration = node_get(root, "cacheDuration");
    if (duration && !node_is(duration, NODE_NULL) &&
        (!node_is(duration, NODE_STRING) || !go_duration(duration->text, &answer.cache_s)))
        return error_set(err, REASON_MALFORMED, "%s: answered a cacheDuration that is none", provider->name);
    entry = entry_for(node_get(root, "auth"), image);
    user = node_get(entry, "username");
    password = node_get(entry, "password");
    answer.found = is_text(user) && node_is(password, NODE_STRING);
    if (answer.found && !take_login(user, password, provider->name, &answer.credentials, err))
        return false;
    *ret = answer;
    answer = (struct provider_answer){0};
    return true;
}

char *provider_cache_key(const struct provider *provider, enum provider_cache cache, const char *image)
{
    size_t host = span_find_byte(span_str(image), '/');

    switch (cache) {
    case PROVIDER_CACHE_GLOBAL:
        return mem_printf("%s global", provider->name);
    case PROVIDER_CACHE_REGISTRY:
        return mem_printf("%s registry %.*s", provider->name, host == SIZE_MAX ? (int)strlen(image) : (int)host, image);
    case PROVIDER_CACHE_NONE:
    case PROVIDER_CACHE_IMAGE:
    default:
        return mem_printf("%s image %s", provider->name, image);
    }
}

bool provider_ask(const struct provider *provider, const char *directory, const char *image, provider_run_fn run,
                  void *context, struct buf *ret_output, struct provider_answer *ret, struct error *err)
{
    struct buf request CLEANUP(buf_free) = BUF_INIT(4096);
    char *program CLEANUP(mem_freep) = mem_printf("%s/%s", directory, provider->name);
    int exit_status = -1;

    provider_request(provider, image, &request);
    if (!program || !buf_ok(&request))
        return error_oom(err);
    *ret_output = (struct buf)BUF_INIT(PROVIDER_OUTPUT_BYTES);
    if (!run(context, program, provider->args, provider->env, buf_as_span(&request), ret_output, &exit_status, err))
        return error_wrap(err, "credential provider %s", provider->name);
    if (exit_status != 0) /* what it wrote is not shown: an answer is all that belongs there, secrets and all */
        return error_set(err, REASON_IO, "credential provider %s: ended with status %d", provider->name, exit_status);
    return provider_parse(provider, buf_as_span(ret_output), image, ret, err) ||
           error_wrap(err, "credential provider %s", provider->name);
}

bool helper_ask(const char *name, const char *server, const char *program, provider_run_fn run, void *context,
                bool *ret_found, struct fetch_credentials *ret, struct error *err)
{
    struct buf output CLEANUP(buf_wipe) = BUF_INIT(PROVIDER_OUTPUT_BYTES);
    char get[] = "get", *args[] = {get, NULL}, *env[] = {NULL};
    char *what CLEANUP(mem_freep) = mem_printf("credential helper %s", name);
    int exit_status = -1;

    if (!what)
        return error_oom(err);
    if (!run(context, program, args, env, span_str(server), &output, &exit_status, err))
        return error_wrap(err, "%s", what);
    return helper_parse(buf_as_span(&output), exit_status, what, ret_found, ret, err);
}
