/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/enable/shared.h"

#include <string.h>

#include "base/mem.h"
#include "plugin/cli/enable/enable.h"

/* The first other ledger that has the path; *ret_entry points into ret, which the caller frees. */
static bool find_elsewhere(const char *root, const char *runtime, const char *path, struct ledger *ret,
                           struct ledger_entry **ret_entry, const char **ret_runtime, struct error *err)
{
    *ret_entry = NULL;
    *ret_runtime = NULL;
    for (size_t i = 0; i < runtime_count; i++) {
        if (strcmp(runtimes[i]->name, runtime) == 0)
            continue;
        if (!ledger_read(root, runtimes[i]->name, ret, err))
            return false;
        *ret_entry = ledger_find(ret, path);
        if (*ret_entry != NULL) {
            *ret_runtime = runtimes[i]->name;
            return true;
        }
        ledger_done(ret);
    }
    return true;
}

bool shared_with(const char *root, const char *runtime, const char *path, const char **ret, struct error *err)
{
    CLEANUP(ledger_done) struct ledger other = { 0 };
    struct ledger_entry *entry;

    return find_elsewhere(root, runtime, path, &other, &entry, ret, err);
}

bool shared_adopt(const char *root, struct ledger *ledger, const struct changes *changes, struct error *err)
{
    for (size_t i = 0; i < changes->count; i++) {
        CLEANUP(ledger_done) struct ledger other = { 0 };
        struct ledger_entry *theirs;
        const char *name;

        if (ledger_find(ledger, changes->items[i].path) != NULL)
            continue;
        if (!find_elsewhere(root, changes->runtime, changes->items[i].path, &other, &theirs, &name, err))
            return false;
        if (theirs != NULL && !ledger_add(ledger, changes->items[i].path, &theirs->before, err))
            return false;
    }
    return true;
}

bool shared_announce(const char *root, const struct ledger *ledger, const struct changes *changes, struct error *err)
{
    for (size_t i = 0; i < runtime_count; i++) {
        CLEANUP(ledger_done) struct ledger other = { 0 };
        bool changed = false;

        if (strcmp(runtimes[i]->name, changes->runtime) == 0)
            continue;
        if (!ledger_read(root, runtimes[i]->name, &other, err))
            return false;
        for (size_t j = 0; j < ledger->count; j++) {
            struct ledger_entry *theirs = ledger_find(&other, ledger->entries[j].path);

            if (theirs == NULL || digest_eq(&theirs->after, &ledger->entries[j].after))
                continue;
            theirs->after = ledger->entries[j].after;
            theirs->after_kind = ledger->entries[j].after_kind;
            changed = true;
        }
        if (changed && !ledger_write(root, runtimes[i]->name, &other, err))
            return false;
    }
    return true;
}

bool shared_hand_over(const char *root, const struct ledger *ledger, const char *other, struct error *err)
{
    CLEANUP(ledger_done) struct ledger theirs = { 0 };

    if (!ledger_read(root, other, &theirs, err))
        return false;
    for (size_t i = 0; i < ledger->directory_count; i++) {
        if (ledger_has_directory(&theirs, ledger->directories[i]) || theirs.directory_count == CHANGES_MAX)
            continue;
        theirs.directories[theirs.directory_count] = mem_strdup(ledger->directories[i]);
        if (theirs.directories[theirs.directory_count] == NULL)
            return error_oom(err);
        theirs.directory_count++;
    }
    return ledger_write(root, other, &theirs, err);
}
