/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-engine, started by the hook for one request:
 *
 *     pullguard-engine --once [--root DIR] [--libexec DIR]        with its socket as descriptor 3
 *     pullguard-engine --resident [--root DIR] [--libexec DIR]    by a service manager, with the listening socket as 3,
 * or by hand pullguard-engine --selftest [--root DIR]                    tries the sandboxes; exit 0 when they hold
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "base/file.h"
#include "plugin/engine/notify.h"
#include "plugin/engine/once.h"
#include "plugin/engine/resident.h"
#include "plugin/engine/selftest.h"
#include "plugin/engine/settings.h"
#include "plugin/process.h"

enum { EXIT_USAGE = 64 };

/* Nothing is taken over from whoever started us: not directory, mask, signals, descriptors; and no core with secrets.
 */
static void clean_up_inheritance(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)umask(077);
    if (chdir("/") != 0)
        _exit(1);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a log or the cache beyond somebody's RLIMIT_FSIZE is a full disk, no end */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", O_RDWR); /* takes the lowest free number, which is fd */
    close_from(CHILD_SOCKET + 1);
}

static int usage(void)
{
    static const char text[] = "pullguard-engine is started by libpullguard; see pullguard(1)\n";

    if (write(2, text, sizeof(text) - 1) < 0)
        return EXIT_USAGE;
    return EXIT_USAGE;
}

/* With the settings' own user and mode, as a decision would have them; settings that do not load are another matter. */
static int selftest(const char *root)
{
    struct buf text = BUF_INIT(64 * 1024);
    struct settings settings = {0};
    struct error err = ERROR_INIT;
    struct sandbox sandbox = {0};
    bool right = false;

    if (settings_load(root, &settings, &err) || settings_default(&settings, &err)) {
        sandbox.mode = settings.sandbox;
        sandbox_user(settings.user, &sandbox.uid, &sandbox.gid);
        right = selftest_run(&sandbox, &text);
    } else {
        buf_printf(&text, "FAIL %s\n", err.text);
    }
    settings_done(&settings);
    right = fd_write_all(1, buf_cstr(&text), text.len) && right;
    buf_free(&text);
    return right ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct engine_options options = {.root = ""};
    const char *task = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
            options.root = argv[++i];
        else if (strcmp(argv[i], "--libexec") == 0 && i + 1 < argc)
            options.libexec = argv[++i];
        else if ((strcmp(argv[i], "--once") == 0 || strcmp(argv[i], "--resident") == 0 ||
                  strcmp(argv[i], "--selftest") == 0) && !task)
            task = argv[i];
        else
            return usage();
    }
    if (!task)
        return usage();
    if (strcmp(task, "--selftest") == 0)
        return selftest(options.root);
    clean_up_inheritance();
    if (strcmp(task, "--resident") == 0) {
        notify_init();
        return engine_resident(&options);
    }
    (void)fcntl(CHILD_SOCKET, F_SETFD, FD_CLOEXEC);
    return engine_once(&options, CHILD_SOCKET);
}
