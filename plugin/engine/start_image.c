/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/start_image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/process.h"
#include "plugin/start/identify.h"

enum {
    RECORDS_MAX_BYTES = 256 * 1024 * 1024, /* containerd's database of a node with thousands of images */
    ANSWER_MAX_BYTES = 64 * 1024,
    ANSWER_SOCKET = 0,
    META_PAGES_BYTES = 8192, /* boltdb's two meta pages: they change with each transaction */
    READ_TRIES = 5,
    MESSAGE_IDENTITY = 50,
    TAG_DIGEST = 1,
    TAG_REFERENCE = 2,
    TAG_REASON = 3,
    TAG_TEXT = 4,
    TAG_OTHER = 5,
};

/* One look-up: storage files, or a database. */
struct records {
    struct buf images, containers, volatile_containers;
    struct buf database;
    bool is_storage;
    const char *namespace;
};

static void records_done(struct records *records)
{
    buf_free(&records->images);
    buf_free(&records->containers);
    buf_free(&records->volatile_containers);
    buf_free(&records->database);
}

static struct records records_new(void)
{
    struct records records = {0};

    records.images = records.containers = records.volatile_containers = records.database =
        (struct buf)BUF_INIT(RECORDS_MAX_BYTES);
    return records;
}

static bool read_optional(const char *directory, const char *name, struct buf *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, name);

    if (!path)
        return error_oom(err);
    return file_read(path, RECORDS_MAX_BYTES, FILE_TRUSTED, ret, err) || err->reason == REASON_NOT_FOUND;
}

/* `driver` is "overlay" for overlay-images and overlay-containers. */
static bool read_storage(const char *root, const char *images_name, struct records *ret, struct error *err)
{
    size_t driver = strlen(images_name) - strlen("-images");
    CLEANUP(mem_freep) char *images = mem_printf("%s/%s", root, images_name);
    CLEANUP(mem_freep) char *containers = mem_printf("%s/%.*s-containers", root, (int)driver, images_name);

    if (!images || !containers)
        return error_oom(err);
    ret->is_storage = true;
    return read_optional(images, "images.json", &ret->images, err) &&
           read_optional(containers, "containers.json", &ret->containers, err) &&
           read_optional(containers, "volatile-containers.json", &ret->volatile_containers, err);
}

static bool read_database(const char *path, struct buf *ret, struct error *err)
{
    for (int i = 0; i < READ_TRIES; i++) {
        CLEANUP(buf_free) struct buf again = BUF_INIT(RECORDS_MAX_BYTES);

        buf_clear(ret);
        if (!file_read(path, RECORDS_MAX_BYTES, FILE_TRUSTED, ret, err) ||
            !file_read(path, RECORDS_MAX_BYTES, FILE_TRUSTED, &again, err))
            return false;
        /* Pages of a transaction are not written over while its meta page is the newest: unchanged meta = one state. */
        if (span_eq(span_cut(buf_as_span(ret), 0, META_PAGES_BYTES),
                    span_cut(buf_as_span(&again), 0, META_PAGES_BYTES)))
            return true;
    }
    return error_set(err, REASON_UNAVAILABLE, "%s changes all the time", path);
}

static bool identify(const struct records *records, const struct request *request, struct start_identity *ret,
                     struct error *err)
{
    const struct storage_files files = {.images = buf_as_span(&records->images),
                                        .containers = buf_as_span(&records->containers),
                                        .volatile_containers = buf_as_span(&records->volatile_containers)};

    if (records->is_storage)
        return identify_container(&files, request->container_id, ret, err);
    return identify_containerd(buf_as_span(&records->database), records->namespace, request->container_id,
                               request->reference, ret, err);
}

/* In the child: the records were written by people inside images and pods as much as by the runtime. */
static _Noreturn void child_main(int socket, const struct sandbox *sandbox, const struct records *records,
                                 const struct request *request)
{
    struct buf message = BUF_INIT(ANSWER_MAX_BYTES);
    struct start_identity identity = {0};
    struct error err = ERROR_INIT;
    size_t start;
    bool found;

    if (socket != ANSWER_SOCKET && dup2(socket, ANSWER_SOCKET) < 0)
        _exit(1);
    close_from(ANSWER_SOCKET + 1);
    found = sandbox_enter(SANDBOX_JUDGE, sandbox, &err) && identify(records, request, &identity, &err);
    start = wire_begin(&message, MESSAGE_IDENTITY);
    if (found) {
        wire_put_str(&message, TAG_DIGEST, identity.digest);
        wire_put_str(&message, TAG_REFERENCE, identity.reference);
        for (size_t i = 0; i < identity.others.count; i++)
            wire_put_str(&message, TAG_OTHER, identity.others.items[i]);
    } else {
        wire_put_u32(&message, TAG_REASON, (uint32_t)err.reason);
        wire_put_str(&message, TAG_TEXT, err.text);
    }
    wire_end(&message, start);
    _exit(buf_ok(&message) && wire_send(ANSWER_SOCKET, buf_as_span(&message), INT64_MAX, &err) ? 0 : 1);
}

static bool add_other(struct names *others, struct span value)
{
    CLEANUP(mem_freep) char *name = wire_str(value);

    return name && others->count < START_NAMES_MAX && names_add(others, name);
}

/* Takes what the child found; both texts may be missing. */
static bool read_answer(struct span answer, char **ret_digest, char **ret_reference, struct names *ret_others,
                        struct error *err)
{
    CLEANUP(mem_freep) char *text = NULL;
    struct reader records;
    struct span value;
    uint32_t reason = REASON_OK;
    uint16_t tag;

    if (!wire_records(answer, MESSAGE_IDENTITY, &records, err))
        return error_wrap(err, "the image's identity");
    while (wire_next(&records, &tag, &value)) {
        if (tag == TAG_DIGEST && !*ret_digest)
            *ret_digest = wire_str(value);
        else if (tag == TAG_REFERENCE && !*ret_reference)
            *ret_reference = wire_str(value);
        else if (tag == TAG_OTHER && add_other(ret_others, value))
            continue;
        else if (tag == TAG_TEXT && !text)
            text = wire_str(value);
        else if (tag != TAG_REASON || !wire_u32(value, &reason))
            return error_set(err, REASON_MALFORMED, "the image's identity: unknown record");
    }
    if (reason != REASON_OK)
        return error_set(err, reason < REASON_COUNT ? (enum reason)reason : REASON_INTERNAL, "%s",
                         text ? text : "no identity");
    return true;
}

static bool ask_child(const struct records *records, const struct sandbox *sandbox, int64_t deadline,
                      struct request *request, struct names *ret_others, struct error *err)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(ANSWER_MAX_BYTES);
    CLEANUP(child_kill) struct child child = {0};
    CLEANUP(mem_freep) char *digest = NULL;
    CLEANUP(mem_freep) char *reference = NULL;
    CLEANUP(fd_closep) int ours = -1;
    int theirs = -1;
    pid_t pid;

    if (!socket_pair(&ours, &theirs, err))
        return false;
    pid = fork();
    if (pid == 0) {
        request_forget_secrets(request);
        child_main(theirs, sandbox, records, request);
    }
    (void)close(theirs);
    if (pid < 0)
        return error_errno(err, REASON_UNAVAILABLE, errno, "fork");
    child_adopt(&child, pid);
    if (!wire_receive(ours, ANSWER_MAX_BYTES - WIRE_HEADER_BYTES, deadline, &answer, err) ||
        !read_answer(buf_as_span(&answer), &digest, &reference, ret_others, err))
        return error_wrap(err, "which image the container is made of");
    if (!digest)
        return error_set(err, REASON_NOT_FOUND, "the image was never pulled: it was built or loaded on this node");
    if (!reference)
        return error_set(err, REASON_NOT_FOUND,
                         "the image has no name on this node: it was built here, or its name was given to another "
                         "image since");
    mem_free(request->reference);
    mem_free(request->digest);
    request->reference = TAKE_PTR(reference);
    request->digest = TAKE_PTR(digest);
    return true;
}

/* Every driver's records below one storage root. NOT_FOUND when none names the container. */
static bool look_in_storage(const char *storage, const struct sandbox *sandbox, int64_t deadline,
                            struct request *request, struct names *ret_others, struct error *err)
{
    static const char *const suffixes[] = {"-images", NULL};
    CLEANUP(names_free) struct names names = {0};

    bool asked = false;

    if (!dir_list(storage, suffixes, &names, err))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(records_done) struct records records = records_new();

        if (!read_storage(storage, names.items[i], &records, err))
            return false;
        if (records.images.len == 0)
            continue;
        asked = true;
        if (ask_child(&records, sandbox, deadline, request, ret_others, err))
            return true;
        if (err->reason != REASON_NOT_FOUND)
            return false;
    }
    return asked ? false : error_set(err, REASON_NOT_FOUND, "no record of this container in %s", storage);
}

static bool look_in_storages(const char *root, const struct settings *settings, const struct sandbox *sandbox,
                             int64_t deadline, struct request *request, struct names *ret_others, struct error *err)
{
    (void)error_set(err, REASON_NOT_FOUND, "no containers storage is configured");
    for (size_t i = 0; i < settings->storage_roots.count; i++) {
        CLEANUP(mem_freep) char *storage = path_under(root, settings->storage_roots.items[i]);

        if (!storage)
            return error_oom(err);
        if (look_in_storage(storage, sandbox, deadline, request, ret_others, err))
            return true;
        if (err->reason != REASON_NOT_FOUND)
            return false;
    }
    return false;
}

static bool look_in_containerd(const char *root, const struct settings *settings, const struct sandbox *sandbox,
                               const char *namespace, int64_t deadline, struct request *request,
                               struct names *ret_others, struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(root, settings->containerd_metadata);
    CLEANUP(records_done) struct records records = records_new();

    if (!path)
        return error_oom(err);
    records.namespace = namespace;
    return read_database(path, &records.database, err) &&
           ask_child(&records, sandbox, deadline, request, ret_others, err);
}

/* ".../io.containerd.runtime.v2.task/NAMESPACE/ID": NAMESPACE. NULL for other bundles. Owned. */
static char *namespace_of(const char *bundle)
{
    static const char mark[] = "/io.containerd.runtime.v2.task/";
    const char *at = bundle ? strstr(bundle, mark) : NULL;
    const char *end;

    if (!at)
        return NULL;
    at += sizeof(mark) - 1;
    end = strchr(at, '/');
    return end && end > at ? span_dup(span_of(at, (size_t)(end - at))) : NULL;
}

bool start_image_find(const char *root, const struct settings *settings, const struct sandbox *sandbox,
                      int64_t deadline, struct request *request, struct names *ret_others, struct error *err)
{
    CLEANUP(mem_freep) char *namespace = NULL;
    const char *runtime = request->runtime ? request->runtime : "";

    if (request->operation != OPERATION_CREATE || request->digest)
        return true;
    if (!request->container_id)
        return error_set(err, REASON_BAD_REQUEST, "neither an image digest nor a container id");
    if (strcmp(runtime, "nri-containerd") == 0)
        return look_in_containerd(root, settings, sandbox, "k8s.io", deadline, request, ret_others, err);
    if (look_in_storages(root, settings, sandbox, deadline, request, ret_others, err))
        return true;
    namespace = namespace_of(request->bundle);
    if (err->reason != REASON_NOT_FOUND || !namespace)
        return false;
    return look_in_containerd(root, settings, sandbox, namespace, deadline, request, ret_others, err);
}
