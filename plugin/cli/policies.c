/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/policies.h"

#include <string.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"

bool policies_places_init(struct policies_places *places, const char *root, const char *keys, const char *trust,
                          struct error *err)
{
    places->root = root;
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
static bool read_named(const char *directory, const char *name, const char *suffix, size_t max, struct buf *ret,
                       struct error *err)
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
    return file_read(path, max, FILE_ANY, ret, err);
}

static bool read_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    const struct policies_places *places = context;
    CLEANUP(mem_freep) char *absolute = NULL;

    /* Only containers' policy.json names keys by path; a ClusterImagePolicy with one does not load. */
    if (name[0] == '/') {
        absolute = path_under(places->root, name);
        return absolute != NULL ? file_read(absolute, LIMIT_KEY_FILE_BYTES, FILE_ANY, ret, err) : error_oom(err);
    }
    return read_named(places->keys, name, "", LIMIT_KEY_FILE_BYTES, ret, err);
}

static bool read_trust(void *context, const char *name, struct buf *ret, struct error *err)
{
    const struct policies_places *places = context;

    return read_named(places->trust, name, ".json", LIMIT_TRUST_ROOT_BYTES, ret, err);
}

struct policy_source policies_source(struct policies_places *places)
{
    return (struct policy_source){ .context = places, .read_key = read_key, .read_trust = read_trust };
}

static bool add_directory(const char *path, struct names *ret, struct error *err)
{
    static const char *const suffixes[] = { ".yaml", ".yml", ".json", NULL };
    CLEANUP(names_free) struct names found = { 0 };

    if (!dir_list(path, suffixes, &found, err))
        return false;
    for (size_t i = 0; i < found.count; i++) {
        CLEANUP(mem_freep) char *full = mem_printf("%s/%s", path, found.items[i]);

        if (full == NULL || !names_add(ret, full))
            return error_oom(err);
    }
    return true;
}

static bool add_argument(const char *path, struct names *ret, struct error *err)
{
    struct stat status;

    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return add_directory(path, ret, err);
    if (!names_add(ret, path))
        return error_oom(err);
    return true;
}

bool policies_find(const char *root, const struct text_list *args, struct names *ret, struct error *err)
{
    CLEANUP(mem_freep) char *standard = NULL;

    for (size_t i = 0; i < args->count; i++)
        if (!add_argument(args->items[i], ret, err))
            return false;
    if (args->count > 0)
        return true;
    standard = path_under(root, PG_CONFDIR "/policy.d");
    if (standard == NULL)
        return error_oom(err);
    return add_directory(standard, ret, err);
}

bool policies_add(struct policy_set *set, const char *path, const struct policy_source *source, struct error *err)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };

    return file_read(path, LIMIT_POLICY_FILE_BYTES, FILE_ANY, &bytes, err) &&
           policy_set_add(set, path, buf_as_span(&bytes), source, err);
}
