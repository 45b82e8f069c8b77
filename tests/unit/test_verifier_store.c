/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories in place of registries: the samples that cosign made, laid out as `cosign save` and as plain files do,
 * are verified from there; damaged and hostile directories give errors, never other files.
 */
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "tests/lib/test_registry.h"
#include "tests/unit/harness.h"
#include "verifier/store.h"

#define IMAGE "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"
#define IMAGE_DIR "sha256-3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"

static char top[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void setup(void)
{
    (void)snprintf(top, sizeof(top), "/tmp/pullguard-store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
}

static void teardown(void)
{
    (void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_dir(const char *path)
{
    char full[512];

    (void)snprintf(full, sizeof(full), "%s/%s", top, path);
    ck_assert_int_eq(mkdir(full, 0755), 0);
}

static void put(const char *path, struct span bytes)
{
    char full[512];
    FILE *file;

    (void)snprintf(full, sizeof(full), "%s/%s", top, path);
    file = fopen(full, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    ck_assert_int_eq(fclose(file), 0);
}

/* One object of a sample's registry directory into blobs/sha256, under its digest's hex. */
static void copy_objects(const struct test_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        const struct test_object *object = &registry->items[i];
        char path[256];

        if (strncmp(object->target, "sha256:", 7) != 0 || object->answer.status != EVIDENCE_FOUND)
            continue;
        (void)snprintf(path, sizeof(path), "blobs/sha256/%s", object->target + 7);
        put(path, object->answer.body);
    }
}

/* The layout that `cosign save` makes: tags as annotated entries; bundles only as blobs. */
static void layout_from(const char *repository, bool cosign_kinds)
{
    struct test_registry registry = {0};
    struct buf index = BUF_INIT(65536);
    struct json_out out = json_out_to(&index);

    test_registry_load(&registry, repository);
    make_dir("blobs");
    make_dir("blobs/sha256");
    copy_objects(&registry);
    json_open_map(&out, NULL);
    json_put_int(&out, "schemaVersion", 2);
    json_open_list(&out, "manifests");
    for (size_t i = 0; i < registry.count; i++) {
        const struct test_object *object = &registry.items[i];
        char name[512], text[DIGEST_TEXT_BYTES];
        struct digest digest;

        if (object->kind != WANT_MANIFEST || strchr(object->target, ':') || object->answer.status != EVIDENCE_FOUND)
            continue;
        ck_assert(digest_compute(DIGEST_SHA256, object->answer.body, &digest));
        (void)snprintf(name, sizeof(name), "registry.test/%s:%s", repository, object->target);
        json_open_map(&out, NULL);
        json_put_str(&out, "digest", digest_format(&digest, text));
        json_open_map(&out, "annotations");
        if (!cosign_kinds)
            json_put_str(&out, "org.opencontainers.image.ref.name", name);
        else if (span_ends(span_str(object->target), ".sig"))
            json_put_str(&out, "kind", "dev.cosignproject.cosign/sigs");
        json_close_map(&out);
        json_close_map(&out);
    }
    json_close_list(&out);
    json_close_map(&out);
    put("index.json", buf_as_span(&index));
    buf_free(&index);
    test_registry_done(&registry);
}

/* Asks and answers until nothing more is wanted; the number of claims with the key. */
static size_t claims_with(const char *key_name, enum reason *ret_reason)
{
    struct pubkey *key = test_key(key_name);
    struct verify_key keys[] = {{.key = key, .hash = DIGEST_NONE}};
    struct verify_place places[] = {{.host = STORE_HOST, .repository = top, .tag_prefix = "", .signatures = true}};
    struct verify_input input = {.places = places, .place_count = 1, .keys = keys, .key_count = 1, .now = 1800000000};
    struct evidence_set set = {0};
    struct claims claims = {0};
    struct error err = ERROR_INIT;
    struct store *store = NULL;
    size_t count;

    ck_assert(digest_parse(span_str(IMAGE), &input.image));
    ck_assert_msg(store_open(top, &store, &err), "%s", err.text);
    for (int round = 0; round < 8; round++) {
        struct wants wants = {0};
        size_t asked;

        ck_assert_msg(verify_wants(&input, &set, &wants, &err), "%s", err.text);
        asked = wants.count;
        for (size_t i = 0; i < wants.count; i++) {
            struct evidence answer = {0};

            ck_assert_msg(store_answer(store, &wants.items[i], &answer, &err), "%s", err.text);
            ck_assert(evidence_set_add(&set, &wants.items[i], &answer, &err));
        }
        wants_done(&wants);
        if (asked == 0)
            break;
    }
    ck_assert_msg(verify_claims(&input, &set, &claims, &err), "%s", err.text);
    count = claims.count;
    if (ret_reason)
        *ret_reason = claims.finding_count > 0 ? claims.findings[0].reason : REASON_OK;
    claims_done(&claims);
    evidence_set_done(&set);
    store_free(store);
    pubkey_free(key);
    return count;
}

struct layout_case {
    const char *repository;
    bool cosign_kinds;
    size_t claims;
};

static const struct layout_case layout_cases[] = {
    {"demo/legacy", false, 1}, {"demo/legacy", true, 1}, {"demo/bundle", false, 2},
    {"demo/bundle", true, 2},  {"demo/nosig", false, 0}, {"demo/mixed", false, 1},
};

START_TEST(verifies_layouts)
{
    const struct layout_case *c = &layout_cases[_i];

    layout_from(c->repository, c->cosign_kinds);
    ck_assert_msg(claims_with("cosign.pub", NULL) == c->claims, "%s", c->repository);
    ck_assert_uint_eq(claims_with("secp384r1.pub", NULL), 0);
}
END_TEST

/* The signature layer of demo/legacy as two files, a bundle of demo/bundle as one. */
static void plain_from_samples(void)
{
    struct test_registry registry = {0};

    make_dir(IMAGE_DIR);
    test_registry_load(&registry, "demo/legacy");
    test_registry_load(&registry, "demo/bundle");
    for (size_t i = 0; i < registry.count; i++) {
        const struct test_object *object = &registry.items[i];
        struct span body = object->answer.body;
        size_t at = span_find(body, "dev.cosignproject.cosign/signature\":\"");

        if (object->kind == WANT_BLOB && span_find(body, "\"critical\"") != SIZE_MAX)
            put(IMAGE_DIR "/a.payload", body);
        else if (object->kind == WANT_BLOB && span_find(body, "dsseEnvelope") != SIZE_MAX)
            put(IMAGE_DIR "/b.sigstore.json", body);
        else if (at != SIZE_MAX) {
            struct span rest = span_cut(body, at + strlen("dev.cosignproject.cosign/signature\":\""), SIZE_MAX);

            put(IMAGE_DIR "/a.sig", span_cut(rest, 0, span_find_byte(rest, '"')));
        }
    }
    test_registry_done(&registry);
}

START_TEST(verifies_plain_files)
{
    plain_from_samples();
    ck_assert_uint_eq(claims_with("cosign.pub", NULL), 2);
    ck_assert_uint_eq(claims_with("rsa2048.pub", NULL), 0);
    put(IMAGE_DIR "/a.payload", span_str("{}"));
    ck_assert_uint_eq(claims_with("cosign.pub", NULL), 1);
    put(IMAGE_DIR "/b.sigstore.json", span_str("{"));
    ck_assert_uint_eq(claims_with("cosign.pub", NULL), 0);
}
END_TEST

START_TEST(a_missing_half_is_an_error)
{
    enum reason reason = REASON_OK;
    char path[256];

    plain_from_samples();
    (void)snprintf(path, sizeof(path), "%s/%s/a.payload", top, IMAGE_DIR);
    ck_assert_int_eq(remove(path), 0);
    (void)snprintf(path, sizeof(path), "%s/%s/b.sigstore.json", top, IMAGE_DIR);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_uint_eq(claims_with("cosign.pub", &reason), 0);
    ck_assert_int_eq(reason, REASON_FETCH_FAILED);
}
END_TEST

START_TEST(a_changed_blob_is_not_believed)
{
    enum reason reason = REASON_OK;
    char path[256];
    DIR *dir;

    layout_from("demo/legacy", false);
    (void)snprintf(path, sizeof(path), "%s/blobs/sha256", top);
    dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char blob[512];
        struct buf bytes = BUF_INIT(0);
        struct error err = ERROR_INIT;

        (void)snprintf(blob, sizeof(blob), "%s/%s", path, entry->d_name);
        if (!file_read(blob, 1 << 20, FILE_ANY, &bytes, &err) ||
            span_find(buf_as_span(&bytes), "\"critical\"") == SIZE_MAX) {
            buf_free(&bytes);
            continue;
        }
        bytes.ptr[bytes.len - 2] ^= 1;
        (void)snprintf(blob, sizeof(blob), "blobs/sha256/%s", entry->d_name);
        put(blob, buf_as_span(&bytes));
        buf_free(&bytes);
    }
    (void)closedir(dir);
    ck_assert_uint_eq(claims_with("cosign.pub", &reason), 0);
    ck_assert_int_eq(reason, REASON_DIGEST_MISMATCH);
}
END_TEST

START_TEST(opens_only_directories)
{
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/missing", top);
    ck_assert(!store_open(path, &store, &err));
    ck_assert_int_eq(err.reason, REASON_NOT_FOUND);
    put("index.json", span_str("{\"manifests\":{}}"));
    ck_assert(!store_open(top, &store, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    put("index.json", span_str("{"));
    ck_assert(!store_open(top, &store, &err));
    ck_assert_int_eq(err.reason, REASON_MALFORMED);
    ck_assert_ptr_null(store);
}
END_TEST

/* Targets come from documents; none may leave the directory. */
START_TEST(stays_inside)
{
    static const char *const targets[] = {"../../etc/passwd",
                                          "sha256:../../../etc/passwd",
                                          "sha256-../x.sig",
                                          "/etc/passwd",
                                          "sha256-a/../../x.att",
                                          "..",
                                          ".sig",
                                          "-.sig",
                                          "sha256:",
                                          "x"};
    struct store *store = NULL;
    struct error err = ERROR_INIT;

    ck_assert(store_open(top, &store, &err));
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        for (int kind = WANT_MANIFEST; kind <= WANT_BLOB; kind++) {
            struct want want = {.id = 1, .kind = (enum want_kind)kind, .max_bytes = 1024};
            struct evidence answer = {0};

            want.target = mem_strdup(targets[i]);
            ck_assert(store_answer(store, &want, &answer, &err));
            ck_assert_msg(answer.status != EVIDENCE_FOUND || kind == WANT_REFERRERS, "%s", targets[i]);
            evidence_done(&answer);
            mem_free(want.target);
        }
    }
    store_free(store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_store");
    TCase *cases = tcase_create("store");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, verifies_layouts, 0, (int)ARRAY_LEN(layout_cases));
    tcase_add_test(cases, verifies_plain_files);
    tcase_add_test(cases, a_missing_half_is_an_error);
    tcase_add_test(cases, a_changed_blob_is_not_believed);
    tcase_add_test(cases, opens_only_directories);
    tcase_add_test(cases, stays_inside);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
