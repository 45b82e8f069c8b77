/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/job.h"

#include <string.h>

#include "base/mem.h"
#include "config.h"
#include "plugin/engine/credentials.h"
#include "verifier/mirrors/mirrors.h"
#include "verifier/ref.h"

static bool is_insecure(const struct settings *settings, const struct request *request, const char *host)
{
    CLEANUP(ref_done) struct ref ref = {0};
    struct error ignored = ERROR_INIT;

    /* For the image's own registry; a policy's other sources are not what the user spoke of. */
    if ((request->flags & REQUEST_INSECURE) && request->reference &&
        ref_parse(span_str(request->reference), &ref, &ignored) && strcmp(ref.host, host) == 0)
        return true;
    for (size_t i = 0; i < settings->insecure.count; i++)
        if (strcmp(settings->insecure.items[i], host) == 0)
            return true;
    return false;
}

/* Whether what is pulled is known by digest: all requests of runtimes are; the command line may name a tag only. */
static bool has_digest(const struct request *request)
{
    return request->digest || (request->reference && strchr(request->reference, '@'));
}

/* Each endpoint gets what is meant for its own host, never what is meant for the registry that it mirrors. */
static bool set_credentials(const char *root, const struct settings *settings, const struct request *request,
                            const struct want *want, const struct job_plan *plan, struct fetch_endpoint *endpoint,
                            struct error *err)
{
    CLEANUP(mem_freep) char *host = mirrors_endpoint_host(endpoint);

    if (!host)
        return error_oom(err);
    return credentials_find(root, settings, request, plan->kept, host,
                            endpoint->repository ? endpoint->repository : want->repository, plan->job.deadline,
                            &endpoint->credentials, err);
}

static bool add_registry(const char *root, const struct settings *settings, const struct request *request,
                         const struct want *want, struct job_plan *plan, struct error *err)
{
    struct fetch_registry *registry = fetch_job_registry(&plan->job, want->host, want->repository);
    const struct mirrors_config mirrors = {.root = root,
                                           .hosts_dirs = &settings->hosts_dirs,
                                           .registries_conf = settings->registries_conf,
                                           .trust = FILE_TRUSTED};
    const struct mirrors_query query = {.host = want->host,
                                        .repository = want->repository,
                                        .has_digest = has_digest(request),
                                        .insecure = is_insecure(settings, request, want->host)};

    if (!registry)
        return error_oom(err);
    if (registry->count > 0)
        return true;
    if (!mirrors_find(&mirrors, &query, registry, err))
        return false;
    for (size_t i = 0; i < registry->count; i++)
        if (!set_credentials(root, settings, request, want, plan, &registry->endpoints[i], err))
            return false;
    return true;
}

static bool set_text(char **place, const char *text, struct error *err)
{
    if (!text || text[0] == '\0')
        return true;
    *place = mem_strdup(text);
    return *place || error_oom(err);
}

static bool set_path(char **place, const char *root, const char *path, struct error *err)
{
    if (!path || path[0] == '\0')
        return true;
    *place = path_under(root, path);
    return *place || error_oom(err);
}

/* The settings' proxies go first; without any of them, the caller's. */
static bool set_proxies(const struct settings *settings, const struct request *request, struct fetch_proxies *proxies,
                        struct error *err)
{
    if (settings->https_proxy || settings->http_proxy)
        return set_text(&proxies->https, settings->https_proxy, err) &&
               set_text(&proxies->http, settings->http_proxy, err) &&
               set_text(&proxies->no_proxy, settings->no_proxy, err);
    return set_text(&proxies->https, request->https_proxy, err) && set_text(&proxies->http, request->http_proxy, err) &&
           set_text(&proxies->no_proxy, settings->no_proxy ? settings->no_proxy : request->no_proxy, err);
}

/* The registry itself is always the last endpoint (verifier/mirrors). */
static void keep_upstream(struct fetch_registry *registry)
{
    while (registry->count > 1) {
        struct fetch_endpoint first = registry->endpoints[0];

        memmove(registry->endpoints, registry->endpoints + 1, (registry->count - 1) * sizeof(first));
        registry->count--;
        fetch_endpoint_done(&first);
    }
}

static bool set_job(const char *root, const struct settings *settings, const struct request *request,
                    struct fetch_job *job, struct error *err)
{
    return job->user_agent || (set_path(&job->ca_dir, root, settings->ca_dir, err) &&
                               set_path(&job->ca_file, root, settings->ca_file, err) &&
                               set_proxies(settings, request, &job->proxies, err) &&
                               set_text(&job->user_agent, "pullguard/" PG_VERSION, err));
}

bool job_write(enum job_look look, const char *root, const struct settings *settings, const struct request *request,
               struct wants *wants, int64_t deadline, struct job_plan *plan, struct buf *ret, struct error *err)
{
    struct fetch_job *job = &plan->job;

    job->id++;
    job->deadline = deadline;
    if (!set_job(root, settings, request, job, err))
        return false;
    for (size_t i = 0; i < wants->count; i++)
        if (!add_registry(root, settings, request, &wants->items[i], plan, err))
            return false;
    for (size_t i = 0; i < job->registry_count; i++) {
        plan->mirrors = plan->mirrors || job->registries[i].count > 1;
        if (look == JOB_UPSTREAM_ONLY)
            keep_upstream(&job->registries[i]);
    }
    wants_done(&job->wants);
    job->wants = *wants;
    *wants = (struct wants){0};
    fetch_job_write(ret, job);
    return buf_ok(ret) || error_set(err, REASON_LIMIT, "the fetcher's job is too long");
}

void job_plan_done(struct job_plan *plan)
{
    fetch_job_done(&plan->job);
    plan->mirrors = false;
}
