/* SPDX-License-Identifier: Apache-2.0 */
/* Order: the request's own; the settings' credential files, one after the other; the kubelet's providers. */
#include "plugin/engine/credentials.h"

#include <errno.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "plugin/engine/report.h"
#include "plugin/engine/runprogram.h"
#include "verifier/fetch/authfile.h"
#include "verifier/fetch/provider.h"
#include "verifier/ref.h"

/* Where docker's helpers are looked for; never in PATH. */
static const char *const helper_directories[] = {"/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/bin"};

struct search {
    const char *root;
    const struct settings *settings;
    struct credentials_kept *kept;
    const char *host, *repository;
    struct run_limits limits;
    struct fetch_credentials *ret;
    bool found;
};

/* What came with the request is for the registry of its image and for no other. */
static bool from_request(const struct request *request, struct search *search, struct error *err)
{
    CLEANUP(ref_done) struct ref ref = {0};
    struct fetch_credentials own = {
        .username = request->username, .password = request->password, .identity_token = request->identity_token};

    if (!request->username && !request->password && !request->identity_token)
        return true;
    if (!ref_parse(span_str(request->reference), &ref, err))
        return false;
    if (strcmp(ref.host, search->host) != 0)
        return true;
    search->found = true;
    return fetch_credentials_copy(&own, search->ret, err);
}

static bool ask_helper(const struct authfile_entry *entry, struct search *search, struct error *err)
{
    char name[64];

    if (strchr(entry->helper, '/') || strlen(entry->helper) > sizeof(name))
        return error_set(err, REASON_POLICY_ERROR, "a credential helper's name is no name");
    for (size_t i = 0; i < ARRAY_LEN(helper_directories); i++) {
        CLEANUP(mem_freep) char *relative = mem_printf("%s/docker-credential-%s", helper_directories[i], entry->helper);
        CLEANUP(mem_freep) char *program = relative ? path_under(search->root, relative) : NULL;

        if (!program)
            return error_oom(err);
        if (access(program, X_OK) == 0)
            return helper_ask(entry->helper, entry->helper_server, program, run_program, &search->limits,
                              &search->found, search->ret, err);
    }
    return error_set(err, REASON_UNAUTHORIZED, "the credential helper docker-credential-%.60s is not installed",
                     entry->helper);
}

/* `pullguard check` by somebody else than root: root's logins are not theirs, and many images need none. */
static bool is_closed_to_us(const char *path)
{
    return geteuid() != 0 && access(path, R_OK) != 0 && errno == EACCES;
}

static bool from_file(const char *file, struct search *search, struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(search->root, file);
    CLEANUP(buf_wipe) struct buf bytes = BUF_INIT(LIMIT_SETTINGS_BYTES);
    CLEANUP(authfile_entry_done) struct authfile_entry entry = {0};

    if (!path)
        return error_oom(err);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true; /* most of the usual places are empty on a node: not worth looking at every directory above */
    if (!file_read(path, LIMIT_SETTINGS_BYTES, FILE_TRUSTED, &bytes, err))
        return err->reason == REASON_NOT_FOUND /* most of the usual places are empty on a node */ ||
               is_closed_to_us(path);
    if (!authfile_find(buf_as_span(&bytes), path, search->host, search->repository, &entry, err))
        return false;
    if (!entry.found)
        return true;
    if (entry.helper)
        return ask_helper(&entry, search, err) || error_wrap(err, "%s", path);
    search->found = true;
    *search->ret = entry.credentials;
    entry.credentials = (struct fetch_credentials){0};
    return true;
}

/* "docker.io/library/x" is what the kubelet calls Docker Hub's images. */
static char *image_of(const struct search *search)
{
    const char *host = strcmp(search->host, "index.docker.io") == 0 ? "docker.io" : search->host;

    return mem_printf("%s/%s", host, search->repository);
}

/* What is kept counts for the providers as they are configured now. */
static char *scope_of(struct span config, const char *directory)
{
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];

    if (!digest_compute(DIGEST_SHA256, config, &digest))
        return NULL;
    return mem_printf("%s %s", digest_hex(&digest, hex), directory);
}

static void keep_answer(struct search *search, const char *scope, const struct provider *provider, const char *image,
                        const struct provider_answer *answer, struct span output)
{
    CLEANUP(buf_wipe) struct buf record = BUF_INIT(2 * PROVIDER_OUTPUT_BYTES);

    if (provider_cache_record(scope, provider, image, answer, output, mono_ms(), &record) &&
        provider_cache_take(&search->kept->providers, buf_as_span(&record), mono_ms()))
        report_send(search->kept->report, REPORT_PROVIDER, buf_as_span(&record));
}

/* An answer that is kept, or else a new one. */
static bool ask_provider(const struct provider *provider, const char *scope, const char *directory, const char *image,
                         struct search *search, struct provider_answer *ret, struct error *err)
{
    CLEANUP(buf_wipe) struct buf output = {0};
    struct span kept = provider_cache_find(&search->kept->providers, scope, provider, image, mono_ms());

    if (kept.len > 0)
        return provider_parse(provider, kept, image, ret, err);
    if (!provider_ask(provider, directory, image, run_program, &search->limits, &output, ret, err))
        return false;
    keep_answer(search, scope, provider, image, ret, buf_as_span(&output));
    return true;
}

static bool ask_providers(const struct providers *providers, struct span config, struct search *search,
                          struct error *err)
{
    CLEANUP(mem_freep) char *image = image_of(search);
    CLEANUP(mem_freep) char *directory = path_under(search->root, search->settings->provider_dir);
    CLEANUP(mem_freep) char *scope = directory ? scope_of(config, directory) : NULL;

    if (!image || !scope)
        return error_oom(err);
    for (size_t i = 0; i < providers->count && !search->found; i++) {
        CLEANUP(provider_answer_done) struct provider_answer answer = {0};

        if (providers->items[i].needs_token || !provider_matches(&providers->items[i], image))
            continue;
        if (!ask_provider(&providers->items[i], scope, directory, image, search, &answer, err))
            return false;
        if (!answer.found)
            continue;
        search->found = true;
        *search->ret = answer.credentials;
        answer.credentials = (struct fetch_credentials){0};
    }
    return true;
}

static bool from_providers(struct search *search, struct error *err)
{
    CLEANUP(providers_done) struct providers providers = {0};
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(LIMIT_SETTINGS_BYTES);
    CLEANUP(mem_freep) char *path = NULL;

    if (!search->settings->provider_config || search->settings->provider_config[0] == '\0')
        return true;
    path = path_under(search->root, search->settings->provider_config);
    if (!path)
        return error_oom(err);
    return file_read(path, LIMIT_SETTINGS_BYTES, FILE_TRUSTED, &bytes, err) &&
           providers_parse(buf_as_span(&bytes), path, &providers, err) &&
           ask_providers(&providers, buf_as_span(&bytes), search, err);
}

bool credentials_find(const char *root, const struct settings *settings, const struct request *request,
                      struct credentials_kept *kept, const char *host, const char *repository, int64_t deadline,
                      struct fetch_credentials *ret, struct error *err)
{
    struct search search = {.root = root,
                            .settings = settings,
                            .kept = kept,
                            .host = host,
                            .repository = repository,
                            .limits = {.deadline = deadline},
                            .ret = ret};

    if (!from_request(request, &search, err))
        return false;
    for (size_t i = 0; i < settings->credentials.count && !search.found; i++)
        if (!from_file(settings->credentials.items[i], &search, err))
            return false;
    return search.found || from_providers(&search, err);
}
