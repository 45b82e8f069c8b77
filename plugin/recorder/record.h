/* SPDX-License-Identifier: Apache-2.0 */
/* One decision as the logs see it: names and clean values, made once, written by each sink in its own form. */
#ifndef PG_PLUGIN_RECORDER_RECORD_H
#define PG_PLUGIN_RECORDER_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "plugin/message.h"

enum { RECORD_FIELDS_MAX = 20 };

struct record_field {
    const char *name;  /* the journal's: upper case; lower case in JSON */
    const char *value; /* clean, one line; lives with the record */
    bool number;
};

struct record {
    int priority;           /* syslog's */
    const char *message_id; /* one per kind of event */
    const char *verdict;    /* "allow", "deny" */
    struct record_field fields[RECORD_FIELDS_MAX];
    size_t count;
    char *owned[RECORD_FIELDS_MAX];
    size_t owned_count;
};

/* False only when out of memory. Values from outside are cut and sanitised: nothing an attacker wrote goes in
 * unescaped. */
bool record_make(const struct request *request, const struct response *response, struct record *ret);
void record_done(struct record *record);
const char *record_get(const struct record *record, const char *name); /* "" when absent */

#endif
