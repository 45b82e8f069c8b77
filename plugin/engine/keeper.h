/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process between the engine and a program of somebody else's (a credential helper). It ends with the program, or
 * with the engine however that ends, and takes everything with it that the program has started: daemons in sessions of
 * their own too, since orphans come to it.
 */
#ifndef PG_PLUGIN_ENGINE_KEEPER_H
#define PG_PLUGIN_ENGINE_KEEPER_H

struct keeper_task {
    const char *program;
    char *const *arguments, *const *environment;
    int in, out; /* the program's stdin and stdout */
    int failed;  /* why the program cannot be started: an errno; closed when it runs */
    int alive;   /* ends when the engine does, or wants no more of the program */
};

/* In a fork of the engine. Ends as the program did. */
_Noreturn void keeper_main(const struct keeper_task *task);

#endif
