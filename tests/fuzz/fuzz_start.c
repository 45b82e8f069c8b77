/* SPDX-License-Identifier: Apache-2.0 */
/* The runtimes' records of a container: byte 0 chooses containers storage (three documents, NUL between) or bbolt. */
#include "base/mem.h"
#include "plugin/start/identify.h"
#include "tests/fuzz/fuzz.h"

static struct span next_part(struct span *rest)
{
    size_t end = span_find_byte(*rest, 0);
    struct span part = span_cut(*rest, 0, end);

    *rest = span_cut(*rest, end == SIZE_MAX ? rest->len : end + 1, SIZE_MAX);
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct start_identity identity = {0};
    struct error err = ERROR_INIT;
    struct span rest;
    bool found;

    if (size == 0)
        return 0;
    rest = span_of(data + 1, size - 1);
    if (data[0] & 1) {
        found = identify_containerd(rest, "k8s.io", "c1", data[0] & 2 ? "registry.example.com/app:1" : NULL, &identity,
                                    &err);
    } else {
        struct storage_files files = {0};

        files.images = next_part(&rest);
        files.containers = next_part(&rest);
        files.volatile_containers = next_part(&rest);
        found = identify_container(&files, "c1", &identity, &err);
    }
    FUZZ_CHECK(found ? identity.image_id || identity.digest : err.reason != REASON_OK && err.text[0]);
    start_identity_done(&identity);
    return 0;
}
