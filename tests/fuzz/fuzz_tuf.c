/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TUF metadata of each role (the first byte chooses), and the client begun with it as its root. NUL bytes part the rest
 * into documents: the first is the top-level targets role, and the search for a target is given the others, over and
 * over, as the delegated roles that it wants, as if their signatures had been right.
 */
#include <string.h>

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

/* The document at `index`, counted round and round. */
static struct span part_of(struct span bytes, size_t index)
{
    struct span rest = bytes;

    for (size_t i = 0; i < index; i++) {
        size_t end = span_find_byte(rest, '\0');

        rest = end == SIZE_MAX ? bytes : span_cut(rest, end + 1, SIZE_MAX);
    }
    return span_cut(rest, 0, span_find_byte(rest, '\0'));
}

static void check_found(const struct tuf_search *found, const char *target)
{
    FUZZ_CHECK(!found->entry || !found->delegation);
    FUZZ_CHECK((found->by != NULL) == (found->entry || found->delegation));
    FUZZ_CHECK(!found->entry || span_eq_str(found->entry->name, target));
    if (!found->delegation)
        return;
    FUZZ_CHECK(strlen(found->file) > strlen(".json") && !strchr(found->file, '/') && found->file[0] != '.');
    FUZZ_CHECK(strcmp(found->file, "targets.json") != 0 && strcmp(found->file, "root.json") != 0);
}

static void check_search(struct span bytes, const char *target)
{
    struct tuf_delegated loaded[TUF_MAX_DELEGATIONS] = {{.delegation = NULL}};
    CLEANUP(tuf_document_done) struct tuf_document targets = {.bytes = NULL};
    struct tuf_search found = {.entry = NULL};
    struct error err = ERROR_INIT;
    size_t count = 0;

    if (!tuf_document_parse(part_of(bytes, 0), TUF_TARGETS, NULL, &targets, &err))
        return;
    while (tuf_search_target(&targets, loaded, count, target, &found, &err)) {
        check_found(&found, target);
        if (!found.delegation)
            break;
        FUZZ_CHECK(count < TUF_MAX_DELEGATIONS);
        for (size_t i = 0; i < count; i++) /* nobody is asked twice */
            FUZZ_CHECK(strcmp(loaded[i].document.file, found.file) != 0);
        if (!tuf_document_parse(part_of(bytes, count + 1), TUF_TARGETS, found.file, &loaded[count].document, &err))
            break;
        (void)!tuf_verify_delegated(found.by, found.delegation, &loaded[count].document, &err);
        loaded[count++].delegation = found.delegation;
    }
    for (size_t i = 0; i < count; i++)
        tuf_document_done(&loaded[i].document);
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
    check_search(span_of(bytes + 1, len - 1), "trusted_root.json");
    check_search(span_of(bytes + 1, len - 1), "a/b/c.txt");
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
