/* SPDX-License-Identifier: Apache-2.0 */
/* What an NRI plugin hears: multiplexer, ttrpc and the messages inside, from a runtime that says anything. */
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "plugin/nri/link.h"
#include "tests/fuzz/fuzz.h"
#include "nri.pb-c.h" /* generated */

enum { PIPE_BYTES = 65536 };

static void unpack(struct span data)
{
    Nri__TtrpcRequest *call = nri__ttrpc_request__unpack(NULL, data.len, data.ptr);
    Nri__TtrpcResponse *response = nri__ttrpc_response__unpack(NULL, data.len, data.ptr);

    if (call) {
        Nri__ContainerRequest *container =
            nri__container_request__unpack(NULL, call->payload.len, call->payload.data);
        Nri__ConfigureRequest *configure =
            nri__configure_request__unpack(NULL, call->payload.len, call->payload.data);
        Nri__SynchronizeRequest *synchronize =
            nri__synchronize_request__unpack(NULL, call->payload.len, call->payload.data);

        nri__container_request__free_unpacked(container, NULL);
        nri__configure_request__free_unpacked(configure, NULL);
        nri__synchronize_request__free_unpacked(synchronize, NULL);
    }
    nri__ttrpc_request__free_unpacked(call, NULL);
    nri__ttrpc_response__free_unpacked(response, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nri_link link;
    struct error err = ERROR_INIT;
    int ends[2];
    size_t taken = 0;

    if (size > PIPE_BYTES || pipe2(ends, O_CLOEXEC) != 0)
        return 0;
    if (size > 0 && write(ends[1], data, size) != (ssize_t)size)
        abort();
    (void)close(ends[1]);
    nri_link_init(&link, ends[0]);
    for (;;) {
        struct nri_frame frame;

        if (!nri_link_receive(&link, &frame, &err))
            break;
        FUZZ_CHECK(frame.connection == NRI_PLUGIN_SERVICE || frame.connection == NRI_RUNTIME_SERVICE);
        taken += TTRPC_HEADER_BYTES + frame.data.len;
        FUZZ_CHECK(taken <= size); /* nothing is made up */
        unpack(buf_as_span(&frame.data));
        buf_free(&frame.data);
    }
    FUZZ_CHECK(err.reason == REASON_UNAVAILABLE || err.reason == REASON_MALFORMED || err.reason == REASON_LIMIT);
    nri_link_done(&link);
    (void)close(ends[0]);
    return 0;
}
