/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/replaced.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "config.h"

void program_know(struct program *program, const char *libexec)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/pullguard-engine", libexec ? libexec : PG_LIBEXECDIR);
    struct stat running, installed;

    *program = (struct program){0};
    if (path && stat("/proc/self/exe", &running) == 0 && stat(path, &installed) == 0 &&
        running.st_dev == installed.st_dev && running.st_ino == installed.st_ino)
        *program = (struct program){.path = TAKE_PTR(path), .device = running.st_dev, .inode = running.st_ino};
}

bool program_is_replaced(const struct program *program)
{
    struct stat status;

    return program->path && (stat(program->path, &status) != 0 || status.st_dev != program->device ||
                             status.st_ino != program->inode);
}

void program_done(struct program *program)
{
    mem_free(program->path);
    *program = (struct program){0};
}
