/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real fetcher and its parser, driven from a script: builds one job from JSON on stdin, prints each answer as one
 * line of JSON and the counters at the end. Test code: it forks, prints and exits as it likes.
 *
 *   {"deadline_ms":3000, "ca_dir":..., "ca_file":..., "proxies":{"http","https","no_proxy"}, "rounds":2,
 *    "registries":[{"host","repository","endpoints":[{"url" | "default":true,"insecure":bool, "flags":[..],
 * "repository", "ns","connect_ms","ca":"PEM file","cert","key","headers":[..],"username","password","identity_token",
 *                   "registry_token"}]}],
 *    "wants":[{"kind":"manifest|referrers|page|blob","host","repository","target","max"}]}
 *
 * "between" is a descriptor: a byte is read from it before each round but the first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "base/wire.h"
#include "verifier/fetch/fetch.h"

static struct error err = ERROR_INIT;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "fetchtool: %s: %s\n", what, err.text);
    exit(2);
}

static char *text(const struct node *node, const char *name)
{
    const struct node *member = node_get(node, name);

    return node_is(member, NODE_STRING) ? span_dup(member->text) : NULL;
}

static int64_t number(const struct node *node, const char *name, int64_t otherwise)
{
    int64_t value;

    return node_int(node_get(node, name), false, &value) ? value : otherwise;
}

static bool truth(const struct node *node, const char *name)
{
    bool value;

    return node_bool(node_get(node, name), &value) && value;
}

static char *pem(const struct node *node, const char *name)
{
    char *path = text(node, name), *pem_text;
    struct buf file = BUF_INIT(0);

    if (!path)
        return NULL;
    if (!file_read(path, LIMIT_TRUST_ROOT_BYTES, FILE_ANY, &file, &err))
        die("PEM");
    pem_text = span_dup(buf_as_span(&file));
    buf_free(&file);
    mem_free(path);
    return pem_text;
}

static uint32_t flags_of(const struct node *list)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } names[] = {{"skip-verify", FETCH_SKIP_VERIFY}, {"either", FETCH_EITHER_SCHEME}, {"resolve", FETCH_CAN_RESOLVE},
                 {"pull", FETCH_CAN_PULL}, {"referrers", FETCH_CAN_REFERRERS}, {"all", FETCH_CAN_ALL}};
    uint32_t flags = list ? 0 : FETCH_CAN_ALL;

    for (const struct node *item = list ? list->child : NULL; item; item = item->next)
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (node_str_is(item, names[i].name))
                flags |= names[i].flag;
    return flags;
}

static void add_endpoint(struct fetch_registry *registry, const struct node *node)
{
    struct fetch_endpoint endpoint = {0};
    const struct node *headers = node_get(node, "headers");
    struct fetch_credentials credentials = {
        .username = text(node, "username"),
        .password = text(node, "password"),
        .identity_token = text(node, "identity_token"),
        .registry_token = text(node, "registry_token"),
    };

    if (truth(node, "default")) {
        if (!fetch_endpoint_default(registry->host, truth(node, "insecure"), &credentials, &endpoint, &err))
            die("endpoint");
        fetch_credentials_done(&credentials);
    } else {
        endpoint.url = text(node, "url");
        endpoint.flags = flags_of(node_get(node, "flags"));
        endpoint.credentials = credentials;
    }
    endpoint.repository = text(node, "repository");
    endpoint.ns = text(node, "ns");
    endpoint.connect_ms = (uint32_t)number(node, "connect_ms", 0);
    endpoint.ca_pem = pem(node, "ca");
    endpoint.client_cert_pem = pem(node, "cert");
    endpoint.client_key_pem = pem(node, "key");
    if (headers && headers->count > 0) {
        endpoint.headers = mem_new(headers->count, sizeof(*endpoint.headers));
        for (const struct node *item = headers->child; item; item = item->next)
            endpoint.headers[endpoint.header_count++] = span_dup(item->text);
    }
    if (!fetch_registry_add(registry, &endpoint, &err))
        die("endpoint");
}

static enum want_kind kind_of(const struct node *want)
{
    const struct node *kind = node_get(want, "kind");

    return node_str_is(kind, "referrers") ? WANT_REFERRERS
           : node_str_is(kind, "page")    ? WANT_PAGE
           : node_str_is(kind, "blob")    ? WANT_BLOB
                                          : WANT_MANIFEST;
}

static void job_of(const struct node *root, struct fetch_job *job)
{
    const struct node *list = node_get(root, "registries"), *proxies = node_get(root, "proxies");

    *job = (struct fetch_job){.id = 1, .ca_dir = text(root, "ca_dir"), .ca_file = text(root, "ca_file")};
    job->proxies = (struct fetch_proxies){text(proxies, "http"), text(proxies, "https"), text(proxies, "no_proxy")};
    for (const struct node *item = list ? list->child : NULL; item; item = item->next) {
        char *host = text(item, "host"), *repository = text(item, "repository");
        struct fetch_registry *registry = fetch_job_registry(job, host, repository);
        const struct node *endpoints = node_get(item, "endpoints");

        for (const struct node *one = endpoints ? endpoints->child : NULL; one; one = one->next)
            add_endpoint(registry, one);
        mem_free(host);
        mem_free(repository);
    }
    list = node_get(root, "wants");
    for (const struct node *item = list ? list->child : NULL; item; item = item->next) {
        char *host = text(item, "host"), *repository = text(item, "repository"), *target = text(item, "target");

        if (!wants_add(&job->wants, kind_of(item), host, repository, target,
                       (uint64_t)number(item, "max", LIMIT_MANIFEST_BYTES), &err))
            die("want");
        mem_free(host);
        mem_free(repository);
        mem_free(target);
    }
}

static void print_evidence(const struct fetch_job *job, const struct evidence *item)
{
    static const char *const statuses[] = {"error", "found", "absent"};
    struct buf line = BUF_INIT((size_t)512 * 1024 * 1024);
    struct json_out out = json_out_to(&line);
    const struct want *want = &job->wants.items[item->id - 1];

    json_open_map(&out, NULL);
    json_put_int(&out, "id", item->id);
    json_put_str(&out, "target", want->target);
    json_put_str(&out, "status", statuses[item->status]);
    json_put_int(&out, "http", item->http_status);
    json_put_str(&out, "reason", reason_name(item->reason));
    json_put_str(&out, "type", item->content_type);
    json_put_str(&out, "link", item->link);
    json_put_str(&out, "source", item->source);
    json_put_str(&out, "error", item->error);
    json_put_int(&out, "size", (int64_t)item->body.len);
    json_put_span(&out, "body", span_cut(item->body, 0, 4096));
    json_close_map(&out);
    printf("%s\n", buf_cstr(&line));
    buf_free(&line);
}

static void round_trip(int fd, const struct fetch_job *job, int64_t start)
{
    struct buf message = BUF_INIT(LIMIT_FETCH_JOB_BYTES);
    struct fetch_answer answer = {0};

    fetch_job_write(&message, job);
    if (!buf_ok(&message) || !wire_send(fd, buf_as_span(&message), mono_ms() + 5000, &err))
        die("send");
    while (!answer.end) {
        struct buf in = BUF_INIT((size_t)LIMIT_EVIDENCE_BYTES);

        fetch_answer_done(&answer);
        if (!wire_receive(fd, LIMIT_EVIDENCE_BYTES, mono_ms() + 60000, &in, &err) ||
            !fetch_answer_read(buf_as_span(&in), true, &answer, &err))
            die("answer");
        if (!answer.end)
            print_evidence(job, &answer.evidence);
        buf_free(&in);
    }
    printf("{\"requests\":%u,\"auth_requests\":%u,\"depth\":%u,\"auth_depth\":%u,\"bytes\":%llu,\"ms\":%lld}\n",
           answer.counters.requests, answer.counters.auth_requests, answer.counters.depth, answer.counters.auth_depth,
           (unsigned long long)answer.counters.bytes, (long long)(mono_ms() - start));
    fflush(stdout);
    buf_free(&message);
}

static pid_t child(bool (*serve)(int, int, struct error *), int fd, int parser_fd, int close_fd)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(close_fd);
    if (serve(fd, parser_fd, &err))
        exit(0); /* not _exit: the leak check runs at the end */
    fprintf(stderr, "child: %s\n", err.text);
    _exit(3);
}

static bool serve_parser(int fd, int unused, struct error *error)
{
    (void)unused;
    return fetch_parser_serve(fd, error);
}

static bool serve_fetcher(int fd, int parser_fd, struct error *error)
{
    return fetch_preload(error) && fetch_serve(fd, parser_fd, error);
}

int main(void)
{
    struct buf input = BUF_INIT(4 * 1024 * 1024);
    struct tree *tree = NULL;
    struct fetch_job job;
    struct rusage usage;
    int parser[2], fetcher[2], status, got, between;
    char chunk[4096];
    pid_t parser_pid, fetcher_pid;
    int64_t deadline_ms, rounds;

    while ((got = (int)read(0, chunk, sizeof(chunk))) > 0)
        buf_append(&input, chunk, (size_t)got);
    if (!json_parse(buf_as_span(&input), "job", TREE_DEFAULT, &tree, &err))
        die("job");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, parser))
        die("socketpair");
    parser_pid = child(serve_parser, parser[0], -1, parser[1]);
    close(parser[0]);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
                   fetcher)) /* after the parser's start: it must not hold an end */
        die("socketpair");
    fetcher_pid = child(serve_fetcher, fetcher[0], parser[1], fetcher[1]);
    close(fetcher[0]);
    close(parser[1]);
    job_of(tree_root(tree), &job);
    deadline_ms = number(tree_root(tree), "deadline_ms", 5000);
    between = (int)number(tree_root(tree), "between", -1);
    rounds = number(tree_root(tree), "rounds", 1);
    for (int64_t round = 0; round < rounds; round++) {
        int64_t start;

        if (round > 0 && between >= 0 && read(between, chunk, 1) != 1)
            die("no next round");
        start = mono_ms();

        job.deadline = start + deadline_ms;
        round_trip(fetcher[1], &job, start);
    }
    close(fetcher[1]);
    if (wait4(fetcher_pid, &status, 0, &usage) < 0 || status != 0)
        die("fetcher's end");
    printf("{\"fetcher_rss_kib\":%ld,\"fetcher_cpu_us\":%ld}\n", usage.ru_maxrss,
           usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 +
               usage.ru_stime.tv_usec);
    if (waitpid(parser_pid, &status, 0) < 0 || status != 0)
        die("parser's end");
    fetch_job_done(&job);
    tree_free(tree);
    buf_free(&input);
    return 0;
}
