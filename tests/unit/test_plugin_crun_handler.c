/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole handler, in a process that is called as crun would be: this program starts itself again under that name and
 * with those words, and asks the entry point as crun does. The bundle does not exist, so that starting commands are
 * refused before anybody is asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "tests/unit/harness.h"
#include "tests/unit/scratch.h"

/* As far as crun looks at it here (plugin/crun/handler.c). */
struct crun_error {
    int status;
    char *message;
};
struct crun_handler {
    const void *before[8];
    int (*can_handle_container)(void *container, struct crun_error **err);
};
extern const struct crun_handler *run_oci_handler_get_handler(void);

/* Exit codes of a child. */
enum { STOPS_CRUN = 20, LETS_PASS = 21, REFUSES = 22, CANNOT_BE_MADE = 77 };
enum { HUGE_BYTES = 9 * 1024 * 1024 };

/* Where this process's parts lie, by /proc/self/stat (proc(5)); the numbers of its fields count from 1. */
static bool read_map(struct prctl_mm_map *map)
{
    char text[2048] = "", *word, *rest;
    uint64_t fields[64] = {0};
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file)
        (void)fclose(file);
    if (len == 0 || !strrchr(text, ')'))
        return false;
    rest = strrchr(text, ')') + 2;
    for (size_t i = 3; i < ARRAY_LEN(fields) && (word = strsep(&rest, " ")) != NULL; i++)
        (void)!span_to_u64(span_str(word), UINT64_MAX, &fields[i]);
    *map = (struct prctl_mm_map){.start_code = fields[26], .end_code = fields[27], .start_data = fields[45],
                                 .end_data = fields[46], .start_brk = fields[47], .start_stack = fields[28],
                                 .env_start = fields[50], .env_end = fields[51], .exe_fd = (__u32)-1};
    map->brk = (uintptr_t)sbrk(0);
    return true;
}

/* The kernel lets no such command line through, but a process may point elsewhere. */
static bool have_huge_command_line(void)
{
    static const char start[] = "crun\0--log", end[] = "\0list"; /* read whole, it would pass */
    char *bytes = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct prctl_mm_map map;

    if (bytes == MAP_FAILED || !read_map(&map))
        return false;
    memset(bytes, 'x', HUGE_BYTES);
    memcpy(bytes, start, sizeof(start));
    memcpy(bytes + HUGE_BYTES - sizeof(end), end, sizeof(end));
    map.arg_start = (uintptr_t)bytes;
    map.arg_end = (uintptr_t)bytes + HUGE_BYTES;
    return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) == 0;
}

/* No descriptor is free: nothing can be opened. */
static bool have_no_descriptors(void)
{
    const struct rlimit none = {0, 0};

    return setrlimit(RLIMIT_NOFILE, &none) == 0;
}

static int child(int argc, char **argv)
{
    const struct crun_handler *handler;
    struct crun_error *err = NULL;
    int result;

    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("crun version 1.21") < 0 || fflush(stdout) != 0;
    if (span_starts(span_str(argv[0]), "/huge/") && !have_huge_command_line())
        return CANNOT_BE_MADE;
    if (span_starts(span_str(argv[0]), "/full/") && !have_no_descriptors())
        return CANNOT_BE_MADE;
    handler = run_oci_handler_get_handler();
    if (!handler)
        return STOPS_CRUN;
    result = handler->can_handle_container(NULL, &err);
    if (result == 0 && !err)
        return LETS_PASS;
    return result == -1 && err && err->status == EACCES && span_starts(span_str(err->message), "pullguard: ") ? REFUSES
                                                                                                              : 1;
}

static const struct call_case {
    const char *words[8];
    int wanted;
} cases[] = {
#define CREATE "create", "--config", "CONFIG", "--bundle", "/no/such/bundle", "abc"
    {{"crun", CREATE}, REFUSES},
    {{"/usr/bin/crun", CREATE}, REFUSES},
    /* Under these names crun takes a handler by its own name and never asks ours whether the container is its own. */
    {{"krun", CREATE}, STOPS_CRUN},
    {{"/usr/bin/krun", CREATE}, STOPS_CRUN},
    {{"crun-x", CREATE}, STOPS_CRUN},
    {{"/usr/bin/crun-wasm", CREATE}, STOPS_CRUN},
    {{"mycrun", CREATE}, STOPS_CRUN},
    {{"", CREATE}, STOPS_CRUN},
    {{"crun", "restore", "--bundle", "/no/such/bundle", "abc"}, STOPS_CRUN},
    {{"crun", "create", "--bundle", "/no/such/bundle", "abc"}, STOPS_CRUN}, /* no configuration to be read */
    {{"crun", "create", "--unknown", "abc"}, STOPS_CRUN},
    {{"/huge/crun", "list"}, STOPS_CRUN}, /* too long to be read: nobody knows what it says */
    {{"/full/crun", CREATE}, STOPS_CRUN},
    /* Whatever its name, other commands pass. */
    {{"crun", "kill", "abc"}, LETS_PASS},
    {{"krun", "delete", "abc"}, LETS_PASS},
    {{"crun-x", "list"}, LETS_PASS},
};

START_TEST(answers_as_crun_is_called)
{
    const struct call_case *c = &cases[_i];
    char *argv[ARRAY_LEN(c->words) + 1] = {0};
    int status, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid;

    scratch_put("/config.json", "{}");
    for (size_t i = 0; i < ARRAY_LEN(c->words) && c->words[i]; i++)
        argv[i] = mem_strdup(strcmp(c->words[i], "CONFIG") == 0 ? scratch_path("/config.json") : c->words[i]);
    pid = fork();
    if (pid == 0) {
        (void)dup2(null, STDERR_FILENO);
        (void)execv("/proc/self/exe", argv);
        _exit(1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    for (size_t i = 0; argv[i]; i++)
        mem_free(argv[i]);
    (void)close(null);
    ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == c->wanted || WEXITSTATUS(status) == CANNOT_BE_MADE),
                  "case %d (%s %s): status %d, wanted %d", _i, c->words[0], c->words[1], WEXITSTATUS(status),
                  c->wanted);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite;
    TCase *tests;

    if (argc > 1)
        _exit(child(argc, argv)); /* crun frees what the handler reports; here nobody does */
    suite = suite_create("plugin_crun_handler");
    tests = tcase_create("handler");
    tcase_add_checked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_loop_test(tests, answers_as_crun_is_called, 0, (int)ARRAY_LEN(cases));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
