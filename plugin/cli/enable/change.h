/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of files that `enable` wants to be so. The set is shown as a diff, what was there is kept in a ledger, and
 * `disable` gives it back byte for byte. Paths are as the node sees them; --root is put in front at the last moment.
 */
#ifndef PG_PLUGIN_CLI_ENABLE_CHANGE_H
#define PG_PLUGIN_CLI_ENABLE_CHANGE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "crypto/digest.h"
#include "plugin/cli/cli.h"

enum { CHANGES_MAX = 16, CHANGE_FILE_MAX_BYTES = 4 * 1024 * 1024 };

enum file_kind { FILE_ABSENT = 0, FILE_REGULAR, FILE_LINK, FILE_OTHER };

/* What lies at a path: content or link target, mode and owner. */
struct file_state {
    enum file_kind kind;
    struct buf content; /* owned */
    mode_t mode;
    uid_t uid;
    gid_t gid;
};
void file_state_done(struct file_state *state);
/* full: with --root. FILE_OTHER (a directory, a device) is not an error here. */
bool file_state_read(const char *full, struct file_state *ret, struct error *err) MUST_CHECK;
bool file_state_same(const struct file_state *a, const struct file_state *b); /* kind and content */

struct change {
    char *path;
    struct file_state wanted;
    struct file_state before;
};

struct changes {
    const char *root;
    const char *runtime;
    struct change items[CHANGES_MAX];
    size_t count;
};
void changes_done(struct changes *changes);

bool changes_add_file(struct changes *changes, const char *path, const char *content, struct error *err) MUST_CHECK;
bool changes_add_link(struct changes *changes, const char *path, const char *target, struct error *err) MUST_CHECK;

/* Reads what is there. After it: how many differ. Refuses to replace directories and devices. */
bool changes_compare(struct changes *changes, size_t *ret_different, struct error *err) MUST_CHECK;

/* Shows every difference, unified, on standard output. */
void changes_print(const struct cli *cli, const struct changes *changes);
void diff_print(const struct cli *cli, const char *path, const struct file_state *before,
                const struct file_state *after);

/* Makes it so, atomically file by file. The ledger (ledger.h) must have been written. */
bool change_apply(const char *root, const char *path, const struct file_state *wanted, struct error *err) MUST_CHECK;

/* Removes what a write of this path that was cut off left beside it. */
void change_sweep(const char *root, const char *path);

#endif
