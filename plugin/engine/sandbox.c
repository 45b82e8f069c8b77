/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "plugin/engine/filter.h"
#include "plugin/engine/landlock.h"

enum {
    NOBODY = 65534,
    JUDGE_CPU_SECONDS = 60,      /* a deadline of minutes is possible; a runaway judge is not */
    FETCHER_DESCRIPTORS = 512,
    JUDGE_DESCRIPTORS = 1,       /* its socket, number 0 */
    STORE_DESCRIPTORS = 16,      /* its socket, and the directories and the file of one path */
    LISTENER_DESCRIPTORS = 64,
};

/*
 * What a fetcher reads: certificates, and what the resolver looks at. Directories that symbolic links of these lead to
 * are listed themselves. The caller's ca_dir and ca_file come on top.
 */
static const char *const fetcher_paths[] = {
    "/etc/ssl", "/usr/lib/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/usr/share/pki",
    "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
    "/etc/protocols", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
    /* name service modules, should the resolver load one late */
    "/etc/ld.so.cache", "/lib", "/lib64", "/usr/lib", "/usr/lib64",
    "/dev/urandom", "/dev/null",
};

static void passwd_closep(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

void sandbox_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
    CLEANUP(passwd_closep) FILE *file = fopen("/etc/passwd", "re");
    char line[1024];
    struct passwd entry;
    struct passwd *found;

    *ret_uid = NOBODY;
    *ret_gid = NOBODY;
    if (!file)
        return;
    while (fgetpwent_r(file, &entry, line, sizeof(line), &found) == 0)
        if (strcmp(entry.pw_name, name) == 0 && entry.pw_uid != 0) {
            *ret_uid = entry.pw_uid;
            *ret_gid = entry.pw_gid;
            return;
        }
}

/* Not above a limit that whoever started us has set: without CAP_SYS_RESOURCE raising it fails, and it is stricter. */
static bool limit(int resource, rlim_t value, struct error *err)
{
    struct rlimit both;

    if (getrlimit((__rlimit_resource_t)resource, &both) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "a resource limit cannot be read");
    if (both.rlim_max > value) /* RLIM_INFINITY is the largest number */
        both.rlim_max = value;
    both.rlim_cur = both.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &both) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "a resource limit cannot be set");
    return true;
}

static rlim_t descriptors_of(enum sandbox_kind kind)
{
    switch (kind) {
    case SANDBOX_FETCHER:
        return FETCHER_DESCRIPTORS;
    case SANDBOX_STORE:
        return STORE_DESCRIPTORS;
    case SANDBOX_LISTENER:
        return LISTENER_DESCRIPTORS;
    case SANDBOX_JUDGE:
    default:
        return JUDGE_DESCRIPTORS;
    }
}

static bool limit_resources(enum sandbox_kind kind, struct error *err)
{
    if (!limit(RLIMIT_CORE, 0, err) || !limit(RLIMIT_FSIZE, 0, err) || !limit(RLIMIT_MEMLOCK, 0, err))
        return false;
    if (!limit(RLIMIT_NOFILE, descriptors_of(kind), err))
        return false;
    return kind == SANDBOX_FETCHER || (limit(RLIMIT_NPROC, 0, err) && limit(RLIMIT_CPU, JUDGE_CPU_SECONDS, err));
}

static bool restrict_files(enum sandbox_kind kind, const struct sandbox *sandbox, struct error *err)
{
    const char *paths[ARRAY_LEN(fetcher_paths) + 2];

    if (kind == SANDBOX_JUDGE || kind == SANDBOX_LISTENER)
        return landlock_enter(NULL, 0, false, err);
    if (kind == SANDBOX_STORE)
        return landlock_enter(sandbox->directories, sandbox->directory_count, false, err);
    memcpy(paths, fetcher_paths, sizeof(fetcher_paths));
    paths[ARRAY_LEN(fetcher_paths)] = sandbox->ca_dir;
    paths[ARRAY_LEN(fetcher_paths) + 1] = sandbox->ca_file;
    return landlock_enter(paths, ARRAY_LEN(paths), true, err);
}

static bool become_nobody(const struct sandbox *sandbox, struct error *err)
{
    if (geteuid() != 0)
        return true;
    if (sandbox->uid == 0 || sandbox->gid == 0)
        return error_set(err, REASON_SANDBOX, "the sandbox has no unprivileged user");
    if (setgroups(0, NULL) != 0 || setresgid(sandbox->gid, sandbox->gid, sandbox->gid) != 0 ||
        setresuid(sandbox->uid, sandbox->uid, sandbox->uid) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "root's privileges cannot be dropped");
    if (setuid(0) == 0)
        return error_set(err, REASON_SANDBOX, "root's privileges came back after they were dropped");
    return true;
}

static bool forbid_privileges(struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "no-new-privileges cannot be set");
    return true;
}

/* Runs the steps; with SANDBOX_PREFER goes on after one that fails. */
static bool enter(enum sandbox_kind kind, const struct sandbox *sandbox, struct error *err)
{
    bool prefer = sandbox->mode == SANDBOX_PREFER;
    bool whole = true;

    whole = filter_prepare(kind, err) && whole;
    if (whole || prefer)
        whole = forbid_privileges(err) && whole;
    if (whole || prefer)
        whole = restrict_files(kind, sandbox, err) && whole;
    if (whole || prefer) /* after Landlock, which needs a descriptor */
        whole = limit_resources(kind, err) && whole;
    if (whole || prefer)
        whole = become_nobody(sandbox, err) && whole;
    /* The change of user made the process dumpable again, and forgot the signal for the parent's end. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);
    if (whole || prefer)
        whole = filter_enter(kind, err) && whole;
    return whole;
}

bool sandbox_enter(enum sandbox_kind kind, const struct sandbox *sandbox, struct error *err)
{
    err->text[0] = '\0';
    if (sandbox->mode == SANDBOX_OFF) {
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void)prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);
        return true;
    }
    if (!enter(kind, sandbox, err) && sandbox->mode == SANDBOX_REQUIRE) {
        err->reason = REASON_SANDBOX;
        return error_wrap(err, "sandbox");
    }
    return true;
}
