/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target includes: its entry's prototype, and the assertion that stays in all builds. */
#ifndef PG_TESTS_FUZZ_FUZZ_H
#define PG_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What must hold for every input. */
#define FUZZ_CHECK(condition) \
    do { \
        if (!(condition)) \
            abort(); \
    } while (0)

#endif
