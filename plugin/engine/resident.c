/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config.h"
#include "crypto/init.h"
#include "plugin/engine/notify.h"
#include "plugin/engine/rules.h"
#include "plugin/process.h"

enum {
    WORKERS_MAX = 128, /* beyond, requests wait in the socket's backlog; when that is full they get their own engine */
    FETCHERS_IDLE_MAX = 8,
    FETCHER_LIFE_MS = 20 * 60 * 1000, /* a fetcher's sandbox knows the resolver's files as they were when it began */
    BACKLOG = 128,
    TICK_MS = 1000,
    WORKER_EXTRA_MS = 20000, /* beyond its own deadline: reading the request, answering, draining */
};

/* A fetcher that is kept; on loan to a worker, or idle. */
struct kept {
    struct fetcher fetcher;
    int64_t born_ms;
    bool used, on_loan;
};

struct worker {
    struct child child; /* pid 0 = free place */
    struct kept *fetcher;
    int64_t until_ms;
};

struct resident {
    const struct engine_options *options;
    int listener, signals;
    bool activated;
    bool stopping;
    struct rules rules;
    struct sandbox sandbox;
    char *ca_dir, *ca_file;
    struct kept fetchers[WORKERS_MAX];
    struct worker workers[WORKERS_MAX];
    size_t working;
    int64_t idle_since_ms, watchdog_at_ms;
};

/* A path that is too long or taken by a living engine is an error; a dead engine's socket is replaced. */
static int make_socket(const char *root)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CLEANUP(mem_freep) char *directory = path_under(root, PG_RUNDIR);
    int printed = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s/engine.sock", root, PG_RUNDIR);
    int fd;

    if (!directory || printed < 0 || (size_t)printed >= sizeof(address.sun_path))
        return -1;
    *strrchr(directory, '/') = '\0'; /* a --root may have no /run yet */
    (void)mkdir(directory, 0755);
    directory[strlen(directory)] = '/';
    if (mkdir(directory, 0755) != 0 && errno != EEXIST)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0) {
        (void)close(fd);
        errno = EADDRINUSE;
        return -1;
    }
    (void)unlink(address.sun_path);
    if (bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0 &&
        chmod(address.sun_path, 0600) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

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

static void stop_idle_fetchers(struct resident *resident, bool all)
{
    int64_t now = mono_ms();

    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct kept *kept = &resident->fetchers[i];

        if (kept->used && !kept->on_loan && (all || now - kept->born_ms > FETCHER_LIFE_MS)) {
            fetcher_stop(&kept->fetcher);
            *kept = (struct kept){.fetcher = {.socket = -1}};
        }
    }
}

static void refresh_rules(struct resident *resident, bool force)
{
    char before[sizeof(resident->rules.config.fingerprint)];

    memcpy(before, resident->rules.config.fingerprint, sizeof(before));
    rules_refresh(resident->options->root, &resident->rules, force);
    if (resident->rules.loaded && strcmp(before, resident->rules.config.fingerprint) != 0) {
        refresh_sandbox(resident);
        stop_idle_fetchers(resident, true);
    }
}

/* An idle fetcher, the most recently used place first; else a new one. NULL: the worker starts its own. */
static struct kept *lend_fetcher(struct resident *resident)
{
    struct kept *free_place = NULL;
    struct error ignored = ERROR_INIT;

    if (!resident->rules.loaded)
        return NULL;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct kept *kept = &resident->fetchers[i];

        if (kept->used && !kept->on_loan) {
            kept->on_loan = true;
            return kept;
        }
        if (!kept->used && !free_place)
            free_place = kept;
    }
    if (!free_place || !fetcher_start(resident->options->libexec, &resident->sandbox, &free_place->fetcher, &ignored))
        return NULL;
    free_place->used = free_place->on_loan = true;
    free_place->born_ms = mono_ms();
    return free_place;
}

static size_t count_idle(const struct resident *resident)
{
    size_t count = 0;

    for (size_t i = 0; i < WORKERS_MAX; i++)
        count += resident->fetchers[i].used && !resident->fetchers[i].on_loan;
    return count;
}

static void take_back(struct resident *resident, struct kept *kept, int status)
{
    bool clean = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_FETCHER_CLEAN;
    bool untouched = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_FETCHER_UNTOUCHED;

    if (!kept)
        return;
    kept->on_loan = false;
    if (clean)
        kept->fetcher.ready = true;
    if ((clean || untouched) && count_idle(resident) <= FETCHERS_IDLE_MAX)
        return;
    fetcher_stop(&kept->fetcher);
    *kept = (struct kept){.fetcher = {.socket = -1}};
}

static _Noreturn void worker_main(struct resident *resident, int client, struct kept *kept)
{
    const struct rules *rules = &resident->rules;
    const struct engine_preloaded preloaded = {.config = rules->loaded ? &rules->config : NULL,
                                               .error = &rules->error,
                                               .problem = rules->failed && rules->loaded ? rules->error.text : NULL,
                                               .fetcher = kept ? &kept->fetcher : NULL};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)close(resident->listener);
    (void)close(resident->signals);
    release_signals();
    _exit(engine_worker(resident->options, client, &preloaded));
}

static struct worker *free_worker(struct resident *resident)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (resident->workers[i].child.pid == 0)
            return &resident->workers[i];
    return NULL;
}

/* Root, or whoever runs this engine; nobody else may make it speak to registries. */
static bool is_welcome(int client)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void start_worker(struct resident *resident, struct worker *worker, int client)
{
    uint32_t deadline_ms;
    struct kept *kept;
    pid_t pid;

    refresh_rules(resident, false);
    kept = lend_fetcher(resident);
    deadline_ms = resident->rules.loaded ? resident->rules.config.settings.deadline_ms : 0;
    pid = fork();
    if (pid == 0)
        worker_main(resident, client, kept);
    if (pid < 0) {
        take_back(resident, kept, -1);
        return; /* closing the client tells the hook: it starts an engine of its own */
    }
    child_adopt(&worker->child, pid);
    worker->fetcher = kept;
    worker->until_ms = mono_ms() + deadline_ms + WORKER_EXTRA_MS;
    resident->working++;
}

static void accept_clients(struct resident *resident)
{
    struct worker *worker;

    while ((worker = free_worker(resident)) != NULL) {
        int client = accept4(resident->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0)
            return;
        if (is_welcome(client))
            start_worker(resident, worker, client);
        (void)close(client);
    }
}

/* Which of ours ended? Workers give their fetcher back; an idle fetcher that died is forgotten; orphans are just
 * reaped. */
static void reap(struct resident *resident)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < WORKERS_MAX; i++) {
            struct worker *worker = &resident->workers[i];
            struct kept *kept = &resident->fetchers[i];

            if (worker->child.pid == pid) {
                if (worker->child.pidfd >= 0)
                    (void)close(worker->child.pidfd);
                take_back(resident, worker->fetcher, status);
                *worker = (struct worker){0};
                resident->working--;
            }
            if (kept->used && kept->fetcher.child.pid == pid && !kept->on_loan) {
                (void)close(kept->fetcher.socket);
                if (kept->fetcher.child.pidfd >= 0)
                    (void)close(kept->fetcher.child.pidfd);
                *kept = (struct kept){.fetcher = {.socket = -1}};
            }
        }
    }
    if (resident->working == 0)
        resident->idle_since_ms = mono_ms();
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
    stop_idle_fetchers(resident, false);
    if (notify_watchdog_ms() > 0 && now >= resident->watchdog_at_ms) {
        notify_send("WATCHDOG=1");
        resident->watchdog_at_ms = now + notify_watchdog_ms();
    }
}

static bool is_idle(const struct resident *resident)
{
    int64_t limit_s = resident->rules.loaded ? resident->rules.config.settings.idle_exit_s : 600;

    return resident->activated && resident->working == 0 && mono_ms() - resident->idle_since_ms > limit_s * 1000;
}

static void serve(struct resident *resident)
{
    while (!resident->stopping && !is_idle(resident)) {
        struct pollfd fds[2] = {{.fd = resident->listener, .events = POLLIN},
                                {.fd = resident->signals, .events = POLLIN}};

        if (!free_worker(resident))
            fds[0].fd = -1; /* wait for one to end */
        if (poll(fds, 2, TICK_MS) < 0 && errno != EINTR)
            return;
        if (fds[1].revents != 0)
            take_signals(resident);
        if (fds[0].fd >= 0 && fds[0].revents != 0)
            accept_clients(resident);
        look_after(resident);
    }
}

/* Requests under way are finished: each has its deadline. */
static void finish(struct resident *resident)
{
    notify_send("STOPPING=1");
    (void)close(resident->listener);
    while (resident->working > 0) {
        struct pollfd entry = {.fd = resident->signals, .events = POLLIN};

        (void)poll(&entry, 1, TICK_MS);
        take_signals(resident);
        look_after(resident);
    }
    stop_idle_fetchers(resident, true);
    rules_done(&resident->rules);
    mem_free(resident->ca_dir);
    mem_free(resident->ca_file);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

int engine_resident(const struct engine_options *options)
{
    static struct resident resident;
    struct error err = ERROR_INIT;

    resident.options = options;
    resident.listener = notify_listen_socket();
    resident.activated = resident.listener >= 0;
    if (!resident.activated)
        resident.listener = make_socket(options->root);
    resident.signals = catch_signals();
    if (resident.listener < 0 || resident.signals < 0 || !crypto_init(&err))
        return 1;
    (void)fcntl(resident.listener, F_SETFL, O_NONBLOCK);
    (void)fcntl(resident.listener, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (size_t i = 0; i < WORKERS_MAX; i++)
        resident.fetchers[i].fetcher.socket = -1;
    resident.idle_since_ms = mono_ms();
    refresh_rules(&resident, true);
    notify_send("READY=1");
    serve(&resident);
    finish(&resident);
    return 0;
}
