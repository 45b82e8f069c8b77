/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/evidence_out.h"

#include "base/file.h"

bool evidence_save(const char *path, struct span evidence, struct error *err)
{
    if (evidence.len == 0)
        return error_set(err, REASON_UNAVAILABLE, "the engine gave no evidence for %s; it is not written", path);
    return file_write_atomic(path, evidence, 0600, false, err);
}
