/* SPDX-License-Identifier: Apache-2.0 */
/* The start gates: what meets images that came by another road than a verified pull. */
#include <dlfcn.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/enable/enable.h"

/* The default directory of CRI-O and of podman; a file in /etc would be read by podman alone. */
#define HOOK_PATH "/usr/share/containers/oci/hooks.d/50-pullguard.json"
/* crun looks below the library directory that it was built with; this is where distributions put it. */
#define CRUN_HANDLER_PATH "/usr/" PG_LIBDIR_NAME "/crun/handlers/pullguard.so"
#define CRUN_HANDLER PG_LIBEXECDIR "/pullguard-crun.so"
#define NRI_PLUGIN_PATH "/opt/nri/plugins/10-pullguard"

bool plan_oci_hook(const struct cli *cli, struct changes *changes, struct error *err)
{
    /* createRuntime runs on the host as root before the container's program; its time is bounded by our own deadline.
     */
    if (!enable_need_program(cli, PG_LIBEXECDIR "/pullguard-oci-hook", "no container would start", err))
        return false;
    return changes_add_file(
        changes, HOOK_PATH,
        "{\n  \"version\": \"1.0.0\",\n  \"hook\": {\n    \"path\": \"" PG_LIBEXECDIR
        "/pullguard-oci-hook\",\n    \"args\": [\"pullguard-oci-hook\"],\n    \"timeout\": 12\n  },\n"
        "  \"when\": { \"always\": true },\n  \"stages\": [\"createRuntime\"]\n}\n",
        err);
}

/* As crun will do it, in a process that may die of it: a file that is cut off ends whoever reads its missing pages. */
static bool can_be_loaded(const char *path)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        _exit(library && dlsym(library, "run_oci_handler_get_handler") ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool plan_crun(const struct cli *cli, struct changes *changes, struct error *err)
{
    if (!enable_need_program(cli, CRUN_HANDLER,
                             "crun would refuse every command, and running containers could not be stopped", err))
        return false;
    /* Programs below another root may be another machine's. */
    if (cli->root[0] == '\0' && !can_be_loaded(CRUN_HANDLER))
        return error_set(err, REASON_MALFORMED,
                         "%s is damaged: crun would refuse every command. Install pullguard again",
                         CRUN_HANDLER);
    return changes_add_link(changes, CRUN_HANDLER_PATH, CRUN_HANDLER, err);
}

static bool is_whole(const char *path)
{
    struct error ignored = ERROR_INIT;

    return file_check_trusted(path, &ignored) && can_be_loaded(path);
}

/*
 * crun loads every handler before it looks at its command: a damaged one stops `kill` and `delete` too, and nothing in
 * the file itself can help. A second copy is installed beside it. The handler's own name is written anew, so that the
 * link among crun's handlers, and what `disable` restores, stay as they are.
 */
bool repair_crun(const struct cli *cli, bool *ret_repaired, struct error *err)
{
    CLEANUP(mem_freep) char *handler = path_under(cli->root, CRUN_HANDLER);
    CLEANUP(mem_freep) char *second = path_under(cli->root, CRUN_HANDLER ".second");
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(CHANGE_FILE_MAX_BYTES);

    if (handler == NULL || second == NULL)
        return error_oom(err);
    *ret_repaired = false;
    if (is_whole(handler))
        return true;
    if (!is_whole(second))
        return error_set(err, REASON_MALFORMED,
                         "%s is damaged, and its second copy %s cannot take its place. Install pullguard again, or "
                         "take the handler out of crun by \"pullguard disable crun\"",
                         handler, second);
    if (!file_read(second, CHANGE_FILE_MAX_BYTES, FILE_TRUSTED, &bytes, err) ||
        !file_write_atomic(handler, buf_as_span(&bytes), 0755, true, err))
        return false;
    *ret_repaired = true;
    return true;
}

bool plan_nri(const struct cli *cli, struct changes *changes, struct error *err)
{
    if (!enable_need_program(cli, PG_LIBEXECDIR "/pullguard-nri", "the runtime could not start it", err))
        return false;
    return changes_add_link(changes, NRI_PLUGIN_PATH, PG_LIBEXECDIR "/pullguard-nri", err);
}
