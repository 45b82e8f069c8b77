/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recorder/recorder.h"

#include <syslog.h>

#include "base/file.h"
#include "base/mem.h"
#include "plugin/recorder/audit.h"
#include "plugin/recorder/journal.h"
#include "plugin/recorder/line.h"
#include "plugin/recorder/metrics.h"
#include "plugin/recorder/record.h"

static const char id_log_failed[] = "c51baaecf6d44aa78b16389e334821ce";

/* A log that fails is said in the journal; when that fails too there is nobody left to tell. */
static void complain(const char *root, const char *which, const struct error *problem)
{
    CLEANUP(mem_freep) char *text = mem_printf("the %s cannot be written: %s", which, problem->text);
    struct record record = {.priority = LOG_ERR, .message_id = id_log_failed, .verdict = "none", .count = 1};
    struct error ignored = ERROR_INIT;

    record.fields[0] = (struct record_field){.name = "MESSAGE", .value = text ? text : which};
    if (!journal_send(root, &record, &ignored))
        return;
}

typedef bool sink_fn(const char *path, const struct record *record, struct error *err);

static void send_to(const char *root, const char *which, const char *setting, sink_fn *sink,
                    const struct record *record)
{
    CLEANUP(mem_freep) char *path = NULL;
    struct error err = ERROR_INIT;

    if (!setting || setting[0] == '\0')
        return;
    path = path_under(root, setting);
    if (!path || !sink(path, record, &err))
        complain(root, which, &err);
}

void recorder_decision(const char *root, const struct settings *settings, const struct request *request,
                       const struct response *response)
{
    CLEANUP(record_done) struct record record = {0};
    struct error err = ERROR_INIT;

    if ((request->flags & REQUEST_NO_RECORD) || !record_make(request, response, &record))
        return;
    if (!journal_send(root, &record, &err))
        err = (struct error)ERROR_INIT; /* nobody to tell; the other logs follow */
    send_to(root, "JSON log", settings->log_json, line_append, &record);
    send_to(root, "audit log", settings->audit, audit_append, &record);
    send_to(root, "metrics file", settings->metrics, metrics_count, &record);
}
