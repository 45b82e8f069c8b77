/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/start/identify.h"

#include <string.h>

#include "base/mem.h"
#include "base/tree.h"
#include "plugin/start/boltdb.h"

void start_identity_done(struct start_identity *identity)
{
    mem_free(identity->image_id);
    mem_free(identity->digest);
    mem_free(identity->reference);
    names_free(&identity->others);
    memset(identity, 0, sizeof(*identity));
}

/* The record of a storage list whose "id" is id. Ids are unique in one file; two with the same id are a damaged file.
 */
static bool find_record(const struct node *list, struct span id, const char *what, const struct node **ret,
                        struct error *err)
{
    const struct node *found = NULL;

    if (!node_is(list, NODE_LIST))
        return error_set(err, REASON_MALFORMED, "%s: want a list of records", what);
    for (const struct node *record = list->child; record; record = record->next) {
        const struct node *record_id = node_get(record, "id");

        if (!node_is(record_id, NODE_STRING) || !span_eq(record_id->text, id))
            continue;
        if (found)
            return error_set(err, REASON_MALFORMED, "%s: two records with one id", what);
        found = record;
    }
    *ret = found;
    return true;
}

/* Looks in one containers file; *ret stays NULL when the container is not there. */
static bool find_container(struct span bytes, const char *what, const char *container_id, struct tree **ret_tree,
                           const struct node **ret, struct error *err)
{
    if (*ret || span_trim(bytes).len == 0)
        return true;
    if (!json_parse(bytes, what, TREE_NO_PLACES, ret_tree, err))
        return false;
    return find_record(tree_root(*ret_tree), span_str(container_id), what, ret, err);
}

/* "image-name" inside the record's metadata, which is JSON in a string. Absent or unreadable = no name. */
static char *created_under(const struct node *container)
{
    const struct node *metadata = node_get(container, "metadata");
    struct tree *tree CLEANUP(tree_freep) = NULL;
    const struct node *name;
    struct error ignored = ERROR_INIT;

    if (!node_is(metadata, NODE_STRING) ||
        !json_parse(metadata->text, "container metadata", TREE_NO_PLACES, &tree, &ignored))
        return NULL;
    name = node_get(tree_root(tree), "image-name");
    return node_is(name, NODE_STRING) && name->text.len > 0 ? span_dup(name->text) : NULL;
}

static bool has_name(const struct node *names, const char *wanted)
{
    if (!wanted || !node_is(names, NODE_LIST))
        return false;
    for (const struct node *name = names->child; name; name = name->next)
        if (node_str_is(name, wanted))
            return true;
    return false;
}

static bool copy_name(const struct node *name, char **ret, struct error *err)
{
    if (!node_is(name, NODE_STRING))
        return error_set(err, REASON_MALFORMED, "images.json: names: want strings");
    *ret = span_dup(name->text);
    return *ret || error_set(err, REASON_MALFORMED, "images.json: names: want text");
}

static bool copy_names(const struct node *names, struct start_identity *identity, struct error *err)
{
    if (names->count > START_NAMES_MAX)
        return error_set(err, REASON_LIMIT,
                         "the image has %u names, and none is the one the container was created under", names->count);
    if (!copy_name(names->child, &identity->reference, err))
        return false;
    for (const struct node *name = names->child->next; name; name = name->next) {
        char *text CLEANUP(mem_freep) = NULL;

        if (!copy_name(name, &text, err))
            return false;
        if (!names_add(&identity->others, text))
            return error_oom(err);
    }
    return true;
}

static bool choose_name(const struct node *container, const struct node *image, struct start_identity *identity,
                        struct error *err)
{
    const struct node *names = node_get(image, "names");
    char *created CLEANUP(mem_freep) = created_under(container);

    if (has_name(names, created)) {
        identity->reference = TAKE_PTR(created);
        return true;
    }
    return !node_is(names, NODE_LIST) || names->count == 0 || copy_names(names, identity, err);
}

static bool copy_member(const struct node *record, const char *member, char **ret, struct error *err)
{
    const struct node *value = node_get(record, member);

    *ret = NULL;
    if (!value)
        return true;
    if (value->kind != NODE_STRING)
        return error_set(err, REASON_MALFORMED, "containers storage: %s: want a string, found a %s", member,
                         node_kind_name(value->kind));
    *ret = span_dup(value->text);
    return *ret ? true : error_oom(err);
}

static bool identify_image(const struct storage_files *files, const struct node *container,
                           struct start_identity *identity, struct error *err)
{
    struct tree *images CLEANUP(tree_freep) = NULL;
    const struct node *image = NULL;

    if (!copy_member(container, "image", &identity->image_id, err))
        return false;
    if (!identity->image_id || !identity->image_id[0])
        return error_set(err, REASON_NOT_FOUND,
                         "the container was not made from an image (a root directory was given)");
    if (!json_parse(files->images, "images.json", TREE_NO_PLACES, &images, err) ||
        !find_record(tree_root(images), span_str(identity->image_id), "images.json", &image, err))
        return false;
    if (!image)
        return error_set(err, REASON_NOT_FOUND, "containers storage has no record of image %.64s", identity->image_id);
    return copy_member(image, "digest", &identity->digest, err) &&
           choose_name(container, image, identity, err);
}

bool identify_container(const struct storage_files *files, const char *container_id, struct start_identity *ret,
                        struct error *err)
{
    struct tree *containers CLEANUP(tree_freep) = NULL;
    struct tree *volatiles CLEANUP(tree_freep) = NULL;
    const struct node *container = NULL;
    struct start_identity identity CLEANUP(start_identity_done) = {0};

    if (!find_container(files->containers, "containers.json", container_id, &containers, &container, err) ||
        !find_container(files->volatile_containers, "volatile-containers.json", container_id, &volatiles, &container,
                        err))
        return false;
    if (!container)
        return error_set(err, REASON_NOT_FOUND, "containers storage has no record of container %.64s", container_id);
    if (!identify_image(files, container, &identity, err))
        return false;
    *ret = identity;
    memset(&identity, 0, sizeof(identity));
    return true;
}

/* A string under v1/<namespace>/<kind>/<id>/...; *ret stays NULL when absent. */
static bool database_string(const struct boltdb *db, const char *const *path, size_t len, char **ret, struct error *err)
{
    struct span value = {NULL, 0};

    if (!boltdb_get(db, path, len, &value, err))
        return false;
    if (!value.ptr || value.len == 0)
        return true;
    *ret = span_dup(value);
    return *ret ? true : error_set(err, REASON_MALFORMED, "containerd's metadata: a name or digest holds a NUL byte");
}

/* A google.protobuf.Any: field 2, its value. Only the two fields that it has, both length-delimited. */
static struct span any_value(struct span any)
{
    struct span value = {NULL, 0};

    while (any.len > 0) {
        uint8_t key = any.ptr[0];
        uint64_t len = 0;
        size_t at = 1;

        for (unsigned int shift = 0; at < any.len && shift < 32; shift += 7) {
            uint8_t byte = any.ptr[at++];

            len |= (uint64_t)(byte & 0x7f) << shift;
            if (byte < 0x80)
                break;
        }
        if ((key != 0x0a && key != 0x12) || len > any.len - at)
            return span_of(NULL, 0);
        if (key == 0x12)
            value = span_cut(any, at, len);
        any = span_cut(any, at + len, SIZE_MAX);
    }
    return value;
}

/*
 * What CRI noted when it made the container: the image id (config digest) that the snapshot was made from. *ret stays
 * NULL for a container that CRI did not make, and for a pod's own.
 */
static bool cri_image_id(const struct boltdb *db, const char *namespace, const char *container_id, char **ret,
                         struct error *err)
{
    const char *const path[] = {"v1",         namespace, "containers", container_id,
                                "extensions", "io.cri-containerd.container.metadata"};
    struct tree *tree CLEANUP(tree_freep) = NULL;
    struct span any = {NULL, 0};
    const struct node *id;

    if (!boltdb_get(db, path, ARRAY_LEN(path), &any, err))
        return false;
    if (!any.ptr)
        return true;
    if (!json_parse(any_value(any), "CRI's record of the container", TREE_NO_PLACES, &tree, err))
        return false;
    id = node_get(node_get(tree_root(tree), "Metadata"), "ImageRef");
    if (!node_is(id, NODE_STRING) || id->text.len == 0)
        return error_set(err, REASON_MALFORMED, "CRI's record of the container names no image");
    *ret = span_dup(id->text);
    return *ret ? true : error_oom(err);
}

/*
 * A name may have been given to another image since the container was made. CRI keeps each image under its id as well,
 * and the id stays: when the container's is known, it leads to the digest, and the name only to the policies.
 */
static bool containerd_lookup(const struct boltdb *db, const char *namespace, const char *container_id,
                              struct start_identity *identity, struct error *err)
{
    if (container_id && !cri_image_id(db, namespace, container_id, &identity->image_id, err))
        return false;
    if (!identity->reference) {
        const char *const path[] = {"v1", namespace, "containers", container_id, "image"};

        if (!database_string(db, path, ARRAY_LEN(path), &identity->reference, err))
            return false;
        if (!identity->reference)
            return error_set(err, REASON_NOT_FOUND, "containerd has no record of container %.64s and its image",
                             container_id);
    }
    const char *image = identity->image_id ? identity->image_id : identity->reference;
    const char *const path[] = {"v1", namespace, "images", image, "target", "digest"};

    if (!database_string(db, path, ARRAY_LEN(path), &identity->digest, err))
        return false;
    return identity->digest || error_set(err, REASON_NOT_FOUND, "containerd has no record of image %.200s", image);
}

bool identify_containerd(struct span database, const char *namespace, const char *container_id, const char *name,
                         struct start_identity *ret, struct error *err)
{
    struct start_identity identity CLEANUP(start_identity_done) = {0};
    struct boltdb db;

    identity.reference = mem_strdup(name);
    if (name && !identity.reference)
        return error_oom(err);
    if (!boltdb_open(database, &db, err) || !containerd_lookup(&db, namespace, container_id, &identity, err))
        return false;
    *ret = identity;
    memset(&identity, 0, sizeof(identity));
    return true;
}
