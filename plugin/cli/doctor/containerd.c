/* SPDX-License-Identifier: Apache-2.0 */
/* doctor for containerd: the checklist of containerd.md section 5. */
#include "plugin/cli/doctor/containerd.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"

#define DEFAULT_PAUSE_IMAGE "registry.k8s.io/pause:3.10"

static const struct toml_key pause_key = {
    { "plugins", "io.containerd.cri.v1.images", "pinned_images", "sandbox", NULL },
    { "plugins", "io.containerd.grpc.v1.cri", "sandbox_image", NULL },
};

const char *containerd_text(const struct containerd *containerd, const struct toml_key *key, const char *standard,
                            char *dst, size_t size)
{
    const struct node *node = toml_view_get(&containerd->view, key, NULL);

    if (node == NULL || (node->kind != NODE_STRING && node->kind != NODE_NUMBER && node->kind != NODE_BOOL))
        return standard;
    return text_clean(node->text, dst, size);
}

static void check_version(struct doctor *doctor, const struct containerd *containerd)
{
    const char *id = "containerd.version";

    if (containerd->version[0] == '\0') {
        doctor_add(doctor, CHECK_NOTE, id, "versions below 2.0 never call a verifier, and 2.0 not for Kubernetes",
                   "name the program with --containerd PROGRAM",
                   "containerd's version is unknown: no program was found");
    } else if (containerd->major < 2) {
        doctor_add(doctor, CHECK_FAIL, id,
                   "containerd before 2.0 has no image verifiers: every image is pulled unverified",
                   "install containerd 2.1 or newer, or use another gate (pullguard(1), section RUNTIMES)",
                   "containerd %s (%s)", containerd->version, containerd->program);
    } else if (containerd->major == 2 && containerd->minor == 0) {
        doctor_add(doctor, CHECK_FAIL, id,
                   "in 2.0 only ctr and nerdctl call verifiers; pulls of Kubernetes (CRI) are not verified",
                   "install containerd 2.1 or newer", "containerd %s (%s)", containerd->version, containerd->program);
    } else {
        doctor_add(doctor, CHECK_OK, id, NULL, NULL, "containerd %s (%s)", containerd->version, containerd->program);
    }
    if (containerd->major == 2 && containerd->minor >= 1 && containerd->minor <= 3)
        doctor_add(doctor, CHECK_NOTE, "containerd.checkpoint",
                   "restoring a checkpoint pulls its base image without asking a verifier (containerd 2.1 to 2.3)",
                   "upgrade to 2.4 if checkpoints are used", "restored checkpoints are not covered by this version");
}

/* A containerd that was started before its configuration changed still runs the old one. */
static void check_running(struct doctor *doctor, const struct containerd *containerd)
{
    char proc[64];
    struct stat process, file;

    if (containerd->pid == 0 || doctor->cli->root[0] != '\0')
        return;
    snprintf(proc, sizeof(proc), "/proc/%d", containerd->pid);
    if (stat(proc, &process) != 0)
        return;
    for (size_t i = 0; i < containerd->view.count; i++) {
        const char *path = containerd->view.files[i].path;

        if (stat(path, &file) != 0 || file.st_mtime <= process.st_mtime)
            continue;
        doctor_add(doctor, CHECK_WARN, "containerd.restart",
                   "the running containerd still works by the old configuration", "systemctl restart containerd",
                   "%s is newer than the running containerd (process %d)", path, containerd->pid);
        return;
    }
    doctor_add(doctor, CHECK_OK, "containerd.restart", NULL, NULL,
               "the running containerd (process %d) is newer than its "
               "configuration",
               containerd->pid);
}

static void note_pause_image(struct doctor *doctor, const struct containerd *containerd)
{
    char shown[300];

    doctor->pause_image =
        mem_strdup(containerd_text(containerd, &pause_key, DEFAULT_PAUSE_IMAGE, shown, sizeof(shown)));
    if (doctor->pause_image == NULL)
        doctor->out_of_memory = true;
}

/* The certs.d list that the transfer service reads as one path (containerd.md section 7). */
static void check_hosts_directory(struct doctor *doctor, const struct containerd *containerd)
{
    static const struct toml_key key = {
        { "plugins", "io.containerd.cri.v1.images", "registry", "config_path", NULL },
        { "plugins", "io.containerd.grpc.v1.cri", "registry", "config_path", NULL },
    };
    char shown[300];
    const char *path = containerd_text(containerd, &key, "", shown, sizeof(shown));

    if (strchr(path, ':') != NULL)
        doctor_add(
            doctor, CHECK_WARN, "containerd.hosts",
            "the pull that calls verifiers takes the whole text as one directory: mirrors and private CAs are ignored",
            "set registry.config_path to one directory", "registry.config_path is a list: %s", path);
}

void doctor_containerd(struct doctor *doctor)
{
    struct containerd containerd = { 0 };

    containerd_find(doctor, &containerd);
    if (!containerd.found) {
        doctor_add(doctor, CHECK_NOTE, "containerd.found", "without containerd there is nothing to check here",
                   "if containerd is elsewhere, name it: --containerd PROGRAM --containerd-config FILE",
                   "no containerd was found on this node");
        return;
    }
    check_version(doctor, &containerd);
    if (containerd.config_read || containerd.config_missing) {
        check_running(doctor, &containerd);
        containerd_check_fallback(doctor, &containerd);
        containerd_check_bindir(doctor, &containerd);
        check_hosts_directory(doctor, &containerd);
        containerd_check_nri(doctor, &containerd);
        note_pause_image(doctor, &containerd);
    }
    doctor_add(
        doctor, CHECK_NOTE, "containerd.scope",
        "they never ask a verifier: images already on the node, ctr image import, ctr image pull --local, docker, "
        "buildkit",
        "where this matters use a start gate (pullguard(1), section RUNTIMES)",
        "containerd asks when an image is pulled, and only then");
    toml_view_done(&containerd.view);
}
