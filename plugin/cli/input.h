/* SPDX-License-Identifier: Apache-2.0 */
/* Files and standard input that the person at the command line names. */
#ifndef PG_PLUGIN_CLI_INPUT_H
#define PG_PLUGIN_CLI_INPUT_H

#include "base/buf.h"
#include "base/error.h"

/* A file, or standard input for "-"; at most max bytes. */
bool input_read(const char *path, size_t max, struct buf *ret, struct error *err) MUST_CHECK;
/* A public key file: the PEM text. References to key services and secrets are refused with what to do instead. */
bool input_key(const char *path, struct buf *ret, struct error *err) MUST_CHECK;
/* A JSON or YAML file as compact JSON. */
bool input_json(const char *path, size_t max, struct buf *ret, struct error *err) MUST_CHECK;

#endif
