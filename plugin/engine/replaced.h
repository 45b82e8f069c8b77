/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has a package put another version in this program's place? Its fetcher, and the hooks that ask from now on, speak
 * that version's language.
 */
#ifndef PG_PLUGIN_ENGINE_REPLACED_H
#define PG_PLUGIN_ENGINE_REPLACED_H

#include <stdbool.h>
#include <sys/types.h>

struct program {
    char *path; /* our own, as a package would replace it; NULL = not known */
    dev_t device;
    ino_t inode;
};

/* libexec: where it is installed; NULL = as configured. Not known when that is not what runs: a test's engine. */
void program_know(struct program *program, const char *libexec);
bool program_is_replaced(const struct program *program);
void program_done(struct program *program);

#endif
