/* SPDX-License-Identifier: Apache-2.0 */
/* /etc/pullguard/pullguard.yaml: strict; every member has the default written here; a missing file is all defaults. */
#ifndef PG_PLUGIN_ENGINE_SETTINGS_H
#define PG_PLUGIN_ENGINE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "policy/policy.h"

enum sandbox_mode {
    SANDBOX_REQUIRE = 0, /* no sandbox, no decision */
    SANDBOX_PREFER,      /* as much of it as this kernel and these privileges give; the log says what is missing */
    SANDBOX_OFF
};

struct settings {
    enum no_match no_match;       /* no-match: deny */
    uint32_t deadline_ms;         /* deadline-ms: 8000; 100 to 600000 */
    enum sandbox_mode sandbox;    /* sandbox: require */
    char *user; /* user: of the sandboxed children (as configured at build time; nobody if it is missing) */
    struct names insecure;        /* insecure-registries: [host[:port]]; none */
    struct names credentials;     /* credentials: [file]; see settings.c */
    char *provider_config;        /* credential-providers: {config: FILE, directory: DIR}, the kubelet's; none */
    char *provider_dir;
    struct names
        storage_roots; /* storage-roots: containers storage of CRI-O and podman; [/var/lib/containers/storage] */
    char *containerd_metadata;    /* containerd-metadata: its meta.db; the usual place */
    bool start_network;           /* start-network: false; may start gates (operation create) look signatures up? */
    char *endorser_listen;        /* endorser: {listen: ADDRESS:PORT}; 127.0.0.1:14242 */
    char *ca_dir;                 /* ca-dir: /etc/ssl/certs */
    char *ca_file;                /* ca-file: none; used only without a CA directory */
    char *https_proxy;            /* proxy: {https, http, no}; the runtime's environment */
    char *http_proxy;
    char *no_proxy;
    struct names hosts_dirs;      /* hosts-dirs: containerd's certs.d directories; none */
    char *registries_conf;        /* registries-conf: containers' registries.conf; none */
    char *log_json;               /* log-json: FILE; none */
    char *audit; /* audit: FILE, usually /var/log/pullguard/audit.jsonl; "" = off: a cache hit then needs no engine */
    char *metrics;                /* metrics: FILE (.prom); none */
    bool cache;                   /* cache: {enabled: true, */
    int64_t cache_life_s;         /*         life: 12h} */
    bool fetch_failure_cached;    /* on-fetch-failure: deny|cached; deny */
    int64_t idle_exit_s;          /* resident: {idle-exit: 10m} */
    struct span raw;              /* the file's bytes, for the fingerprint; owned */
};

/* Defaults of a node without a file. */
bool settings_default(struct settings *ret, struct error *err) MUST_CHECK;
/* what: names the document in errors. POLICY_ERROR for anything unknown or out of range. */
bool settings_parse(struct span bytes, const char *what, struct settings *ret, struct error *err) MUST_CHECK;
/* From root + PG_CONFDIR/pullguard.yaml; UNTRUSTED_FILE when others may write it. */
bool settings_load(const char *root, struct settings *ret, struct error *err) MUST_CHECK;
void settings_done(struct settings *settings);

#endif
