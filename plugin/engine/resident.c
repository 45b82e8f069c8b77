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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config.h"
#include "crypto/init.h"
#include "plugin/cache/memory.h"
#include "plugin/engine/arrival.h"
#include "plugin/engine/filter.h"
#include "plugin/engine/judge.h"
#include "plugin/engine/listener.h"
#include "plugin/engine/notify.h"
#include "plugin/engine/pool.h"
#include "plugin/engine/report.h"
#include "plugin/engine/rules.h"
#include "plugin/process.h"
#include "plugin/recorder/journal.h"
#include "verifier/fetch/provider_cache.h"

enum {
    WORKERS_MAX = 128, /* beyond, requests wait in the socket's backlog; when that is full they get their own engine */
    ARRIVALS_MAX = 128,
    TICK_MS = 1000,
    CROWDED_MS = 100,        /* until the next caller is tried when the last one got no descriptor */
    LOG_SLOW_MS = 20,        /* a log that kept us waiting for longer than this is left to workers, ... */
    LOG_SLOW_FOR_MS = 2000,  /* ... for so long */
    WORKER_EXTRA_MS = 20000, /* beyond its own deadline: answering, draining */
    CHILDREN_END_MS = 2000,
    FD_LISTENER = 0,
    FD_SIGNALS = 1,
    FD_WORKERS = 2, /* and on: their reports, then arrivals */
    FDS_MAX = FD_WORKERS + WORKERS_MAX + ARRIVALS_MAX,
};

struct worker {
    struct child child; /* pid 0 = free place */
    struct pool_place *fetcher;
    struct report_channel reports;
    int64_t until_ms;
};

struct resident {
    const struct engine_options *options;
    int listener, signals;
    char *program; /* our own, as a package would replace it; NULL = not known */
    dev_t program_device;
    ino_t program_inode;
    pid_t pid;
    bool activated;
    bool stopping;
    bool crowded; /* callers wait that get no descriptor: looking at the listener would be turning in circles */
    struct rules rules;
    struct memory memory; /* of verdicts by these rules */
    struct provider_cache_store providers;
    struct sandbox sandbox;
    char *ca_dir, *ca_file;
    struct pool pool;
    struct arrival arrivals[ARRIVALS_MAX];
    struct worker workers[WORKERS_MAX];
    size_t working, arriving;
    int64_t idle_since_ms, watchdog_at_ms, log_slow_until_ms;
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

static void release_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
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

/* What a worker has no business with. Above all other callers: they are answered when their sockets close. */
static void close_others(struct resident *resident, const struct arrival *own, const struct pool_place *fetcher)
{
    (void)close(resident->listener);
    (void)close(resident->signals);
    for (size_t i = 0; i < ARRIVALS_MAX; i++)
        if (resident->arrivals[i].socket >= 0 && &resident->arrivals[i] != own)
            arrival_end(&resident->arrivals[i]); /* with their credentials */
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (resident->workers[i].reports.socket >= 0)
            (void)close(resident->workers[i].reports.socket);
    for (size_t i = 0; i < POOL_PLACES; i++)
        if (resident->pool.places[i].key && &resident->pool.places[i] != fetcher)
            (void)close(resident->pool.places[i].fetcher.socket);
}

static _Noreturn void worker_main(struct resident *resident, struct arrival *arrival, struct pool_place *fetcher,
                                  int report)
{
    const struct rules *rules = &resident->rules;
    struct engine_preloaded preloaded = {
        .config = rules->loaded ? &rules->config : NULL,
        .error = &rules->error,
        .sandbox = &resident->sandbox,
        .problem = rules->failed && rules->loaded ? rules->error.text : NULL,
        .fetcher = fetcher ? &fetcher->fetcher : NULL,
        .fetcher_key = fetcher ? fetcher->key : NULL,
        .request = &arrival->request,
        .providers = &resident->providers,
        .began_us = arrival->began_us,
        .kept = {.memory = rules->failed ? NULL : &resident->memory, .report = report}};

    child_bind(resident->pid);
    journal_speak_for(resident->pid);
    close_others(resident, arrival, fetcher);
    release_signals();
    _exit(engine_worker(resident->options, arrival->socket, &preloaded));
}

static struct worker *free_worker(struct resident *resident)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (resident->workers[i].child.pid == 0)
            return &resident->workers[i];
    return NULL;
}

static const struct settings *settings_of(const struct resident *resident)
{
    return &resident->rules.config.settings; /* all zero while nothing is loaded */
}

/* A fetcher is lent before the fork: it is the worker's alone until that ends. */
static struct pool_place *lend_fetcher(struct resident *resident, const struct request *request)
{
    const struct judge_input input = {.request = request, .policies = resident->rules.config.policies};
    CLEANUP(names_free) struct names sources = {0};
    CLEANUP(mem_freep) char *key = NULL;
    struct error ignored = ERROR_INIT;

    if (!resident->rules.loaded ||
        (request->operation == OPERATION_CREATE && !settings_of(resident)->start_network) ||
        !judge_sources(&input, &sources, &ignored) || !(key = pool_key(request, &sources)))
        return NULL;
    return pool_lend(&resident->pool, key, resident->options->libexec, &resident->sandbox);
}

static void start_worker(struct resident *resident, struct worker *worker, struct arrival *arrival)
{
    struct pool_place *fetcher = lend_fetcher(resident, &arrival->request);
    struct error ignored = ERROR_INIT;
    int ours = -1, theirs = -1;
    pid_t pid = -1;

    if (socket_pair(&ours, &theirs, &ignored))
        pid = fork();
    if (pid == 0)
        worker_main(resident, arrival, fetcher, theirs);
    if (theirs >= 0)
        (void)close(theirs);
    if (pid < 0) {
        if (ours >= 0)
            (void)close(ours);
        pool_take_back(&resident->pool, fetcher, true);
        return; /* closing the client tells the hook: it starts an engine of its own */
    }
    child_adopt(&worker->child, pid);
    report_open(&worker->reports, ours);
    worker->fetcher = fetcher;
    worker->until_ms = mono_ms() + settings_of(resident)->deadline_ms + WORKER_EXTRA_MS;
    resident->working++;
}

static void take_report(void *context, enum report_type type, struct span bytes)
{
    struct resident *resident = context;

    if (type == REPORT_VERDICT && !resident->rules.failed &&
        !memory_put(&resident->memory, resident->rules.config.fingerprint, bytes))
        return; /* by older rules, or no memory for it */
    if (type == REPORT_PROVIDER && !provider_cache_take(&resident->providers, bytes, mono_ms()))
        return;
}

static void take_reports(struct resident *resident)
{
    for (size_t i = 0; resident->working > 0 && i < WORKERS_MAX; i++)
        if (resident->workers[i].child.pid > 0)
            report_receive(&resident->workers[i].reports, take_report, resident);
}

/* How often this process has gone to sleep; not counted: the processor was given to another one. */
static long times_waited(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
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
        struct worker *worker;

        if (arrival->socket < 0 || !arrival->whole)
            continue;
        if (!fresh) {
            refresh_rules(resident, false);
            memory_follow(&resident->memory, resident->options->root);
            take_reports(resident);
            fresh = true;
        }
        if (!answer_from_memory(resident, arrival)) {
            worker = free_worker(resident);
            if (!worker)
                continue;
            start_worker(resident, worker, arrival);
        }
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

static void worker_ended(struct resident *resident, struct worker *worker, int status)
{
    bool fit = status != -1 && WIFEXITED(status) &&
               (WEXITSTATUS(status) == WORKER_FETCHER_CLEAN || WEXITSTATUS(status) == WORKER_FETCHER_UNTOUCHED);

    report_receive(&worker->reports, take_report, resident);
    report_close(&worker->reports);
    if (worker->child.pidfd >= 0)
        (void)close(worker->child.pidfd);
    if (fit && worker->fetcher && WEXITSTATUS(status) == WORKER_FETCHER_CLEAN)
        worker->fetcher->fetcher.ready = true;
    pool_take_back(&resident->pool, worker->fetcher, fit);
    *worker = (struct worker){.reports = {.socket = -1}};
    resident->working--;
}

/* Which of ours ended? Workers give their fetcher back; an idle fetcher that died is forgotten; orphans are just
 * reaped. */
static void reap(struct resident *resident)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < WORKERS_MAX; i++)
            if (resident->workers[i].child.pid == pid)
                worker_ended(resident, &resident->workers[i], status);
        pool_reaped(&resident->pool, pid);
    }
    if (resident->working == 0)
        resident->idle_since_ms = mono_ms();
}

/*
 * A package has put another version in this program's place: its fetcher, and the hooks that ask from now on, speak
 * that version's language. This engine ends; whoever asks next starts the new one, or has it started by the socket.
 */
static bool is_replaced(const struct resident *resident)
{
    struct stat status;

    return resident->program && (stat(resident->program, &status) != 0 || status.st_dev != resident->program_device ||
                                 status.st_ino != resident->program_inode);
}

/* Only when it is what we were started from: a test's engine is not the installed one. */
static void know_program(struct resident *resident)
{
    const char *libexec = resident->options->libexec;
    struct stat running, installed;

    resident->program = mem_printf("%s/pullguard-engine", libexec ? libexec : PG_LIBEXECDIR);
    if (resident->program && stat("/proc/self/exe", &running) == 0 && stat(resident->program, &installed) == 0 &&
        running.st_dev == installed.st_dev && running.st_ino == installed.st_ino) {
        resident->program_device = running.st_dev;
        resident->program_inode = running.st_ino;
        return;
    }
    mem_freep(&resident->program);
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
    reap(resident);
}

static void look_after(struct resident *resident)
{
    int64_t now = mono_ms();

    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (resident->workers[i].child.pid > 0 && now > resident->workers[i].until_ms)
            (void)kill(resident->workers[i].child.pid, SIGKILL); /* reaped when its end is signalled */
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
        if (is_replaced(resident))
            return;
        if (fds[FD_LISTENER].fd >= 0 && fds[FD_LISTENER].revents != 0)
            accept_clients(resident);
        read_arrivals(resident);
        serve_arrivals(resident);
        take_reports(resident);
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
    mem_free(resident->program);
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
    know_program(&resident);
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
