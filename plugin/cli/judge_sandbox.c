/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/wire.h"
#include "plugin/cli/file_judge.h"
#include "plugin/engine/sandbox.h"
#include "plugin/engine/settings.h"
#include "plugin/process.h"

/* The lowest number: with one descriptor allowed nothing more can be opened (as the engine's judge does it). */
enum { ANSWER_SOCKET = 0, SLACK_BYTES = 4096 };
enum { ANSWER = 1, TAG_DONE = 1, TAG_REASON = 2, TAG_BYTES = 3 };

static _Noreturn void child(int fd, const struct sandbox *sandbox, size_t max,
                            bool (*work)(void *context, struct buf *out, struct error *err), void *context)
{
    struct buf head = BUF_INIT(SLACK_BYTES), out = BUF_INIT(max);
    struct error err = ERROR_INIT;
    struct span answer;
    size_t start;
    bool done;

    if (dup2(fd, ANSWER_SOCKET) < 0)
        _exit(1);
    close_from(ANSWER_SOCKET + 1);
    done = sandbox_enter(SANDBOX_JUDGE, sandbox, &err) && work(context, &out, &err) && buf_ok(&out);
    answer = done ? buf_as_span(&out) : span_str(err.text);
    start = wire_begin(&head, ANSWER);
    wire_put_u32(&head, TAG_DONE, done);
    wire_put_u32(&head, TAG_REASON, (uint32_t)err.reason);
    wire_close_more(&head, wire_open(&head, TAG_BYTES), answer.len);
    wire_end_more(&head, start, answer.len);
    /* the answer from where it is: it may be large */
    _exit(buf_ok(&head) && wire_send(ANSWER_SOCKET, buf_as_span(&head), INT64_MAX, &err) &&
                  wire_send(ANSWER_SOCKET, answer, INT64_MAX, &err) ? 0 : 1);
}

/* What the child sent: its bytes, which take the message's place, or its error. */
static bool read_answer(struct buf *message, struct buf *ret, struct error *err)
{
    struct reader records;
    struct span bytes = span_str("");
    uint32_t done = 0, reason = REASON_INTERNAL;
    uint16_t tag;
    struct span value;

    if (!wire_records(buf_as_span(message), ANSWER, &records, err))
        return error_wrap(err, "the sandboxed process");
    while (wire_next(&records, &tag, &value)) {
        if (tag == TAG_BYTES)
            bytes = value;
        else if ((tag != TAG_DONE && tag != TAG_REASON) || !wire_u32(value, tag == TAG_DONE ? &done : &reason))
            return error_set(err, REASON_MALFORMED, "the sandboxed process answered nonsense");
    }
    if (done != 1)
        return error_set(err, reason < REASON_COUNT ? (enum reason)reason : REASON_INTERNAL, "%.*s", (int)bytes.len,
                         (const char *)bytes.ptr);
    memmove(message->ptr, bytes.ptr, bytes.len);
    message->len = bytes.len;
    message->ptr[bytes.len] = '\0';
    *ret = *message;
    *message = (struct buf)BUF_INIT(0);
    return true;
}

static bool prepare(const struct cli *cli, struct settings *settings, struct sandbox *sandbox, struct error *err)
{
    if (!settings_load(cli->root, settings, err))
        return false;
    sandbox->mode = settings->sandbox;
    sandbox_user(settings->user, &sandbox->uid, &sandbox->gid);
    return true;
}

bool judge_sandbox_run(const struct cli *cli, bool (*work)(void *context, struct buf *out, struct error *err),
                       void *context, size_t max, int timeout_ms, struct buf *ret, struct error *err)
{
    CLEANUP(settings_done) struct settings settings = { 0 };
    CLEANUP(buf_free) struct buf message = BUF_INIT(max + SLACK_BYTES);
    CLEANUP(fd_closep) int ours = -1;
    CLEANUP(fd_closep) int theirs = -1;
    CLEANUP(child_kill) struct child process = { .pidfd = -1 };
    struct sandbox sandbox = { 0 };
    pid_t pid;

    if (!prepare(cli, &settings, &sandbox, err) || !socket_pair(&ours, &theirs, err))
        return false;
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        return error_errno(err, REASON_INTERNAL, errno, "fork");
    if (pid == 0)
        child(theirs, &sandbox, max, work, context);
    child_adopt(&process, pid);
    close(TAKE_FD(theirs));
    if (!wire_receive(ours, max + SLACK_BYTES, mono_ms() + timeout_ms, &message, err))
        return error_wrap(err, "the sandboxed process");
    return read_answer(&message, ret, err);
}
