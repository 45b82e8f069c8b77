/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PG_PLUGIN_CRUN_VERSION_H
#define PG_PLUGIN_CRUN_VERSION_H

#include <stdbool.h>

#include "base/span.h"

/* Is the running crun one whose handler table was looked at (1.8.1 to 1.29)? Asks it with --version; false when unsure.
 */
bool crun_version_known(void);

/* The same over what `crun --version` printed. */
bool crun_version_text_known(struct span text);

#endif
