/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With signature_policy set CRI-O checks the signatures kept with an image at each create (crio.md 2.2): an image that
 * came before pullguard, or by another road, has none and does not start any more. Said before it happens.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "plugin/cli/doctor/containers.h"
#include "plugin/cli/file_judge.h"

enum { IMAGES_MAX_BYTES = 64 * 1024 * 1024, ANSWER_BYTES = 1024, READ_TIMEOUT_MS = 10000 };

/* A record's big data hold the endorsement under "signatures" or "signature-<digest's hex>". */
static bool has_signature(const struct node *image)
{
    const struct node *sizes = node_get(image, "big-data-sizes");
    int64_t size;

    for (const struct node *one = node_is(sizes, NODE_MAP) ? sizes->child : NULL; one != NULL; one = one->next)
        if ((span_eq_str(one->name, "signatures") || span_starts(one->name, "signature-")) &&
            node_int(one, false, &size) && size > 0)
            return true;
    return false;
}

/* In the sandbox: names in that file were given by whoever pushed the images. Answers "COUNT NAME". */
static bool count_images(void *context, struct buf *out, struct error *err)
{
    const struct buf *bytes = context;
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct span first = span_str("an image without a name");
    unsigned int without = 0, all = 0;
    char shown[300];

    if (!json_parse(buf_as_span(bytes), "images.json", TREE_NO_PLACES, &tree, err))
        return false;
    for (const struct node *image = tree_root(tree)->child; image != NULL; image = image->next) {
        const struct node *name = node_at(node_get(image, "names"), 0);

        all++;
        if (has_signature(image))
            continue;
        if (without++ == 0 && node_is(name, NODE_STRING))
            first = name->text;
    }
    buf_printf(out, "%u of %u: %s", without, all, text_clean(first, shown, sizeof(shown)));
    return buf_ok(out) || error_oom(err);
}

static void check_file(struct doctor *doctor, const char *path)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };
    CLEANUP(buf_free) struct buf answer = { 0 };
    struct error err = ERROR_INIT;

    if (!file_read(path, IMAGES_MAX_BYTES, FILE_ANY, &bytes, &err))
        return;
    if (!judge_sandbox_run(doctor->cli, count_images, &bytes, ANSWER_BYTES, READ_TIMEOUT_MS, &answer, &err))
        doctor_add(doctor, CHECK_WARN, "crio.stored-images", "what of the stored images would start is not known", NULL,
                   "%s: %s", path, err.text);
    else if (span_starts(buf_as_span(&answer), "0 of "))
        doctor_add(doctor, CHECK_OK, "crio.stored-images", NULL, NULL, "every image in %s carries a signature", path);
    else
        doctor_add(doctor, CHECK_WARN, "crio.stored-images",
                   "CRI-O checks at each create: no container of them starts any more",
                   "pull them again (crictl pull), before the node is restarted",
                   "images in %s without a signature kept with them: %s", path, buf_cstr(&answer));
}

void crio_check_images(struct doctor *doctor)
{
    static const char *const drivers[] = { "overlay", "vfs", "btrfs", "zfs" };

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        CLEANUP(mem_freep) char *logical =
            mem_printf("/var/lib/containers/storage/%s-images/images.json", drivers[i]);
        CLEANUP(mem_freep) char *path = logical != NULL ? doctor_path(doctor, logical) : NULL;

        if (path != NULL && access(path, F_OK) == 0)
            check_file(doctor, path);
    }
}
