/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a registry is really reached on this node: containerd's host directories (certs.d/hosts.toml) and containers'
 * registries.conf, read as the runtimes read them, into the fetcher's endpoints. No network; files by base/file.h only.
 *
 * A file that does not parse is an error (POLICY_ERROR, naming the file and the place), where the runtimes log it and
 * go on without the mirror: a signature that "is not there" because of a typing error is found out by nobody.
 */
#ifndef PG_VERIFIER_MIRRORS_MIRRORS_H
#define PG_VERIFIER_MIRRORS_MIRRORS_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/file.h"
#include "verifier/fetch/fetch.h"

struct mirrors_config {
    const char *root;                /* in front of every path (--root); NULL or "" = none */
    const struct names
        *hosts_dirs; /* containerd's certs.d directories, the first that knows the host wins; may be NULL */
    const char *registries_conf;     /* containers' registries.conf, with its .d directory beside it; NULL = not read */
    enum file_trust trust;           /* demanded of all files read */
};

struct mirrors_query {
    const char *host;       /* canonical, as in wants ("index.docker.io") */
    const char *repository;
    bool has_digest; /* the image is known by digest: only then digest-only mirrors are asked, tag-only ones not */
    bool insecure;          /* for fetch_endpoint_default */
};

/*
 * Appends the endpoints for host/repository to registry: mirrors in order, then the registry itself; when nothing is
 * configured, just fetch_endpoint_default's. Credentials are left empty: the caller fills them in for each endpoint by
 * its own host (mirrors_endpoint_host) and repository. Host directories go before registries.conf.
 * Errors: POLICY_ERROR, UNTRUSTED_FILE, IO; FETCH_FAILED when registries.conf blocks the registry.
 */
bool mirrors_find(const struct mirrors_config *config, const struct mirrors_query *query,
                  struct fetch_registry *registry, struct error *err) MUST_CHECK;

/* host[:port] of the endpoint's URL as an owned string, "index.docker.io" for Docker Hub's; NULL when out of memory. */
char *mirrors_endpoint_host(const struct fetch_endpoint *endpoint) MUST_CHECK;

#endif
