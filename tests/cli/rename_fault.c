/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded by tests of what must be all or nothing: the PG_RENAME_FAULT-th rename (from 1) fails as on a full disk,
 * or, with PG_RENAME_KILL, ends the process as a power cut would.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int number(const char *name)
{
    const char *text = secure_getenv(name);

    return text != NULL ? text[0] - '0' + (text[1] != '\0' ? (text[0] - '0') * 9 + text[1] - '0' : 0) : 0;
}

int rename(const char *from, const char *to)
{
    static int (*real)(const char *, const char *);
    static int count;
    void *symbol = dlsym(RTLD_NEXT, "rename");

    memcpy(&real, &symbol, sizeof(real));
    count++;
    if (count == number("PG_RENAME_KILL"))
        (void)kill(getpid(), SIGKILL);
    if (count != number("PG_RENAME_FAULT"))
        return real(from, to);
    errno = ENOSPC;
    return -1;
}
