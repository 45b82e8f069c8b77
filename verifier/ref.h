/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: what the user or the runtime wrote, and its canonical parts.
 * Grammar: distribution/reference (host[:port]/path[:tag][@digest]); normalisation as go-containerregistry's weak mode
 * and docker's familiar names (policy.md 1.2): no host = index.docker.io; docker.io, index.docker.io and
 * registry-1.docker.io are one host, "index.docker.io"; one path component there = library/; neither tag nor digest =
 * :latest. One host has one spelling, so that no policy is missed: lower case, port 443 dropped (where the rest still
 * reads as a host), IPv6 as RFC 5952 writes it, IPv4 as dotted quad only.
 */
#ifndef PG_VERIFIER_REF_H
#define PG_VERIFIER_REF_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "crypto/digest.h"

struct ref {
    char *written;       /* as given, already checked to be printable ASCII */
    char *host;          /* canonical, lower case, with :port unless 443 ("index.docker.io") */
    char *repository;    /* canonical path, "library/alpine" */
    char *name;          /* host/repository */
    char *tag;           /* NULL when only a digest was written; "latest" when neither */
    bool tag_defaulted;  /* the tag was not written */
    struct digest digest;/* DIGEST_NONE when not written */
};

/* BAD_REQUEST names what is wrong. Free with ref_done. */
bool ref_parse(struct span text, struct ref *ret, struct error *err) MUST_CHECK;
void ref_done(struct ref *ref); /* zeroes it; also for CLEANUP */
/* The host to talk to for a canonical host: "registry-1.docker.io" for index.docker.io, else the host itself. */
const char *ref_api_host(const char *host);
/* A repository "host/path" without tag or digest (policy source.oci); the same grammar. */
bool ref_parse_repository(struct span text, struct ref *ret, struct error *err) MUST_CHECK;

#endif
