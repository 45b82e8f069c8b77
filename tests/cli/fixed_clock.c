/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded by tests of things that expire: the wall clock stands at PG_FIXED_CLOCK (seconds since 1970), and with
 * PG_FIXED_SYNC a time service keeps it (1), does not (0), or the kernel says that it is wrong (e). pullguard itself
 * has no way to be told a time.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

static int (*real)(clockid_t, struct timespec *);
static time_t fixed;
static char synchronised;

/* Before main, so that nothing is looked up inside a sandbox. */
__attribute__((constructor)) static void find(void)
{
    const char *text = secure_getenv("PG_FIXED_CLOCK"), *sync = secure_getenv("PG_FIXED_SYNC");
    void *symbol = dlsym(RTLD_NEXT, "clock_gettime");

    memcpy(&real, &symbol, sizeof(real));
    synchronised = sync ? *sync : '1';
    for (; text && *text >= '0' && *text <= '9'; text++)
        fixed = fixed * 10 + (*text - '0');
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    if (id != CLOCK_REALTIME || fixed == 0)
        return real(id, ret);
    *ret = (struct timespec){.tv_sec = fixed};
    return 0;
}

int adjtimex(struct timex *timex)
{
    timex->status = synchronised == '0' ? STA_UNSYNC : 0;
    return synchronised == 'e' ? TIME_ERROR : TIME_OK;
}
