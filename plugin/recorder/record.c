/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recorder/record.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"

enum { VALUE_MAX_BYTES = LIMIT_REFERENCE_BYTES };

/* Made once with a random number generator; journalctl MESSAGE_ID=... finds every event of a kind. Never change them.
 */
static const char id_allowed[] = "b886e292f81645a59624e6bb514161e3";
static const char id_warned[] = "a797d740fdae41e3853e2f0e33dc73db";
static const char id_denied[] = "a93bc11ec7b94bba9cf2f805327fc505";
static const char id_failed[] = "a09dd52275594875a8d456938fef1712";

static bool add(struct record *record, const char *name, const char *text, bool number)
{
    char clean[VALUE_MAX_BYTES + 1];
    char *value;

    if (!text || text[0] == '\0' || record->count >= RECORD_FIELDS_MAX)
        return true;
    value = mem_strdup(text_clean(span_str(text), clean, sizeof(clean)));
    if (!value)
        return false;
    record->owned[record->owned_count++] = value;
    record->fields[record->count++] = (struct record_field){.name = name, .value = value, .number = number};
    return true;
}

static bool add_number(struct record *record, const char *name, unsigned long value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lu", value);
    return add(record, name, text, true);
}

/* Something on this node is broken, rather than an image refused: somebody should look. */
static bool is_malfunction(enum reason reason)
{
    static const enum reason broken[] = {REASON_INTERNAL, REASON_POLICY_ERROR, REASON_UNTRUSTED_FILE,
                                         REASON_SANDBOX,  REASON_UNAVAILABLE,  REASON_IO};

    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        if (reason == broken[i])
            return true;
    return false;
}

static void set_kind(struct record *record, const struct response *response)
{
    bool allowed = verdict_is_allow(response->verdict);

    record->verdict = allowed ? "allow" : "deny";
    if (allowed) {
        record->priority = response->warned ? LOG_WARNING : LOG_INFO;
        record->message_id = response->warned ? id_warned : id_allowed;
    } else {
        record->priority = is_malfunction(response->reason) ? LOG_ERR : LOG_WARNING;
        record->message_id = is_malfunction(response->reason) ? id_failed : id_denied;
    }
}

static bool add_message(struct record *record, const struct request *request, const struct response *response)
{
    const char *what = strcmp(record->verdict, "deny") == 0 ? "denied"
                       : response->warned                   ? "allowed with a warning"
                                                            : "allowed";
    const char *image = request->reference ? request->reference : request->container_id;
    CLEANUP(mem_freep) char *text =
        mem_printf("%s %s: %s: %s", what, image ? image : "(no image)", reason_name(response->reason),
                   response->message ? response->message : "");

    return text && add(record, "MESSAGE", text, false);
}

bool record_make(const struct request *request, const struct response *response, struct record *ret)
{
    CLEANUP(record_done) struct record record = {0};

    set_kind(&record, response);
    if (!add_message(&record, request, response) || !add(&record, "IMAGE_REF", request->reference, false) ||
        !add(&record, "IMAGE_DIGEST", response->digest ? response->digest : request->digest, false) ||
        !add(&record, "VERDICT", record.verdict, false) ||
        !add(&record, "REASON", reason_name(response->reason), false) ||
        !add(&record, "POLICY", response->policy, false) || !add(&record, "AUTHORITY", response->authority, false) ||
        !add(&record, "POLICY_SHA256", response->policy_sha256, false) ||
        !add(&record, "KEY_ID", response->key_id, false) || !add(&record, "RUNTIME", request->runtime, false) ||
        !add(&record, "OPERATION", request->operation == OPERATION_CREATE ? "create" : "pull", false) ||
        !add(&record, "CONTAINER_ID", request->container_id, false) ||
        !add(&record, "WARNED", response->warned ? "1" : "0", true) ||
        !add(&record, "CACHED", response->cached ? "1" : "0", true) ||
        !add_number(&record, "REQUESTS", response->requests) ||
        !add_number(&record, "DURATION_US", response->duration_us))
        return false;
    *ret = record;
    record = (struct record){0};
    return true;
}

void record_done(struct record *record)
{
    for (size_t i = 0; i < record->owned_count; i++)
        mem_free(record->owned[i]);
    *record = (struct record){0};
}

const char *record_get(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->count; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return record->fields[i].value;
    return "";
}
