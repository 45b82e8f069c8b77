/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard: finds the sub-command, reads its options, runs it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/tree.h"
#include "config.h"
#include "crypto/init.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/say.h"

const struct command *const cli_commands[] = {
    &command_check,
    &command_doctor,
    &command_policy_lint,
    &command_policy_explain,
    &command_policy_convert,
    &command_enable,
    &command_disable,
    &command_status,
    &command_verify,
    &command_verify_attestation,
    &command_verify_blob,
    &command_verify_blob_attestation,
    &command_verify_bundle,
    &command_collect,
    &command_tree,
    &command_download_signature,
    &command_download_attestation,
    &command_download_sbom,
    &command_replay,
    &command_trust_init,
    &command_trust_update,
    &command_trust_import,
    &command_trust_show,
    &command_audit_verify,
    &command_cache_list,
    &command_cache_renew,
    &command_cache_clear,
    &command_generate_key_pair,
    &command_import_key_pair,
    &command_public_key,
    &command_node_key_show,
    &command_node_key_rotate,
    &command_version,
};
const size_t cli_command_count = ARRAY_LEN(cli_commands);

/* Programs may be started with 0, 1 or 2 closed: a file opened later must not become somebody's standard output. */
static void hold_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR | O_NOCTTY) != fd)
            _exit(EXIT_UNDECIDED);
}

static bool terminal_has_colours(int fd)
{
    const char *term = secure_getenv("TERM");

    return isatty(fd) == 1 && secure_getenv("NO_COLOR") == NULL && term != NULL && strcmp(term, "dumb") != 0;
}

/* "policy lint" needs two words, "verify" one; the longest name that fits counts. */
static const struct command *find_command(char *const *words, size_t count, size_t *ret_used)
{
    for (size_t used = count < 2 ? count : 2; used > 0; used--) {
        for (size_t i = 0; i < cli_command_count; i++) {
            const char *name = cli_commands[i]->name;
            const char *space = strchr(name, ' ');
            bool same;

            if (used == 1)
                same = space == NULL && strcmp(name, words[0]) == 0;
            else
                same = space != NULL && strncmp(name, words[0], (size_t)(space - name)) == 0 &&
                       words[0][space - name] == '\0' && strcmp(space + 1, words[1]) == 0;
            if (!same)
                continue;
            *ret_used = used;
            return cli_commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const struct cli *cli, const char *word)
{
    const char *known[64];
    size_t count = 0;
    char shown[80];
    const char *near;

    if (help_group(stderr, word))
        return EXIT_UNDECIDED;
    for (size_t i = 0; i < cli_command_count && count < ARRAY_LEN(known); i++)
        known[count++] = cli_commands[i]->name;
    near = name_nearest(span_str(word), known, count);
    text_clean(span_str(word), shown, sizeof(shown));
    if (near != NULL)
        say_error(cli, "unknown command %s; did you mean \"%s\"?", shown, near);
    else
        say_error(cli, "unknown command %s; \"pullguard --help\" lists them", shown);
    return EXIT_UNDECIDED;
}

static int run_command(struct cli *cli, const struct command *command, int argc, char *const *argv)
{
    CLEANUP(text_list_done) struct text_list args = { 0 };
    CLEANUP(mem_freep) void *values = mem_new(1, command->values_size + 1);
    struct error err = ERROR_INIT;
    int code;

    cli->command = command->name;
    if (values == NULL) {
        say_error(cli, "out of memory");
        return EXIT_UNDECIDED;
    }
    if (!options_parse(command, cli, values, argc, argv, &args, &err)) {
        say_error(cli, "%s", err.text);
        say_hint(cli, "\"pullguard %s --help\" shows what it takes", command->name);
        code = EXIT_UNDECIDED;
    } else if (cli->help) {
        help_command(stdout, command);
        code = EXIT_YES;
    } else if (cli->version) {
        printf("pullguard %s\n", PG_VERSION);
        code = EXIT_YES;
    } else if (!crypto_init(&err)) {
        say_error(cli, "%s", err.text);
        code = EXIT_UNDECIDED;
    } else {
        code = command->run(cli, values, &args);
    }
    options_done(command, values);
    return code;
}

/* Options before the command: only the common ones. Returns the index of the first word. */
static int leading_options(struct cli *cli, int argc, char *const *argv, struct error *err)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        CLEANUP(text_list_done) struct text_list none = { 0 };
        int words = strcmp(argv[at], "--root") == 0 ? 2 : 1;

        if (words > argc - at)
            words = argc - at;
        if (!options_parse(NULL, cli, NULL, words, argv + at, &none, err))
            return -1;
        at += words;
    }
    return at;
}

static int dispatch(struct cli *cli, int argc, char *const *argv)
{
    struct error err = ERROR_INIT;
    const struct command *command;
    size_t used = 0;
    int at = leading_options(cli, argc, argv, &err);

    if (at < 0)
        return say_failed(cli, &err);
    if (at == argc && cli->version) {
        printf("pullguard %s\n", PG_VERSION);
        return EXIT_YES;
    }
    if (at == argc) {
        help_program(cli->help ? stdout : stderr);
        return cli->help ? EXIT_YES : EXIT_UNDECIDED;
    }
    if (strcmp(argv[at], "help") == 0) {
        cli->help = true;
        if (++at == argc) {
            help_program(stdout);
            return EXIT_YES;
        }
    }
    command = find_command(argv + at, (size_t)(argc - at), &used);
    if (command == NULL)
        return unknown_command(cli, argv[at]);
    return run_command(cli, command, argc - at - (int)used, argv + at + used);
}

int main(int argc, char **argv)
{
    struct cli cli = { .root = "", .command = NULL };
    int code;

    hold_standard_descriptors();
    cli.colour = terminal_has_colours(STDOUT_FILENO);
    cli.colour_err = terminal_has_colours(STDERR_FILENO);
    code = dispatch(&cli, argc, argv);
    /* An answer that did not get out is no answer. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        say_error(&cli, "standard output: %s", strerror(errno));
        return EXIT_UNDECIDED;
    }
    return code;
}
