/* SPDX-License-Identifier: Apache-2.0 */
/* Do settings, policies, keys and trust roots load as in a decision, and do they say what is meant? */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/tree.h"
#include "config.h"
#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/report.h"
#include "plugin/engine/load.h"
#include "verifier/ref.h"

enum { EXPLAIN_MAX_BYTES = 16 * 1024 * 1024 };

/* Every file that decides, not only the first one that stops the engine. */
static size_t check_owners_in(struct doctor *doctor, const char *directory, size_t *ret_bad)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, directory);
    CLEANUP(names_free) struct names names = { 0 };
    struct error err = ERROR_INIT;

    if (path == NULL || access(path, F_OK) != 0)
        return 0;
    if (!dir_list(path, NULL, &names, &err)) {
        doctor_add(doctor, CHECK_FAIL, "files.read", "what cannot be read denies every pull", NULL, "%s", err.text);
        ++*ret_bad;
        return 0;
    }
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *file = mem_printf("%s/%s", path, names.items[i]);

        if (file == NULL || file_check_trusted(file, &err))
            continue;
        ++*ret_bad;
        doctor_add(doctor, CHECK_FAIL, "files.owner", "whoever can write it decides; the engine refuses it and denies",
                   "chown root and chmod go-w the path named", "%s", err.text);
    }
    return names.count;
}

static void check_owners(struct doctor *doctor)
{
    static const char *const directories[] = { PG_CONFDIR "/policy.d", PG_CONFDIR "/keys", PG_CONFDIR "/trust" };
    CLEANUP(mem_freep) char *settings = doctor_path(doctor, PG_CONFDIR "/pullguard.yaml");
    struct error err = ERROR_INIT;
    size_t bad = 0, count = 0;

    if (settings != NULL && access(settings, F_OK) == 0) {
        count++;
        if (!file_check_trusted(settings, &err)) {
            bad++;
            doctor_add(doctor, CHECK_FAIL, "files.owner",
                       "whoever can write it decides; the engine refuses it and denies",
                       "chown root and chmod go-w the path named", "%s", err.text);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(directories); i++)
        count += check_owners_in(doctor, directories[i], &bad);
    if (bad == 0)
        doctor_add(doctor, CHECK_OK, "files.owner", NULL, NULL,
                   "the %zu files that decide have trusted owners and modes", count);
}

static void check_settings(struct doctor *doctor, const struct settings *settings)
{
    if (settings->no_match == NO_MATCH_ALLOW)
        doctor_add(doctor, CHECK_WARN, "policy.no-match", "an image under another name is pulled unverified",
                   "set no-match: deny once every image in use has a policy", "no-match: allow in pullguard.yaml");
    else if (settings->no_match == NO_MATCH_WARN)
        doctor_add(doctor, CHECK_WARN, "policy.no-match",
                   "an image under another name is pulled, with a warning in the journal",
                   "set no-match: deny once every image in use has a policy", "no-match: warn in pullguard.yaml");
    else
        doctor_add(doctor, CHECK_OK, "policy.no-match", NULL, NULL, "images without a policy are denied");
    if (settings->sandbox != SANDBOX_REQUIRE)
        doctor_add(doctor, CHECK_WARN, "sandbox.setting", "a flaw in a parser would then reach the whole node",
                   "set sandbox: require", "sandbox: %s in pullguard.yaml",
                   settings->sandbox == SANDBOX_OFF ? "off" : "prefer");
    if (settings->insecure.count > 0)
        doctor_add(doctor, CHECK_NOTE, "policy.insecure",
                   "signatures still decide; others on the way can read names and credentials, and withhold signatures",
                   NULL, "%zu registr%s without TLS checks (insecure-registries)", settings->insecure.count,
                   settings->insecure.count == 1 ? "y" : "ies");
}

static void check_lint(struct doctor *doctor, const struct policy_set *set)
{
    CLEANUP(policy_warnings_done) struct policy_warnings warnings = { 0 };
    struct error err = ERROR_INIT;
    char shown[400];

    if (!policy_lint(set, &warnings, &err) || warnings.count == 0)
        return;
    doctor_add(doctor, CHECK_WARN, "policy.lint", "a policy that does not mean what it says is a gap or an outage",
               "pullguard policy lint", "%zu warning%s, first %s:%u: %s", warnings.count,
               warnings.count == 1 ? "" : "s", warnings.items[0].file, warnings.items[0].line,
               text_clean(span_str(warnings.items[0].text), shown, sizeof(shown)));
}

/* Does any policy apply to this reference? */
bool doctor_policy_applies(const struct policy_set *set, const char *reference, bool *ret, struct error *err)
{
    CLEANUP(ref_done) struct ref ref = { 0 };
    CLEANUP(buf_free) struct buf json = BUF_INIT(EXPLAIN_MAX_BYTES);
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct json_out out = json_out_to(&json);
    struct policy_image image;

    if (!ref_parse(span_str(reference), &ref, err))
        return false;
    image = (struct policy_image){
        .written = ref.written, .host = ref.host, .repository = ref.repository, .tag = ref.tag, .digest = ref.digest};
    if (!policy_explain(set, &image, &out, err) ||
        !json_parse(buf_as_span(&json), "explanation", TREE_NO_PLACES, &tree, err))
        return false;
    *ret = false;
    for (const struct node *one = tree_root(tree)->child; one != NULL; one = one->next)
        *ret = *ret || report_flag(one, "matches");
    return true;
}

static void check_pause(struct doctor *doctor, const struct policy_set *set)
{
    struct error err = ERROR_INIT;
    bool covered = false;

    if (doctor->pause_image == NULL)
        return;
    if (!doctor_policy_applies(set, doctor->pause_image, &covered, &err))
        doctor_add(doctor, CHECK_WARN, "policy.pause-image", "without it no pod starts", NULL, "pause image: %s",
                   err.text);
    else if (!covered && doctor->no_match_denies)
        doctor_add(doctor, CHECK_WARN, "policy.pause-image",
                   "on a Kubernetes node the first pod after its removal cannot start: no pod starts without it",
                   "add a policy for it, for example with a static pass (man pullguard-policy)",
                   "no policy applies to the pause image %s, and no-match is deny", doctor->pause_image);
    else
        doctor_add(doctor, CHECK_OK, "policy.pause-image", NULL, NULL, "the pause image %s is covered",
                   doctor->pause_image);
}

/* Who has to renew what, before pulls are refused for it. */
static void warn_window(struct doctor *doctor, const struct policy_window *window, enum policy_window_state state)
{
    static const char *const states[] = { [WINDOW_ENDS_SOON] = "ends soon", [WINDOW_NOT_YET] = "is not valid yet",
                                          [WINDOW_ENDED] = "has ended" };
    const char *why = state == WINDOW_NOT_YET ? "its signatures count from notBefore on"
                      : window->proves_time   ? "signatures made later, or without a proven time, are refused"
                                              : "all its signatures are refused from then on, also older ones";
    char policy[100], name[100], before[TIME_TEXT_BYTES], after[TIME_TEXT_BYTES];

    text_clean(span_str(window->policy), policy, sizeof(policy));
    text_clean(span_str(window->name != NULL ? window->name : ""), name, sizeof(name));
    doctor_add(doctor, CHECK_WARN, "policy.key-dates", why,
               "add the key that comes after it to the policy, sign with it, then let this one go",
               "key %.12s...%s%s%s of policy \"%s\" %s: %s%s%s%s", window->fingerprint, name[0] != '\0' ? " \"" : "",
               name, name[0] != '\0' ? "\"" : "", policy, states[state],
               window->not_before > INT64_MIN ? "from " : "",
               window->not_before > INT64_MIN ? time_format(window->not_before, before) : "",
               window->not_after < INT64_MAX ? " until " : "",
               window->not_after < INT64_MAX ? time_format(window->not_after, after) : "");
}

static void check_windows(struct doctor *doctor, const struct policy_set *set)
{
    CLEANUP(mem_freep) struct policy_window *windows = NULL;
    struct error err = ERROR_INIT;
    int64_t now = time_now(), first = INT64_MAX;
    size_t count = 0, fine = 0;
    char when[TIME_TEXT_BYTES];

    if (!policy_set_windows(set, &windows, &count, &err)) {
        doctor_add(doctor, CHECK_WARN, "policy.key-dates", NULL, NULL, "%s", err.text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        enum policy_window_state state = policy_window_state(&windows[i], now);

        if (state != WINDOW_OPEN)
            warn_window(doctor, &windows[i], state);
        else if (++fine > 0 && windows[i].not_after < first)
            first = windows[i].not_after;
    }
    if (fine > 0)
        doctor_add(doctor, CHECK_OK, "policy.key-dates", NULL, NULL, "%zu key%s with dates %s in force%s%s", fine,
                   fine == 1 ? "" : "s", fine == 1 ? "is" : "are", first < INT64_MAX ? ", the first ends " : "",
                   first < INT64_MAX ? time_format(first, when) : "");
}

static void check_loaded(struct doctor *doctor, const struct engine_config *config)
{
    size_t count = policy_set_count(config->policies);

    if (count == 0 && config->settings.no_match == NO_MATCH_DENY)
        doctor_add(doctor, CHECK_WARN, "policy.load", "every pull is denied",
                   "put a policy into " PG_CONFDIR "/policy.d", "there is no policy");
    else if (count == 0)
        doctor_add(doctor, CHECK_FAIL, "policy.load", "nothing is verified",
                   "put a policy into " PG_CONFDIR "/policy.d", "there is no policy, and no-match lets images through");
    else
        doctor_add(doctor, CHECK_OK, "policy.load", NULL, NULL, "%zu polic%s load, fingerprint %.16s...", count,
                   count == 1 ? "y" : "ies", config->fingerprint);
    check_settings(doctor, &config->settings);
    check_lint(doctor, config->policies);
    check_windows(doctor, config->policies);
    check_pause(doctor, config->policies);
    doctor_static_pods(doctor, config->policies);
    doctor_verdicts(doctor, &config->settings, config->fingerprint);
}

void doctor_settings(struct doctor *doctor)
{
    CLEANUP(settings_done) struct settings settings = { 0 };
    struct error err = ERROR_INIT;

    if (!settings_load(doctor->cli->root, &settings, &err))
        return;
    doctor->deadline_ms = settings.deadline_ms;
    doctor->no_match_denies = settings.no_match == NO_MATCH_DENY;
    doctor->endorser_listen = TAKE_PTR(settings.endorser_listen);
}

void doctor_policy(struct doctor *doctor)
{
    CLEANUP(engine_config_done) struct engine_config config = { 0 };
    struct error err = ERROR_INIT;

    check_owners(doctor);
    if (engine_load(doctor->cli->root, &config, &err))
        check_loaded(doctor, &config);
    else
        doctor_add(doctor, CHECK_FAIL, "policy.load", "what does not load denies every pull",
                   "correct it; \"pullguard policy lint\" shows all errors", "%s: %s", reason_name(err.reason),
                   err.text);
}
