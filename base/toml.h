/* SPDX-License-Identifier: Apache-2.0 */
/* TOML 1.0.0 (toml.io/en/v1.0.0), for the runtimes' own files: containerd's, CRI-O's, podman's. */
#ifndef PG_BASE_TOML_H
#define PG_BASE_TOML_H

#include "base/tree.h"

/*
 * One document as a map. Tables are maps, arrays and arrays of tables are lists, both in the order written (a table
 * that is opened in two steps stands where it was first named). Integers are numbers in plain decimal (hexadecimal,
 * octal and binary ones are converted); floats are numbers without "_" and "+". inf, nan, dates and times are strings
 * as written. `bytes` must outlive the tree. Stricter than the specification in one point: U+0000 in strings is
 * refused. Errors: MALFORMED with what:line:column, LIMIT.
 */
bool toml_parse(struct span bytes, const char *what, struct tree **ret_tree, struct error *err) MUST_CHECK;

#endif
