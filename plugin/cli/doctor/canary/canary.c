/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/doctor/canary/canary.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/doctor/canary/endorser.h"
#include "plugin/cli/doctor/canary/registry.h"
#include "plugin/cli/say.h"
#include "plugin/engine/load.h"

enum { TIMEOUT_MS = 60000, REASON_BYTES = 400 };

struct canary {
    struct doctor *doctor;
    struct settings settings;
    struct canary_registry registry;
    uint32_t timeout_ms;
    unsigned int tried;
    bool library; /* an image library's pull was tried: the endorser is asked as well */
};

static void canary_done(struct canary *canary)
{
    canary_registry_done(&canary->registry);
    settings_done(&canary->settings);
}

static const char *const ids[CLIENT_COUNT] = {
    [CLIENT_CTR] = "canary.ctr", [CLIENT_CRI] = "canary.cri",
    [CLIENT_CRIO] = "canary.crio", [CLIENT_PODMAN] = "canary.podman",
};

/* What people call it. */
static const char *const runtimes_of[CLIENT_COUNT] = {
    [CLIENT_CTR] = "containerd (ctr)",
    [CLIENT_CRI] = "containerd (CRI, as the kubelet pulls)",
    [CLIENT_CRIO] = "CRI-O",
    [CLIENT_PODMAN] = "podman",
};

/* ---- results ----------------------------------------------------------------------------------------------------- */

static void keep(struct canary *canary, enum client_kind kind, enum canary_outcome outcome,
                 const struct canary_image *image, const char *reason, const char *removed)
{
    struct doctor *doctor = canary->doctor;
    struct canary_result *result;

    if (doctor->canary_count == ARRAY_LEN(doctor->canaries))
        return;
    result = &doctor->canaries[doctor->canary_count];
    *result = (struct canary_result){ .runtime = client_name(kind), .outcome = canary_outcome_name(outcome),
                                      .removed = removed };
    result->reason = mem_strdup(reason);
    if (image != NULL) {
        result->image = mem_strdup(image->reference);
        result->digest = mem_strdup(image->manifest.digest);
    }
    if (result->reason == NULL || (image != NULL && (result->image == NULL || result->digest == NULL)))
        doctor->out_of_memory = true;
    doctor->canary_count++;
}

static void report_not_tried(struct canary *canary, enum client_kind kind, bool asked_for, const char *why)
{
    /* Without being asked for, a client that is not there is no fault of the node. */
    doctor_add(canary->doctor, asked_for ? CHECK_WARN : CHECK_NOTE, ids[kind],
               "whether this runtime asks pullguard was not tried",
               "name program or socket (--ctr, --crictl, --podman, "
               "--containerd-address, --crio-address)",
               "%s: could not be tried: %s", runtimes_of[kind], why);
}

static void report_outcome(struct canary *canary, enum client_kind kind, enum canary_outcome outcome,
                           const char *reference, const char *reason)
{
    struct doctor *doctor = canary->doctor;
    const char *runtime = runtimes_of[kind];

    switch (outcome) {
    case CANARY_STOPPED:
        doctor_add(doctor, CHECK_OK, ids[kind], NULL, NULL, "%s: an unsigned image was stopped by pullguard: %s",
                   runtime, reason);
        break;
    case CANARY_STOPPED_NATIVE:
        doctor_add(doctor, CHECK_OK, ids[kind], NULL, NULL,
                   "%s: an unsigned image was stopped by policy.json, which names no such registry: %s", runtime,
                   reason);
        break;
    case CANARY_STOPPED_BROKEN:
        doctor_add(doctor, CHECK_FAIL, ids[kind],
                   "what cannot be asked refuses everything: signed images are stopped too",
                   "pullguard doctor names what is wrong", "%s: an unsigned image was stopped, but by a failure: %s",
                   runtime, reason);
        break;
    case CANARY_NOT_STOPPED:
        doctor_add(doctor, CHECK_FAIL, ids[kind], "whatever is pulled through this runtime is not verified",
                   "pullguard doctor names what is wrong; pullguard enable switches it on",
                   "%s: the unsigned image %s was NOT STOPPED%s%s", runtime, reference,
                   reason[0] != '\0' ? "; its content came onto the node before the pull failed: " : "", reason);
        break;
    case CANARY_NOT_TRIED:
    case CANARY_STOPPED_OTHER:
    default:
        doctor_add(doctor, CHECK_WARN, ids[kind], "this says nothing about whether pullguard is asked",
                   "pull an unsigned image by hand and read the runtime's log",
                   "%s: %s: %s", runtime,
                   outcome == CANARY_STOPPED_OTHER ? "an unsigned image was stopped by something other than pullguard"
                                                   : "the pull did not come as far as the image", reason);
        break;
    }
}

/* ---- one runtime ---------------------------------------------------------------------------------------------------
 */

/* "removed", "nothing-left" or "left-behind". */
static const char *clean_up(struct canary *canary, const struct client *client, enum canary_outcome outcome,
                            const char *reference)
{
    struct error err = ERROR_INIT;

    if (client_remove(client, reference, &err))
        return outcome == CANARY_NOT_STOPPED ? "removed" : "nothing-left";
    if (outcome == CANARY_NOT_TRIED)
        return "nothing-left"; /* the runtime did not answer to begin with */
    doctor_add(canary->doctor, CHECK_FAIL, "canary.left-behind", "an unsigned image may be on this node",
               "remove it by hand", "%s: %s could not be removed again: %s", runtimes_of[client->kind], reference,
               err.text);
    return "left-behind";
}

static bool make_image(struct canary *canary, const char *name, size_t *ret_index, struct error *err)
{
    struct canary_registry *registry = &canary->registry;

    if (!canary_image_make(name, registry->port, &registry->images[registry->count], err))
        return false;
    *ret_index = registry->count++;
    return true;
}

static void pull_one(struct canary *canary, const struct client *client, size_t index)
{
    const struct canary_image *image = &canary->registry.images[index];
    CLEANUP(mem_freep) char *text = mem_new(1, CLIENT_TEXT_BYTES);
    char reason[REASON_BYTES];
    struct error err = ERROR_INIT;
    enum canary_outcome outcome;
    bool pulled = false;

    if (text == NULL) {
        canary->doctor->out_of_memory = true;
        return;
    }
    if (!client_pull(client, image->reference, text, &pulled, &err))
        snprintf(text, CLIENT_TEXT_BYTES, "%s", err.text);
    outcome = canary_judge(client->kind, pulled, canary->registry.seen[index].manifests,
                           canary->registry.seen[index].blobs, text, reason, sizeof(reason));
    report_outcome(canary, client->kind, outcome, image->reference, reason);
    keep(canary, client->kind, outcome, image, reason, clean_up(canary, client, outcome, image->reference));
    if (outcome != CANARY_NOT_TRIED)
        canary->tried++;
    if (client->kind == CLIENT_CRIO || client->kind == CLIENT_PODMAN)
        canary->library = true;
}

static bool asked_for(const struct doctor_values *values, enum client_kind kind)
{
    for (size_t i = 0; i < values->canary_runtime.count; i++)
        if (strcmp(values->canary_runtime.items[i], client_name(kind)) == 0)
            return true;
    return false;
}

/* The ones asked for; without that, those that are on this node. */
static void find_clients(struct canary *canary, struct client clients[CLIENT_COUNT], size_t *ret_count)
{
    const struct doctor_values *values = canary->doctor->values;

    for (int kind = 0; kind < CLIENT_COUNT; kind++) {
        bool named = asked_for(values, (enum client_kind)kind), present;
        struct client *client = &clients[*ret_count];
        struct error err = ERROR_INIT;

        if (values->canary_runtime.count > 0 && !named)
            continue;
        *client = (struct client){ .timeout_ms = (int)canary->timeout_ms };
        if (client_find(canary->doctor, (enum client_kind)kind, client, &present, &err)) {
            if (named || present)
                ++*ret_count;
        } else if (named || present) {
            report_not_tried(canary, (enum client_kind)kind, named, err.text);
            keep(canary, (enum client_kind)kind, CANARY_NOT_TRIED, NULL, err.text, "nothing-left");
        }
    }
}

/* ---- before and after ----------------------------------------------------------------------------------------------
 */

/*
 * What do the rules in force say about such an image? Only when they refuse it does a pull tell anything. true: they
 * refuse it.
 */
static bool rules_refuse(struct canary *canary, const struct canary_image *image)
{
    struct ask ask = { .reference = image->reference, .digest = image->manifest.digest,
                       .flags = REQUEST_NO_RECORD | REQUEST_NO_CACHE };
    CLEANUP(response_done) struct response response = { 0 };
    const char *message;

    ask_engine(canary->doctor->cli, &ask, &response);
    message = response.message != NULL ? response.message : "";
    switch (ask_exit_code(&response)) {
    case EXIT_NO:
        doctor_add(canary->doctor, CHECK_OK, "canary.rules", NULL, NULL,
                   "the rules in force refuse an unsigned image on loopback: %s: %s", reason_name(response.reason),
                   message);
        return true;
    case EXIT_YES:
        doctor_add(canary->doctor, CHECK_WARN, "canary.rules",
                   "a pull that is let through then looks the same whether pullguard is asked or not: none was tried",
                   "set no-match: deny, or narrow the policy that lets 127.0.0.1/pullguard-canary/** through",
                   "the rules in force let an unsigned image on loopback through: %s: %s", reason_name(response.reason),
                   message);
        return false;
    case EXIT_UNDECIDED:
    default:
        doctor_add(canary->doctor, CHECK_FAIL, "canary.rules",
                   "a refusal that is not about the image stops every image, signed ones too",
                   "pullguard doctor names what is wrong", "the engine cannot decide: %s: %s",
                   reason_name(response.reason), message);
        return true;
    }
}

static void ask_endorser(struct canary *canary, const struct canary_image *image)
{
    struct doctor *doctor = canary->doctor;
    char reason[REASON_BYTES];
    struct error err = ERROR_INIT;
    unsigned int status;

    if (!endorser_ask(canary->settings.endorser_listen, image, canary->registry.port, (int)canary->timeout_ms, &status,
                      reason, sizeof(reason), &err))
        doctor_add(doctor, CHECK_FAIL, "canary.endorser", "nobody endorses: every pull is refused, signed images too",
                   "systemctl enable --now pullguard-endorser.service", "%s", err.text);
    else if (status == 403)
        doctor_add(doctor, CHECK_OK, "canary.endorser", NULL, NULL, "the endorser refuses an unsigned image: %s",
                   reason);
    else if (status == 200)
        doctor_add(doctor, CHECK_FAIL, "canary.endorser", "it lets every image through",
                   "look at the policies in force: pullguard policy explain", "the endorser on %s endorses an unsigned "
                   "image", canary->settings.endorser_listen);
    else
        doctor_add(doctor, CHECK_WARN, "canary.endorser", "it neither endorses nor refuses",
                   "systemctl status pullguard-endorser.service", "the endorser answers %u %s", status, reason);
}

static bool prepare(struct canary *canary, struct error *err)
{
    const struct doctor_values *values = canary->doctor->values;
    uint64_t port = 0;

    canary->timeout_ms = TIMEOUT_MS;
    if (values->canary_timeout != NULL && !ask_timeout(values->canary_timeout, &canary->timeout_ms, err))
        return false;
    if (values->canary_port != NULL && !span_to_u64(span_str(values->canary_port), 65535, &port))
        return error_set(err, REASON_BAD_REQUEST, "--canary-port: a port number is wanted");
    return settings_load(canary->doctor->cli->root, &canary->settings, err) &&
           canary_registry_listen(&canary->registry, (uint16_t)port, err);
}

static bool start(struct canary *canary, const struct client *clients, size_t count, size_t *ret_ask, struct error *err)
{
    struct sandbox sandbox = { .mode = canary->settings.sandbox };
    size_t index;

    sandbox_user(canary->settings.user, &sandbox.uid, &sandbox.gid);
    for (size_t i = 0; i < count; i++)
        if (!make_image(canary, client_name(clients[i].kind), &index, err))
            return false;
    return make_image(canary, "ask", ret_ask, err) && canary_registry_serve(&canary->registry, &sandbox, err);
}

static void run(struct canary *canary)
{
    CLEANUP(mem_freep) struct client *clients = mem_new(CLIENT_COUNT, sizeof(*clients));
    struct error err = ERROR_INIT;
    size_t count = 0, ask = 0;

    if (clients == NULL) {
        canary->doctor->out_of_memory = true;
        return;
    }
    if (!prepare(canary, &err)) {
        doctor_add(canary->doctor, CHECK_WARN, "canary.registry", "nothing was pulled", NULL, "%s", err.text);
        return;
    }
    find_clients(canary, clients, &count);
    if (count == 0) {
        doctor_add(canary->doctor, CHECK_WARN, "canary.none", "nothing was pulled, nothing is known",
                   "name runtime and programs (--canary-runtime, --ctr, --crictl, --podman)",
                   "no runtime could be tried");
        return;
    }
    if (!start(canary, clients, count, &ask, &err)) {
        doctor_add(canary->doctor, CHECK_WARN, "canary.registry", "nothing was pulled", NULL, "%s", err.text);
        return;
    }
    if (!rules_refuse(canary, &canary->registry.images[ask])) {
        canary->tried++; /* an answer of its own, not "could not be tried" */
        return;
    }
    for (size_t i = 0; i < count; i++)
        pull_one(canary, &clients[i], i);
    if (canary->library)
        ask_endorser(canary, &canary->registry.images[ask]);
}

/* Somebody who loses patience in the middle of a pull leaves no image behind: the signal comes through afterwards. */
void doctor_canary(struct doctor *doctor)
{
    struct canary *canary = mem_new(1, sizeof(*canary));
    sigset_t ends, before;

    if (canary == NULL) {
        doctor->out_of_memory = true;
        return;
    }
    canary->doctor = doctor;
    canary->registry.fd = -1;
    canary->registry.child.pidfd = -1;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &ends, &before);
    run(canary);
    doctor->canary_untried = canary->tried == 0;
    canary_done(canary);
    mem_free(canary);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}
