/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/enable/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/tree.h"
#include "config.h"

#define LEDGER_DIR PG_STATEDIR "/enable"

static const char *const kind_names[] = {
    [FILE_ABSENT] = "absent", [FILE_REGULAR] = "file", [FILE_LINK] = "link", [FILE_OTHER] = "other",
};

void ledger_done(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++) {
        mem_free(ledger->entries[i].path);
        file_state_done(&ledger->entries[i].before);
    }
    for (size_t i = 0; i < ledger->directory_count; i++)
        mem_free(ledger->directories[i]);
    *ledger = (struct ledger){ 0 };
}

static char *ledger_path(const char *root, const char *runtime)
{
    CLEANUP(mem_freep) char *path = mem_printf(LEDGER_DIR "/%s.json", runtime);

    return path == NULL ? NULL : path_under(root, path);
}

static bool read_kind(const struct node *node, enum file_kind *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
        if (node_str_is(node, kind_names[i])) {
            *ret = (enum file_kind)i;
            return true;
        }
    return false;
}

static bool read_number(const struct node *map, const char *name, int64_t *ret)
{
    return node_int(node_get(map, name), false, ret) && *ret >= 0 && *ret <= UINT32_MAX;
}

/* The bytes that were there are in the ledger itself: one file, written once, holds everything. */
static bool read_entry(const struct node *map, const char *what, struct ledger *ledger, struct error *err)
{
    struct ledger_entry *entry = &ledger->entries[ledger->count];
    const struct node *path = node_get(map, "path"), *bytes = node_get(map, "bytes"), *after = node_get(map, "after");
    int64_t mode = 0, uid = 0, gid = 0;

    if (ledger->count == CHANGES_MAX || !node_is(path, NODE_STRING) ||
        !read_kind(node_get(map, "before"), &entry->before.kind) ||
        !read_kind(node_get(map, "after-kind"), &entry->after_kind) || !read_number(map, "mode", &mode) ||
        !read_number(map, "uid", &uid) || !read_number(map, "gid", &gid) || !node_is(bytes, NODE_STRING) ||
        !node_is(after, NODE_STRING) || !digest_parse(after->text, &entry->after))
        return error_set(err, REASON_MALFORMED, "%s: an entry is not as enable writes it", what);
    entry->before.mode = (mode_t)mode;
    entry->before.uid = (uid_t)uid;
    entry->before.gid = (gid_t)gid;
    entry->before.content = (struct buf)BUF_INIT(CHANGE_FILE_MAX_BYTES);
    entry->path = span_dup(path->text);
    ledger->count++;
    if (entry->path == NULL)
        return error_oom(err);
    if (!base64_decode(bytes->text, BASE64_STD, &entry->before.content))
        return error_set(err, REASON_MALFORMED, "%s: the kept bytes of %s are not base64", what, entry->path);
    return true;
}

static bool read_record(const struct node *root, const char *what, struct ledger *ledger, struct error *err)
{
    const struct node *entries = node_get(root, "entries"), *directories = node_get(root, "directories");

    if (!node_is(entries, NODE_LIST) || !node_is(directories, NODE_LIST))
        return error_set(err, REASON_MALFORMED, "%s: \"entries\" and \"directories\" are wanted", what);
    for (const struct node *one = entries->child; one != NULL; one = one->next)
        if (!read_entry(one, what, ledger, err))
            return false;
    for (const struct node *one = directories->child; one != NULL; one = one->next) {
        char *text = node_is(one, NODE_STRING) && ledger->directory_count < CHANGES_MAX ? span_dup(one->text) : NULL;

        if (text == NULL)
            return error_set(err, REASON_MALFORMED, "%s: a directory is not as enable writes it", what);
        ledger->directories[ledger->directory_count++] = text;
    }
    return true;
}

bool ledger_read(const char *root, const char *runtime, struct ledger *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = ledger_path(root, runtime);
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(ledger_done) struct ledger ledger = { 0 };

    if (path == NULL)
        return error_oom(err);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        *ret = ledger;
        return true;
    }
    if (!file_read(path, 2 * CHANGES_MAX * CHANGE_FILE_MAX_BYTES, FILE_TRUSTED, &bytes, err) ||
        !json_parse(buf_as_span(&bytes), path, TREE_DEFAULT, &tree, err) ||
        !read_record(tree_root(tree), path, &ledger, err))
        return false;
    *ret = ledger;
    ledger = (struct ledger){ 0 };
    return true;
}

static void write_entry(struct json_out *out, const struct ledger_entry *entry)
{
    char digest[DIGEST_TEXT_BYTES];

    json_open_map(out, NULL);
    json_put_str(out, "path", entry->path);
    json_put_str(out, "before", kind_names[entry->before.kind]);
    json_put_int(out, "mode", entry->before.mode);
    json_put_int(out, "uid", entry->before.uid);
    json_put_int(out, "gid", entry->before.gid);
    json_put_base64(out, "bytes", buf_as_span(&entry->before.content));
    json_put_str(out, "after-kind", kind_names[entry->after_kind]);
    json_put_str(out, "after", digest_format(&entry->after, digest));
    json_close_map(out);
}

bool ledger_directory(const char *root, struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(root, LEDGER_DIR "/");

    return path ? file_make_above(path, err) : error_oom(err);
}

bool ledger_write(const char *root, const char *runtime, const struct ledger *ledger, struct error *err)
{
    CLEANUP(mem_freep) char *path = ledger_path(root, runtime);
    CLEANUP(buf_free) struct buf json = BUF_INIT(2 * CHANGES_MAX * CHANGE_FILE_MAX_BYTES);
    struct json_out out = json_out_to(&json);

    json_open_map(&out, NULL);
    json_put_str(&out, "runtime", runtime);
    json_open_list(&out, "entries");
    for (size_t i = 0; i < ledger->count; i++)
        write_entry(&out, &ledger->entries[i]);
    json_close_list(&out);
    json_open_list(&out, "directories");
    for (size_t i = 0; i < ledger->directory_count; i++)
        json_put_str(&out, NULL, ledger->directories[i]);
    json_close_list(&out);
    json_close_map(&out);
    buf_byte(&json, '\n');
    if (path == NULL || !buf_ok(&json))
        return error_oom(err);
    return ledger_directory(root, err) &&
           file_write_atomic(path, buf_as_span(&json), 0600, true, err);
}

bool ledger_remove(const char *root, const char *runtime, const struct ledger *ledger, struct error *err)
{
    CLEANUP(mem_freep) char *path = ledger_path(root, runtime);

    /* Innermost first; a directory that others use by now is not empty and stays. */
    for (size_t i = ledger->directory_count; i-- > 0;) {
        CLEANUP(mem_freep) char *full = path_under(root, ledger->directories[i]);

        if (full != NULL && rmdir(full) != 0 && errno != ENOTEMPTY && errno != ENOENT && errno != EEXIST)
            return error_errno(err, REASON_IO, errno, "%s", full);
    }
    if (path == NULL)
        return error_oom(err);
    if (unlink(path) != 0 && errno != ENOENT)
        return error_errno(err, REASON_IO, errno, "%s", path);
    return true;
}

struct ledger_entry *ledger_find(struct ledger *ledger, const char *path)
{
    for (size_t i = 0; i < ledger->count; i++)
        if (strcmp(ledger->entries[i].path, path) == 0)
            return &ledger->entries[i];
    return NULL;
}

static bool copy_state(const struct file_state *from, struct file_state *to, struct error *err)
{
    *to = *from;
    to->content = (struct buf)BUF_INIT(CHANGE_FILE_MAX_BYTES);
    buf_span(&to->content, buf_as_span(&from->content));
    return buf_ok(&to->content) || error_oom(err);
}

bool ledger_has_directory(const struct ledger *ledger, const char *directory)
{
    for (size_t i = 0; i < ledger->directory_count; i++)
        if (strcmp(ledger->directories[i], directory) == 0)
            return true;
    return false;
}

void ledger_drop(struct ledger *ledger, size_t index)
{
    mem_free(ledger->entries[index].path);
    file_state_done(&ledger->entries[index].before);
    ledger->count--;
    memmove(&ledger->entries[index], &ledger->entries[index + 1],
            (ledger->count - index) * sizeof(ledger->entries[0]));
    ledger->entries[ledger->count] = (struct ledger_entry){ 0 };
}

bool ledger_add(struct ledger *ledger, const char *path, const struct file_state *before, struct error *err)
{
    struct ledger_entry *entry = &ledger->entries[ledger->count];

    if (ledger->count == CHANGES_MAX)
        return error_set(err, REASON_LIMIT, "more than %d changed files", CHANGES_MAX);
    ledger->count++;
    entry->path = mem_strdup(path);
    return entry->path != NULL ? copy_state(before, &entry->before, err) : error_oom(err);
}

bool ledger_merge(struct ledger *ledger, const struct changes *changes, struct error *err)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];
        struct ledger_entry *entry = ledger_find(ledger, change->path);

        if (entry == NULL && file_state_same(&change->before, &change->wanted))
            continue; /* it was so before us: not ours to take away */
        if (entry == NULL && !ledger_add(ledger, change->path, &change->before, err))
            return false;
        entry = ledger_find(ledger, change->path);
        entry->after_kind = change->wanted.kind;
        if (!digest_compute(DIGEST_SHA256, buf_as_span(&change->wanted.content), &entry->after))
            return error_set(err, REASON_INTERNAL, "no digest of %s", change->path);
    }
    return true;
}

bool ledger_entry_state(const char *root, const struct ledger_entry *entry, enum entry_state *ret, struct error *err)
{
    CLEANUP(mem_freep) char *full = path_under(root, entry->path);
    CLEANUP(file_state_done) struct file_state now = { 0 };

    if (full == NULL)
        return error_oom(err);
    if (!file_state_read(full, &now, err))
        return false;
    if (now.kind == entry->after_kind && digest_matches(&entry->after, buf_as_span(&now.content)))
        *ret = ENTRY_IN_PLACE;
    else
        *ret = file_state_same(&now, &entry->before) ? ENTRY_AS_BEFORE : ENTRY_CHANGED;
    return true;
}
