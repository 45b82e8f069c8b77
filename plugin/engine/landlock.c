/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock by its three system calls; old headers lack names of newer rights, so these are written out here. */
#include "plugin/engine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "config.h"

#if HAVE_LANDLOCK && defined(SYS_landlock_create_ruleset)

#include <linux/landlock.h>

enum {
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_ALL_ABI_1 = (1 << 13) - 1,
    FS_REFER = 1 << 13,    /* ABI 2 */
    FS_TRUNCATE = 1 << 14, /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
    NET_BIND_TCP = 1 << 0, /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_SOCKET = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,
};

struct ruleset {
    uint64_t fs, net, scoped;
};

/* The kernel refuses sizes and rights that it does not know: both follow its ABI number. */
static int make_ruleset(long abi, bool network)
{
    struct ruleset ruleset = {.fs = FS_ALL_ABI_1};
    size_t size = sizeof(uint64_t);

    if (abi >= 2)
        ruleset.fs |= FS_REFER;
    if (abi >= 3)
        ruleset.fs |= FS_TRUNCATE;
    if (abi >= 5)
        ruleset.fs |= FS_IOCTL_DEV;
    if (abi >= 4) {
        ruleset.net = network ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
        size = 2 * sizeof(uint64_t);
    }
    if (abi >= 6) {
        ruleset.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
        size = 3 * sizeof(uint64_t);
    }
    return (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
}

static bool add_path(int ruleset, const char *path, struct error *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = FS_READ_FILE, .parent_fd = fd};
    struct stat status;

    if (fd < 0)
        return true; /* what does not exist needs no permission */
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        rule.allowed_access |= FS_READ_DIR;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "Landlock refuses the rule for %s", path);
    return true;
}

bool landlock_enter(const char *const *read_paths, size_t count, bool network, struct error *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    CLEANUP(fd_closep) int ruleset = -1;

    if (abi < 1)
        return true;
    ruleset = make_ruleset(abi, network);
    if (ruleset < 0)
        return error_errno(err, REASON_SANDBOX, errno, "Landlock refuses the rule set");
    for (size_t i = 0; i < count; i++)
        if (read_paths[i] && !add_path(ruleset, read_paths[i], err))
            return false;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "Landlock refuses to be entered");
    return true;
}

#else

bool landlock_enter(const char *const *read_paths, size_t count, bool network, struct error *err)
{
    (void)read_paths;
    (void)count;
    (void)network;
    (void)err;
    return true;
}

#endif
