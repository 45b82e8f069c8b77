/* SPDX-License-Identifier: Apache-2.0 */
/* Differences line by line, for people. Files are small; beyond LINES_MAX the whole file is shown as replaced. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/cli/enable/change.h"
#include "plugin/cli/say.h"

enum { LINES_MAX = 1500, LINE_SHOWN_BYTES = 2000 };

struct lines {
    struct span *items;
    size_t count;
};

static struct lines split(struct span text)
{
    struct lines lines = { mem_new(LINES_MAX, sizeof(struct span)), 0 };

    while (lines.items != NULL && text.len > 0 && lines.count < LINES_MAX) {
        size_t end = span_find_byte(text, '\n');

        lines.items[lines.count++] = span_cut(text, 0, end);
        text = end == SIZE_MAX ? span_str("") : span_cut(text, end + 1, SIZE_MAX);
    }
    return lines;
}

static void print_line(const struct cli *cli, char mark, struct span line)
{
    const char *colour = mark == '+' ? "\033[32m" : mark == '-' ? "\033[31m" : "";

    printf("%s%c", cli->colour ? colour : "", mark);
    say_clean(stdout, line, LINE_SHOWN_BYTES);
    puts(cli->colour && mark != ' ' ? "\033[0m" : "");
}

/* common[i * width + j] = length of the longest common subsequence of a[i..] and b[j..]. */
static uint16_t *common_table(const struct lines *a, const struct lines *b)
{
    size_t width = b->count + 1;
    uint16_t *common = mem_new((a->count + 1) * width, sizeof(*common));

    for (size_t i = a->count; common != NULL && i-- > 0;)
        for (size_t j = b->count; j-- > 0;) {
            uint16_t down = common[(i + 1) * width + j], right = common[i * width + j + 1];

            if (span_eq(a->items[i], b->items[j]))
                common[i * width + j] = (uint16_t)(common[(i + 1) * width + j + 1] + 1);
            else
                common[i * width + j] = down > right ? down : right;
        }
    return common;
}

static void print_lines(const struct cli *cli, const struct lines *a, const struct lines *b)
{
    CLEANUP(mem_freep) uint16_t *common = common_table(a, b);
    size_t width = b->count + 1, i = 0, j = 0;

    while (common != NULL && (i < a->count || j < b->count)) {
        if (i < a->count && j < b->count && span_eq(a->items[i], b->items[j])) {
            print_line(cli, ' ', a->items[i++]);
            j++;
        } else if (j == b->count || (i < a->count && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            print_line(cli, '-', a->items[i++]);
        } else {
            print_line(cli, '+', b->items[j++]);
        }
    }
}

void diff_print(const struct cli *cli, const char *path, const struct file_state *before,
                const struct file_state *after)
{
    struct lines a = split(buf_as_span(&before->content)), b = split(buf_as_span(&after->content));

    printf("--- %s%s\n+++ %s%s\n", path,
           before->kind == FILE_ABSENT ? " (absent)"
           : before->kind == FILE_LINK ? " (link)"
                                       : "",
           path,
           after->kind == FILE_ABSENT ? " (absent)"
           : after->kind == FILE_LINK ? " (link)"
                                      : "");
    if (a.items != NULL && b.items != NULL)
        print_lines(cli, &a, &b);
    mem_free(a.items);
    mem_free(b.items);
}

void changes_print(const struct cli *cli, const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->items[i];

        if (!file_state_same(&change->before, &change->wanted))
            diff_print(cli, change->path, &change->before, &change->wanted);
    }
}
