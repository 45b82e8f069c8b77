/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a child of the engine gives up before it touches anything from outside: its user, its files, its system calls.
 * Order: descriptors (the caller), the filter is compiled unless it is already, no-new-privileges, Landlock, rlimits,
 * user, dumpable, seccomp (default: kill).
 */
#ifndef PG_PLUGIN_ENGINE_SANDBOX_H
#define PG_PLUGIN_ENGINE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/engine/settings.h"

enum sandbox_kind {
    SANDBOX_JUDGE,   /* reads and writes its socket, manages memory, exits; also the fetcher's parser */
    SANDBOX_FETCHER, /* sockets, threads, and reading of what read_paths name */
    SANDBOX_STORE,   /* as the judge, and reading below `directories`; no network */
    SANDBOX_LISTENER, /* as the judge, and accepting on a socket that listens already (doctor's throw-away registry) */
};
enum { SANDBOX_KINDS = SANDBOX_LISTENER + 1 };

struct sandbox {
    enum sandbox_mode mode;
    uid_t uid;               /* to become when root; 0 = stay (only with SANDBOX_OFF or as non-root) */
    gid_t gid;
    const char *ca_dir;      /* the fetcher's own; may be NULL */
    const char *ca_file;
    const char *const *directories; /* the store's */
    size_t directory_count;
};

/* Looks the unprivileged user up in /etc/passwd (no NSS: that loads libraries); nobody's numbers when it is missing. */
void sandbox_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);

/*
 * Cannot be undone. With SANDBOX_REQUIRE: false with reason SANDBOX when any part fails (the caller must end). With
 * SANDBOX_PREFER: true, and err->text says what is missing ("" = nothing). With SANDBOX_OFF only core dumps are off.
 */
bool sandbox_enter(enum sandbox_kind kind, const struct sandbox *sandbox, struct error *err) MUST_CHECK;

#endif
