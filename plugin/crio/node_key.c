/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/node_key.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"

static bool write_halves(const struct privkey *key, const char *private_path, const char *public_path,
                         struct error *err)
{
    struct buf private_pem CLEANUP(buf_wipe) = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct buf public_pem CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);

    pubkey_write_pem(privkey_public(key), &public_pem);
    if (!buf_ok(&public_pem))
        return error_oom(err);
    return privkey_write_pem(key, &private_pem, err) &&
           file_write_atomic(private_path, buf_as_span(&private_pem), 0600, true, err) &&
           file_write_atomic(public_path, buf_as_span(&public_pem), 0644, true, err);
}

static bool read_pem(const char *path, struct buf *ret, struct error *err)
{
    return file_read(path, LIMIT_KEY_FILE_BYTES, FILE_TRUSTED, ret, err);
}

bool node_key_is_external(const char *root)
{
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(0);
    char *path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PATH);
    struct error ignored = ERROR_INIT;

    return path && read_pem(path, &pem, &ignored) && privkey_is_external(buf_as_span(&pem));
}

/* What policy.json demands is the public half beside it: written when it is another key's. */
static bool open_external(const char *root, struct span pem, struct privkey **ret, struct error *err)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct buf ours CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES), there CLEANUP(buf_free) = BUF_INIT(0);
    char *path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PUBLIC_PATH);
    struct error ignored = ERROR_INIT;

    if (!path)
        return error_oom(err);
    if (!privkey_open_external(pem, &key, err))
        return false;
    pubkey_write_pem(privkey_public(key), &ours);
    if (!buf_ok(&ours))
        return error_oom(err);
    if ((!read_pem(path, &there, &ignored) || !span_eq(buf_as_span(&ours), buf_as_span(&there))) &&
        !file_write_atomic(path, buf_as_span(&ours), 0644, true, err))
        return false;
    *ret = TAKE_PTR(key);
    return true;
}

bool node_key_rotate(const char *root, struct error *err)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    char *private_path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PATH);
    char *public_path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PUBLIC_PATH);

    if (!private_path || !public_path)
        return error_oom(err);
    if (node_key_is_external(root))
        return error_set(err, REASON_UNSUPPORTED,
                         "%s names a key in a device: make another one there, and put its PEM block into the file",
                         private_path);
    return (privkey_generate(&key, err) && write_halves(key, private_path, public_path, err)) ||
           error_wrap(err, "node key");
}

bool node_key_open(const char *root, struct privkey **ret, struct error *err)
{
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(0);
    char *path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PATH);

    if (!path)
        return error_oom(err);
    if (!read_pem(path, &pem, err)) {
        if (err->reason != REASON_NOT_FOUND)
            return false;
        if (!node_key_rotate(root, err) || !read_pem(path, &pem, err))
            return false;
    }
    if (privkey_is_external(buf_as_span(&pem)))
        return open_external(root, buf_as_span(&pem), ret, err) || error_wrap(err, "%s", path);
    return privkey_parse_pem(buf_as_span(&pem), ret, err) || error_wrap(err, "%s", path);
}

bool node_key_changed(const char *root, struct stat *seen)
{
    char *path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PATH);
    struct stat now;
    bool same;

    if (!path || stat(path, &now) != 0)
        return false;
    same = now.st_dev == seen->st_dev && now.st_ino == seen->st_ino && now.st_ctim.tv_sec == seen->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec;
    *seen = now;
    return !same;
}
