/* SPDX-License-Identifier: Apache-2.0 */
/* TUF metadata of each role (the first byte chooses), and the client begun with it as its root. */
#include "tests/fuzz/fuzz.h"
#include "verifier/tuf_internal.h"

static void check_document(struct span bytes, enum tuf_role role)
{
    CLEANUP(tuf_document_done) struct tuf_document document = {.bytes = NULL};
    struct error err = ERROR_INIT;
    struct tuf_meta meta;

    if (!tuf_document_parse(bytes, role, NULL, &document, &err)) {
        FUZZ_CHECK(!document.tree && err.reason != REASON_OK && err.text[0] != '\0');
        return;
    }
    FUZZ_CHECK(document.version >= 1 && document.canonical.len > 0);
    FUZZ_CHECK(!tuf_verify_role(&document, role, &document, &err) || role == TUF_ROOT);
    (void)!tuf_same_role(&document, &document, role);
    for (size_t i = 0; i < TUF_ROLES; i++)
        if (tuf_meta_find(&document, tuf_role_file((enum tuf_role)i), &meta, &err)) {
            FUZZ_CHECK(meta.version >= 1 && meta.length >= -1);
            (void)!tuf_meta_matches(&meta, bytes, "input", &err);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const names[] = {"trusted_root.json"};
    CLEANUP(tuf_freep) struct tuf *tuf = NULL;
    struct tuf_stored stored = {.targets = NULL};
    struct tuf_request request;
    struct error err = ERROR_INIT;

    if (len == 0)
        return 0;
    check_document(span_of(bytes + 1, len - 1), (enum tuf_role)(bytes[0] % TUF_ROLES));
    for (size_t i = 0; i < TUF_ROLES; i++)
        stored.roles[i] = span_of(bytes + 1, len - 1);
    if (!tuf_new(&stored, names, 1, 1795451667, &tuf, &err))
        return 0;
    while (tuf_wants(tuf, &request)) {
        if (request.name[0] == '2' ? !tuf_absent(tuf, &err) : !tuf_give(tuf, span_of(bytes + 1, len - 1), &err))
            break;
    }
    FUZZ_CHECK(!tuf_finished(tuf)); /* one file cannot be a whole repository */
    return 0;
}
