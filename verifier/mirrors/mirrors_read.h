/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of host directories and of registries.conf share. */
#ifndef PG_VERIFIER_MIRRORS_MIRRORS_READ_H
#define PG_VERIFIER_MIRRORS_MIRRORS_READ_H

#include "base/buf.h"
#include "base/tree.h"
#include "verifier/mirrors/mirrors.h"

/* The name that runtimes know the registry by: "docker.io" for index.docker.io. */
const char *mirrors_runtime_host(const char *host);

/* Reads a configuration file; ret_found is false when it is not there. path is without the root. */
bool mirrors_read_file(const struct mirrors_config *config, const char *path, struct buf *ret, bool *ret_found,
                       struct error *err) MUST_CHECK;

/* The configured host directory for a host (containerd's search), as an owned path without the root; NULL = none. */
bool mirrors_host_dir(const struct mirrors_config *config, const char *host, char **ret, struct error *err) MUST_CHECK;
/* Endpoints of a host directory: hosts.toml, or the Docker layout. */
bool mirrors_hosts_add(const struct mirrors_config *config, const char *dir, const struct mirrors_query *query,
                       struct fetch_registry *registry, struct error *err) MUST_CHECK;

/* Certificates in the Docker layout (*.crt, X.cert, X.key) of a directory into the endpoint. */
bool mirrors_docker_layout(const struct mirrors_config *config, const char *dir, struct fetch_endpoint *endpoint,
                           struct error *err) MUST_CHECK;
/* Appends the file's PEM certificates to the endpoint's. */
bool mirrors_add_ca(const struct mirrors_config *config, const char *path, struct fetch_endpoint *endpoint,
                    struct error *err) MUST_CHECK;
/* The client's certificate and key; key NULL = in the same file. The first pair of an endpoint is the one used. */
bool mirrors_add_client(const struct mirrors_config *config, const char *cert, const char *key,
                        struct fetch_endpoint *endpoint, struct error *err) MUST_CHECK;

/* Endpoints from registries.conf; ret_found is false when no entry is about the repository. */
bool mirrors_registries_add(const struct mirrors_config *config, const struct mirrors_query *query,
                            struct fetch_registry *registry, bool *ret_found, struct error *err) MUST_CHECK;

/* A duration as Go writes it ("1m30s", "1.5s", "300ms") in milliseconds, rounded up; false when it is none. */
bool mirrors_duration_ms(struct span text, uint32_t *ret) MUST_CHECK;

#endif
