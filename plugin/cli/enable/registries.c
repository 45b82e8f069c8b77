/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/enable/registries.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/mem.h"
#include "base/tree.h"
#include "plugin/engine/load.h"

enum { EXPLAIN_MAX_BYTES = 64 * 1024 * 1024 };

static bool has_name(const struct names *names, struct span name)
{
    for (size_t i = 0; i < names->count; i++)
        if (span_eq_str(name, names->items[i]))
            return true;
    return false;
}

/* The part before the first slash, when it is a host and holds no star; policies write Docker Hub as index.docker.io or
 * bare. */
static bool add_glob(struct names *names, struct span glob, bool *ret_open, struct error *err)
{
    size_t slash = span_find_byte(glob, '/');
    struct span host = span_cut(glob, 0, slash);
    CLEANUP(mem_freep) char *text = NULL;

    if (slash != SIZE_MAX && span_find_byte(host, '*') != SIZE_MAX) {
        *ret_open = true;
        return true;
    }
    if (slash == SIZE_MAX && span_find_byte(glob, '*') == 0) {
        *ret_open = true;
        return true;
    }
    if (slash == SIZE_MAX || (span_find_byte(host, '.') == SIZE_MAX && span_find_byte(host, ':') == SIZE_MAX &&
                              !span_eq_str(host, "localhost")) ||
        span_eq_str(host, "index.docker.io") || span_eq_str(host, "registry-1.docker.io"))
        host = span_str("docker.io");
    if (has_name(names, host))
        return true;
    text = span_dup(host);
    return (text != NULL && names_add(names, text)) || error_oom(err);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* policy_explain lists every policy's globs, whether it applies or not; the image asked for does not matter. */
static bool explain_all(const struct policy_set *set, struct buf *json, struct error *err)
{
    struct policy_image image = { .written = "localhost/none", .host = "localhost", .repository = "none" };
    struct json_out out = json_out_to(json);

    return policy_explain(set, &image, &out, err) && (buf_ok(json) || error_oom(err));
}

static bool native_of(const struct policy_set *set, struct buf *native, struct error *err)
{
    struct json_out out = json_out_to(native);

    return policy_set_native(set, &out, err) && (buf_ok(native) || error_oom(err));
}

bool registries_of_policies(const char *root, struct names *ret, bool *ret_open, struct buf *native, struct error *err)
{
    CLEANUP(engine_config_done) struct engine_config config = { 0 };
    CLEANUP(buf_free) struct buf json = BUF_INIT(EXPLAIN_MAX_BYTES);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    CLEANUP(names_free) struct names names = { 0 };
    bool open = false;

    if (!engine_load(root, &config, err) || !explain_all(config.policies, &json, err) ||
        !json_parse(buf_as_span(&json), "explanation", TREE_NO_PLACES, &tree, err) ||
        !native_of(config.policies, native, err))
        return false;
    for (const struct node *policy = tree_root(tree)->child; policy != NULL; policy = policy->next) {
        const struct node *globs = node_get(policy, "globs");

        for (const struct node *glob = node_is(globs, NODE_LIST) ? globs->child : NULL; glob != NULL; glob = glob->next)
            if (!add_glob(&names, glob->text, &open, err))
                return false;
    }
    if (names.count > 1)
        qsort(names.items, names.count, sizeof(*names.items), by_bytes);
    *ret = names;
    *ret_open = open;
    names = (struct names){ 0 };
    return true;
}
