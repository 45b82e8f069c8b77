/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that know credentials: docker's helpers and the kubelet's image credential providers. Only what can be done
 * without running anything: which program, what to say to it, what its answer means. Running is the engine's business.
 *
 * docker helper: `docker-credential-NAME get`, the server on stdin, {"ServerURL","Username","Secret"} on stdout.
 * kubelet: CredentialProviderConfig (kubelet.config.k8s.io/v1) names programs in one directory; each gets a
 * CredentialProviderRequest on stdin and answers a CredentialProviderResponse (credentialprovider.kubelet.k8s.io/v1).
 */
#ifndef PG_VERIFIER_FETCH_PROVIDER_H
#define PG_VERIFIER_FETCH_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "verifier/fetch/fetch.h"

enum {
    PROVIDER_OUTPUT_BYTES = 1024 * 1024, /* stdout of a helper or provider, at most */
    PROVIDER_SECONDS = 60,               /* kubelet's own limit for one run; the decision's deadline comes first */
};

/*
 * A helper's answer. exit_status is the program's; status 1 with its "credentials not found" text is no error but
 * found = false. what: names it in errors.
 */
bool helper_parse(struct span output, int exit_status, const char *what, bool *ret_found, struct fetch_credentials *ret,
                  struct error *err) MUST_CHECK;

struct provider {
    char *name;              /* file name in the plugin directory */
    char *api_version;       /* "credentialprovider.kubelet.k8s.io/v1" */
    char **match_images;
    size_t match_count;
    char **args;             /* NULL-terminated */
    size_t arg_count;
    char **env;              /* "NAME=value", NULL-terminated */
    size_t env_count;
    int64_t default_cache_s; /* defaultCacheDuration */
    bool needs_token;        /* tokenAttributes: works with a pod's service account token, which no verifier has */
};

struct providers {
    struct provider *items;
    size_t count, capacity;
};

/* The kubelet's --image-credential-provider-config, YAML or JSON. POLICY_ERROR names what and the place. */
bool providers_parse(struct span bytes, const char *what, struct providers *ret, struct error *err) MUST_CHECK;
void providers_done(struct providers *providers);

/*
 * matchImages and the keys of an answer's "auth": host parts are globs, each `*` within one part; port equal; path a
 * prefix. image: "host[:port]/repository" without tag.
 */
bool provider_glob_matches(struct span glob, const char *image);
bool provider_matches(const struct provider *provider, const char *image);

/* The request's JSON, to be written on the program's stdin. */
void provider_request(const struct provider *provider, const char *image, struct buf *ret);

enum provider_cache { PROVIDER_CACHE_NONE = 0, PROVIDER_CACHE_IMAGE, PROVIDER_CACHE_REGISTRY, PROVIDER_CACHE_GLOBAL };

struct provider_answer {
    bool found;              /* an entry for this image */
    struct fetch_credentials credentials;
    enum provider_cache cache;
    int64_t cache_s;         /* how long it may be kept; 0 = not at all */
};
bool provider_parse(const struct provider *provider, struct span output, const char *image, struct provider_answer *ret,
                    struct error *err) MUST_CHECK;
void provider_answer_done(struct provider_answer *answer);
/* The key under which an answer is kept: by provider and the image, its host, or nothing more. NULL = memory. */
char *provider_cache_key(const struct provider *provider, enum provider_cache cache, const char *image) MUST_CHECK;

/*
 * How the engine lets a program be run: clean environment plus env, time and size limits, stdin given, stdout
 * collected. false = it could not be run or exceeded a limit; err says why. `program` is an absolute path.
 */
typedef bool (*provider_run_fn)(void *context, const char *program, char *const *args, char *const *env,
                                struct span input, struct buf *ret_output, int *ret_exit_status, struct error *err);

/*
 * Asks one provider through `run` (not looking at any cache). directory: the plugin directory. ret_output: what it
 * said, of which ret was made; secret (buf_wipe).
 */
bool provider_ask(const struct provider *provider, const char *directory, const char *image, provider_run_fn run,
                  void *context, struct buf *ret_output, struct provider_answer *ret, struct error *err) MUST_CHECK;
/* Asks docker-credential-NAME, looked for in these directories (NULL-terminated), never in PATH. */
bool helper_ask(const char *name, const char *server, const char *program, provider_run_fn run, void *context,
                bool *ret_found, struct fetch_credentials *ret, struct error *err) MUST_CHECK;

#endif
