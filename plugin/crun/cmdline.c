/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crun/cmdline.h"

#include <string.h>

/* crun parses with argp: long options may be shortened and take "=value" or the next word. */
struct option {
    const char *name;
    char letter; /* 0 = none */
    bool takes_value;
};

static const struct option global_options[] = {
    {"debug", 0, false},         {"systemd-cgroup", 0, false}, {"cgroup-manager", 0, true}, {"log", 0, true},
    {"log-format", 0, true},     {"log-level", 0, true},       {"root", 0, true},           {"rootless", 0, true},
    {"version", 'V', false},     {"help", '?', false},         {"usage", 0, false},
};

static const struct option start_options[] = {
    {"bundle", 'b', true},         {"config", 'f', true},          {"console-socket", 0, true},
    {"preserve-fds", 0, true},     {"pid-file", 0, true},          {"no-subreaper", 0, false},
    {"no-new-keyring", 0, false},  {"no-pivot", 0, false},         {"detach", 'd', false},
    {"keep", 0, false},            {"help", '?', false},           {"usage", 0, false},
    {"version", 'V', false},       {"image-path", 0, true},        {"work-path", 0, true},
    {"tcp-established", 0, false}, {"ext-unix-sk", 0, false},      {"shell-job", 0, false},
    {"file-locks", 0, false},      {"manage-cgroups-mode", 0, true}, {"lsm-profile", 0, true},
    {"lsm-mount-context", 0, true}, {"parent-path", 0, true},      {"pre-dump", 0, false},
};

struct words {
    struct span rest;
};

/* The next NUL-terminated word, NULL at the end. The kernel ends the last word with NUL; anything else is not a word.
 */
static const char *next_word(struct words *words)
{
    size_t end = span_find_byte(words->rest, 0);
    const char *word = (const char *)words->rest.ptr;

    if (end == SIZE_MAX)
        return NULL;
    words->rest = span_cut(words->rest, end + 1, SIZE_MAX);
    return word;
}

/* argp's rule for long names: exact, or a prefix of exactly one. */
static const struct option *find_long(const struct option *table, size_t count, const char *name, size_t len)
{
    const struct option *found = NULL;

    for (size_t i = 0; i < count; i++) {
        if (strncmp(table[i].name, name, len) != 0)
            continue;
        if (table[i].name[len] == '\0')
            return &table[i];
        if (found)
            return NULL;
        found = &table[i];
    }
    return found;
}

static const struct option *find_letter(const struct option *table, size_t count, char letter)
{
    for (size_t i = 0; i < count; i++)
        if (letter && table[i].letter == letter)
            return &table[i];
    return NULL;
}

/* One option word; *ret_value is its value (from this word or the next) or NULL. NULL = not understood. */
static const struct option *read_option(const struct option *table, size_t count, const char *word,
                                        struct words *words, const char **ret_value)
{
    const struct option *option;
    const char *value;

    if (word[1] == '-') {
        const char *name = word + 2;
        size_t len = strcspn(name, "=");

        option = find_long(table, count, name, len);
        value = name[len] == '=' ? name + len + 1 : NULL;
    } else {
        option = find_letter(table, count, word[1]);
        value = word[1] && word[2] ? word + 2 : NULL;
    }
    if (!option || (value && !option->takes_value))
        return NULL;
    if (option->takes_value && !value)
        value = next_word(words);
    *ret_value = value;
    return option->takes_value && !value ? NULL : option;
}

static enum crun_command command_of(const char *word)
{
    if (strcmp(word, "create") == 0)
        return CRUN_CREATE;
    if (strcmp(word, "run") == 0)
        return CRUN_RUN;
    if (strcmp(word, "restore") == 0)
        return CRUN_RESTORE;
    return CRUN_OTHER;
}

/*
 * The command is the first word that is no option. An option we do not know may or may not take a value, so the safe
 * reading is: if any later word is a starting command, a container may be about to start.
 */
static enum crun_command find_command(struct words *words)
{
    const char *word, *value = NULL;
    bool lost = false;

    while ((word = next_word(words))) {
        if (lost && command_of(word) != CRUN_OTHER)
            return command_of(word);
        if (lost)
            continue;
        if (word[0] != '-')
            return command_of(word);
        lost = !read_option(global_options, ARRAY_LEN(global_options), word, words, &value);
    }
    return CRUN_OTHER;
}

static bool read_start_word(const char *word, struct words *words, struct crun_call *call, struct error *err)
{
    const struct option *option;
    const char *value = NULL;

    if (word[0] != '-' || !word[1]) {
        if (call->id)
            return error_set(err, REASON_BAD_REQUEST, "crun was given two container ids");
        call->id = word;
        return true;
    }
    option = read_option(start_options, ARRAY_LEN(start_options), word, words, &value);
    if (!option)
        return error_set(err, REASON_BAD_REQUEST, "an option of crun is not understood: %.40s", word);
    if (strcmp(option->name, "bundle") == 0)
        call->bundle = value;
    else if (strcmp(option->name, "config") == 0)
        call->config = value;
    return true;
}

bool crun_call_parse(struct span args, struct crun_call *ret, struct error *err)
{
    struct words words = {.rest = args};
    struct crun_call call = {.command = CRUN_OTHER};
    const char *word;

    (void)next_word(&words); /* the program's own name */
    call.command = find_command(&words);
    if (call.command == CRUN_OTHER) {
        *ret = call;
        return true;
    }
    ret->command = call.command; /* the caller must know that a start was refused, not another command */
    while ((word = next_word(&words)))
        if (!read_start_word(word, &words, &call, err))
            return false;
    if (!call.id)
        return error_set(err, REASON_BAD_REQUEST, "crun was given no container id");
    *ret = call;
    return true;
}
