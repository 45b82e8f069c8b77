/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks through the hook's inside, from one process, several times, and looks at what is left behind.
 *
 *     ask ROOT LIBEXEC DEADLINE-MS TIMES REFERENCE DIGEST
 *
 * Prints "VERDICT REASON MESSAGE" of each, then "left: N descriptors, N children". Exit 0 = all allowed, 1 = one
 * denied.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "plugin/client.h"

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (directory && readdir(directory))
        count++;
    if (directory)
        (void)closedir(directory);
    return count;
}

static bool number(const char *text, uint32_t *ret)
{
    uint64_t value = 0;

    if (!span_to_u64(span_str(text), 1000000, &value))
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool ask_once(char **argv, uint32_t deadline_ms)
{
    const struct client_options options = {.root = argv[1], .libexec = argv[2]};
    struct request request = {.reference = argv[5],
                              .digest = argv[6],
                              .operation = OPERATION_PULL,
                              .flags = REQUEST_NO_CACHE,
                              .deadline_ms = deadline_ms};
    struct response response = {0};
    bool allowed = client_ask(&options, &request, &response);

    (void)printf("%s %s %s\n", allowed ? "allow" : "deny", reason_name(response.reason),
                 response.message ? response.message : "(no message)");
    response_done(&response);
    return allowed;
}

int main(int argc, char **argv)
{
    uint32_t deadline_ms, times;
    bool all = true;
    int before;
    int children = 0;

    if (argc != 7 || !number(argv[3], &deadline_ms) || !number(argv[4], &times))
        return 64;
    before = count_descriptors();
    for (uint32_t i = 0; i < times; i++)
        all = ask_once(argv, deadline_ms) && all;
    while (waitpid(-1, NULL, WNOHANG) >= 0)
        children++;
    (void)printf("left: %d descriptors, %d children\n", count_descriptors() - before, children);
    return all ? 0 : 1;
}
