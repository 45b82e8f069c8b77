/* SPDX-License-Identifier: Apache-2.0 */
/* doctor for the start gates: the OCI hook's file, crun's handler directory, the NRI plugin. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"
#include "config.h"
#include "plugin/cli/doctor/containerd.h"

enum { CRUN_VERSION_MS = 3000 };

#define HANDLERS "/usr/" PG_LIBDIR_NAME "/crun/handlers"
#define HOOK "/usr/share/containers/oci/hooks.d/50-pullguard.json"
#define NRI_DIRECTORY "/opt/nri/plugins"

static bool leads_to(struct doctor *doctor, const char *link, const char *target)
{
    CLEANUP(mem_freep) char *full = doctor_path(doctor, link);
    char found[4096];
    ssize_t len = full != NULL ? readlink(full, found, sizeof(found) - 1) : -1;

    if (len <= 0)
        return false;
    found[len] = '\0';
    return strcmp(found, target) == 0;
}

/* A program without an interpreter is static: it has no dlopen to load a handler with. */
static bool is_static(const char *path)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header;

    if (fd < 0 || pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
        return false;
    for (unsigned int i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr part;

        if (pread(fd, &part, sizeof(part), (off_t)(header.e_phoff + i * sizeof(part))) != (ssize_t)sizeof(part))
            return false;
        if (part.p_type == PT_INTERP)
            return false;
    }
    return true;
}

/* crun loads an entry with dlopen: it must be an ELF shared object, whatever it is called. */
static bool is_shared_object(const char *path)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    Elf64_Ehdr header;

    return fd >= 0 && pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
           memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_DYN;
}

/* One entry. Returns whether it is our link. */
static bool check_entry(struct doctor *doctor, const char *directory, const char *name)
{
    CLEANUP(mem_freep) char *logical = mem_printf("%s/%s", HANDLERS, name);
    CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, name);
    bool ours = logical != NULL && leads_to(doctor, logical, PG_LIBEXECDIR "/pullguard-crun.so");
    CLEANUP(mem_freep) char *target = ours ? doctor_path(doctor, PG_LIBEXECDIR "/pullguard-crun.so") : NULL;
    const char *file = ours ? target : path;
    struct error err = ERROR_INIT;

    if (file == NULL)
        return ours;
    if (!is_shared_object(file))
        doctor_add(doctor, CHECK_FAIL, "crun.stray",
                   "crun then refuses every command: running pods cannot even be stopped",
                   ours ? "install pullguard again, or pullguard disable crun" : "remove it", "%s is no handler", file);
    else if (!file_check_trusted(file, &err))
        doctor_add(doctor, CHECK_FAIL, "crun.owner", "crun loads it as root: whoever can write it is root",
                   "chown root and chmod go-w the path named", "%s", err.text);
    else if (!ours)
        doctor_add(doctor, CHECK_NOTE, "crun.other-handler", "it may run containers in its own way, unasked", NULL,
                   "%s is another handler", file);
    return ours;
}

static void check_handlers(struct doctor *doctor, const char *path, const struct names *entries)
{
    bool ours = false;

    for (size_t i = 0; i < entries->count; i++)
        ours = check_entry(doctor, path, entries->items[i]) || ours;
    if (ours)
        doctor_add(doctor, CHECK_OK, "crun.handler", NULL, NULL, "crun's handler is in place");
    else
        doctor_add(doctor, CHECK_NOTE, "crun.handler", "containers are not asked about when they start",
                   "pullguard enable crun, if that gate is wanted", "%s has no handler of ours", path);
}

/* Distributions', an administrator's, and the one that CRI-O's own packages bring. */
static const char *const crun_places[] = { "/usr/bin/crun", "/usr/local/bin/crun", "/usr/libexec/crio/crun" };

/* How many there are; static ones are named. */
static size_t check_programs(struct doctor *doctor)
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(crun_places); i++) {
        CLEANUP(mem_freep) char *program = doctor_path(doctor, crun_places[i]);

        if (program == NULL || access(program, F_OK) != 0)
            continue;
        count++;
        if (is_static(program))
            doctor_add(doctor, CHECK_NOTE, "crun.static", "a static crun loads no handlers", "use the OCI hook instead",
                       "%s is a static program", program);
    }
    return count;
}

/*
 * A handler that is damaged stops all of crun: seen best by asking crun for anything. Only a program of this node is
 * run, or one that is named, and only when nobody but root can write it.
 */
static void check_crun_works(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *program =
        mem_strdup(doctor->values->crun != NULL ? doctor->values->crun : crun_places[0]);
    char option[] = "--version", text[512] = "", shown[400];
    char *const argv[] = { program, option, NULL };
    struct error err = ERROR_INIT;
    int status = -1;

    if (program == NULL || (doctor->values->crun == NULL && doctor->cli->root[0] != '\0') ||
        access(program, X_OK) != 0)
        return;
    if (!file_check_trusted(program, &err) ||
        !doctor_run(program, argv, CRUN_VERSION_MS, DOCTOR_RUN_ERRORS, text, sizeof(text), &status, &err))
        doctor_add(doctor, CHECK_WARN, "crun.works", "whether crun runs at all is not known", NULL, "%s", err.text);
    else if (status != 0)
        doctor_add(doctor, CHECK_FAIL, "crun.works", "running containers cannot even be stopped",
                   "install pullguard again; until then: pullguard disable crun", "%s --version fails: %s", program,
                   text_clean(span_trim(span_str(text)), shown, sizeof(shown)));
}

static void check_crun(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, HANDLERS);
    CLEANUP(names_free) struct names entries = { 0 };
    struct error err = ERROR_INIT;

    if (path == NULL)
        return;
    if (check_programs(doctor) == 0 && access(path, F_OK) != 0) {
        doctor_add(doctor, CHECK_NOTE, "crun.found", "there is nothing to check", NULL,
                   "no crun was found on this node");
        return;
    }
    if (dir_list(path, NULL, &entries, &err)) {
        check_handlers(doctor, path, &entries);
        if (entries.count > 0)
            check_crun_works(doctor);
    } else if (err.reason != REASON_NOT_FOUND)
        doctor_add(doctor, CHECK_WARN, "crun.handler", "crun cannot read its handlers", NULL, "%s", err.text);
    else
        doctor_add(doctor, CHECK_NOTE, "crun.handler", "containers are not asked about when they start",
                   "pullguard enable crun, if that gate is wanted", "crun has no handler directory");
}

static bool hook_names_us(const char *path)
{
    CLEANUP(buf_free) struct buf bytes = { 0 };
    struct error ignored = ERROR_INIT;

    return file_read(path, LIMIT_SETTINGS_BYTES, FILE_ANY, &bytes, &ignored) &&
           span_find(buf_as_span(&bytes), PG_LIBEXECDIR "/pullguard-oci-hook") != SIZE_MAX;
}

static void check_hook(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, HOOK);
    CLEANUP(mem_freep) char *program = doctor_path(doctor, PG_LIBEXECDIR "/pullguard-oci-hook");

    if (path == NULL || program == NULL || access(path, F_OK) != 0)
        return;
    if (!hook_names_us(path))
        doctor_add(doctor, CHECK_FAIL, "hook.file", "containers are not asked about when they start",
                   "pullguard enable oci-hook", "%s does not name our hook", path);
    else if (access(program, X_OK) != 0)
        doctor_add(doctor, CHECK_FAIL, "hook.program", "no container starts while the hook's program is missing",
                   "install pullguard again, or pullguard disable oci-hook", "%s: %s", program, strerror(errno));
    else
        doctor_add(doctor, CHECK_OK, "hook.file", NULL, NULL, "the OCI hook is in place");
}

void doctor_start(struct doctor *doctor)
{
    check_hook(doctor);
    check_crun(doctor);
}

/* Is one of the directory's links ours? */
static bool links_to_us(struct doctor *doctor, const char *directory, const char *target)
{
    CLEANUP(mem_freep) char *path = doctor_path(doctor, directory);
    CLEANUP(names_free) struct names names = { 0 };
    struct error ignored = ERROR_INIT;
    bool found = false;

    if (path == NULL || !dir_list(path, NULL, &names, &ignored))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        CLEANUP(mem_freep) char *logical = mem_printf("%s/%s", directory, names.items[i]);

        found = found || (logical != NULL && leads_to(doctor, logical, target));
    }
    return found;
}

bool nri_installed(struct doctor *doctor)
{
    return links_to_us(doctor, NRI_DIRECTORY, PG_LIBEXECDIR "/pullguard-nri");
}

bool start_gate_installed(struct doctor *doctor)
{
    CLEANUP(mem_freep) char *hook = doctor_path(doctor, HOOK);

    return nri_installed(doctor) || links_to_us(doctor, HANDLERS, PG_LIBEXECDIR "/pullguard-crun.so") ||
           (hook != NULL && hook_names_us(hook));
}

#define NRI_KEY(...)                                                                                                   \
    {                                                                                                                  \
        {"plugins", "io.containerd.nri.v1.nri", __VA_ARGS__, NULL},                                                    \
        {                                                                                                              \
            "plugins", "io.containerd.nri.v1.nri", __VA_ARGS__, NULL                                                   \
        }                                                                                                              \
    }

/* NRI drops a plugin that is late or gone, and goes on: only the validator with a required plugin closes that. */
void containerd_check_nri(struct doctor *doctor, const struct containerd *containerd)
{
    static const struct toml_key disable = NRI_KEY("disable"), enable = NRI_KEY("default_validator", "enable"),
                                 required = NRI_KEY("default_validator", "required_plugins");
    const struct node *list = toml_view_get(&containerd->view, &required, NULL);
    bool value = false, named = false;

    if (!nri_installed(doctor))
        return;
    if (node_bool(toml_view_get(&containerd->view, &disable, NULL), &value) && value) {
        doctor_add(doctor, CHECK_FAIL, "nri.disabled", "the plugin is never started",
                   "remove disable = true of the NRI plugin", "NRI is switched off in containerd");
        return;
    }
    if (containerd->version[0] != '\0' &&
        (containerd->major < 2 || (containerd->major == 2 && containerd->minor < 2))) {
        doctor_add(doctor, CHECK_WARN, "nri.required",
                   "when the plugin is late or gone, containers are created unasked",
                   "containerd 2.2 or newer can require the plugin", "containerd %s cannot require an NRI plugin",
                   containerd->version);
        return;
    }
    for (const struct node *one = node_is(list, NODE_LIST) ? list->child : NULL; one != NULL; one = one->next)
        named = named || node_str_is(one, "pullguard");
    if (named && node_bool(toml_view_get(&containerd->view, &enable, NULL), &value) && value)
        doctor_add(doctor, CHECK_OK, "nri.required", NULL, NULL, "containerd requires the NRI plugin");
    else
        doctor_add(doctor, CHECK_WARN, "nri.required",
                   "when the plugin is late or gone, containers are created unasked",
                   "containerd 2.2: default_validator enable = true, required_plugins = [\"pullguard\"] (README, NRI)",
                   "containerd does not require the NRI plugin");
}
