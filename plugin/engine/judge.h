/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge: a pure function over request, policies, evidence and time. It opens nothing, asks no clock and keeps no
 * state between calls, so that a decision can be replayed from its evidence file (plugin/replay) and fuzzed.
 */
#ifndef PG_PLUGIN_ENGINE_JUDGE_H
#define PG_PLUGIN_ENGINE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/error.h"
#include "base/file.h"
#include "plugin/message.h"
#include "policy/policy.h"
#include "verifier/evidence.h"

struct load_files;
struct trust_root;

struct judge_input {
    const struct request *request;
    const struct policy_set *policies;
    const struct trust_root *const *roots; /* in the order of policy_set_roots(policies) */
    size_t root_count;
    enum no_match no_match;
    int64_t now;
    const struct load_files *files;        /* for the evidence file only; may be NULL */
    const char *root;                      /* where directories named as sources are looked for; NULL = / */
};

/*
 * What should be fetched, given what was (nothing: the search is complete). May name what is asked for already but not
 * answered yet. Fails (the verdict is then deny, with err) for requests that make no sense.
 */
bool judge_wants(const struct judge_input *input, const struct evidence_set *evidence, struct wants *ret,
                 struct error *err) MUST_CHECK;

/*
 * Whether the decision can do without a registry: static policies only, no policy, or directories as their sources.
 * Looks at the reference and the policies alone, so that the engine may ask before there is a judge.
 */
bool judge_stays_home(const struct judge_input *input);

/*
 * The other registries that policies send this decision's look-ups to, each once: as judge_stays_home, before there is
 * a judge. Added to ret_hosts.
 */
bool judge_sources(const struct judge_input *input, struct names *ret_hosts, struct error *err) MUST_CHECK;

/*
 * The judgement on the evidence so far. `final`: nothing more will come, so ret is the decision. Otherwise true means
 * decided already (nothing that could still come would change it), false means go on; ret is then empty.
 */
bool judge_decide(const struct judge_input *input, const struct evidence_set *evidence, bool final,
                  struct response *ret);

/* The child: answers on fd until decided, then exits. Never returns. Enters its sandbox before it reads anything. */
struct sandbox;
_Noreturn void judge_child(int fd, const struct sandbox *sandbox, const struct judge_input *input);

#endif
