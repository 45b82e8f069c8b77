/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure [-n RUNS] [-j AT-ONCE] [-w WARM-UP] [-s] COMMAND [ARGUMENT...]
 *
 * Runs a command many times and prints one line of JSON: wall time of each run (median, 95th percentile), CPU time of
 * the command with everything it started and waited for (mean), the largest process's peak memory, and the time all
 * runs took.
 *
 * With -s once and traced: every process is seen when it exits, and two sums are printed: of the peaks (shared pages
 * counted in each), and of the peaks with the pages that are shared at the exit divided among those who share them (who
 * exits first leaves its share to the rest, so pages shared among our own processes still count more than once). Being
 * traced is slow, so times come from the other mode.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MAX = 1000000, AT_ONCE_MAX = 1024 };

struct run {
    pid_t pid;
    int64_t began;
};

struct totals {
    int64_t *walls;
    size_t count, good;
    int64_t cpu_us;
    long rss_kib;
};

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t timeval_us(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* Silent: what the command prints is not what is measured, but it must not block on it either. */
static pid_t spawn(char *const argv[])
{
    static posix_spawn_file_actions_t actions;
    static bool prepared;
    pid_t pid;

    if (!prepared) {
        (void)posix_spawn_file_actions_init(&actions);
        (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        (void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        prepared = true;
    }
    errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    if (errno != 0)
        die(argv[0]);
    return pid;
}

static void collect(struct run *running, size_t slots, struct totals *totals)
{
    struct rusage usage;
    int status;
    pid_t pid = wait4(-1, &status, 0, &usage);

    if (pid < 0)
        die("wait4");
    for (size_t i = 0; i < slots; i++) {
        if (running[i].pid != pid)
            continue;
        totals->walls[totals->count++] = now_us() - running[i].began;
        totals->good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        totals->cpu_us += timeval_us(usage.ru_utime) + timeval_us(usage.ru_stime);
        if (usage.ru_maxrss > totals->rss_kib)
            totals->rss_kib = usage.ru_maxrss;
        running[i].pid = 0;
    }
}

static void run_all(char *const argv[], size_t runs, size_t at_once, struct totals *totals)
{
    static struct run running[AT_ONCE_MAX];
    size_t started = 0;

    while (totals->count < runs) {
        for (size_t i = 0; i < at_once && started < runs; i++) {
            if (running[i].pid != 0)
                continue;
            running[i].began = now_us();
            running[i].pid = spawn(argv);
            started++;
        }
        collect(running, at_once, totals);
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int timed(char *const argv[], size_t runs, size_t at_once, size_t warm_up)
{
    struct totals totals = {.walls = calloc(runs > warm_up ? runs : warm_up, sizeof(int64_t))};
    int64_t *walls = totals.walls, began;

    if (!walls)
        die("calloc");
    if (warm_up > 0)
        run_all(argv, warm_up, at_once, &totals);
    totals = (struct totals){.walls = walls};
    began = now_us();
    run_all(argv, runs, at_once, &totals);
    qsort(walls, runs, sizeof(*walls), compare);
    (void)printf(
        "{\"runs\": %zu, \"ok\": %zu, \"wall_us\": %lld, \"wall_p95_us\": %lld, \"cpu_us\": %lld, \"rss_kib\": %ld, "
        "\"total_us\": %lld}\n",
        runs, totals.good, (long long)walls[runs / 2], (long long)walls[(runs * 95) / 100],
        (long long)(totals.cpu_us / (int64_t)runs), totals.rss_kib, (long long)(now_us() - began));
    free(walls);
    return 0;
}

/* A number of /proc/PID/status or smaps_rollup; 0 when it is not there. */
static long proc_number(pid_t pid, const char *file, const char *name)
{
    char path[64], *line = NULL;
    size_t size = 0;
    long found = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    f = fopen(path, "re");
    while (f && getline(&line, &size, f) > 0) {
        if (strncmp(line, name, strlen(name)) == 0) {
            found = strtol(line + strlen(name), NULL, 10);
            break;
        }
    }
    free(line);
    if (f)
        (void)fclose(f);
    return found;
}

/* Threads share their leader's memory: only the leader's exit counts. */
static bool is_leader(pid_t pid)
{
    return proc_number(pid, "status", "Tgid:") == (long)pid;
}

static int traced(char *const argv[])
{
    const long options =
        PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC;
    long sum = 0, shares = 0, largest = 0;
    int processes = 0, status, result = 2;
    pid_t first = fork(), pid;

    if (first < 0)
        die("fork");
    if (first == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)raise(SIGSTOP);
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    if (waitpid(first, &status, 0) < 0 || ptrace(PTRACE_SETOPTIONS, first, NULL, options) < 0)
        die("ptrace");
    (void)ptrace(PTRACE_CONT, first, NULL, NULL);
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        int deliver = 0;

        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == first)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
            continue;
        }
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
            long kib = is_leader(pid) ? proc_number(pid, "status", "VmHWM:") : 0;

            sum += kib;
            shares += kib;
            if (kib > 0)
                shares += proc_number(pid, "smaps_rollup", "Pss:") - proc_number(pid, "smaps_rollup", "Rss:");
            processes += kib > 0;
            largest = kib > largest ? kib : largest;
        } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP) {
            deliver = WSTOPSIG(status);
        }
        (void)ptrace(PTRACE_CONT, pid, NULL, deliver);
    }
    (void)printf("{\"processes\": %d, \"rss_sum_kib\": %ld, \"pss_sum_kib\": %ld, \"rss_kib\": %ld, \"ok\": %s}\n",
                 processes, sum, shares, largest, result == 0 ? "true" : "false");
    return 0;
}

static size_t number(const char *text, size_t max)
{
    size_t value = 0;

    for (; *text >= '0' && *text <= '9' && value <= max; text++)
        value = value * 10 + (size_t)(*text - '0');
    if (*text != '\0' || value > max) {
        (void)fprintf(stderr, "measure: not a number up to %zu: %s\n", max, text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    size_t runs = 20, at_once = 1, warm_up = 2;
    bool sum = false;
    int option;

    while ((option = getopt(argc, argv, "+n:j:w:s")) != -1) {
        switch (option) {
        case 'n':
            runs = number(optarg, RUNS_MAX);
            break;
        case 'j':
            at_once = number(optarg, AT_ONCE_MAX);
            break;
        case 'w':
            warm_up = number(optarg, RUNS_MAX);
            break;
        case 's':
            sum = true;
            break;
        default:
            return 2;
        }
    }
    if (optind >= argc || runs == 0 || at_once == 0) {
        (void)fprintf(stderr, "usage: measure [-n RUNS] [-j AT-ONCE] [-w WARM-UP] [-s] COMMAND...\n");
        return 2;
    }
    return sum ? traced(argv + optind) : timed(argv + optind, runs, at_once, warm_up);
}
