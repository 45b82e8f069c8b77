/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters for node_exporter's textfile collector, in the Prometheus text format. Decisions are made by many short
 * processes, so the file itself is the state: read, counted up, replaced, under a lock beside it. No image names and no
 * digests: labels have few values.
 */
#ifndef PG_PLUGIN_RECORDER_METRICS_H
#define PG_PLUGIN_RECORDER_METRICS_H

#include "base/attributes.h"
#include "base/error.h"
#include "plugin/recorder/record.h"

/* Counts one decision. A file that does not read begins anew. TIMEOUT when others hold the lock too long: not counted.
 */
bool metrics_count(const char *path, const struct record *record, struct error *err) MUST_CHECK;

#endif
