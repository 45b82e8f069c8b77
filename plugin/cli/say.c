/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/say.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/encode.h"

void say_error(const struct cli *cli, const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fputs(cli->colour_err ? "\033[31mpullguard" : "pullguard", stderr);
    if (cli->command != NULL)
        fprintf(stderr, " %s", cli->command);
    fputs(cli->colour_err ? ":\033[0m " : ": ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

int say_failed(const struct cli *cli, const struct error *err)
{
    say_error(cli, "%s", err->text);
    return EXIT_UNDECIDED;
}

void say_hint(const struct cli *cli UNUSED, const char *format, ...)
{
    va_list arguments;

    fputs("  ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void say_coloured(const struct cli *cli, enum colour colour, const char *text)
{
    static const char *const codes[] = {
        [COLOUR_GOOD] = "32", [COLOUR_WARN] = "33", [COLOUR_BAD] = "31", [COLOUR_DIM] = "2", [COLOUR_BOLD] = "1",
    };

    if (cli->colour)
        printf("\033[%sm%s\033[0m", codes[colour], text);
    else
        fputs(text, stdout);
}

void say_clean(FILE *out, struct span text, size_t max)
{
    CLEANUP(buf_free) struct buf clean = BUF_INIT(max + 8);

    text_sanitize(text, max, &clean);
    if (buf_ok(&clean))
        fputs(buf_cstr(&clean), out);
}

bool say_json(const struct cli *cli, const struct buf *json)
{
    if (!buf_ok(json)) {
        say_error(cli, "the answer does not fit into memory");
        return false;
    }
    fwrite(json->ptr, 1, json->len, stdout);
    fputc('\n', stdout);
    return true;
}
