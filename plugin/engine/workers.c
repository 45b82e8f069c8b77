/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/workers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "plugin/engine/judge.h"
#include "plugin/recorder/journal.h"

enum { WORKER_EXTRA_MS = 20000 }; /* beyond its own deadline: answering, draining */

static void release_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
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

/* A fetcher is lent before the fork: it is the worker's alone until that ends. */
static struct pool_place *lend_fetcher(struct resident *resident, const struct request *request)
{
    const struct judge_input input = {.request = request, .policies = resident->rules.config.policies};
    CLEANUP(names_free) struct names sources = {0};
    CLEANUP(mem_freep) char *key = NULL;
    struct error ignored = ERROR_INIT;

    if (!resident->rules.loaded ||
        (request->operation == OPERATION_CREATE && !resident->rules.config.settings.start_network) ||
        !judge_sources(&input, &sources, &ignored) || !(key = pool_key(request, &sources)))
        return NULL;
    return pool_lend(&resident->pool, key, resident->options->libexec, &resident->sandbox);
}

bool workers_start(struct resident *resident, struct arrival *arrival)
{
    struct worker *worker = free_worker(resident);
    struct pool_place *fetcher;
    struct error ignored = ERROR_INIT;
    int ours = -1, theirs = -1;
    pid_t pid = -1;

    if (!worker)
        return false;
    fetcher = lend_fetcher(resident, &arrival->request);
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
        return true; /* closing the client tells the hook: it starts an engine of its own */
    }
    child_adopt(&worker->child, pid);
    report_open(&worker->reports, ours);
    worker->fetcher = fetcher;
    worker->until_ms = mono_ms() + resident->rules.config.settings.deadline_ms + WORKER_EXTRA_MS;
    resident->working++;
    return true;
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

void workers_take_reports(struct resident *resident)
{
    for (size_t i = 0; resident->working > 0 && i < WORKERS_MAX; i++)
        if (resident->workers[i].child.pid > 0)
            report_receive(&resident->workers[i].reports, take_report, resident);
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

void workers_reap(struct resident *resident)
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

void workers_end_overdue(struct resident *resident)
{
    int64_t now = mono_ms();

    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (resident->workers[i].child.pid > 0 && now > resident->workers[i].until_ms)
            (void)kill(resident->workers[i].child.pid, SIGKILL); /* reaped when its end is signalled */
}
