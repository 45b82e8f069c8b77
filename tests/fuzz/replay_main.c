/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in for libFuzzer where there is none: runs a target over the files (and the files of the directories)
 * named, each in a block of its exact size, and says how many there were. A target that finds a fault aborts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_BYTES = 16 * 1024 * 1024 };

/* Over the input, and over some of its beginnings: what is cut short must not be read past either. */
static void run(struct span input)
{
    size_t step = input.len / 64 + 1;

    for (size_t len = input.len;; len -= step) {
        uint8_t *exact = mem_new(len, 1);

        for (size_t i = 0; exact && i < len; i++)
            exact[i] = input.ptr[i];
        if (len > 0 && !exact)
            abort();
        (void)LLVMFuzzerTestOneInput(exact, len);
        mem_free(exact);
        if (len < step)
            return;
    }
}

static bool run_file(const char *path, size_t *count)
{
    CLEANUP(buf_free) struct buf input = BUF_INIT(0);
    struct error err = ERROR_INIT;

    if (!file_read(path, INPUT_BYTES, FILE_ANY, &input, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return false;
    }
    run(buf_as_span(&input));
    (*count)++;
    return true;
}

static bool run_directory(const char *path, size_t *count)
{
    CLEANUP(names_free) struct names names = {0};
    struct error err = ERROR_INIT;

    if (!dir_list(path, NULL, &names, &err))
        return run_file(path, count);
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *file = path_under(path, names.items[i]);

        if (!file || !run_file(file, count))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++)
        if (!run_directory(argv[i], &count))
            return EXIT_FAILURE;
    (void)printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
