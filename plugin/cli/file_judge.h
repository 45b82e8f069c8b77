/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge for files on the command line: bundles, detached signatures, attestations beside an artifact. What somebody
 * else made is parsed and judged in a child inside the judge's sandbox (no file, no network, another user), with the
 * same verifier and the same policy code as an image; the parent only reads files and prints the child's answer.
 */
#ifndef PG_PLUGIN_CLI_FILE_JUDGE_H
#define PG_PLUGIN_CLI_FILE_JUDGE_H

#include "base/buf.h"
#include "base/tree.h"
#include "plugin/cli/adhoc.h"
#include "verifier/verify.h"

struct file_answer {
    bool satisfied;     /* zero = no */
    enum reason reason;
    char *message;      /* owned; one clean sentence */
    char *report;       /* owned JSON, as the judge's report; NULL when it did not get so far */
};
void file_answer_done(struct file_answer *answer);

/* false: could not be judged (sandbox, policy from the flags, memory); err says why. */
bool file_judge(const struct cli *cli, const struct adhoc *adhoc, const struct verify_file *file,
                const struct verify_artifact *artifact, struct file_answer *ret, struct error *err) MUST_CHECK;

/*
 * Runs `work` in a child inside the judge's sandbox and gives back what it wrote to `out`. The child has no file, no
 * network, and can open nothing. false: the child failed, died or was too slow.
 */
bool judge_sandbox_run(const struct cli *cli, bool (*work)(void *context, struct buf *out, struct error *err),
                       void *context, size_t max, int timeout_ms, struct buf *ret, struct error *err) MUST_CHECK;

#endif
