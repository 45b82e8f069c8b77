/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/store_child.h"

#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/file.h"
#include "base/wire.h"
#include "plugin/process.h"
#include "verifier/fetch/fetch.h"
#include "verifier/store.h"

enum {
    STORE_SOCKET = 0,
    WANT_MAX_BYTES = 16 * 1024,
    ANSWER_MAX_BYTES = LIMIT_ATTESTATION_BYTES + 64 * 1024,
    DIRECTORIES_MAX = 64,
    TAG_WANT = 1,
};

/* A directory a policy names, as the policy wrote it, where it is (--root), and opened at the first question. */
struct shelf {
    const char *name;
    char *path;
    struct store *store;
    char *failed; /* why it does not open */
};

struct shelves {
    struct shelf items[DIRECTORIES_MAX];
    const char *paths[DIRECTORIES_MAX];
    size_t count;
};

static bool shelves_fill(const struct judge_input *input, struct shelves *shelves, struct error *err)
{
    const char **names CLEANUP(mem_freep) = NULL;
    size_t count = 0;

    if (!policy_set_directories(input->policies, &names, &count, err))
        return false;
    if (count > DIRECTORIES_MAX)
        return error_set(err, REASON_POLICY_ERROR, "the policies name more than %d directories as sources",
                         DIRECTORIES_MAX);
    for (size_t i = 0; i < count; i++) {
        shelves->items[i] = (struct shelf){.name = names[i], .path = path_under(input->root, names[i])};
        if (!shelves->items[i].path)
            return error_oom(err);
        shelves->paths[i] = shelves->items[i].path;
    }
    shelves->count = count;
    return true;
}

static struct shelf *find_shelf(struct shelves *shelves, const char *name)
{
    for (size_t i = 0; i < shelves->count; i++)
        if (strcmp(shelves->items[i].name, name) == 0)
            return &shelves->items[i];
    return NULL;
}

static bool answer_from(struct shelves *shelves, const struct want *want, struct evidence *ret, struct error *err)
{
    struct shelf *shelf = find_shelf(shelves, want->repository);
    struct error why = ERROR_INIT;

    if (!shelf)
        return error_set(err, REASON_INTERNAL, "a directory that no policy names");
    if (!shelf->store && !shelf->failed && !store_open(shelf->path, &shelf->store, &why))
        shelf->failed = mem_printf("directory of signatures: %s", why.text);
    if (shelf->store)
        return store_answer(shelf->store, want, ret, err);
    *ret = (struct evidence){.id = want->id, .status = EVIDENCE_ERROR, .reason = REASON_FETCH_FAILED};
    ret->error = mem_strdup(shelf->failed);
    return ret->error || error_oom(err);
}

static bool read_want(struct span message, struct want *ret, struct error *err)
{
    struct reader records;
    uint16_t tag = 0;
    struct span bytes;

    if (!wire_records(message, MESSAGE_WANTS, &records, err))
        return false;
    if (!wire_next(&records, &tag, &bytes) || tag != TAG_WANT)
        return error_set(err, REASON_MALFORMED, "the judge asks for nothing");
    return want_read(bytes, ret, err);
}

static bool serve_one(struct shelves *shelves, struct error *err)
{
    CLEANUP(buf_free) struct buf question = BUF_INIT(WANT_MAX_BYTES);
    CLEANUP(buf_free) struct buf answer = BUF_INIT(ANSWER_MAX_BYTES);
    CLEANUP(want_done) struct want want = {0};
    CLEANUP(evidence_done) struct evidence evidence = {0};

    if (!wire_receive(STORE_SOCKET, WANT_MAX_BYTES - WIRE_HEADER_BYTES, INT64_MAX, &question, err) ||
        !read_want(buf_as_span(&question), &want, err) || !answer_from(shelves, &want, &evidence, err))
        return false;
    fetch_evidence_write(&answer, 1, 0, &evidence); /* there is one job: this decision */
    return (buf_ok(&answer) || error_oom(err)) && wire_send(STORE_SOCKET, buf_as_span(&answer), INT64_MAX, err);
}

static _Noreturn void run_child(int fd, struct shelves *shelves, const struct sandbox *sandbox)
{
    struct sandbox own = *sandbox;
    struct error err = ERROR_INIT;

    own.directories = shelves->paths;
    own.directory_count = shelves->count;
    if (fd != STORE_SOCKET && dup2(fd, STORE_SOCKET) < 0)
        _exit(1);
    close_from(STORE_SOCKET + 1);
    if (!sandbox_enter(SANDBOX_STORE, &own, &err))
        _exit(1); /* the judge finds it gone, and its look-ups are failures */
    while (serve_one(shelves, &err))
        ;
    _exit(0);
}

static void shelves_done(struct shelves *shelves)
{
    for (size_t i = 0; i < shelves->count; i++)
        mem_free(shelves->items[i].path);
}

bool store_child_start(const struct judge_input *input, const struct sandbox *sandbox, int *ret_socket,
                       struct error *err)
{
    CLEANUP(shelves_done) struct shelves shelves = {.count = 0};
    CLEANUP(fd_closep) int ours = -1;
    CLEANUP(fd_closep) int theirs = -1;
    pid_t pid;

    *ret_socket = -1;
    if (!shelves_fill(input, &shelves, err))
        return false;
    if (shelves.count == 0)
        return true;
    if (!socket_pair(&ours, &theirs, err))
        return false;
    pid = fork();
    if (pid == 0)
        run_child(theirs, &shelves, sandbox);
    if (pid < 0)
        return error_set(err, REASON_UNAVAILABLE, "the child that reads directories cannot be started");
    *ret_socket = TAKE_FD(ours);
    return true;
}

bool store_child_ask(int socket, const struct want *want, struct evidence *ret, struct error *err)
{
    CLEANUP(buf_free) struct buf question = BUF_INIT(WANT_MAX_BYTES);
    CLEANUP(buf_free) struct buf message = BUF_INIT(ANSWER_MAX_BYTES);
    CLEANUP(fetch_answer_done) struct fetch_answer answer = {0};
    size_t start = wire_begin(&question, MESSAGE_WANTS), nested = wire_open(&question, TAG_WANT);

    want_write(&question, want);
    wire_close(&question, nested);
    wire_end(&question, start);
    if (!buf_ok(&question))
        return error_set(err, REASON_LIMIT, "the name of an object in a directory is too long");
    if (!wire_send(socket, buf_as_span(&question), INT64_MAX, err) ||
        !wire_receive(socket, ANSWER_MAX_BYTES - WIRE_HEADER_BYTES, INT64_MAX, &message, err) ||
        !fetch_answer_read(buf_as_span(&message), true, &answer, err))
        return error_wrap(err, "reading directories of signatures");
    if (answer.end)
        return error_set(err, REASON_MALFORMED, "the reader of directories gives no answer");
    *ret = answer.evidence;
    answer.evidence = (struct evidence){0};
    return true;
}
