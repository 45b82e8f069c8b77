/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential files as docker and the containers tools write them: config.json and auth.json are one format, with one
 * rule for both. Pure: the engine reads the files and runs the helpers; the fetcher gets one registry's entry.
 *
 *   {"auths": {KEY: {"auth": base64("user:password"), "username", "password", "identitytoken", "registrytoken"}},
 *    "credHelpers": {HOST: NAME}, "credsStore": NAME}
 *
 * KEY is host[:port][/namespace[/repository]] (containers-auth.json(5)): the longest one that is the image's name or a
 * prefix of it at a slash is used. Keys with a scheme, or ending in /v1 or /v2, are docker's older form and stand for
 * the host. docker.io, index.docker.io and registry-1.docker.io are one host.
 */
#ifndef PG_VERIFIER_FETCH_AUTHFILE_H
#define PG_VERIFIER_FETCH_AUTHFILE_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "verifier/fetch/fetch.h"

struct authfile_entry {
    bool found;                           /* credentials are set, or helper is */
    struct fetch_credentials credentials;
    char *key;                            /* which entry it was, for messages; never a secret */
    char *helper;                         /* NAME of docker-credential-NAME to be asked instead; NULL = none */
    char *helper_server;                  /* what to ask it for */
};

/*
 * The entry for host (canonical) and repository: a helper named for the host, else an entry with something in it, else
 * the store for all hosts. Nothing for it: true with found = false. what: names the file in errors; MALFORMED.
 */
bool authfile_find(struct span bytes, const char *what, const char *host, const char *repository,
                   struct authfile_entry *ret, struct error *err) MUST_CHECK;
void authfile_entry_done(struct authfile_entry *entry); /* overwrites */

/* host[:port] in the form of `struct ref`.host: lower case, without :443, docker's names as one. Owned; NULL = memory.
 */
char *registry_canonical_host(struct span host) MUST_CHECK;

#endif
