/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit program shares: a main that runs one suite of check's and ends with its figures. */
#ifndef PG_TESTS_UNIT_HARNESS_H
#define PG_TESTS_UNIT_HARNESS_H

#include <check.h>
#include <stdlib.h>

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
