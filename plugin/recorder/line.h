/* SPDX-License-Identifier: Apache-2.0 */
/* A decision as one line of JSON. */
#ifndef PG_PLUGIN_RECORDER_LINE_H
#define PG_PLUGIN_RECORDER_LINE_H

#include <stdbool.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/json_out.h"
#include "plugin/recorder/record.h"

/* The record's fields as members of the map that is open in `out`: lower-case names, numbers as numbers. */
void line_members(struct json_out *out, const struct record *record);
/* One object with the time in front, appended to the file in one write. */
bool line_append(const char *path, const struct record *record, struct error *err) MUST_CHECK;

#endif
