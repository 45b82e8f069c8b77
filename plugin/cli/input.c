/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/tree.h"

static bool read_standard_input(size_t max, struct buf *ret, struct error *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(max);

    if (!fd_read_all(STDIN_FILENO, &bytes))
        return errno == EFBIG ? error_set(err, REASON_LIMIT, "standard input has more than %zu bytes", max)
                              : error_errno(err, REASON_IO, errno, "standard input");
    *ret = bytes;
    bytes = (struct buf){ 0 };
    return true;
}

bool input_read(const char *path, size_t max, struct buf *ret, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return read_standard_input(max, ret, err);
    return file_read(path, max, FILE_ANY, ret, err);
}

bool input_key(const char *path, struct buf *ret, struct error *err)
{
    static const char *const services[] = { "awskms://",    "gcpkms://", "azurekms://", "hashivault://", "k8s://",
                                            "gitlab://",    "env://",    "pkcs11:",     "https://",      "http://",
                                            "openbao://",   "github://" };
    char shown[80];

    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        if (strncmp(path, services[i], strlen(services[i])) == 0)
            return error_set(
                err, REASON_UNSUPPORTED,
                "--key %s: a PEM file is wanted; get it once with \"cosign public-key --key %s > cosign.pub\"",
                text_clean(span_str(path), shown, sizeof(shown)), shown);
    return input_read(path, LIMIT_KEY_FILE_BYTES, ret, err);
}

bool input_json(const char *path, size_t max, struct buf *ret, struct error *err)
{
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(max);
    CLEANUP(buf_free) struct buf json = BUF_INIT(2 * max);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct json_out out = json_out_to(&json);

    if (!input_read(path, max, &bytes, err))
        return false;
    if (span_ends(span_str(path), ".json")) {
        if (!json_parse(buf_as_span(&bytes), path, TREE_DEFAULT, &tree, err))
            return false;
    } else if (!yaml_parse(buf_as_span(&bytes), path, &tree, err)) {
        return false;
    }
    if (tree_root(tree) == NULL)
        return error_set(err, REASON_BAD_REQUEST, "%s: the file is empty", path);
    json_put_node(&out, NULL, tree_root(tree));
    if (!buf_ok(&json))
        return error_set(err, REASON_LIMIT, "%s: larger than %zu bytes", path, max);
    *ret = json;
    json = (struct buf){ 0 };
    return true;
}
