/* SPDX-License-Identifier: Apache-2.0 */
/* Files into the set: what kind of document is it, and which loader reads it. */
#include "policy/load.h"

#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "policy/pem.h"
#include "policy/policy_json.h"

static bool is_json_name(const char *file)
{
    return span_ends(span_str(file), ".json");
}

/* `$(cat cosign.pub)` in a here-document indents the first line only; libyaml's own words about it help nobody. */
static bool explain_yaml(struct load *load, struct span bytes)
{
    size_t line = pem_unindented_line(bytes);

    if (line == 0)
        return false;
    return error_set(
        load->err, REASON_POLICY_ERROR,
        "%s:%zu:1: PEM lines must be indented: each line of the key, from \"-----BEGIN\" to \"-----END\", must "
        "stand further right than \"data:\" (a shell's $(cat FILE) indents the first line only); or use "
        "\"path: NAME.pub\", a file in the keys directory",
        load->file, line);
}

static bool parse_file(struct load *load, struct span bytes, struct tree **ret_tree)
{
    struct error *err = load->err;

    if (bytes.len > LIMIT_POLICY_FILE_BYTES)
        return error_set(err, REASON_POLICY_ERROR, "%s: larger than %d bytes", load->file, LIMIT_POLICY_FILE_BYTES);
    if (!(is_json_name(load->file) ? json_parse(bytes, load->file, TREE_DEFAULT, ret_tree, err)
                                   : yaml_parse(bytes, load->file, ret_tree, err))) {
        if (!is_json_name(load->file))
            (void)explain_yaml(load, bytes);
        if (err->reason != REASON_INTERNAL)
            err->reason = REASON_POLICY_ERROR;
        return false;
    }
    return true;
}

/* The first document decides which kind of file it is; one set holds one kind (policy.md 7: never both in one
 * decision). */
static bool claim_dialect(struct load *load, const struct node *root, enum dialect dialect)
{
    struct policy_set *set = load->set;

    if (set->dialect == DIALECT_NONE)
        set->dialect = dialect;
    if (set->dialect != dialect)
        return load_fail(
            load, NULL, root,
            "a containers policy.json and ClusterImagePolicy documents cannot decide together: keep one kind, "
            "or convert it (pullguard policy convert)");
    return true;
}

static bool load_documents(struct load *load, const struct tree *tree)
{
    size_t count = tree_documents(tree);

    if (count == 0)
        return load_fail(load, NULL, NULL, "holds no policy");
    for (size_t i = 0; i < count; i++) {
        const struct node *root = tree_document(tree, i);

        if (root->kind == NODE_MAP && node_get(root, "default") != NULL && node_get(root, "kind") == NULL) {
            if (!claim_dialect(load, root, DIALECT_CONTAINERS) || !load_policy_json(load, root))
                return false;
        } else if (!claim_dialect(load, root, DIALECT_CLUSTER) || !load_cluster_document(load, root)) {
            return false;
        }
    }
    return true;
}

static bool add_file_name(struct policy_set *set, const char *file, const char **ret, struct error *err)
{
    if (!mem_grow(&set->files, &set->file_capacity, set->file_count, sizeof(*set->files), LIMIT_POLICY_FILES))
        return error_set(err, REASON_POLICY_ERROR, "more than %d policy files", LIMIT_POLICY_FILES);
    set->files[set->file_count] = mem_strdup(file);
    if (set->files[set->file_count] == NULL)
        return error_oom(err);
    *ret = set->files[set->file_count++];
    return true;
}

bool policy_set_add(struct policy_set *set, const char *file, struct span bytes, const struct policy_source *source,
                    struct error *err)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct load load = {.set = set, .source = source, .err = err};

    if (!add_file_name(set, file, &load.file, err) || !set_mix(set, "document", bytes, err))
        return false;
    if (is_json_name(file) && !set_mix(set, "as JSON", span_of(NULL, 0), err))
        return false;
    if (!parse_file(&load, bytes, &tree))
        return false;
    return load_documents(&load, tree);
}
