/* SPDX-License-Identifier: Apache-2.0 */
/* What the update's parent and its sandboxed reader say to one another (base/wire.h). */
#ifndef PG_PLUGIN_CLI_TRUST_WIRE_H
#define PG_PLUGIN_CLI_TRUST_WIRE_H

#include "plugin/cli/trust/update.h"

enum { TRUST_WANT = 1, TRUST_FILE = 2, TRUST_ABSENT = 3, TRUST_RESULT = 4 };
enum {
    TRUST_TAG_NAME = 1,
    TRUST_TAG_MAX = 2,
    TRUST_TAG_BYTES = 3,
    TRUST_TAG_DONE = 4,
    TRUST_TAG_REASON = 5,
    TRUST_TAG_TEXT = 6,
    TRUST_TAG_ROLE = 7 /* + role */,
    TRUST_TAG_VERSION = 20 /* + role */,
    TRUST_TAG_EXPIRES = 30 /* + role */
};
enum { TRUST_MESSAGE_BYTES = (TUF_ROLES + 1) * TRUST_STATE_FILE_BYTES };

struct sandbox;
/* In a forked child: enters the judge's sandbox, asks for files on fd until the update is over, sends the result,
 * exits. */
_Noreturn void trust_reader(int fd, const struct sandbox *sandbox, const struct trust_update *update);

#endif
