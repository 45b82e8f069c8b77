/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard enable, disable, status: drop-ins only, shown first, undone byte for byte. Restarts nothing unasked. */
#include "plugin/cli/enable/enable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/doctor/doctor.h"
#include "plugin/cli/enable/ledger.h"
#include "plugin/cli/enable/shared.h"
#include "plugin/cli/say.h"

struct enable_values {
    bool yes;
    bool dry_run;
    bool force;
    bool restart;
    bool repair;
};

static const struct runtime containerd = {
    "containerd",
    plan_containerd,
    "containerd reads its verifier directory at each pull: nothing to restart. \"pullguard doctor\" tells whether it "
    "is really "
    "asked.",
    "containerd verifies nothing any more.",
};
static const struct runtime crio = {
    "crio", plan_crio,
    "systemctl enable --now pullguard-endorser.service && systemctl restart crio, then \"pullguard doctor\".",
    "systemctl restart crio; then stop pullguard-endorser.service.",
    true, { "crio.service", NULL },
};
static const struct runtime podman = {
    "podman",
    plan_podman,
    "systemctl enable --now pullguard-endorser.service, then \"pullguard doctor\". podman, buildah, skopeo and bootc "
    "read the "
    "files at each pull.",
    "podman pulls as it did before.",
    true, { NULL },
};
static const struct runtime oci_hook = {
    "oci-hook", plan_oci_hook,
    "podman reads it at each start, CRI-O watches the directory. Try a container of an image that no policy allows.",
    "containers start without being asked about.",
};
static const struct runtime crun = {
    "crun",
    plan_crun,
    "systemctl enable --now pullguard-crun-repair.path, which mends a damaged handler. crun loads it with its next "
    "command: try \"crun --version\", then a container that no policy allows.",
    "containers start without being asked about.",
};
static const struct runtime nri = {
    "nri", plan_nri,
    "systemctl restart containerd (or crio), with the plugin among the required ones (pullguard(1), section RUNTIMES).",
    "restart the runtime.",
    false, { "containerd.service", "crio.service", NULL },
};
const struct runtime *const runtimes[] = { &containerd, &crio, &podman, &oci_hook, &crun, &nri };
const size_t runtime_count = ARRAY_LEN(runtimes);

const struct runtime *runtime_find(const char *name)
{
    for (size_t i = 0; i < runtime_count; i++)
        if (strcmp(runtimes[i]->name, name) == 0)
            return runtimes[i];
    return NULL;
}

static const struct runtime *wanted_runtime(const struct cli *cli, const char *name)
{
    const struct runtime *runtime = runtime_find(name);
    char shown[40];

    if (runtime == NULL)
        say_error(cli, "%s: containerd, crio, podman, oci-hook, crun or nri is wanted",
                  text_clean(span_str(name), shown, sizeof(shown)));
    return runtime;
}

bool enable_need_program(const struct cli *cli, const char *path, const char *otherwise, struct error *err)
{
    CLEANUP(mem_freep) char *full = path_under(cli->root, path);

    if (full == NULL)
        return error_oom(err);
    return access(full, F_OK) == 0 ||
           error_set(err, REASON_NOT_FOUND, "%s is not there: %s. Install pullguard first", full, otherwise);
}

/* The directories above a path that are missing, noted as ours to remove; innermost last. */
static bool note_parents(const char *root, const char *path, struct ledger *ledger, struct error *err)
{
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        CLEANUP(mem_freep) char *directory = mem_dup(path, (size_t)(slash - path));
        CLEANUP(mem_freep) char *full = directory == NULL ? NULL : path_under(root, directory);

        if (full == NULL)
            return error_oom(err);
        if (access(full, F_OK) == 0 || ledger_has_directory(ledger, directory))
            continue;
        if (ledger->directory_count == CHANGES_MAX)
            return error_set(err, REASON_LIMIT, "more than %d directories to make", CHANGES_MAX);
        ledger->directories[ledger->directory_count++] = TAKE_PTR(directory);
    }
    return true;
}

static bool make_parents(const char *root, const struct ledger *ledger, struct error *err)
{
    for (size_t i = 0; i < ledger->directory_count; i++) {
        CLEANUP(mem_freep) char *full = path_under(root, ledger->directories[i]);

        if (full == NULL)
            return error_oom(err);
        if (mkdir(full, 0755) != 0 && errno != EEXIST)
            return error_errno(err, REASON_IO, errno, "%s", full);
    }
    return true;
}

/* "y" on the terminal. Without one, --yes is needed: nobody is there to look at the diff. */
static bool agreed(const struct cli *cli, const struct enable_values *values)
{
    char answer[8];
    ssize_t got;

    if (values->yes)
        return true;
    if (isatty(STDIN_FILENO) != 1) {
        say_error(cli, "nothing was changed: --yes is needed where nobody can be asked");
        return false;
    }
    fputs("Change these files? [y/N] ", stdout);
    fflush(stdout);
    got = read(STDIN_FILENO, answer, sizeof(answer));
    return got > 0 && (answer[0] == 'y' || answer[0] == 'Y');
}

static bool restore_state(const char *root, const char *path, const struct file_state *before, struct error *err)
{
    CLEANUP(mem_freep) char *full = path_under(root, path);

    if (full == NULL)
        return error_oom(err);
    if (!change_apply(root, path, before, err))
        return false;
    if (before->kind != FILE_ABSENT && lchown(full, before->uid, before->gid) != 0)
        return error_errno(err, REASON_IO, errno, "%s", full);
    return true;
}

/* Back to the moment before; what cannot be given back stays in the ledger. */
static bool roll_back(const struct cli *cli, const struct changes *changes, size_t made, const struct ledger *ledger,
                      const struct ledger *old, struct error *err)
{
    for (size_t i = made; i-- > 0;)
        if (!file_state_same(&changes->items[i].before, &changes->items[i].wanted) &&
            !restore_state(cli->root, changes->items[i].path, &changes->items[i].before, err))
            return false;
    if (old->count > 0)
        return ledger_write(cli->root, changes->runtime, old, err);
    return ledger_remove(cli->root, changes->runtime, ledger, err);
}

/* Each file atomically; a failure takes back those that were made. */
static bool make_changes(const struct cli *cli, const struct changes *changes, const struct ledger *ledger,
                         const struct ledger *old, struct error *err)
{
    struct error second = ERROR_INIT;
    size_t made = 0;
    /* First what leads back, then the changes: an interruption leaves a node that disable can restore. */
    bool done = ledger_write(cli->root, changes->runtime, ledger, err) && make_parents(cli->root, ledger, err);

    while (done && made < changes->count) {
        const struct change *change = &changes->items[made];

        done = file_state_same(&change->before, &change->wanted) ||
               change_apply(cli->root, change->path, &change->wanted, err);
        made += done;
    }
    if (done)
        return shared_announce(cli->root, ledger, changes, err);
    if (roll_back(cli, changes, made, ledger, old, &second))
        return error_wrap(err, "nothing was changed");
    return error_wrap(err, "interrupted; \"pullguard disable %s\" undoes what was done", changes->runtime);
}

static bool apply_all(const struct cli *cli, const struct changes *changes, struct error *err)
{
    CLEANUP(ledger_done) struct ledger ledger = { 0 };
    CLEANUP(ledger_done) struct ledger old = { 0 };

    if (!ledger_read(cli->root, changes->runtime, &ledger, err) ||
        !ledger_read(cli->root, changes->runtime, &old, err) || !shared_adopt(cli->root, &ledger, changes, err) ||
        !ledger_merge(&ledger, changes, err))
        return false;
    for (size_t i = 0; i < changes->count; i++) {
        change_sweep(cli->root, changes->items[i].path);
        if (!note_parents(cli->root, changes->items[i].path, &ledger, err))
            return false;
    }
    return make_changes(cli, changes, &ledger, &old, err);
}

static int repair_run(const struct cli *cli, const struct runtime *runtime)
{
    struct error err = ERROR_INIT;
    bool repaired;

    if (runtime->plan != plan_crun) {
        say_error(cli, "--repair is for crun: nothing of %s's is loaded into another program", runtime->name);
        return EXIT_UNDECIDED;
    }
    if (!repair_crun(cli, &repaired, &err))
        return say_failed(cli, &err);
    puts(repaired ? "crun's handler was damaged; its second copy is in its place. Look for what damaged it."
                  : "crun's handler can be loaded: nothing to repair.");
    return EXIT_YES;
}

static int enable_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct enable_values *values = values_;
    const struct runtime *runtime = wanted_runtime(cli, args->items[0]);
    CLEANUP(changes_done) struct changes changes = { .root = cli->root };
    struct error err = ERROR_INIT;
    size_t different;

    if (runtime == NULL)
        return EXIT_UNDECIDED;
    if (values->repair)
        return repair_run(cli, runtime);
    changes.runtime = runtime->name;
    if ((values->restart && !restart_possible(cli, &err)) || !runtime->plan(cli, &changes, &err) ||
        !changes_compare(&changes, &different, &err))
        return say_failed(cli, &err);
    if (different == 0) {
        printf("%s is enabled already: nothing to change.\n", runtime->name);
        doctor_obstacles(cli, runtime->name);
        return !values->restart || enable_restart(runtime, &err) ? EXIT_YES : say_failed(cli, &err);
    }
    changes_print(cli, &changes);
    if (runtime->plan != plan_podman) /* which runs no pods */
        doctor_lockout(cli);
    if (values->dry_run)
        return EXIT_NO;
    if (!agreed(cli, values))
        return EXIT_UNDECIDED;
    if (!apply_all(cli, &changes, &err))
        return say_failed(cli, &err);
    if (values->restart && !enable_restart(runtime, &err))
        return say_failed(cli, &err);
    printf("%s is enabled. Next: %s\n", runtime->name,
           values->restart ? "\"pullguard doctor --canary\"" : runtime->after_enable);
    doctor_obstacles(cli, runtime->name);
    return EXIT_YES;
}

/* What somebody changed after us is not thrown away unasked. */
static bool check_intact(const struct cli *cli, struct ledger *ledger, struct error *err)
{
    for (size_t i = 0; i < ledger->count; i++) {
        enum entry_state state;

        if (!ledger_entry_state(cli->root, &ledger->entries[i], &state, err))
            return false;
        if (state == ENTRY_CHANGED)
            return error_set(err, REASON_IO,
                             "%s was changed since it was enabled; nothing was restored. Look at it, then use "
                             "--force",
                             ledger->entries[i].path);
    }
    return true;
}

/* Entries that another runtime still needs are left to it. ret_heir: that runtime; NULL = there is none. */
static bool drop_shared(const struct cli *cli, const struct runtime *runtime, struct ledger *ledger,
                        const char **ret_heir, struct error *err)
{
    *ret_heir = NULL;
    for (size_t i = ledger->count; i-- > 0;) {
        const char *other;

        if (!shared_with(cli->root, runtime->name, ledger->entries[i].path, &other, err))
            return false;
        if (other == NULL)
            continue;
        *ret_heir = other;
        printf("%s stays: %s needs it.\n", ledger->entries[i].path, other);
        ledger_drop(ledger, i);
    }
    return true;
}

static bool show_restore(const struct cli *cli, const struct ledger *ledger, struct error *err)
{
    for (size_t i = ledger->count; i-- > 0;) {
        CLEANUP(mem_freep) char *full = path_under(cli->root, ledger->entries[i].path);
        CLEANUP(file_state_done) struct file_state now = { 0 };

        if (full == NULL)
            return error_oom(err);
        if (!file_state_read(full, &now, err))
            return false;
        if (!file_state_same(&now, &ledger->entries[i].before))
            diff_print(cli, ledger->entries[i].path, &now, &ledger->entries[i].before);
    }
    return true;
}

static int disable_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct enable_values *values = values_;
    const struct runtime *runtime = wanted_runtime(cli, args->items[0]);
    CLEANUP(ledger_done) struct ledger ledger = { 0 };
    struct error err = ERROR_INIT;
    const char *heir;

    if (runtime == NULL)
        return EXIT_UNDECIDED;
    if ((values->restart && !restart_possible(cli, &err)) || !ledger_read(cli->root, runtime->name, &ledger, &err))
        goto failed;
    if (ledger.count == 0) {
        printf("%s is not enabled: nothing to restore.\n", runtime->name);
        return EXIT_YES;
    }
    if ((!values->force && !check_intact(cli, &ledger, &err)) ||
        !drop_shared(cli, runtime, &ledger, &heir, &err) || !show_restore(cli, &ledger, &err))
        goto failed;
    if (values->dry_run)
        return EXIT_NO;
    if (!agreed(cli, values))
        return EXIT_UNDECIDED;
    if (heir != NULL && !shared_hand_over(cli->root, &ledger, heir, &err))
        goto failed;
    for (size_t i = ledger.count; i-- > 0;) {
        change_sweep(cli->root, ledger.entries[i].path);
        if (!restore_state(cli->root, ledger.entries[i].path, &ledger.entries[i].before, &err))
            goto failed;
    }
    if (!ledger_remove(cli->root, runtime->name, &ledger, &err))
        goto failed;
    if (values->restart && !disable_restart(cli, runtime, &err))
        goto failed;
    printf("%s is disabled: every file is as it was.%s%s\n", runtime->name, values->restart ? "" : " Next: ",
           values->restart ? "" : runtime->after_disable);
    return EXIT_YES;

failed:
    return say_failed(cli, &err);
}

static const char *entry_status(const struct cli *cli, const struct ledger_entry *entry)
{
    static const char *const names[] = { [ENTRY_IN_PLACE] = "in place", [ENTRY_AS_BEFORE] = "as before",
                                         [ENTRY_CHANGED] = "changed" };
    struct error err = ERROR_INIT;
    enum entry_state state;

    return ledger_entry_state(cli->root, entry, &state, &err) ? names[state] : "unreadable";
}

/* enabled = every file as written; partly = some are not; disabled = no ledger. */
static const char *runtime_status(const struct cli *cli, const struct runtime *runtime, struct ledger *ledger,
                                  struct error *err)
{
    if (!ledger_read(cli->root, runtime->name, ledger, err))
        return NULL;
    if (ledger->count == 0)
        return "disabled";
    for (size_t i = 0; i < ledger->count; i++)
        if (strcmp(entry_status(cli, &ledger->entries[i]), "in place") != 0)
            return "partly";
    return "enabled";
}

static void print_status(const struct cli *cli, const struct runtime *runtime, const char *status,
                         const struct ledger *ledger)
{
    printf("%-11s ", runtime->name);
    say_coloured(cli,
                 strcmp(status, "enabled") == 0  ? COLOUR_GOOD
                 : strcmp(status, "partly") == 0 ? COLOUR_BAD
                                                 : COLOUR_DIM,
                 status);
    fputc('\n', stdout);
    for (size_t i = 0; i < ledger->count; i++)
        printf("  %-9s %s\n", entry_status(cli, &ledger->entries[i]), ledger->entries[i].path);
}

static void put_status(const struct cli *cli, struct json_out *out, const struct runtime *runtime, const char *status,
                       const struct ledger *ledger)
{
    json_open_map(out, NULL);
    json_put_str(out, "runtime", runtime->name);
    json_put_str(out, "status", status);
    json_open_list(out, "files");
    for (size_t i = 0; i < ledger->count; i++) {
        json_open_map(out, NULL);
        json_put_str(out, "path", ledger->entries[i].path);
        json_put_str(out, "state", entry_status(cli, &ledger->entries[i]));
        json_close_map(out);
    }
    json_close_list(out);
    json_close_map(out);
}

static int status_run(const struct cli *cli, const void *values_ UNUSED, const struct text_list *args)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(1 << 20);
    struct json_out out = json_out_to(&json);
    int code = EXIT_YES;

    if (args->count > 0 && wanted_runtime(cli, args->items[0]) == NULL)
        return EXIT_UNDECIDED;
    json_open_list(&out, NULL);
    for (size_t i = 0; i < runtime_count; i++) {
        CLEANUP(ledger_done) struct ledger ledger = { 0 };
        struct error err = ERROR_INIT;
        const char *status;

        if (args->count > 0 && strcmp(args->items[0], runtimes[i]->name) != 0)
            continue;
        status = runtime_status(cli, runtimes[i], &ledger, &err);
        if (status == NULL)
            return say_failed(cli, &err);
        if (strcmp(status, "partly") == 0 || (args->count > 0 && strcmp(status, "disabled") == 0))
            code = EXIT_NO;
        if (cli->json)
            put_status(cli, &out, runtimes[i], status, &ledger);
        else
            print_status(cli, runtimes[i], status, &ledger);
    }
    json_close_list(&out);
    if (cli->json && !say_json(cli, &json))
        return EXIT_UNDECIDED;
    return code;
}

#define ENABLE_OPTION(name, letter, member, help) \
    { name, letter, OPTION_FLAG, NULL, offsetof(struct enable_values, member), help }

static const struct option_spec enable_options[] = {
    ENABLE_OPTION("yes", 'y', yes, "do not ask"),
    ENABLE_OPTION("dry-run", 'n', dry_run, "show what would change, and change nothing"),
    ENABLE_OPTION("restart", 0, restart, "start and restart the units that it needs, now"),
    ENABLE_OPTION("repair", 0, repair, "crun: put a damaged handler's second copy in its place"),
};
static const struct option_spec disable_options[] = {
    ENABLE_OPTION("yes", 'y', yes, "do not ask"),
    ENABLE_OPTION("dry-run", 'n', dry_run, "show what would change, and change nothing"),
    ENABLE_OPTION("force", 0, force, "restore even files that were changed since"),
    ENABLE_OPTION("restart", 0, restart, "restart the units that it concerns, and stop those nobody needs"),
};

const struct command command_enable = {
    .name = "enable",
    .usage = "[options] containerd|crio|podman|oci-hook|crun|nri",
    .summary = "switch verification on for a runtime or a start gate",
    .details = "Writes the files that make a runtime ask pullguard: drop-ins only, shown as a diff first. What was "
               "there is kept,\n"
               "and \"disable\" gives it back byte for byte. Running it again changes nothing. Restarts nothing.\n\n"
               "Exit status: 0 enabled, 1 --dry-run and something would change, 2 not done.",
    OPTIONS(enable_options, struct enable_values),
    .min_args = 1,
    .max_args = 1,
    .run = enable_run,
};

const struct command command_disable = {
    .name = "disable",
    .usage = "[options] containerd|crio|podman|oci-hook|crun|nri",
    .summary = "switch verification off and restore what was there",
    .details = "Gives back, byte for byte, every file that \"enable\" changed, and removes what it added. A file that "
               "was changed\n"
               "since is not touched without --force.\n\n"
               "Exit status: 0 disabled, 1 --dry-run and something would change, 2 not done.",
    OPTIONS(disable_options, struct enable_values),
    .min_args = 1,
    .max_args = 1,
    .run = disable_run,
};

const struct command command_status = {
    .name = "status",
    .usage = "[containerd|crio|podman|oci-hook|crun|nri]",
    .summary = "show which runtimes are switched on, and whether their files are still as written",
    .details = "Shows which runtimes were switched on with \"enable\" and whether the files are still as written. "
               "Whether the\n"
               "runtime really asks is for \"pullguard doctor\" to say.\n\n"
               "Exit status: 0 in order, 1 a file was changed (or the named runtime is off), 2 could not tell.",
    .min_args = 0,
    .max_args = 1,
    .run = status_run,
};
