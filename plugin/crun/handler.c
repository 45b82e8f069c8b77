/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The crun handler: crun loads every file in its handlers directory before any command, and asks each handler whether a
 * container is its own. This one never takes a container; it refuses those the policy does not allow.
 *
 * Two ways to refuse:
 *   - can_handle_container() returns an error with our reason: the best message, but crun skips it for containers that
 *     say they are a sandbox or name a handler, and its place in the structure is not promised between versions;
 *   - the entry point returns NULL: crun stops with a text of its own, whatever its version and the container's
 *     annotations. The reason then goes to stderr and to the journal.
 * The decision is made once, in the entry point, for create, run and restore only. Every other command gets an inert
 * handler at once: no file is read, no engine asked, so kill, delete, state, list and exec work with the engine gone.
 *
 * Nothing runs at load time; libc only; nothing is exported but the entry point. This file never asks anybody itself:
 * the hook library does, and is loaded when a container is about to start, so that it can be replaced or broken without
 * crun's other commands noticing. Damage to this file itself does stop every crun command (crun refuses what it cannot
 * load), which is why it is installed by rename and has so little in it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "plugin/crun/cmdline.h"
#include "plugin/crun/version.h"
#include "plugin/hook/pullguard.h"
#include "config.h"

enum {
    CONFIG_MAX_BYTES = 16 * 1024 * 1024,
    CMDLINE_MAX_BYTES = 8 * 1024 * 1024 /* more than the kernel lets through */
};

/* libcrun's error object, the same in 1.8 to 1.29: malloc'ed by the handler, freed by crun. */
struct crun_error {
    int status;
    char *message;
};

/*
 * libcrun's handler table, LP64, 1.8.1 to 1.29: offsets are checked below. Longer than any known version and zeroed, so
 * that members a newer crun has added are NULL.
 */
struct crun_handler {
    const char *name;
    const char *feature_string;
    const char *alias;
    int (*load)(void **cookie, struct crun_error **err);
    int (*unload)(void *cookie, struct crun_error **err);
    int (*run_func)(void *cookie, void *container, const char *path, char *const argv[]);
    int (*exec_func)(void *cookie, void *container, const char *path, char *const argv[]);
    int (*configure_container)(void);
    int (*can_handle_container)(void *container, struct crun_error **err);
    int (*modify_oci_configuration)(void);
    int (*close_fds)(void);
    void *reserved[21];
};

_Static_assert(sizeof(void *) != 8 || offsetof(struct crun_handler, can_handle_container) == 64,
               "crun's handler layout");

static char refusal[ERROR_TEXT_BYTES]; /* empty = not refused */

static void keep_refusal(const char *why)
{
    static const char ours[] = "pullguard: ";

    memcpy(refusal, ours, sizeof(ours) - 1);
    (void)text_clean(span_str(why), refusal + sizeof(ours) - 1, sizeof(refusal) - sizeof(ours) + 1);
}

static int refuse(struct crun_error **err, int status, const char *message)
{
    struct crun_error *error = mem_new(1, sizeof(*error)); /* freed by crun with free() */

    if (error) {
        error->status = status;
        error->message = mem_strdup(message);
    }
    *err = error;
    return -1;
}

static int gate_can_handle(void *container UNUSED, struct crun_error **err)
{
    return refusal[0] ? refuse(err, EACCES, refusal) : 0;
}

/* Called only when a container's annotation asks for this handler by name: nobody may run inside a gate. */
static int gate_load(void **cookie UNUSED, struct crun_error **err)
{
    return refuse(err, EINVAL, "pullguard: this handler runs no containers; remove the annotation run.oci.handler");
}

static int gate_unload(void *cookie UNUSED, struct crun_error **err UNUSED)
{
    return 0;
}

static struct crun_handler gate = {
    .name = "pullguard",
    .feature_string = "PULLGUARD",
    .load = gate_load,
    .unload = gate_unload,
    .can_handle_container = gate_can_handle,
};

static bool read_whole(const char *path, size_t max, struct buf *buf)
{
    int fd CLEANUP(fd_closep) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    *buf = (struct buf)BUF_INIT(max);
    return fd >= 0 && fd_read_all(fd, buf);
}

/*
 * Would crun skip can_handle_container? A scan for the two annotation names anywhere in the file: a false hit costs
 * only the nicer message. An unreadable file counts as a hit.
 */
static bool handler_is_skipped(const struct crun_call *call)
{
    struct buf config CLEANUP(buf_free) = BUF_INIT(CONFIG_MAX_BYTES);
    char path[PATH_MAX];
    int len;

    if (call->config && call->config[0] == '/')
        len = snprintf(path, sizeof(path), "%s", call->config);
    else
        len = snprintf(path, sizeof(path), "%s/%s", call->bundle ? call->bundle : ".",
                       call->config ? call->config : "config.json");
    if (len < 0 || (size_t)len >= sizeof(path) || !read_whole(path, CONFIG_MAX_BYTES, &config))
        return true;
    return span_find(buf_as_span(&config), "io.kubernetes.cri.container-type") != SIZE_MAX ||
           span_find(buf_as_span(&config), "run.oci.handler") != SIZE_MAX ||
           span_find(buf_as_span(&config), "module.wasm.image") != SIZE_MAX ||
           span_find(buf_as_span(&config), "\\u00") != SIZE_MAX; /* a name may hide behind escapes */
}

/*
 * The hook library, loaded only when there is something to decide: a damaged or missing library refuses new containers
 * and touches nothing else. Only root's file counts, at its configured place.
 */
static const struct pullguard_api *load_hook(struct error *err)
{
    static const char path[] = PG_LIBDIR "/libpullguard.so.0";
    const struct pullguard_api *(*entry)(uint32_t abi_version) = NULL;
    const struct pullguard_api *api = NULL;
    void *library, *symbol;

    if (!file_check_trusted(path, err))
        return NULL;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    symbol = library ? dlsym(library, "pullguard_entry") : NULL;
    if (symbol) {
        memcpy(&entry, &symbol, sizeof(entry)); /* ISO C has no conversion from object to function pointers */
        api = entry(PULLGUARD_ABI_VERSION);
    }
    if (!api)
        (void)error_set(err, REASON_UNAVAILABLE, "%s cannot be used%s; is the installation whole?", path,
                        library ? " (another version)" : "");
    return api;
}

static void ask(const struct crun_call *call, const char *bundle)
{
    struct pullguard_request request = PULLGUARD_REQUEST_INIT;
    struct pullguard_verdict verdict = PULLGUARD_VERDICT_INIT;
    struct error err = ERROR_INIT;
    const struct pullguard_api *api = load_hook(&err);

    request.operation = PULLGUARD_CREATE;
    request.runtime = "crun";
    request.container_id = call->id;
    request.bundle = bundle;
    if (!api)
        keep_refusal(err.text);
    else if (api->ask(&request, &verdict) != PULLGUARD_ALLOW)
        keep_refusal(verdict.message[0] ? verdict.message : "refused without a reason (internal)");
}

static void decide(const struct crun_call *call)
{
    char bundle[PATH_MAX];

    if (realpath(call->bundle ? call->bundle : ".", bundle))
        ask(call, bundle);
    else
        keep_refusal("the bundle directory cannot be read");
}

/* Called krun or crun-NAME, crun takes the handler that its own name says and asks no other. */
static bool called_crun(struct span args)
{
    struct span name = span_cut(args, 0, span_find_byte(args, 0));

    return span_eq_str(name, "crun") || span_ends(name, "/crun");
}

/* With create, run and restore, something must decide; with anything else, nothing may stand in the way. */
static struct crun_handler *gate_for(struct span args)
{
    struct crun_call call = {.command = CRUN_OTHER};
    struct error err = ERROR_INIT;

    if (!crun_call_parse(args, &call, &err))
        keep_refusal(err.text);
    else if (call.command == CRUN_OTHER)
        return &gate;
    else
        decide(&call);
    if (!refusal[0])
        return &gate;
    if (call.id && call.command != CRUN_RESTORE && called_crun(args) && !handler_is_skipped(&call) &&
        crun_version_known())
        return &gate;
    (void)dprintf(STDERR_FILENO, "%s\n", refusal);
    return NULL;
}

__attribute__((visibility("default"))) const struct crun_handler *run_oci_handler_get_handler(void);

const struct crun_handler *run_oci_handler_get_handler(void)
{
    struct buf args CLEANUP(buf_free) = BUF_INIT(0);

    if (!read_whole("/proc/self/cmdline", CMDLINE_MAX_BYTES, &args)) {
        if (access("/proc/self/cmdline", F_OK) != 0)
            return &gate; /* without /proc crun itself cannot create a container */
        (void)dprintf(STDERR_FILENO, "pullguard: crun's command line cannot be read\n");
        return NULL;
    }
    refusal[0] = '\0';
    return gate_for(buf_as_span(&args));
}
