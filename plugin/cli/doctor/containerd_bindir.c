/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier directory. containerd runs every entry in it, whatever it is, by name, up to max_verifiers; a missing or
 * empty directory means that everything is allowed (containerd.md sections 2 and 5.2).
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/doctor/containerd.h"

#define BINDIR_PLUGIN "io.containerd.image-verifier.v1.bindir"
#define BINDIR_KEY(name) { { "plugins", BINDIR_PLUGIN, name, NULL }, { "plugins", BINDIR_PLUGIN, name, NULL } }

enum { ENTRIES_MAX = 1024, DEFAULT_MAX_VERIFIERS = 10 };

static const char default_bin_dir[] = "/opt/containerd/image-verifier/bin";
static const char verifier_program[] = PG_LIBEXECDIR "/pullguard-containerd";
static const char fix_install[] = "pullguard enable containerd";

static void check_plugin(struct doctor *doctor, const struct containerd *containerd)
{
    static const char *const needed[] = { BINDIR_PLUGIN, "io.containerd.transfer.v1.local",
                                          "io.containerd.service.v1.transfer", NULL };

    for (size_t i = 0; needed[i] != NULL; i++) {
        if (!toml_view_list_has(&containerd->view, "disabled_plugins", needed[i]))
            continue;
        doctor_add(doctor, CHECK_FAIL, "containerd.disabled-plugin",
                   "from containerd 2.3 on nothing is verified then, silently; before, no image can be pulled",
                   "take it out of disabled_plugins", "%s is in disabled_plugins", needed[i]);
        return;
    }
    doctor_add(doctor, CHECK_OK, "containerd.disabled-plugin", NULL, NULL, "the verifier plugin is not switched off");
}

/* Entries as containerd sees them: everything but "." and "..", sorted by bytes. Dot files count. */
static int list_entries(const char *path, struct names *ret)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    int error = count < 0 ? errno : 0;

    for (int i = 0; i < count; i++) {
        if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0 && error == 0 &&
            !names_add(ret, entries[i]->d_name))
            error = ENOMEM;
        free(entries[i]);
    }
    free(entries);
    return error;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Is this entry our program? The link's target is compared as a path below root, so that a node image can be checked.
 */
static bool is_ours(struct doctor *doctor, const char *path)
{
    CLEANUP(mem_freep) char *ours = doctor_path(doctor, verifier_program);
    struct stat a, b;

    return ours != NULL && stat(path, &a) == 0 && stat(ours, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* With --root an absolute link points out of the root; read it as the node would. */
static bool link_is_ours(struct doctor *doctor, const char *path)
{
    char target[PATH_BYTES];
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    CLEANUP(mem_freep) char *inside = NULL;

    if (len <= 0)
        return is_ours(doctor, path);
    target[len] = '\0';
    if (target[0] != '/' || doctor->cli->root[0] == '\0')
        return is_ours(doctor, path);
    inside = doctor_path(doctor, target);
    return inside != NULL && is_ours(doctor, inside);
}

static void check_stray(struct doctor *doctor, const char *directory, const char *name)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, name);
    struct stat status;
    char shown[160];

    if (path == NULL) {
        doctor->out_of_memory = true;
        return;
    }
    text_clean(span_str(name), shown, sizeof(shown));
    if (stat(path, &status) != 0 && doctor->cli->root[0] == '\0')
        doctor_add(doctor, CHECK_FAIL, "containerd.stray", "containerd tries to run it: every pull is blocked",
                   "remove it", "%s/%s is a dangling link", directory, shown);
    else if (!S_ISREG(status.st_mode) || access(path, X_OK) != 0)
        doctor_add(doctor, CHECK_FAIL, "containerd.stray", "containerd tries to run every entry: every pull is blocked",
                   "remove it", "%s/%s is not a program", directory, shown);
    else
        doctor_add(doctor, CHECK_WARN, "containerd.other-verifier",
                   "every verifier in the directory has to agree, and its failures look like ours",
                   "make sure that it belongs there", "%s/%s is another verifier", directory, shown);
}

static int64_t max_verifiers(const struct containerd *containerd)
{
    static const struct toml_key key = BINDIR_KEY("max_verifiers");
    int64_t value;

    if (!node_int(toml_view_get(&containerd->view, &key, NULL), false, &value))
        return DEFAULT_MAX_VERIFIERS;
    return value;
}

static void check_position(struct doctor *doctor, const struct containerd *containerd, const struct names *entries,
                           size_t position)
{
    int64_t max = max_verifiers(containerd);
    char shown[160];

    text_clean(span_str(entries->items[position]), shown, sizeof(shown));
    if (max >= 0 && (int64_t)position >= max)
        doctor_add(doctor, CHECK_FAIL, "containerd.max-verifiers",
                   "containerd runs only the first ones by name and skips the rest: we are skipped",
                   "raise max_verifiers, or remove other entries",
                   "%s is number %zu of %zu entries and max_verifiers is %lld", shown, position + 1, entries->count,
                   (long long)max);
    else
        doctor_add(doctor, CHECK_OK, "containerd.max-verifiers", NULL, NULL,
                   "%s is number %zu of %zu, max_verifiers is %lld", shown, position + 1, entries->count,
                   (long long)max);
}

static void check_entries(struct doctor *doctor, const struct containerd *containerd, const char *directory,
                          struct names *entries)
{
    size_t ours = SIZE_MAX, count = 0;

    qsort(entries->items, entries->count, sizeof(*entries->items), by_bytes);
    for (size_t i = 0; i < entries->count; i++) {
        CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, entries->items[i]);

        if (path != NULL && link_is_ours(doctor, path)) {
            ours = ours == SIZE_MAX ? i : ours;
            count++;
        } else {
            check_stray(doctor, directory, entries->items[i]);
        }
    }
    if (ours == SIZE_MAX) {
        doctor_add(doctor, CHECK_FAIL, "containerd.installed", "pullguard is never asked: images are pulled unverified",
                   fix_install, "no entry of %s leads to %s", directory, verifier_program);
        return;
    }
    doctor_add(doctor, count > 1 ? CHECK_WARN : CHECK_OK, "containerd.installed",
               "each image is verified several times", "keep one link", "%s/%s leads to %s%s", directory,
               entries->items[ours], verifier_program, count > 1 ? ", and there are further links to it" : "");
    check_position(doctor, containerd, entries, ours);
}

static void check_owner(struct doctor *doctor, const char *path)
{
    struct error err = ERROR_INIT;

    if (file_check_trusted(path, &err))
        doctor_add(doctor, CHECK_OK, "containerd.bin-dir-owner", NULL, NULL,
                   "%s belongs to root and others cannot write it", path);
    else
        doctor_add(doctor, CHECK_FAIL, "containerd.bin-dir-owner",
                   "containerd runs as root whatever others put there, and they can remove our link",
                   "chown root and chmod go-w the path named", "%s", err.text);
}

static void check_directory(struct doctor *doctor, const struct containerd *containerd, const char *path)
{
    CLEANUP(names_free) struct names entries = { 0 };
    int error = list_entries(path, &entries);

    if (error == ENOENT)
        doctor_add(doctor, CHECK_FAIL, "containerd.bin-dir",
                   "a missing directory means that containerd allows every image", fix_install, "%s does not exist",
                   path);
    else if (error != 0)
        doctor_add(doctor, CHECK_FAIL, "containerd.bin-dir",
                   "containerd cannot list its verifiers: every pull is blocked",
                   "make it a directory that root can read", "%s: %s", path, strerror(error));
    else if (entries.count == 0)
        doctor_add(doctor, CHECK_FAIL, "containerd.bin-dir",
                   "an empty directory means that containerd allows every image", fix_install, "%s is empty", path);
    if (error != 0 || entries.count == 0)
        return;
    doctor_add(doctor, CHECK_OK, "containerd.bin-dir", NULL, NULL, "%s has %zu entr%s", path, entries.count,
               entries.count == 1 ? "y" : "ies");
    check_owner(doctor, path);
    check_entries(doctor, containerd, path, &entries);
}

/* Ours must be shorter, or the person at the runtime reads "signal: killed" instead of our reason. */
static void check_time(struct doctor *doctor, const struct containerd *containerd)
{
    static const struct toml_key key = BINDIR_KEY("per_verifier_timeout");
    char shown[64];
    const char *text = containerd_text(containerd, &key, "10s", shown, sizeof(shown));
    int64_t seconds = 0;

    if (!duration_parse(span_str(text), &seconds)) {
        doctor_add(doctor, CHECK_WARN, "containerd.timeout", "our own limit has to be shorter than containerd's",
                   "write it in whole seconds", "per_verifier_timeout = %s cannot be compared", text);
        return;
    }
    if (doctor->deadline_ms == 0)
        doctor->deadline_ms = 8000;
    if (seconds * 1000 <= doctor->deadline_ms)
        doctor_add(
            doctor, CHECK_WARN, "containerd.timeout",
            "containerd kills the verifier first: the pull is blocked with \"signal: killed\" instead of a reason",
            "set deadline in pullguard.yaml below per_verifier_timeout",
            "per_verifier_timeout is %s, our deadline %lld ms", text, (long long)doctor->deadline_ms);
    else
        doctor_add(doctor, CHECK_OK, "containerd.timeout", NULL, NULL,
                   "per_verifier_timeout is %s, our deadline %lld ms", text, (long long)doctor->deadline_ms);
}

void containerd_check_bindir(struct doctor *doctor, const struct containerd *containerd)
{
    static const struct toml_key key = BINDIR_KEY("bin_dir");
    char shown[PATH_BYTES];
    const char *directory = containerd_text(containerd, &key, default_bin_dir, shown, sizeof(shown));
    CLEANUP(mem_freep) char *path = doctor_path(doctor, directory);

    check_plugin(doctor, containerd);
    if (directory[0] == '\0')
        doctor_add(doctor, CHECK_FAIL, "containerd.bin-dir",
                   "an empty bin_dir means that containerd allows every image", "remove the line or name a directory",
                   "bin_dir is \"\"");
    else if (path != NULL)
        check_directory(doctor, containerd, path);
    check_time(doctor, containerd);
}
