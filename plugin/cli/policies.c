/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/policies.h"

#include <string.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"

bool policies_places_init(struct policies_places *places, const char *root, const char *keys, const char *trust,
                          enum file_trust owners, struct error *err)
{
    places->root = root;
    places->owners = owners;
    places->keys = keys != NULL ? mem_strdup(keys) : path_under(root, PG_CONFDIR "/keys");
    places->trust = trust != NULL ? mem_strdup(trust) : path_under(root, PG_CONFDIR "/trust");
    if (places->keys == NULL || places->trust == NULL)
        return error_oom(err);
    return true;
}

void policies_places_done(struct policies_places *places)
{
    mem_free(places->keys);
    mem_free(places->trust);
    *places = (struct policies_places){ 0 };
}

/* A name, never a path: what a policy names lies in the directory. */
static bool read_named(enum file_trust owners, const char *directory, const char *name, const char *suffix, size_t max,
                       struct buf *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = NULL;
    char shown[80];

    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
        return error_set(err, REASON_POLICY_ERROR,
                         "%s: a file name in %s is wanted, without / and not starting with a dot",
                         text_clean(span_str(name), shown, sizeof(shown)), directory);
    path = mem_printf("%s/%s%s", directory, name, suffix);
    if (path == NULL)
        return error_oom(err);
    return file_read(path, max, owners, ret, err);
}

static bool read_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    const struct policies_places *places = context;
    CLEANUP(mem_freep) char *absolute = NULL;

    /* Only containers' policy.json names keys by path; a ClusterImagePolicy with one does not load. */
    if (name[0] == '/') {
        absolute = path_under(places->root, name);
        return absolute != NULL ? file_read(absolute, LIMIT_KEY_FILE_BYTES, places->owners, ret, err) : error_oom(err);
    }
    return read_named(places->owners, places->keys, name, "", LIMIT_KEY_FILE_BYTES, ret, err);
}

static bool read_trust(void *context, const char *name, struct buf *ret, struct error *err)
{
    const struct policies_places *places = context;

    return read_named(places->owners, places->trust, name, ".json", LIMIT_TRUST_ROOT_BYTES, ret, err);
}

struct policy_source policies_source(struct policies_places *places)
{
    return (struct policy_source){ .context = places, .read_key = read_key, .read_trust = read_trust };
}

static const char *const suffixes[] = { ".yaml", ".yml", ".json", NULL };

static bool is_read(const char *name)
{
    for (size_t i = 0; suffixes[i] != NULL; i++)
        if (span_ends(span_str(name), suffixes[i]))
            return true;
    return false;
}

/* The files of a directory that are read, or those that are not. */
static bool add_directory(const char *path, bool read, struct names *ret, struct error *err)
{
    CLEANUP(names_free) struct names found = { 0 };

    if (!dir_list(path, read ? suffixes : NULL, &found, err))
        return false;
    for (size_t i = 0; i < found.count; i++) {
        CLEANUP(mem_freep) char *full = mem_printf("%s/%s", path, found.items[i]);

        if (full == NULL || (read == is_read(found.items[i]) && !names_add(ret, full)))
            return error_oom(err);
    }
    return true;
}

static bool add_standard(const char *root, bool read, struct names *ret, struct error *err)
{
    CLEANUP(mem_freep) char *standard = path_under(root, PG_CONFDIR "/policy.d");

    if (standard == NULL)
        return error_oom(err);
    if (add_directory(standard, read, ret, err))
        return true;
    if (err->reason == REASON_NOT_FOUND)
        return error_set(err, REASON_NOT_FOUND,
                         "the policy directory %s is missing, and so every pull is denied: make it (install -d -m 0755)"
                         " and put a policy there, as pullguard-policy(5) shows", standard);
    return false;
}

static bool walk(const char *root, const struct text_list *args, bool read, struct names *ret, struct error *err)
{
    struct stat status;

    for (size_t i = 0; i < args->count; i++) {
        if (stat(args->items[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            if (!add_directory(args->items[i], read, ret, err))
                return false;
        } else if (read && !names_add(ret, args->items[i])) {
            return error_oom(err);
        }
    }
    return args->count > 0 || add_standard(root, read, ret, err);
}

bool policies_find(const char *root, const struct text_list *args, struct names *ret, struct error *err)
{
    return walk(root, args, true, ret, err);
}

bool policies_unread(const char *root, const struct text_list *args, struct names *ret, struct error *err)
{
    return walk(root, args, false, ret, err);
}

bool policies_add(struct policy_set *set, const char *path, const struct policy_source *source, struct error *err)
{
    const struct policies_places *places = source->context;
    CLEANUP(buf_free) struct buf bytes = { 0 };

    return file_read(path, LIMIT_POLICY_FILE_BYTES, places->owners, &bytes, err) &&
           policy_set_add(set, path, buf_as_span(&bytes), source, err);
}
