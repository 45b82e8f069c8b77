/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/canary/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/toml.h"
#include "plugin/cli/doctor/containerd.h"

enum { WORDS_MAX = 16, LIST_TIMEOUT_MS = 20000, LIST_BYTES = 16 * 1024 };

/* A containerd namespace of its own: what is pulled there is no image of the kubelet's or of anybody else's. */
#define CANARY_NAMESPACE "pullguard-canary"

static const struct kind {
    const char *name;
    const char *places[4];
    const char *socket; /* where the runtime listens unless its configuration or an option says otherwise */
} kinds[CLIENT_COUNT] = {
    [CLIENT_CTR] = {"ctr",
                    {"/usr/bin/ctr", "/usr/local/bin/ctr", "/opt/containerd/bin/ctr"},
                    "/run/containerd/containerd.sock"},
    [CLIENT_CRI] = {"cri",
                    {"/usr/bin/crictl", "/usr/local/bin/crictl", "/opt/bin/crictl"},
                    "/run/containerd/containerd.sock"},
    [CLIENT_CRIO] = {"crio", {"/usr/bin/crictl", "/usr/local/bin/crictl", "/opt/bin/crictl"}, "/run/crio/crio.sock"},
    [CLIENT_PODMAN] = {"podman", {"/usr/bin/podman", "/usr/local/bin/podman"}, NULL},
};

const char *client_name(enum client_kind kind)
{
    return kinds[kind].name;
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

static const char *named_program(const struct doctor_values *values, enum client_kind kind)
{
    switch (kind) {
    case CLIENT_CTR:
        return values->ctr;
    case CLIENT_PODMAN:
        return values->podman;
    case CLIENT_CRI:
    case CLIENT_CRIO:
        return values->crictl;
    case CLIENT_COUNT:
    default:
        return NULL;
    }
}

/* ctr of another version than containerd's may speak another dialect: the one beside the running containerd first. */
static void look_beside(struct client *client, const struct containerd *containerd)
{
    const char *slash = strrchr(containerd->program, '/');
    char path[CLIENT_PATH_BYTES];

    if (slash == NULL || containerd->pid == 0)
        return;
    snprintf(path, sizeof(path), "%.*s/ctr", (int)(slash - containerd->program), containerd->program);
    if (access(path, X_OK) == 0)
        snprintf(client->program, sizeof(client->program), "%s", path);
}

static bool find_client_program(struct doctor *doctor, struct client *client, struct error *err)
{
    const struct kind *kind = &kinds[client->kind];
    const char *named = named_program(doctor->values, client->kind);
    const char *file;

    if (named != NULL)
        snprintf(client->program, sizeof(client->program), "%s", named);
    for (size_t i = 0; i < ARRAY_LEN(kind->places) && kind->places[i] != NULL && client->program[0] == '\0'; i++)
        /* Only programs of this node are run: those below --root are another's. */
        if (doctor->cli->root[0] == '\0' && access(kind->places[i], X_OK) == 0)
            snprintf(client->program, sizeof(client->program), "%s", kind->places[i]);
    if (client->program[0] == '\0') {
        file = strrchr(kind->places[0], '/') + 1;
        return error_set(err, REASON_NOT_FOUND, "no %s was found%s; --%s PROGRAM names one", file,
                         doctor->cli->root[0] != '\0' ? " (programs below --root are not run)" : "", file);
    }
    return file_check_trusted(client->program, err);
}

static void containerd_address(const struct containerd *containerd, char *dst, size_t size)
{
    static const struct toml_key key = { { "grpc", "address", NULL }, { "grpc", "address", NULL } };
    char shown[CLIENT_PATH_BYTES];

    snprintf(dst, size, "%s", containerd_text(containerd, &key, kinds[CLIENT_CTR].socket, shown, sizeof(shown)));
}

/* [crio.api] listen: the last of crio.conf and its drop-ins. */
static void crio_address(struct doctor *doctor, char *dst, size_t size)
{
    CLEANUP(mem_freep) char *listen = crio_setting(doctor, "api", "listen");

    snprintf(dst, size, "%s", listen != NULL && listen[0] != '\0' ? listen : kinds[CLIENT_CRIO].socket);
}

static bool find_socket(struct doctor *doctor, struct client *client, const char *address, const char *named,
                        bool *ret_present, struct error *err)
{
    CLEANUP(mem_freep) char *path = named != NULL ? mem_strdup(named) : doctor_path(doctor, address);
    const char *plain = path;

    if (path == NULL)
        return error_oom(err);
    if (strncmp(plain, "unix://", 7) == 0)
        plain += 7;
    *ret_present = *ret_present || access(plain, F_OK) == 0;
    if (access(plain, F_OK) != 0)
        return error_set(err, REASON_NOT_FOUND, "%s does not exist: the runtime does not run, or listens elsewhere "
                         "(--%s-address)", plain, client->kind == CLIENT_CRIO ? "crio" : "containerd");
    snprintf(client->address, sizeof(client->address), "%s%.*s", client->kind == CLIENT_CTR ? "" : "unix://",
             CLIENT_PATH_BYTES - 16, plain);
    return true;
}

static bool find_containerd(struct doctor *doctor, struct client *client, bool *ret_present, struct error *err)
{
    /* doctor_containerd reports what is wrong with it. */
    struct doctor silent = { .cli = doctor->cli, .values = doctor->values };
    CLEANUP(mem_freep) struct containerd *containerd = mem_new(1, sizeof(*containerd));
    char address[CLIENT_PATH_BYTES];

    if (containerd == NULL)
        return error_oom(err);
    containerd_find(&silent, containerd);
    doctor_done(&silent);
    *ret_present = containerd->found;
    containerd_address(containerd, address, sizeof(address));
    if (client->kind == CLIENT_CTR && doctor->values->ctr == NULL && doctor->cli->root[0] == '\0')
        look_beside(client, containerd);
    toml_view_done(&containerd->view);
    return find_socket(doctor, client, address, doctor->values->containerd_address, ret_present, err);
}

bool client_find(struct doctor *doctor, enum client_kind kind, struct client *ret, bool *ret_present, struct error *err)
{
    char address[CLIENT_PATH_BYTES];

    ret->kind = kind;
    *ret_present = false;
    switch (kind) {
    case CLIENT_CTR:
    case CLIENT_CRI:
        if (!find_containerd(doctor, ret, ret_present, err))
            return false;
        break;
    case CLIENT_CRIO:
        crio_address(doctor, address, sizeof(address));
        if (!find_socket(doctor, ret, address, doctor->values->crio_address, ret_present, err))
            return false;
        break;
    case CLIENT_PODMAN:
    case CLIENT_COUNT:
    default:
        *ret_present = doctor->values->podman != NULL ||
                       (doctor->cli->root[0] == '\0' && access(kinds[CLIENT_PODMAN].places[0], F_OK) == 0);
        break;
    }
    return find_client_program(doctor, ret, err);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

struct words {
    char *items[WORDS_MAX + 1];
    size_t count;
    bool failed;
};

static void words_done(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        mem_free(words->items[i]);
}

static void words_add(struct words *words, ...)
{
    va_list list;
    const char *word;

    va_start(list, words);
    while ((word = va_arg(list, const char *)) != NULL) {
        if (words->count < WORDS_MAX && (words->items[words->count] = mem_strdup(word)) != NULL)
            words->count++;
        else
            words->failed = true;
    }
    va_end(list);
}

/* The program and what leads it to the runtime. */
static void words_begin(const struct client *client, struct words *words)
{
    char seconds[32];

    snprintf(seconds, sizeof(seconds), "%ds", client->timeout_ms / 1000);
    words_add(words, client->program, NULL);
    if (client->kind == CLIENT_CTR)
        words_add(words, "--address", client->address, "--namespace", CANARY_NAMESPACE, NULL);
    else if (client->kind != CLIENT_PODMAN)
        words_add(words, "--runtime-endpoint", client->address, "--image-endpoint", client->address, "--timeout",
                  seconds, NULL);
}

static bool run_words(struct words *words, int timeout_ms, char *text, size_t size, bool *ret_success,
                      struct error *err)
{
    int status;

    if (words->failed)
        return error_oom(err);
    if (!doctor_run(words->items[0], words->items, timeout_ms, DOCTOR_RUN_ERRORS, text, size, &status, err))
        return false;
    *ret_success = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return true;
}

bool client_pull(const struct client *client, const char *reference, char text[CLIENT_TEXT_BYTES], bool *ret_pulled,
                 struct error *err)
{
    CLEANUP(words_done) struct words words = { 0 };

    words_begin(client, &words);
    if (client->kind == CLIENT_CTR)
        words_add(&words, "images", "pull", reference, NULL);
    else if (client->kind == CLIENT_PODMAN)
        /* containerd takes loopback for plain HTTP by itself; this library asks for TLS unless told otherwise. */
        words_add(&words, "pull", "--tls-verify=false", reference, NULL);
    else
        words_add(&words, "pull", reference, NULL);
    return run_words(&words, client->timeout_ms, text, CLIENT_TEXT_BYTES, ret_pulled, err);
}

/* Is the image in the runtime's list? */
static bool listed(const struct client *client, const char *reference, bool *ret, struct error *err)
{
    CLEANUP(words_done) struct words words = { 0 };
    CLEANUP(mem_freep) char *filter = mem_printf("name==%s", reference);
    CLEANUP(mem_freep) char *text = mem_new(1, LIST_BYTES);
    char shown[200];
    bool success = false;

    if (filter == NULL || text == NULL)
        return error_oom(err);
    words_begin(client, &words);
    if (client->kind == CLIENT_CTR)
        words_add(&words, "images", "ls", "-q", filter, NULL);
    else
        words_add(&words, "images", "-q", reference, NULL);
    if (!run_words(&words, LIST_TIMEOUT_MS, text, LIST_BYTES, &success, err))
        return false;
    if (!success)
        return error_set(err, REASON_IO, "the runtime does not list its images: %s",
                         text_clean(span_trim(span_str(text)), shown, sizeof(shown)));
    *ret = span_trim(span_str(text)).len > 0;
    return true;
}

static bool remove_listed(const struct client *client, const char *reference, struct error *err)
{
    CLEANUP(words_done) struct words words = { 0 };
    CLEANUP(mem_freep) char *text = mem_new(1, LIST_BYTES);
    bool success = false;

    if (text == NULL)
        return error_oom(err);
    words_begin(client, &words);
    if (client->kind == CLIENT_CTR)
        words_add(&words, "images", "rm", "--sync", reference, NULL);
    else
        words_add(&words, "rmi", reference, NULL);
    return run_words(&words, LIST_TIMEOUT_MS, text, LIST_BYTES, &success, err);
}

/* The namespace goes with the last thing in it. Not an error when something is left: it names no image. */
static void remove_namespace(const struct client *client)
{
    CLEANUP(words_done) struct words words = { 0 };
    char text[256];
    struct error ignored = ERROR_INIT;
    bool success;

    words_begin(client, &words);
    words_add(&words, "namespaces", "rm", CANARY_NAMESPACE, NULL);
    if (!run_words(&words, LIST_TIMEOUT_MS, text, sizeof(text), &success, &ignored))
        return;
}

bool client_remove(const struct client *client, const char *reference, struct error *err)
{
    bool there = false;

    if (!listed(client, reference, &there, err))
        return false;
    if (there && (!remove_listed(client, reference, err) || !listed(client, reference, &there, err)))
        return false;
    if (client->kind == CLIENT_CTR)
        remove_namespace(client);
    return !there || error_set(err, REASON_IO, "%s is still there", reference);
}
