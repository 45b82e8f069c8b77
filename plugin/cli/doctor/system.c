/* SPDX-License-Identifier: Apache-2.0 */
/* Clock, journal and disk: what a decision leans on besides our own files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/doctor/doctor.h"

enum { DISK_LOW_BYTES = 32 * 1024 * 1024 };

/* 2025-01-01: no build of this program is older. */
static const int64_t earliest_time = 1735689600;

static void check_clock(struct doctor *doctor)
{
    struct timex timex = { 0 };
    char now[TIME_TEXT_BYTES];

    time_format(time_now(), now);
    if (time_now() < earliest_time)
        doctor_add(doctor, CHECK_FAIL, "system.clock", "certificates and trust roots are judged by this clock",
                   "set the clock, then start a time service", "the clock says %s", now);
    else if (adjtimex(&timex) == TIME_ERROR || (timex.status & STA_UNSYNC) != 0)
        doctor_add(doctor, CHECK_WARN, "system.clock",
                   "keyless signatures and dates of keys are judged by this clock; nothing keeps it right",
                   "start a time service (systemd-timesyncd, chrony)", "the clock says %s and is not synchronised",
                   now);
    else
        doctor_add(doctor, CHECK_OK, "system.clock", NULL, NULL, "the clock says %s and is synchronised", now);
}

static void check_journal(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *journal = doctor_path(doctor, "/run/systemd/journal/socket");
    CLEANUP(mem_freep) char *syslog = doctor_path(doctor, "/dev/log");

    if (journal != NULL && access(journal, F_OK) == 0)
        doctor_add(doctor, CHECK_OK, "system.journal", NULL, NULL, "decisions go to the journal");
    else if (syslog != NULL && access(syslog, F_OK) == 0)
        doctor_add(doctor, CHECK_OK, "system.journal", NULL, NULL, "decisions go to syslog (no journal here)");
    else
        doctor_add(doctor, CHECK_WARN, "system.journal", "decisions are then only in the audit file, if that is on",
                   "start systemd-journald or a syslog service", "neither journal nor syslog listens");
}

static void check_disk(struct doctor *doctor, const char *directory)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, directory);
    struct statvfs status;

    if (path == NULL || statvfs(path, &status) != 0)
        return;
    if ((uint64_t)status.f_bavail * status.f_frsize < DISK_LOW_BYTES)
        doctor_add(doctor, CHECK_WARN, "system.disk", "verdicts are then neither cached nor recorded there",
                   "make room", "%s has less than %d MiB left", path, DISK_LOW_BYTES / 1024 / 1024);
    else
        doctor_add(doctor, CHECK_OK, "system.disk", NULL, NULL, "%s has room", path);
}

void doctor_system(struct doctor *doctor)
{
    check_clock(doctor);
    check_journal(doctor);
    check_disk(doctor, PG_LOGDIR);
    check_disk(doctor, PG_CACHEDIR);
}
