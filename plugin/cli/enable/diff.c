/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Differences line by line, for people. What two long files do not share at their beginning and end is shown as
 * replaced; nothing is left out.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/cli/enable/change.h"
#include "plugin/cli/say.h"

enum { TABLE_MAX = 2 * 1024 * 1024, LINE_SHOWN_BYTES = 2000 };

/* Each with its end of line, which the last one may lack. */
struct lines {
    struct span *items;
    size_t count;
};

static struct lines split(struct span text)
{
    struct lines lines = { NULL, 0 };
    size_t count = 1;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    lines.items = mem_new(count, sizeof(*lines.items));
    while (lines.items != NULL && text.len > 0) {
        size_t end = span_find_byte(text, '\n');

        lines.items[lines.count++] = span_cut(text, 0, end == SIZE_MAX ? end : end + 1);
        text = end == SIZE_MAX ? span_str("") : span_cut(text, end + 1, SIZE_MAX);
    }
    return lines;
}

static void print_line(const struct cli *cli, char mark, struct span line)
{
    const char *colour = mark == '+' ? "\033[32m" : mark == '-' ? "\033[31m" : "";
    bool ends = span_ends(line, "\n");

    printf("%s%c", cli->colour ? colour : "", mark);
    say_clean(stdout, span_cut(line, 0, line.len - ends), LINE_SHOWN_BYTES);
    puts(cli->colour && mark != ' ' ? "\033[0m" : "");
    if (!ends)
        puts("\\ no end of line here");
}

/* common[i * width + j] = length of the longest common subsequence of a[i..] and b[j..]; NULL for files too long. */
static uint16_t *common_table(const struct lines *a, const struct lines *b)
{
    size_t width = b->count + 1;
    uint16_t *common;

    if (a->count >= UINT16_MAX || b->count >= UINT16_MAX || (a->count + 1) * width > TABLE_MAX)
        return NULL;
    common = mem_new((a->count + 1) * width, sizeof(*common));
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

static void print_all(const struct cli *cli, char mark, const struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        print_line(cli, mark, lines->items[i]);
}

static void print_middle(const struct cli *cli, const struct lines *a, const struct lines *b)
{
    CLEANUP(mem_freep) uint16_t *common = common_table(a, b);
    size_t width = b->count + 1, i = 0, j = 0;

    if (common == NULL) {
        print_all(cli, '-', a);
        print_all(cli, '+', b);
        return;
    }
    while (i < a->count || j < b->count) {
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

static void print_lines(const struct cli *cli, const struct lines *a, const struct lines *b)
{
    size_t shorter = a->count < b->count ? a->count : b->count, head = 0, tail = 0;
    struct lines before, after, rest;

    while (head < shorter && span_eq(a->items[head], b->items[head]))
        head++;
    while (tail < shorter - head && span_eq(a->items[a->count - 1 - tail], b->items[b->count - 1 - tail]))
        tail++;
    before = (struct lines){ a->items + head, a->count - head - tail };
    after = (struct lines){ b->items + head, b->count - head - tail };
    rest = (struct lines){ a->items + a->count - tail, tail };
    print_all(cli, ' ', &(struct lines){ a->items, head });
    print_middle(cli, &before, &after);
    print_all(cli, ' ', &rest);
}

/* A link's target is one whole line. */
static struct lines lines_of(const struct file_state *state, struct buf *target)
{
    if (state->kind != FILE_LINK)
        return split(buf_as_span(&state->content));
    buf_span(target, buf_as_span(&state->content));
    buf_byte(target, '\n');
    return split(buf_as_span(target));
}

void diff_print(const struct cli *cli, const char *path, const struct file_state *before,
                const struct file_state *after)
{
    CLEANUP(buf_free) struct buf old_target = BUF_INIT(CHANGE_FILE_MAX_BYTES);
    CLEANUP(buf_free) struct buf new_target = BUF_INIT(CHANGE_FILE_MAX_BYTES);
    struct lines a = lines_of(before, &old_target), b = lines_of(after, &new_target);

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
