/* SPDX-License-Identifier: Apache-2.0 */
/* regex_new and regex_search: pattern, line feed, text. A search is repeatable and agrees with itself under a group. */
#include "base/mem.h"
#include "policy/regex.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(regex_freep) struct regex *regex = NULL, *grouped = NULL;
    CLEANUP(mem_freep) char *group = NULL;
    struct span input = span_of(bytes, len), pattern, text;
    size_t end = span_find_byte(input, '\n');
    struct error err = ERROR_INIT;
    bool found;

    pattern = span_cut(input, 0, end);
    text = end == SIZE_MAX ? span_of(NULL, 0) : span_cut(input, end + 1, SIZE_MAX);
    if (!regex_new(pattern, &regex, &err)) {
        FUZZ_CHECK(regex == NULL && err.reason == REASON_POLICY_ERROR && err.text[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(regex_cost(regex) > 0 && regex_cost(regex) <= REGEX_PROGRAM_STEPS);
    found = regex_search(regex, text);
    FUZZ_CHECK(regex_search(regex, text) == found);
    if (span_starts(pattern, "(?i)") || span_has_nul(pattern))
        return 0;
    group = mem_printf("(?:%.*s)|(?:%.*s)", (int)pattern.len, (const char *)pattern.ptr, (int)pattern.len,
                       (const char *)pattern.ptr);
    if (group != NULL && regex_new(span_str(group), &grouped, &err))
        FUZZ_CHECK(regex_search(grouped, text) == found);
    return 0;
}
