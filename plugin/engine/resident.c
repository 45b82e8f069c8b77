/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config.h"
#include "crypto/init.h"
#include "plugin/engine/filter.h"
#include "plugin/engine/listener.h"
#include "plugin/engine/notify.h"
#include "plugin/engine/workers.h"

enum {
    TICK_MS = 1000,
    CROWDED_MS = 100,        /* until the next caller is tried when the last one got no descriptor */
    LOG_SLOW_MS = 20,        /* a log that kept us waiting for longer than this is left to workers, ... */
    LOG_SLOW_FOR_MS = 2000,  /* ... for so long */
    CHILDREN_END_MS = 2000,
    FD_LISTENER = 0,
    FD_SIGNALS = 1,
    FD_WORKERS = 2, /* and on: their reports, then arrivals */
    FDS_MAX = FD_WORKERS + WORKERS_MAX + ARRIVALS_MAX,
};

static int catch_signals(void)
{
    static const int caught[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(caught); i++)
        sigaddset(&set, caught[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* User, CA places and mode may have changed with the settings; kept fetchers of the old ones are then of no use. */
static void refresh_sandbox(struct resident *resident)
{
    const struct settings *settings = &resident->rules.config.settings;

    mem_free(resident->ca_dir);
    mem_free(resident->ca_file);
    resident->ca_dir = settings->ca_dir ? path_under(resident->options->root, settings->ca_dir) : NULL;
    resident->ca_file = settings->ca_file ? path_under(resident->options->root, settings->ca_file) : NULL;
    resident->sandbox =
        (struct sandbox){.mode = settings->sandbox, .ca_dir = resident->ca_dir, .ca_file = resident->ca_file};
    sandbox_user(settings->user ? settings->user : PG_USER, &resident->sandbox.uid, &resident->sandbox.gid);
}

static void refresh_rules(struct resident *resident, bool force)
{
    char before[sizeof(resident->rules.config.fingerprint)];

    memcpy(before, resident->rules.config.fingerprint, sizeof(before));
    rules_refresh(resident->options->root, &resident->rules, force);
    if (force || strcmp(before, resident->rules.config.fingerprint) != 0)
        memory_clear(&resident->memory);
    if (resident->rules.loaded && strcmp(before, resident->rules.config.fingerprint) != 0) {
        refresh_sandbox(resident);
        pool_stop(&resident->pool, true);
        provider_cache_done(&resident->providers);
    }
}

/* How often this process has gone to sleep; not counted: the processor was given to another one. */
static long times_waited(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

static const struct settings *settings_of(const struct resident *resident)
{
    return &resident->rules.config.settings; /* all zero while nothing is loaded */
}

/* Writes the logs too: when they make us wait, the callers behind this one wait with us, so workers take over. */
static void reply(struct resident *resident, const struct arrival *arrival, struct response *response)
{
    int64_t began = mono_ms();
    long waits = times_waited();

    engine_reply(resident->options, settings_of(resident), &arrival->request, arrival->began_us, arrival->socket,
                 response);
    if (mono_ms() - began > LOG_SLOW_MS && times_waited() != waits)
        resident->log_slow_until_ms = mono_ms() + LOG_SLOW_FOR_MS;
}

/*
 * A verdict that is held under the very name: as safe as the one on disk (plugin/cache/cache.h), since the rules were
 * compared with their files after the request had come, and the entry is of these rules. While changed files do not
 * load, nothing that was kept is used.
 */
static bool answer_from_memory(struct resident *resident, const struct arrival *arrival)
{
    const struct rules *rules = &resident->rules;
    CLEANUP(response_done) struct response response = {0};
    struct cache_times ignored;

    if (mono_ms() < resident->log_slow_until_ms || !rules->loaded || rules->failed || !rules->config.settings.cache ||
        !memory_find(&resident->memory, rules->config.fingerprint, &arrival->request, NULL, &response, &ignored))
        return false;
    reply(resident, arrival, &response);
    return true;
}

/* Those that are whole are answered, or get a worker as far as there are places. */
static void serve_arrivals(struct resident *resident)
{
    bool fresh = false;

    for (size_t i = 0; resident->arriving > 0 && i < ARRIVALS_MAX; i++) {
        struct arrival *arrival = &resident->arrivals[i];

        if (arrival->socket < 0 || !arrival->whole)
            continue;
        if (!fresh) {
            refresh_rules(resident, false);
            memory_follow(&resident->memory, resident->options->root);
            workers_take_reports(resident);
            fresh = true;
        }
        if (!answer_from_memory(resident, arrival) && !workers_start(resident, arrival))
            continue;
        resident->idle_since_ms = mono_ms();
        arrival_end(arrival);
        resident->arriving--;
    }
}

static void read_arrival(struct resident *resident, struct arrival *arrival)
{
    CLEANUP(response_done) struct response response = {0};
    struct error err = ERROR_INIT;
    enum arrival_state state = arrival->whole ? ARRIVAL_WHOLE : arrival_read(arrival, &err);

    if (state == ARRIVAL_WHOLE || state == ARRIVAL_MORE)
        return;
    if (state == ARRIVAL_BAD) { /* who has asked nothing is denied nothing */
        response_deny(&response, err.reason, err.text);
        reply(resident, arrival, &response);
    }
    arrival_end(arrival);
    resident->arriving--;
}

static void read_arrivals(struct resident *resident)
{
    for (size_t i = 0; resident->arriving > 0 && i < ARRIVALS_MAX; i++)
        if (resident->arrivals[i].socket >= 0)
            read_arrival(resident, &resident->arrivals[i]);
}

static struct arrival *free_arrival(struct resident *resident)
{
    for (size_t i = 0; i < ARRIVALS_MAX; i++)
        if (resident->arrivals[i].socket < 0)
            return &resident->arrivals[i];
    return NULL;
}

static void accept_clients(struct resident *resident)
{
    struct arrival *arrival;

    while ((arrival = free_arrival(resident)) != NULL) {
        int client = accept4(resident->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0) {
            resident->crowded = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
            return;
        }
        if (!listener_welcomes(client)) {
            (void)close(client);
            continue;
        }
        arrival_begin(arrival, client);
        resident->arriving++;
    }
}

static void take_signals(struct resident *resident)
{
    struct signalfd_siginfo info;

    while (read(resident->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGHUP) {
            notify_send("RELOADING=1");
            refresh_rules(resident, true);
            notify_send("READY=1");
        } else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            resident->stopping = true;
        }
    }
    workers_reap(resident);
}

static void look_after(struct resident *resident)
{
    int64_t now = mono_ms();

    workers_end_overdue(resident);
    pool_stop(&resident->pool, false);
    provider_cache_expire(&resident->providers, now);
    if (notify_watchdog_ms() > 0 && now >= resident->watchdog_at_ms) {
        notify_send("WATCHDOG=1");
        resident->watchdog_at_ms = now + notify_watchdog_ms();
    }
}

static bool is_idle(const struct resident *resident)
{
    int64_t limit_s = resident->rules.loaded ? resident->rules.config.settings.idle_exit_s : 600;

    return resident->activated && resident->working == 0 && resident->arriving == 0 &&
           mono_ms() - resident->idle_since_ms > limit_s * 1000;
}

/* What is waited for; returns how many places of fds are in use. */
static nfds_t list_fds(struct resident *resident, struct pollfd fds[FDS_MAX])
{
    bool listening = !resident->crowded && free_arrival(resident);
    nfds_t count = FD_WORKERS;

    fds[FD_LISTENER] = (struct pollfd){.fd = listening ? resident->listener : -1, .events = POLLIN};
    fds[FD_SIGNALS] = (struct pollfd){.fd = resident->signals, .events = POLLIN};
    for (size_t i = 0; resident->working > 0 && i < WORKERS_MAX; i++)
        if (resident->workers[i].reports.socket >= 0)
            fds[count++] = (struct pollfd){.fd = resident->workers[i].reports.socket, .events = POLLIN};
    for (size_t i = 0; resident->arriving > 0 && i < ARRIVALS_MAX; i++)
        if (resident->arrivals[i].socket >= 0 && !resident->arrivals[i].whole)
            fds[count++] = (struct pollfd){.fd = resident->arrivals[i].socket, .events = POLLIN};
    return count;
}

static void serve(struct resident *resident)
{
    while (!resident->stopping && !is_idle(resident)) {
        struct pollfd fds[FDS_MAX];
        nfds_t count = list_fds(resident, fds);

        if (poll(fds, count, resident->crowded ? CROWDED_MS : TICK_MS) < 0 && errno != EINTR)
            return;
        resident->crowded = false;
        if (fds[FD_SIGNALS].revents != 0)
            take_signals(resident);
        if (program_is_replaced(&resident->program))
            return; /* whoever asks next starts the new one, or has it started by the socket */
        if (fds[FD_LISTENER].fd >= 0 && fds[FD_LISTENER].revents != 0)
            accept_clients(resident);
        read_arrivals(resident);
        serve_arrivals(resident);
        workers_take_reports(resident);
        look_after(resident);
    }
}

/* Requests under way are finished: each has its deadline. */
static void finish(struct resident *resident)
{
    notify_send("STOPPING=1");
    (void)close(resident->listener);
    for (size_t i = 0; i < ARRIVALS_MAX; i++) /* their hooks start engines of their own */
        arrival_end(&resident->arrivals[i]);
    while (resident->working > 0) {
        struct pollfd entry = {.fd = resident->signals, .events = POLLIN};

        (void)poll(&entry, 1, TICK_MS);
        take_signals(resident);
        look_after(resident);
    }
    pool_stop(&resident->pool, true);
    memory_clear(&resident->memory);
    provider_cache_done(&resident->providers);
    rules_done(&resident->rules);
    mem_free(resident->ca_dir);
    mem_free(resident->ca_file);
    program_done(&resident->program);
    children_end(CHILDREN_END_MS);
}

int engine_resident(const struct engine_options *options)
{
    static struct resident resident;
    struct error err = ERROR_INIT;

    resident.options = options;
    resident.listener = notify_listen_socket();
    resident.activated = resident.listener >= 0;
    if (!resident.activated)
        resident.listener = listener_make(options->root);
    resident.signals = catch_signals();
    if (resident.listener < 0 || resident.signals < 0 || !crypto_init(&err))
        return 1;
    (void)fcntl(resident.listener, F_SETFL, O_NONBLOCK);
    (void)fcntl(resident.listener, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    resident.pid = getpid();
    program_know(&resident.program, options->libexec);
    if (!filter_prepare(SANDBOX_JUDGE, &err) || !filter_prepare(SANDBOX_STORE, &err))
        err = (struct error)ERROR_INIT; /* the children say so, in their verdicts */
    pool_init(&resident.pool);
    for (size_t i = 0; i < ARRIVALS_MAX; i++)
        resident.arrivals[i].socket = -1;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        resident.workers[i].reports.socket = -1;
    resident.idle_since_ms = mono_ms();
    refresh_rules(&resident, true);
    notify_send("READY=1");
    serve(&resident);
    finish(&resident);
    return 0;
}
