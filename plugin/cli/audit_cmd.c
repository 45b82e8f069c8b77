/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard audit verify: is the chain of the audit log whole? */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/input.h"
#include "plugin/cli/say.h"
#include "plugin/engine/settings.h"
#include "plugin/recorder/audit.h"

enum { AUDIT_FILE_MAX_BYTES = 1024 * 1024 * 1024 };

struct chain {
    struct audit_head head;
    size_t torn;
    bool broken;
    struct error why;
};

/* false: cannot be read. A chain that is broken stays so, whatever follows. */
static bool check_file(const char *path, struct chain *chain, struct error *err)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };

    if (!input_read(path, AUDIT_FILE_MAX_BYTES, &bytes, err))
        return false;
    if (span_starts(buf_as_span(&bytes), "\x1f\x8b"))
        return error_set(err, REASON_UNSUPPORTED, "%s is compressed: unpack it, and name - for standard input", path);
    if (!chain->broken && !audit_verify(buf_as_span(&bytes), &chain->head, &chain->torn, &chain->why)) {
        (void)error_wrap(&chain->why, "%s", path);
        chain->broken = true;
    }
    return true;
}

/* The node's own log: what the settings name, behind the one it continues. */
static bool check_own(const struct cli *cli, struct chain *chain, struct error *err)
{
    CLEANUP(settings_done) struct settings settings = { 0 };
    CLEANUP(mem_freep) char *path = NULL;
    CLEANUP(mem_freep) char *older = NULL;

    if (!settings_load(cli->root, &settings, err))
        return false;
    if (settings.audit[0] == '\0')
        return error_set(err, REASON_NOT_FOUND, "no audit log is kept (settings: audit); name its files");
    path = path_under(cli->root, settings.audit);
    older = path ? mem_printf("%s.1", path) : NULL;
    if (!older)
        return error_oom(err);
    if (access(older, F_OK) == 0 && !check_file(older, chain, err))
        return false;
    return check_file(path, chain, err);
}

static int say_chain(const struct cli *cli, const struct chain *chain)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(4096);
    struct json_out out = json_out_to(&json);
    char when[TIME_TEXT_BYTES];

    if (cli->json) {
        json_open_map(&out, NULL);
        json_put_bool(&out, "whole", !chain->broken);
        json_put_str(&out, "error", chain->broken ? chain->why.text : NULL);
        json_put_int(&out, "last", (int64_t)chain->head.seq);
        json_put_str(&out, "time", chain->head.seq > 0 ? time_format(chain->head.time, when) : NULL);
        json_put_str(&out, "head", chain->head.seq > 0 ? chain->head.hash : NULL);
        json_put_int(&out, "torn", (int64_t)chain->torn);
        json_close_map(&out);
        if (!say_json(cli, &json))
            return EXIT_UNDECIDED;
    } else if (chain->broken) {
        say_error(cli, "%s", chain->why.text);
    } else if (chain->head.seq == 0) {
        printf("The audit log is empty.\n");
    } else {
        printf("The chain is whole up to number %llu of %s.\nhead %s\n", (unsigned long long)chain->head.seq,
               time_format(chain->head.time, when), chain->head.hash);
        if (chain->torn > 0)
            printf("%zu torn line%s in it, of a crash or a full disk.\n", chain->torn, chain->torn == 1 ? "" : "s");
    }
    return chain->broken ? EXIT_NO : EXIT_YES;
}

static int audit_verify_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args)
{
    struct chain chain = { .why = ERROR_INIT };
    struct error err = ERROR_INIT;

    if (args->count == 0 && !check_own(cli, &chain, &err))
        return say_failed(cli, &err);
    for (size_t i = 0; i < args->count; i++)
        if (!check_file(args->items[i], &chain, &err))
            return say_failed(cli, &err);
    return say_chain(cli, &chain);
}

const struct command command_audit_verify = {
    .name = "audit verify",
    .usage = "[FILE...]",
    .summary = "check that no line of the audit log was changed or removed",
    .details = "Follows the chain of the audit log: each line names the hash of the one before it. Files are named\n"
               "oldest first, - is standard input; without any, the node's own log is read, behind the one it goes on\n"
               "from. Whoever may write the files may also write them anew as a whole or cut their end: keep the head\n"
               "that is printed elsewhere, and compare it.\n\n"
               "Exit status: 0 whole, 1 changed, 2 cannot be read.",
    .max_args = ARGS_ANY,
    .run = audit_verify_run,
};
