/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `enable` changed, so that `disable` can give it back: STATEDIR/enable/RUNTIME.json and, beside it, the bytes
 * that were there. A second `enable` keeps the first ledger of a path: "before" is the node without pullguard.
 */
#ifndef PG_PLUGIN_CLI_ENABLE_LEDGER_H
#define PG_PLUGIN_CLI_ENABLE_LEDGER_H

#include "plugin/cli/enable/change.h"

struct ledger_entry {
    char *path;
    struct file_state before;     /* with content */
    enum file_kind after_kind;
    struct digest after;          /* of what enable wrote */
};

struct ledger {
    struct ledger_entry entries[CHANGES_MAX];
    size_t count;
    char *directories[CHANGES_MAX]; /* made by enable, outermost first */
    size_t directory_count;
};
void ledger_done(struct ledger *ledger);

/* An absent ledger is an empty one. */
bool ledger_read(const char *root, const char *runtime, struct ledger *ret, struct error *err) MUST_CHECK;
bool ledger_write(const char *root, const char *runtime, const struct ledger *ledger, struct error *err) MUST_CHECK;
bool ledger_remove(const char *root, const char *runtime, const struct ledger *ledger, struct error *err) MUST_CHECK;

/* Makes STATEDIR and the record's directory in it. */
bool ledger_directory(const char *root, struct error *err) MUST_CHECK;

/* Notes every change that differs (before as compared, after as wanted). */
bool ledger_merge(struct ledger *ledger, const struct changes *changes, struct error *err) MUST_CHECK;
struct ledger_entry *ledger_find(struct ledger *ledger, const char *path);
/* A new entry; `before` is copied. What is there after is ledger_merge's to say. */
bool ledger_add(struct ledger *ledger, const char *path, const struct file_state *before,
                struct error *err) MUST_CHECK;

bool ledger_has_directory(const struct ledger *ledger, const char *directory);
void ledger_drop(struct ledger *ledger, size_t index); /* forgets the entry */

/* What the node has: as enable wrote it, as it was before (an interruption leaves that), or something else. */
enum entry_state { ENTRY_IN_PLACE, ENTRY_AS_BEFORE, ENTRY_CHANGED };
bool ledger_entry_state(const char *root, const struct ledger_entry *entry, enum entry_state *ret,
                        struct error *err) MUST_CHECK;

#endif
