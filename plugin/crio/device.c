/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/device.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "crypto/privkey.h"
#include "plugin/process.h"

enum {
    DEVICE_WAIT_MS = 8000, /* for the others and the device together; the image library itself waits for ever */
    ANSWER_MAX_BYTES = LIMIT_SIGNATURE_BYTES + LIMIT_KEY_FILE_BYTES + ERROR_TEXT_BYTES + 64,
};

enum answer_type { ANSWER_SIGNED = 1, ANSWER_REFUSED };
enum answer_tag { TAG_SIGNATURE = 1, TAG_PUBLIC, TAG_REASON, TAG_TEXT };

/* The key's own file is the lock: only root can open it, so nobody else can hold it. It ends with the process. */
static bool wait_for_turn(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), code;

    if (fd < 0)
        return error_errno(err, REASON_IO, errno, "%s", path);
    do
        code = flock(fd, LOCK_EX);
    while (code != 0 && errno == EINTR);
    return code == 0 || error_errno(err, REASON_IO, errno, "%s cannot be locked", path);
}

/* All that was opened in the device is closed again when this returns. */
static bool use_device(const char *path, struct span message, struct device_answer *ret, struct error *err)
{
    struct privkey *key CLEANUP(privkey_freep) = NULL;
    struct buf pem CLEANUP(buf_wipe) = BUF_INIT(0);

    if (!file_read(path, LIMIT_KEY_FILE_BYTES, FILE_TRUSTED, &pem, err) ||
        !privkey_open_external(buf_as_span(&pem), &key, err) || !privkey_sign(key, message, &ret->signature, err))
        return false;
    pubkey_write_pem(privkey_public(key), &ret->public_pem);
    return buf_ok(&ret->public_pem) || error_oom(err);
}

static _Noreturn void run_child(int fd, const char *path, struct span message)
{
    struct device_answer found CLEANUP(device_answer_done) = DEVICE_ANSWER_INIT;
    struct buf answer CLEANUP(buf_free) = BUF_INIT(ANSWER_MAX_BYTES);
    struct error err = ERROR_INIT, ignored = ERROR_INIT;
    bool done = wait_for_turn(path, &err) && use_device(path, message, &found, &err);
    size_t start = wire_begin(&answer, done ? ANSWER_SIGNED : ANSWER_REFUSED);

    if (done) {
        wire_put(&answer, TAG_SIGNATURE, buf_as_span(&found.signature));
        wire_put(&answer, TAG_PUBLIC, buf_as_span(&found.public_pem));
    } else {
        wire_put_u32(&answer, TAG_REASON, (uint32_t)err.reason);
        wire_put_str(&answer, TAG_TEXT, err.text);
    }
    wire_end(&answer, start);
    _exit(buf_ok(&answer) && wire_send(fd, buf_as_span(&answer), INT64_MAX, &ignored) ? 0 : 1);
}

/* The two records that either answer has. */
static bool read_records(struct span bytes, uint16_t first_tag, struct span *ret_first, uint16_t second_tag,
                         struct span *ret_second)
{
    struct reader records = reader_of(bytes);
    uint16_t tag = 0;

    return wire_next(&records, &tag, ret_first) && tag == first_tag && wire_next(&records, &tag, ret_second) &&
           tag == second_tag && reader_done(&records);
}

static bool read_answer(struct span message, struct device_answer *ret, struct error *err)
{
    struct wire_message parsed;
    struct span first, second;
    uint32_t reason = 0;

    if (!wire_parse(message, &parsed, err))
        return false;
    if (parsed.type == ANSWER_SIGNED && read_records(parsed.records, TAG_SIGNATURE, &first, TAG_PUBLIC, &second)) {
        buf_span(&ret->signature, first);
        buf_span(&ret->public_pem, second);
        return (buf_ok(&ret->signature) && buf_ok(&ret->public_pem)) || error_oom(err);
    }
    if (parsed.type == ANSWER_REFUSED && read_records(parsed.records, TAG_REASON, &first, TAG_TEXT, &second) &&
        wire_u32(first, &reason))
        return error_set(err, (enum reason)reason, "%.*s", (int)second.len, (const char *)second.ptr);
    return error_set(err, REASON_INTERNAL, "the process that speaks to its device says what nobody asked");
}

static bool hear(int fd, struct device_answer *ret, struct error *err)
{
    struct buf message CLEANUP(buf_free) = BUF_INIT(ANSWER_MAX_BYTES);

    if (wire_receive(fd, ANSWER_MAX_BYTES - WIRE_HEADER_BYTES, mono_ms() + DEVICE_WAIT_MS, &message, err))
        return read_answer(buf_as_span(&message), ret, err);
    if (err->reason == REASON_TIMEOUT)
        return error_set(err, REASON_TIMEOUT, "its device gave no signature within %d s: it is silent, or busy",
                         DEVICE_WAIT_MS / 1000);
    return error_set(err, REASON_UNAVAILABLE, "the OpenSSL provider of its device ended its process");
}

void device_answer_done(struct device_answer *answer)
{
    buf_free(&answer->signature);
    buf_free(&answer->public_pem);
}

/* One that is deep in a driver cannot be ended before the driver lets it: it is left, and ends then. */
static void end_child(pid_t pid, bool silent)
{
    (void)kill(pid, SIGKILL);
    if (!silent)
        (void)waitpid(pid, NULL, 0);
}

bool device_sign(const char *path, struct span message, struct device_answer *ret, struct error *err)
{
    int ours CLEANUP(fd_closep) = -1, theirs CLEANUP(fd_closep) = -1;
    pid_t parent = getpid(), pid;
    bool done;

    if (!socket_pair(&ours, &theirs, err))
        return false;
    pid = fork();
    if (pid == 0) {
        child_bind(parent);
        (void)close(ours);
        run_child(theirs, path, message);
    }
    if (pid < 0)
        return error_errno(err, REASON_UNAVAILABLE, errno, "no process for the device of %s", path);
    (void)close(TAKE_FD(theirs)); /* or its end would not be seen */
    done = hear(ours, ret, err);
    end_child(pid, !done && err->reason == REASON_TIMEOUT);
    return done || error_wrap(err, "%s", path);
}
