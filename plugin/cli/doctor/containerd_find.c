/* SPDX-License-Identifier: Apache-2.0 */
/* Which containerd is it: program, process, configuration, version. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "plugin/cli/doctor/containerd.h"

enum { VERSION_TIMEOUT_MS = 5000, CMDLINE_BYTES = 8192 };

static const char default_config[] = "/etc/containerd/config.toml";

/* Reads a small file of /proc into dst; bytes read, 0 on failure. */
static size_t read_proc(const char *path, char *dst, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t got;

    if (file == NULL)
        return 0;
    got = fread(dst, 1, size - 1, file);
    fclose(file);
    dst[got] = '\0';
    return got;
}

/* The value of -c or --config among the NUL-separated arguments. */
static void config_from_arguments(const char *arguments, size_t len, char *dst, size_t size)
{
    bool next = false;

    for (size_t at = 0; at < len; at += strlen(arguments + at) + 1) {
        const char *word = arguments + at;

        if (next || strncmp(word, "--config=", 9) == 0 || strncmp(word, "-c=", 3) == 0) {
            const char *value = next ? word : strchr(word, '=') + 1;

            if (strlen(value) < size)
                snprintf(dst, size, "%s", value);
            return;
        }
        next = strcmp(word, "--config") == 0 || strcmp(word, "-c") == 0;
    }
}

static bool is_number(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* The first process called containerd that is not ours to ignore; fills pid, program and configuration. */
static void find_process(struct containerd *ret)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    static char arguments[CMDLINE_BYTES];

    while (proc != NULL && ret->pid == 0 && (entry = readdir(proc)) != NULL) {
        char path[300], name[64];
        uint64_t pid;
        ssize_t len;

        if (!is_number(entry->d_name) || !span_to_u64(span_str(entry->d_name), INT32_MAX, &pid))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        if (read_proc(path, name, sizeof(name)) == 0 || strcmp(name, "containerd\n") != 0)
            continue;
        snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
        len = readlink(path, ret->program, sizeof(ret->program) - 1);
        ret->program[len > 0 ? len : 0] = '\0';
        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        config_from_arguments(arguments, read_proc(path, arguments, sizeof(arguments)), ret->config,
                              sizeof(ret->config));
        ret->pid = (int)pid;
    }
    if (proc != NULL)
        closedir(proc);
}

static void find_program(struct doctor *doctor, struct containerd *ret)
{
    static const char *const places[] = {"/usr/bin/containerd", "/usr/local/bin/containerd",
                                         "/opt/containerd/bin/containerd"};

    if (doctor->values->containerd != NULL) {
        snprintf(ret->program, sizeof(ret->program), "%s", doctor->values->containerd);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(places) && ret->program[0] == '\0'; i++) {
        CLEANUP(mem_freep) char *path = doctor_path(doctor, places[i]);

        if (path != NULL && access(path, X_OK) == 0)
            snprintf(ret->program, sizeof(ret->program), "%s", path);
    }
}

/* "containerd github.com/containerd/containerd/v2 v2.1.9 1c4457e0": the first word that looks like a version. */
static void parse_version(const char *text, struct containerd *ret)
{
    const char *word = text;

    while (*word != '\0') {
        size_t len = strcspn(word, " \n\t");
        const char *digits = *word == 'v' ? word + 1 : word;
        unsigned int major = 0, minor = 0;
        int used = 0;

        if (isdigit((unsigned char)*digits) && sscanf(digits, "%3u.%3u%n", &major, &minor, &used) == 2) {
            text_clean(span_of(digits, len - (size_t)(digits - word)), ret->version, sizeof(ret->version));
            ret->major = major;
            ret->minor = minor;
            return;
        }
        word += len;
        word += strspn(word, " \n\t");
    }
}

/* Only programs of this root are run, and only what root owns when root runs them. */
static void find_version(struct doctor *doctor, struct containerd *ret)
{
    char argument_name[] = "containerd", argument_version[] = "--version";
    char *const argv[] = { argument_name, argument_version, NULL };
    char text[4096];
    struct error err = ERROR_INIT;
    int status;

    if (ret->program[0] == '\0' || (doctor->cli->root[0] != '\0' && doctor->values->containerd == NULL))
        return;
    if (!file_check_trusted(ret->program, &err)) {
        doctor_add(doctor, CHECK_WARN, "containerd.program",
                   "whoever can change the program can switch verification off",
                   "let root own it and nobody else write it", "%s", err.text);
        return;
    }
    if (doctor_run(ret->program, argv, VERSION_TIMEOUT_MS, DOCTOR_RUN_OUTPUT, text, sizeof(text), &status, &err))
        parse_version(text, ret);
}

static void load_config(struct doctor *doctor, struct containerd *ret)
{
    struct error err = ERROR_INIT;

    if (toml_view_load(doctor->cli->root, ret->config, &ret->view, &err)) {
        ret->config_read = true;
        ret->found = true;
        doctor_add(doctor, CHECK_OK, "containerd.config", NULL, NULL, "%s and %zu imported file%s", ret->config,
                   ret->view.count - 1, ret->view.count == 2 ? "" : "s");
        return;
    }
    ret->config_missing = err.reason == REASON_NOT_FOUND && access(ret->config, F_OK) != 0;
    if (ret->config_missing && ret->found)
        doctor_add(doctor, CHECK_OK, "containerd.config", NULL, NULL,
                   "%s does not exist: containerd runs on its defaults", ret->config);
    else if (!ret->config_missing)
        doctor_add(doctor, CHECK_FAIL, "containerd.config", "what containerd would do cannot be told",
                   "correct the file; \"containerd config dump\" shows what containerd makes of it", "%s", err.text);
    ret->found = ret->found || !ret->config_missing;
}

void containerd_find(struct doctor *doctor, struct containerd *ret)
{
    if (doctor->cli->root[0] == '\0' && doctor->values->containerd_config == NULL)
        find_process(ret);
    find_program(doctor, ret);
    ret->found = ret->program[0] != '\0';
    if (doctor->values->containerd_config != NULL) {
        snprintf(ret->config, sizeof(ret->config), "%s", doctor->values->containerd_config);
    } else if (ret->config[0] == '\0') {
        CLEANUP(mem_freep) char *path = doctor_path(doctor, default_config);

        snprintf(ret->config, sizeof(ret->config), "%s", path != NULL ? path : "");
    }
    find_version(doctor, ret);
    load_config(doctor, ret);
}
