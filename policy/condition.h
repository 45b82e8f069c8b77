/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on an in-toto statement: a list of maps, all of which must hold.
 *
 *   - path: predicate.runDetails.builder.id      where to look; names, [N] for a list's element, ["odd.name"]
 *     equals: "https://..."                      one or more operators; all must hold
 *
 *   equals V, notEquals V, in [V..], notIn [V..]   text, numbers, true and false; numbers by value
 *   prefix T, suffix T, glob T, matches RE         text (glob as for images; RE as in policy/regex.h)
 *   lessThan N, atMost N, moreThan N, atLeast N    numbers
 *   before TIME, after TIME                        RFC 3339 texts
 *   count N or {atLeast: N, atMost: N}             how many elements or members
 *   exists: true, or exists: false                 the only operator that holds for what is absent
 *   any [..], all [..], none [..]                  conditions on each element of a list; paths start at the element,
 * and a condition without a path is about the element itself anyOf [[..], ..], noneOf [[..], ..]            (without
 * path) lists of conditions: one of them, none of them maxAge: 30d                                    (without path)
 * age of the attestation by trusted time only
 *
 * A condition holds, fails, or is undecided: where a path is absent, a value is of another type, or something is too
 * large. Undecided never counts as holding, and neither `none` nor `noneOf` turns it into holding (policy.md trap 9).
 * `absent: fails` makes absence a plain failure, `absent: holds` a success. `all` and `none` hold for a list without
 * elements.
 */
#ifndef PG_POLICY_CONDITION_H
#define PG_POLICY_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/tree.h"
#include "policy/fields.h"

struct condition; /* a list of them */

/* Clocks of nodes and logs differ; a proven time further ahead than this is no proof of anything. */
enum { CLOCK_SKEW_SECONDS = 300 };

struct condition_input {
    const struct node *statement; /* NULL = nothing holds */
    int64_t now;
    bool has_time; /* a trusted time proves when it was signed */
    int64_t time;
    uint64_t work_max; /* about the bytes looked at, each time that one is; 0 = the limit there always is */
};

bool condition_load(struct load *load, const struct path *path, const struct node *list,
                    struct condition **ret) MUST_CHECK;
void condition_free(struct condition *conditions);
void condition_freep(struct condition **conditions);
/* Do all hold? On false, why says which does not, with what was wanted and found. */
bool condition_holds(const struct condition *conditions, const struct condition_input *input,
                     struct error *why) MUST_CHECK;

/*
 * Paths and operators that cannot fit a predicate of a known standard type. Calls warn for each; false when warn does.
 */
struct condition_lint {
    void *context;
    bool (*warn)(void *context, uint32_t line, uint32_t column, const char *text);
};
bool condition_check_types(const struct condition *conditions, const char *predicate_type,
                           const struct condition_lint *lint) MUST_CHECK;

#endif
