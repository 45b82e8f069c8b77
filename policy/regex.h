/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions for identities, issuers and conditions: a subset of RE2's syntax with RE2's meaning, matched in
 * time linear in the text (program length times text length, both capped) whatever the expression. Unanchored, as in
 * Go: wrap in ^...$ to match the whole. What is not listed is refused when the policy is loaded.
 *
 *   x  .  ^  $         a character; any but line feed; begin and end of the text (never of a line)
 *   [abc] [^a-z]       classes, with ranges, the escapes below and [:alpha:]-style names inside
 *   \d \w \s \D \W \S  ASCII digits, word characters, white space and their complements
 *   \n \r \t \f \v \a \xHH \x{H..}   single characters; \ before ASCII punctuation: that character
 *   \A \z              begin and end of the text
 *   (re) (?:re)        groups (nothing is captured)      re|re    either
 *   * + ? {n} {n,} {n,m}   repetition, counts to 1000; a ? behind it changes nothing here
 *   (?i)               at the very beginning only: ASCII letters match both cases
 *
 * Refused: back references, look-around, \b, \p{..}, \Q..\E, \C, named groups, other flags.
 * Characters are Unicode code points of UTF-8; a byte of the text that is not UTF-8 counts as U+FFFD.
 */
#ifndef PG_POLICY_REGEX_H
#define PG_POLICY_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/span.h"

enum {
    REGEX_PATTERN_BYTES = 1024,   /* longest expression */
    REGEX_PROGRAM_STEPS = 4096,   /* longest program: {n,m} unfolds */
    REGEX_TEXT_BYTES = 16 * 1024, /* longest text; identities have a few hundred bytes */
    REGEX_REPEAT_MAX = 1000,
    REGEX_DEPTH_MAX = 64,         /* nested groups */
};

struct regex;

/* POLICY_ERROR names the place and what is wrong. */
bool regex_new(struct span pattern, struct regex **ret, struct error *err) MUST_CHECK;
void regex_free(struct regex *regex);
void regex_freep(struct regex **regex);
/* Does the text hold a match? Texts longer than REGEX_TEXT_BYTES never do. One thread at a time. */
bool regex_search(const struct regex *regex, struct span text) MUST_CHECK;
/* Steps of the program: a search costs at most this times the text's length. */
size_t regex_cost(const struct regex *regex);

#endif
