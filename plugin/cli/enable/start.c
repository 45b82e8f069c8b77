/* SPDX-License-Identifier: Apache-2.0 */
/* The start gates: what meets images that came by another road than a verified pull. */
#include <dlfcn.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "config.h"
#include "plugin/cli/enable/enable.h"

/* The default directory of CRI-O and of podman; a file in /etc would be read by podman alone. */
#define HOOK_PATH "/usr/share/containers/oci/hooks.d/50-pullguard.json"
/* crun looks below the library directory that it was built with; this is where distributions put it. */
#define CRUN_HANDLER_PATH "/usr/" PG_LIBDIR_NAME "/crun/handlers/pullguard.so"
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
    if (!enable_need_program(cli, PG_LIBEXECDIR "/pullguard-crun.so",
                             "crun would refuse every command, and running containers could not be stopped", err))
        return false;
    /* Programs below another root may be another machine's. */
    if (cli->root[0] == '\0' && !can_be_loaded(PG_LIBEXECDIR "/pullguard-crun.so"))
        return error_set(err, REASON_MALFORMED,
                         "%s is damaged: crun would refuse every command. Install pullguard again",
                         PG_LIBEXECDIR "/pullguard-crun.so");
    return changes_add_link(changes, CRUN_HANDLER_PATH, PG_LIBEXECDIR "/pullguard-crun.so", err);
}

bool plan_nri(const struct cli *cli, struct changes *changes, struct error *err)
{
    if (!enable_need_program(cli, PG_LIBEXECDIR "/pullguard-nri", "the runtime could not start it", err))
        return false;
    return changes_add_link(changes, NRI_PLUGIN_PATH, PG_LIBEXECDIR "/pullguard-nri", err);
}
