/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tamper-evident log: JSON lines, each naming the SHA-256 of the one before it. A chain alone stops neither the
 * cutting off of its end nor a rewrite of the whole: the head (audit_head) must be published elsewhere, and the journal
 * has the same decisions.
 */
#ifndef PG_PLUGIN_RECORDER_AUDIT_H
#define PG_PLUGIN_RECORDER_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"
#include "plugin/recorder/record.h"

enum { AUDIT_HASH_BYTES = 65 /* hex and NUL */ };

/* A chain's state after its last line. seq 0 = empty. */
struct audit_head {
    uint64_t seq;
    char hash[AUDIT_HASH_BYTES]; /* of the last line, without its newline */
    int64_t time;
};

/* Appends one line, under a lock that other processes honour. A new file goes on where path + ".1" ended (rotation). */
bool audit_append(const char *path, const struct record *record, struct error *err) MUST_CHECK;

/*
 * Checks a whole file. `head` is the state before its first line (zeroed: the beginning of everything, or unknown), and
 * the state after its last one on return. The error names the first line that breaks the chain or steps back in time.
 * What is no line of ours (half of one, after a crash or on a full disk) is counted in *torn and passed over: put in
 * the place of a whole line it breaks the chain at the next.
 */
bool audit_verify(struct span file, struct audit_head *head, size_t *torn, struct error *err) MUST_CHECK;

#endif
