/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/node_key.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/crio/device.h"

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

static bool is_in_device(const char *path)
{
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(0);
    struct error ignored = ERROR_INIT;

    return read_pem(path, &pem, &ignored) && privkey_is_external(buf_as_span(&pem));
}

bool node_key_rotate(const char *root, struct error *err)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    char *private_path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PATH);
    char *public_path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PUBLIC_PATH);

    if (!private_path || !public_path)
        return error_oom(err);
    if (is_in_device(private_path))
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
    if (!privkey_is_external(buf_as_span(&pem)))
        return privkey_parse_pem(buf_as_span(&pem), ret, err) || error_wrap(err, "%s", path);
    *ret = NULL;
    return true;
}

/* What policy.json demands is the public half beside the key: written when there is none, or another one. */
static bool keep_public_half(const char *path, struct span pem, struct error *err)
{
    struct buf there CLEANUP(buf_free) = BUF_INIT(0);
    struct error ignored = ERROR_INIT;

    return (read_pem(path, &there, &ignored) && span_eq(pem, buf_as_span(&there))) ||
           file_write_atomic(path, pem, 0644, true, err);
}

static bool sign_in_device(const char *root, struct span message, struct buf *ret, struct error *err)
{
    struct device_answer answer CLEANUP(device_answer_done) = DEVICE_ANSWER_INIT;
    char *path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PATH);
    char *public_path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PUBLIC_PATH);

    if (!path || !public_path)
        return error_oom(err);
    if (!device_sign(path, message, &answer, err) ||
        !keep_public_half(public_path, buf_as_span(&answer.public_pem), err))
        return false;
    buf_span(ret, buf_as_span(&answer.signature));
    return buf_ok(ret) || error_oom(err);
}

bool node_key_sign(const char *root, const struct privkey *key, struct span message, struct buf *ret,
                   struct error *err)
{
    return key ? privkey_sign(key, message, ret, err) : sign_in_device(root, message, ret, err);
}

static bool check_own(const char *path, const struct privkey *key, struct error *err)
{
    struct buf pem CLEANUP(buf_free) = BUF_INIT(LIMIT_KEY_FILE_BYTES);

    pubkey_write_pem(privkey_public(key), &pem);
    return buf_ok(&pem) ? keep_public_half(path, buf_as_span(&pem), err) : error_oom(err);
}

bool node_key_check(const char *root, struct pubkey **ret, struct error *err)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct buf ignored CLEANUP(buf_free) = BUF_INIT(LIMIT_SIGNATURE_BYTES), pem CLEANUP(buf_free) = BUF_INIT(0);
    char *path CLEANUP(mem_freep) = path_under(root, NODE_KEY_PUBLIC_PATH);

    if (!path)
        return error_oom(err);
    if (!node_key_open(root, &key, err) ||
        !(key ? check_own(path, key, err) : sign_in_device(root, span_str("check"), &ignored, err)) ||
        !read_pem(path, &pem, err))
        return false;
    return pubkey_parse_pem(buf_as_span(&pem), ret, err) || error_wrap(err, "%s", path);
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
