/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-containerd: containerd's bindir image verifier (containerd 2.x, pkg/imageverifier/bindir).
 *
 *     NAME -name REF -digest DIGEST -stdin-media-type TYPE    with an OCI descriptor on stdin
 *
 * One line on stdout is the whole user interface: containerd puts it, unsanitised, into its error, its log and
 * Kubernetes' events. Exit 0 allows, 1 rejects. Options of our own, for wrappers in bin_dir: --root DIR, --deadline-ms
 * N.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "plugin/hook/pullguard.h"
#include "plugin/process.h"

enum {
    DEADLINE_MS = 8000, /* containerd's is 10 s, and then the reason is "signal: killed" */
    DEADLINE_MAX_MS = 600000,
    STDIN_WAIT_MS = 1000, /* containerd writes at once; not reading is legal too */
    DESCRIPTOR_MAX_BYTES = 65536,
};

static const char descriptor_type[] = "application/vnd.oci.descriptor.v1+json";

struct arguments {
    const char *name, *digest, *media_type, *root;
    uint32_t deadline_ms;
};

/* containerd gives single dashes; both are accepted, as Go's flag package on its side means the same by them. */
static bool is_option(const char *argument, const char *name)
{
    if (argument[0] != '-')
        return false;
    argument += argument[1] == '-' ? 2 : 1;
    return strcmp(argument, name) == 0;
}

static bool read_deadline(const char *text, uint32_t *ret)
{
    uint64_t value = 0;

    if (!span_to_u64(span_str(text), DEADLINE_MAX_MS, &value) || value == 0)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* NULL when well, else what is wrong. */
static const char *read_arguments(int argc, char **argv, struct arguments *ret)
{
    for (int i = 1; i < argc; i += 2) {
        const char **place = NULL;

        if (is_option(argv[i], "name"))
            place = &ret->name;
        else if (is_option(argv[i], "digest"))
            place = &ret->digest;
        else if (is_option(argv[i], "stdin-media-type"))
            place = &ret->media_type;
        else if (is_option(argv[i], "root"))
            place = &ret->root;
        else if (!is_option(argv[i], "deadline-ms"))
            return "unknown argument";
        if (i + 1 >= argc)
            return "an argument has no value";
        if (place && *place)
            return "an argument is given twice";
        if (place)
            *place = argv[i + 1];
        else if (!read_deadline(argv[i + 1], &ret->deadline_ms))
            return "--deadline-ms wants a number from 1 to 600000";
    }
    if (!ret->name || ret->name[0] == '\0' || !ret->digest || ret->digest[0] == '\0')
        return "-name and -digest are mandatory";
    if (ret->media_type && strcmp(ret->media_type, descriptor_type) != 0)
        return "what containerd hands over on stdin is of an unknown type";
    return NULL;
}

/* Everything on stdin, terminated; "" when there is nothing. false: more than a descriptor can be, or not text. */
static bool read_descriptor(char dst[DESCRIPTOR_MAX_BYTES + 1])
{
    struct pollfd entry = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t deadline = mono_ms() + STDIN_WAIT_MS;
    size_t len = 0;

    while (len <= DESCRIPTOR_MAX_BYTES && poll(&entry, 1, deadline_left_ms(deadline)) > 0) {
        ssize_t got = read(STDIN_FILENO, dst + len, DESCRIPTOR_MAX_BYTES + 1 - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (len > DESCRIPTOR_MAX_BYTES || memchr(dst, '\0', len))
        return false;
    dst[len] = '\0';
    if (span_trim(span_str(dst)).len == 0)
        dst[0] = '\0';
    return true;
}

static void clean_up_inheritance(void)
{
    close_from(STDERR_FILENO + 1);
    (void)signal(SIGPIPE, SIG_IGN);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDWR); /* the lowest free number, which is fd: no socket of ours gets it */
}

/* One line: at most LIMIT_REASON_LINE_BYTES without the newline, no control characters. */
static void say(const char *reason, const char *message)
{
    char text[1024], line[LIMIT_REASON_LINE_BYTES + 1];
    size_t len, done = 0;
    ssize_t wrote;

    (void)snprintf(text, sizeof(text), "%s: %s", reason, message);
    (void)text_clean(span_str(text), line, sizeof(line));
    len = strlen(line);
    line[len++] = '\n'; /* over the terminator */
    while (done < len && (wrote = write(STDOUT_FILENO, line + done, len - done)) > 0)
        done += (size_t)wrote;
}

static int decide(const struct arguments *arguments, const char *descriptor, uint32_t deadline_ms)
{
    const struct pullguard_api *api = pullguard_entry(PULLGUARD_ABI_VERSION);
    struct pullguard_request request = PULLGUARD_REQUEST_INIT;
    struct pullguard_verdict verdict = PULLGUARD_VERDICT_INIT;
    uint32_t decision = PULLGUARD_DENY;

    if (!api) {
        say("internal", "the library has another version than this program");
        return 1;
    }
    request.reference = arguments->name;
    request.digest = arguments->digest;
    request.descriptor = descriptor[0] ? descriptor : NULL;
    request.runtime = "containerd";
    request.root = arguments->root;
    request.deadline_ms = deadline_ms;
    decision = api->ask(&request, &verdict);
    say(verdict.reason, verdict.message);
    return decision == PULLGUARD_ALLOW ? 0 : 1;
}

int main(int argc, char **argv)
{
    static char descriptor[DESCRIPTOR_MAX_BYTES + 2];
    struct arguments arguments = {.deadline_ms = DEADLINE_MS};
    int64_t started = mono_ms();
    const char *problem;
    int64_t used;

    clean_up_inheritance();
    problem = read_arguments(argc, argv, &arguments);
    if (!problem && !read_descriptor(descriptor))
        problem = "what containerd hands over on stdin is no descriptor";
    if (problem) {
        say("bad_request", problem);
        return 1;
    }
    used = mono_ms() - started;
    if (used >= arguments.deadline_ms) {
        say("timeout", "no time left after reading stdin");
        return 1;
    }
    return decide(&arguments, descriptor, arguments.deadline_ms - (uint32_t)used);
}
