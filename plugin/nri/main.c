/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-nri: an NRI plugin for containerd (2.0 and up) and CRI-O. It refuses containers whose image was not
 * verified, by whatever road the image came. It decides from the verdicts kept on this node only, never from the
 * network: NRI gives two seconds, and a plugin that is late is dropped and the container is created.
 *
 * Asked at CreateContainer and, where the runtime has it, at ValidateContainerAdjustment: an error or a rejection in
 * either stops the container. What happens when this program is gone is the runtime's setting (README, "NRI").
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/span.h"
#include "plugin/client.h"
#include "plugin/nri/link.h"
#include "nri.pb-c.h" /* generated */

enum {
    EXIT_CLOSED = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    DEFAULT_TIMEOUT_MS = 2000, /* NRI's own default */
    MARGIN_MS = 300,           /* our answer must be out before the runtime stops waiting */
    STATUS_PERMISSION_DENIED = 7, /* gRPC's code, which ttrpc uses */
};

static const char service[] = "nri.pkg.api.v1alpha1.Runtime";

struct plugin {
    struct nri_link link;
    const char *root;      /* --root */
    char *runtime;         /* "containerd", "cri-o" */
    uint32_t deadline_ms;
};

static bool usage(void)
{
    (void)fputs(
        "usage: pullguard-nri [--root DIR] [--socket PATH]\n"
        "Started by the runtime as a pre-installed plugin (/opt/nri/plugins/10-pullguard), or by hand with the\n"
        "runtime's NRI socket (usually /var/run/nri/nri.sock).\n",
        stderr);
    return false;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static const char *annotation(const Nri__Container *container, const char *key)
{
    for (size_t i = 0; i < container->n_annotations; i++)
        if (strcmp(text_or_empty(container->annotations[i]->key), key) == 0)
            return container->annotations[i]->value;
    return NULL;
}

/*
 * What the engine needs to know which image this is. A digest that the runtime itself names counts (NRI 0.13);
 * otherwise the container id (CRI-O: containers storage) or the image's name (containerd: its metadata), which the
 * engine resolves. CRI sets image-name after the pod's annotations, so that a pod cannot choose it.
 */
static bool request_fill(const struct plugin *plugin, const Nri__Container *container, struct request *request)
{
    const char *name = annotation(container, "io.kubernetes.cri.image-name");
    const char *digest = NULL;

    if (container->image && text_or_empty(container->image->digest)[0]) {
        name = container->image->name;
        digest = container->image->digest;
    }
    request->operation = OPERATION_CREATE;
    request->flags = REQUEST_NO_NETWORK;
    request->deadline_ms = plugin->deadline_ms;
    request->runtime = mem_printf("nri-%s", plugin->runtime ? plugin->runtime : "unknown");
    request->container_id = mem_strdup(text_or_empty(container->id));
    request->reference = mem_strdup(name);
    request->digest = mem_strdup(digest);
    return request->runtime && request->container_id && (!name || request->reference) && (!digest || request->digest);
}

/* Payloads are small: an empty message, a flag, or a verdict with its sentence. */
enum { PAYLOAD_BYTES = 512, SENTENCE_BYTES = 400 };

/* true = allowed; else the sentence says why. */
static bool decide(const struct plugin *plugin, const Nri__Container *container, char sentence[SENTENCE_BYTES])
{
    struct client_options options = {.root = plugin->root};
    struct request request CLEANUP(request_done) = {0};
    struct response response CLEANUP(response_done) = {0};
    static const char ours[] = "pullguard: ";
    const char *why;

    if (!container)
        why = "the runtime named no container";
    else if (!request_fill(plugin, container, &request))
        why = "out of memory";
    else if (client_ask(&options, &request, &response))
        return true;
    else
        why = response.message ? response.message : "refused without a reason (internal)";
    /* Protobuf's strings are UTF-8: what ends within a character is no message to the runtime. */
    (void)text_clean(span_str(why), sentence + sizeof(ours) - 1, SENTENCE_BYTES - sizeof(ours) + 1);
    memcpy(sentence, ours, sizeof(ours) - 1);
    return false;
}

/* protobuf-c's strings are not const; what it packs it does not change. */
static bool send_response(struct plugin *plugin, uint32_t stream, char *refusal, struct span payload, struct error *err)
{
    Nri__TtrpcStatus status = NRI__TTRPC_STATUS__INIT;
    Nri__TtrpcResponse response = NRI__TTRPC_RESPONSE__INIT;
    struct buf packed CLEANUP(buf_free) = BUF_INIT(TTRPC_DATA_BYTES);
    uint8_t copy[PAYLOAD_BYTES];
    uint8_t *place;

    if (refusal) {
        status.code = STATUS_PERMISSION_DENIED;
        status.message = refusal;
        response.status = &status;
    }
    if (payload.len > sizeof(copy))
        return error_set(err, REASON_LIMIT, "an answer is longer than any this plugin makes");
    if (payload.len > 0)
        memcpy(copy, payload.ptr, payload.len);
    response.payload.data = copy;
    response.payload.len = payload.len;
    place = buf_reserve(&packed, nri__ttrpc_response__get_packed_size(&response));
    if (!place)
        return error_oom(err);
    (void)nri__ttrpc_response__pack(&response, place);
    return nri_link_send(&plugin->link, NRI_PLUGIN_SERVICE, stream, TTRPC_RESPONSE, buf_as_span(&packed), err);
}

static bool send_empty(struct plugin *plugin, uint32_t stream, struct error *err)
{
    return send_response(plugin, stream, NULL, span_str(""), err);
}

static bool answer_configure(struct plugin *plugin, uint32_t stream, const Nri__TtrpcRequest *call, struct error *err)
{
    Nri__ConfigureRequest *request = nri__configure_request__unpack(NULL, call->payload.len, call->payload.data);
    int64_t timeout_ms = DEFAULT_TIMEOUT_MS;

    if (!request)
        return error_set(err, REASON_MALFORMED, "NRI: a Configure request that is no such message");
    if (request->request_timeout > 0 && request->request_timeout < 600 * 1000)
        timeout_ms = request->request_timeout;
    plugin->deadline_ms = (uint32_t)(timeout_ms - (timeout_ms > 2 * MARGIN_MS ? MARGIN_MS : timeout_ms / 2));
    mem_free(plugin->runtime);
    plugin->runtime = mem_strdup(request->runtime_name);
    nri__configure_request__free_unpacked(request, NULL);
    /* Events 0 = everything this runtime has: an older one without ValidateContainerAdjustment refuses to be asked for
     * it. */
    return send_empty(plugin, stream, err);
}

static bool answer_synchronize(struct plugin *plugin, uint32_t stream, const Nri__TtrpcRequest *call, struct error *err)
{
    Nri__SynchronizeRequest *request = nri__synchronize_request__unpack(NULL, call->payload.len, call->payload.data);
    Nri__SynchronizeResponse response = NRI__SYNCHRONIZE_RESPONSE__INIT;
    uint8_t packed[16];
    size_t len;

    response.more = request && request->more;
    if (request)
        nri__synchronize_request__free_unpacked(request, NULL);
    len = nri__synchronize_response__pack(&response, packed);
    return send_response(plugin, stream, NULL, span_of(packed, len), err);
}

static bool answer_create(struct plugin *plugin, uint32_t stream, const Nri__TtrpcRequest *call, bool validate,
                          struct error *err)
{
    Nri__ContainerRequest *request = nri__container_request__unpack(NULL, call->payload.len, call->payload.data);
    Nri__ValidateResponse verdict = NRI__VALIDATE_RESPONSE__INIT;
    char sentence[SENTENCE_BYTES] = "pullguard: refused: the runtime's request is no such message";
    uint8_t packed[PAYLOAD_BYTES];
    bool allowed = false;

    if (request) {
        allowed = decide(plugin, request->container, sentence);
        nri__container_request__free_unpacked(request, NULL);
    }
    if (allowed)
        return send_empty(plugin, stream, err);
    if (!validate)
        return send_response(plugin, stream, sentence, span_str(""), err);
    verdict.reject = 1;
    verdict.reason = sentence;
    return send_response(plugin, stream, NULL, span_of(packed, nri__validate_response__pack(&verdict, packed)), err);
}

static bool answer(struct plugin *plugin, uint32_t stream, const Nri__TtrpcRequest *call, struct error *err)
{
    const char *method = text_or_empty(call->method);

    if (strcmp(method, "Configure") == 0)
        return answer_configure(plugin, stream, call, err);
    if (strcmp(method, "Synchronize") == 0)
        return answer_synchronize(plugin, stream, call, err);
    if (strcmp(method, "CreateContainer") == 0)
        return answer_create(plugin, stream, call, false, err);
    if (strcmp(method, "ValidateContainerAdjustment") == 0)
        return answer_create(plugin, stream, call, true, err);
    return send_empty(plugin, stream, err); /* an event; its answer is an empty message */
}

static bool handle(struct plugin *plugin, const struct nri_frame *frame, struct error *err)
{
    Nri__TtrpcRequest *call;
    bool done;

    if (frame->connection == NRI_RUNTIME_SERVICE) {
        Nri__TtrpcResponse *response = nri__ttrpc_response__unpack(NULL, frame->data.len, frame->data.ptr);
        bool refused = !response || (response->status && response->status->code != 0);

        if (refused)
            (void)error_set(err, REASON_UNAVAILABLE, "the runtime refused the registration: %.200s",
                            response && response->status ? text_or_empty(response->status->message)
                                                         : "malformed answer");
        if (response)
            nri__ttrpc_response__free_unpacked(response, NULL);
        return !refused;
    }
    if (frame->type != TTRPC_REQUEST)
        return error_set(err, REASON_MALFORMED, "ttrpc: message type %u, want a request", frame->type);
    call = nri__ttrpc_request__unpack(NULL, frame->data.len, frame->data.ptr);
    if (!call)
        return error_set(err, REASON_MALFORMED, "ttrpc: a request that is no request message");
    done = answer(plugin, frame->stream, call, err);
    nri__ttrpc_request__free_unpacked(call, NULL);
    return done;
}

static bool register_plugin(struct plugin *plugin, struct error *err)
{
    Nri__RegisterPluginRequest request = NRI__REGISTER_PLUGIN_REQUEST__INIT;
    Nri__TtrpcRequest call = NRI__TTRPC_REQUEST__INIT;
    char *name = secure_getenv("NRI_PLUGIN_NAME"), *index = secure_getenv("NRI_PLUGIN_IDX");
    static char default_name[] = "pullguard", default_index[] = "10", service_name[sizeof(service)],
                method[] = "RegisterPlugin";
    uint8_t payload[256], packed[512];

    memcpy(service_name, service, sizeof(service));
    request.plugin_name = name && strlen(name) < 64 ? name : default_name;
    request.plugin_idx = index && strlen(index) < 8 ? index : default_index;
    call.service = service_name;
    call.method = method;
    call.payload.data = payload;
    call.payload.len = nri__register_plugin_request__pack(&request, payload);
    return nri_link_send(&plugin->link, NRI_RUNTIME_SERVICE, 1, TTRPC_REQUEST,
                         span_of(packed, nri__ttrpc_request__pack(&call, packed)), err);
}

static bool serve(struct plugin *plugin, struct error *err)
{
    if (!register_plugin(plugin, err))
        return false;
    for (;;) {
        struct nri_frame frame;
        bool done;

        if (!nri_link_receive(&plugin->link, &frame, err))
            return false;
        done = handle(plugin, &frame, err);
        buf_free(&frame.data);
        if (!done)
            return false;
    }
}

static int connect_to(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)error_set(err, REASON_BAD_REQUEST, "%s: longer than a socket's path may be", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)error_errno(err, REASON_UNAVAILABLE, errno, "%s", path);
    fd_closep(&fd);
    return -1;
}

/* The descriptor the runtime left for us: NRI_PLUGIN_SOCKET is its number, 3 in every version seen. */
static int inherited(void)
{
    const char *text = secure_getenv("NRI_PLUGIN_SOCKET");
    uint64_t number = 0;

    return text && span_to_u64(span_str(text), 1023, &number) && number > STDERR_FILENO ? (int)number : -1;
}

static bool read_arguments(int argc, char **argv, struct plugin *plugin, const char **ret_socket)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return usage();
        if (strcmp(argv[i], "--root") == 0)
            plugin->root = argv[i + 1];
        else if (strcmp(argv[i], "--socket") == 0)
            *ret_socket = argv[i + 1];
        else
            return usage();
    }
    return true;
}

int main(int argc, char **argv)
{
    struct plugin plugin = {.deadline_ms = DEFAULT_TIMEOUT_MS - MARGIN_MS};
    const char *socket_path = NULL;
    struct error err = ERROR_INIT;
    int fd;

    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("pullguard-nri " PG_VERSION) < 0 ? EXIT_FAILED : EXIT_CLOSED;
    if (!read_arguments(argc, argv, &plugin, &socket_path))
        return EXIT_USAGE;
    fd = socket_path ? connect_to(socket_path, &err) : inherited();
    if (fd < 0 && !socket_path)
        return usage() ? EXIT_CLOSED : EXIT_USAGE;
    if (fd >= 0) {
        nri_link_init(&plugin.link, fd);
        (void)serve(&plugin, &err);
        nri_link_done(&plugin.link);
        (void)close(fd);
    }
    mem_free(plugin.runtime);
    (void)fprintf(stderr, "pullguard-nri: %s\n", err.text);
    return err.reason == REASON_UNAVAILABLE && fd >= 0 ? EXIT_CLOSED : EXIT_FAILED;
}
