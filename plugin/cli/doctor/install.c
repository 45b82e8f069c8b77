/* SPDX-License-Identifier: Apache-2.0 */
/* Is the installation whole, and does the sandbox work on this kernel, for this user? */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/doctor/doctor.h"

enum { SELFTEST_TIMEOUT_MS = 10000, SELFTEST_TEXT_BYTES = 600, SELFTEST_MAX_BYTES = 4096 };

static const struct part {
    const char *path;
    const char *why;
} parts[] = {
    { PG_LIBEXECDIR "/pullguard-engine", "every decision is made by it: without it every pull is denied" },
    { PG_LIBEXECDIR "/pullguard-containerd", "containerd's link leads to it: a dangling link blocks every pull" },
    { PG_LIBDIR "/libpullguard.so.0", "the runtimes' adapters load it: without it every pull is denied" },
};

static void check_part(struct doctor *doctor, const struct part *part)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, part->path);
    struct error err = ERROR_INIT;
    struct stat status;

    if (path == NULL)
        return;
    if (stat(path, &status) != 0)
        doctor_add(doctor, CHECK_FAIL, "install.program", part->why, "install pullguard again", "%s: %s", path,
                   strerror(errno));
    else if (!file_check_trusted(path, &err))
        doctor_add(doctor, CHECK_FAIL, "install.owner", "whoever can write it decides what this node runs, as root",
                   "chown root and chmod go-w the path named", "%s", err.text);
    else
        doctor_add(doctor, CHECK_OK, "install.program", NULL, NULL, "%s is there and belongs to root or to you", path);
}

static void check_user(struct doctor *doctor)
{
    if (doctor->cli->root[0] != '\0')
        return;
    if (getpwnam(PG_USER) != NULL)
        doctor_add(doctor, CHECK_OK, "install.user", NULL, NULL, "the unprivileged user %s exists", PG_USER);
    else
        doctor_add(doctor, CHECK_WARN, "install.user",
                   "the sandboxed processes then run as nobody, which other programs may share",
                   "systemd-sysusers (the package brings sysusers.d/pullguard.conf)", "there is no user %s", PG_USER);
}

/* Lines of the self-test: how many attempts ended as they must, and what the others came to. */
static size_t sort_attempts(struct span text, struct buf *ret_failed)
{
    size_t held = 0;

    while (text.len > 0) {
        size_t end = span_find_byte(text, '\n');
        struct span line = span_trim(span_cut(text, 0, end));

        text = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(text, end + 1, SIZE_MAX);
        if (span_starts(line, "ok")) {
            held++;
        } else if (line.len > 0) {
            buf_str(ret_failed, ret_failed->len > 0 ? "; " : "");
            buf_span(ret_failed, span_starts(line, "FAIL ") ? span_cut(line, 5, SIZE_MAX) : line);
        }
    }
    return held;
}

/* The engine tries both of its sandboxes and says what it got. */
static void check_sandbox(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, PG_LIBEXECDIR "/pullguard-engine");
    CLEANUP(mem_freep) char *root = mem_strdup(doctor->cli->root);
    char name[] = "pullguard-engine", selftest[] = "--selftest", root_option[] = "--root";
    char *argv[] = { name, selftest, NULL, NULL, NULL };
    CLEANUP(buf_free) struct buf failed = BUF_INIT(SELFTEST_MAX_BYTES);
    char text[SELFTEST_MAX_BYTES], shown[SELFTEST_TEXT_BYTES];
    size_t held;
    struct error err = ERROR_INIT;
    int status;

    if (path == NULL || root == NULL || access(path, X_OK) != 0)
        return;
    if (root[0] != '\0') {
        argv[2] = root_option;
        argv[3] = root;
    }
    if (!doctor_run(path, argv, SELFTEST_TIMEOUT_MS, DOCTOR_RUN_OUTPUT, text, sizeof(text), &status, &err)) {
        doctor_add(doctor, CHECK_FAIL, "sandbox.selftest", "with sandbox: require every pull is denied", NULL, "%s",
                   err.text);
        return;
    }
    held = sort_attempts(span_str(text), &failed);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        doctor_add(doctor, CHECK_OK, "sandbox.selftest", NULL, NULL,
                   "the sandbox works here: %zu attempts from inside ended as they must", held);
    else
        doctor_add(
            doctor, CHECK_FAIL, "sandbox.selftest", "with sandbox: require every pull is denied",
            "allow seccomp filters and no-new-privileges for root on this host, or set sandbox: prefer and accept "
            "the risk",
            "the sandbox does not hold: %s", text_clean(buf_as_span(&failed), shown, sizeof(shown)));
}

static void check_resident(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, PG_RUNDIR "/engine.sock");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (path == NULL || strlen(path) >= sizeof(address.sun_path) || access(path, F_OK) != 0) {
        doctor_add(doctor, CHECK_NOTE, "engine.resident",
                   "an engine is then started for each pull: correct, and slower",
                   "systemctl enable --now pullguard.socket", "no resident engine listens");
        return;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        doctor_add(doctor, CHECK_OK, "engine.resident", NULL, NULL, "the resident engine listens on %s", path);
    else
        doctor_add(doctor, CHECK_WARN, "engine.resident",
                   "an engine is started for each pull instead: correct, and slower",
                   "systemctl restart pullguard.socket", "nobody answers on %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}

void doctor_install(struct doctor *doctor)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        check_part(doctor, &parts[i]);
    check_user(doctor);
    check_sandbox(doctor);
    check_resident(doctor);
}
