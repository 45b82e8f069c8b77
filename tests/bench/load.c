/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load engine ROOT CLIENTS SECONDS cache|anew REFERENCE DIGEST
 * load judge FILE PROCESSES SECONDS
 *
 * How many decisions a second. `engine`: that many clients, each a process that asks the resident engine below ROOT
 * over its socket again and again, as the hook does when its own look into the cache found nothing; `anew` makes the
 * engine decide each time. `judge`: the judge alone on the evidence file FILE, everything in memory, in that many
 * processes. Prints one line of JSON. Exit 1: not every answer was an allow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "config.h"
#include "crypto/init.h"
#include "plugin/message.h"
#include "plugin/replay/replay.h"

enum { PROCESSES_MAX = 1024, ANSWER_MS = 20000, RESPONSE_MAX_BYTES = 1024 * 1024, FULL_PAUSE_US = 500 };

/* Written by one process each, read by the first after their end. */
struct tally {
    uint64_t decisions, allowed;
    uint64_t refused; /* the backlog was full, or it closed without an answer: the hook would start an engine */
};

struct job {
    /* One decision. */
    void (*decide)(const struct job *job, struct tally *tally);
    struct sockaddr_un address;
    struct buf message;
    struct judge_input input;
    struct replay replay;
};

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, why);
    exit(2);
}

static void count(const struct response *response, struct tally *tally)
{
    tally->decisions++;
    if (verdict_is_allow(response->verdict))
        tally->allowed++;
    else if (tally->decisions == tally->allowed + 1) /* the first of this process tells what happens */
        (void)fprintf(stderr, "load: %s: %s\n", reason_name(response->reason),
                      response->message ? response->message : "no answer");
}

static bool exchange(int fd, const struct job *job, struct response *ret, struct error *err)
{
    CLEANUP(buf_free) struct buf answer = BUF_INIT(RESPONSE_MAX_BYTES);
    int64_t deadline = mono_ms() + ANSWER_MS;

    return wire_send(fd, buf_as_span(&job->message), deadline, err) &&
           wire_receive(fd, RESPONSE_MAX_BYTES - WIRE_HEADER_BYTES, deadline, &answer, err) &&
           response_read(buf_as_span(&answer), ret, err);
}

static void ask_engine(const struct job *job, struct tally *tally)
{
    CLEANUP(response_done) struct response response = {0};
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct error err = ERROR_INIT;

    if (fd < 0)
        die("socket", strerror(errno));
    while (connect(fd, (const struct sockaddr *)(const void *)&job->address, sizeof(job->address)) != 0) {
        if (errno != EAGAIN)
            die(job->address.sun_path, strerror(errno));
        tally->refused++;
        (void)usleep(FULL_PAUSE_US);
    }
    if (exchange(fd, job, &response, &err)) {
        count(&response, tally);
    } else if (err.reason == REASON_UNAVAILABLE) {
        tally->refused++;
    } else {
        response_deny(&response, err.reason, err.text);
        count(&response, tally);
    }
}

static void ask_judge(const struct job *job, struct tally *tally)
{
    CLEANUP(response_done) struct response response = {0};

    if (judge_decide(&job->input, &job->replay.evidence, false, &response))
        count(&response, tally);
    else
        tally->decisions++;
}

static uint32_t number(const char *text, uint64_t max)
{
    uint64_t value = 0;

    if (!span_to_u64(span_str(text), max, &value) || value == 0)
        die(text, "not a number from 1 on");
    return (uint32_t)value;
}

static int run(const struct job *job, uint32_t processes, uint32_t seconds)
{
    struct tally sum = {0}, *tallies = mmap(NULL, processes * sizeof(*tallies), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t began = mono_us(), end = began + (int64_t)seconds * 1000000;

    if (tallies == MAP_FAILED)
        die("mmap", strerror(errno));
    for (uint32_t i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0)
            die("fork", strerror(errno));
        if (pid > 0)
            continue;
        while (mono_us() < end)
            job->decide(job, &tallies[i]);
        _exit(0);
    }
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    for (uint32_t i = 0; i < processes; i++) {
        sum.decisions += tallies[i].decisions;
        sum.allowed += tallies[i].allowed;
        sum.refused += tallies[i].refused;
    }
    (void)printf("{\"decisions\": %llu, \"allowed\": %llu, \"refused\": %llu, \"us\": %lld}\n",
                 (unsigned long long)sum.decisions, (unsigned long long)sum.allowed, (unsigned long long)sum.refused,
                 (long long)(mono_us() - began));
    return sum.decisions > 0 && sum.allowed == sum.decisions ? 0 : 1;
}

static int load_engine(char **argv)
{
    struct job job = {.decide = ask_engine,
                      .address = {.sun_family = AF_UNIX},
                      .message = BUF_INIT(LIMIT_HOOK_MESSAGE_BYTES)};
    const struct request request = {.reference = argv[6],
                                    .digest = argv[7],
                                    .operation = OPERATION_PULL,
                                    .flags = strcmp(argv[5], "anew") == 0 ? REQUEST_NO_CACHE : 0};
    int printed =
        snprintf(job.address.sun_path, sizeof(job.address.sun_path), "%s%s/engine.sock", argv[2], PG_RUNDIR);

    if (printed < 0 || (size_t)printed >= sizeof(job.address.sun_path))
        die(argv[2], "too long");
    request_write(&job.message, &request);
    return run(&job, number(argv[3], PROCESSES_MAX), number(argv[4], 600));
}

static int load_judge(char **argv)
{
    struct buf file = BUF_INIT(LIMIT_EVIDENCE_BYTES);
    struct engine_config config = {0};
    struct job job = {.decide = ask_judge};
    struct error err = ERROR_INIT;

    if (!crypto_init(&err) || !file_read(argv[2], LIMIT_EVIDENCE_BYTES, FILE_ANY, &file, &err) ||
        !replay_open(buf_as_span(&file), &job.replay, &config, &job.input.no_match, &err))
        die(argv[2], err.text);
    job.replay.request.flags = 0; /* as a pull: no report, no evidence file */
    job.input.request = &job.replay.request;
    job.input.policies = config.policies;
    job.input.roots = (const struct trust_root *const *)config.roots;
    job.input.root_count = config.root_count;
    job.input.now = job.replay.time;
    return run(&job, number(argv[3], PROCESSES_MAX), number(argv[4], 600));
}

int main(int argc, char **argv)
{
    if (argc == 8 && strcmp(argv[1], "engine") == 0)
        return load_engine(argv);
    if (argc == 5 && strcmp(argv[1], "judge") == 0)
        return load_judge(argv);
    (void)fprintf(stderr, "usage: load engine ROOT CLIENTS SECONDS cache|anew REFERENCE DIGEST\n"
                          "       load judge FILE PROCESSES SECONDS\n");
    return 2;
}
