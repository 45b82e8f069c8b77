/* SPDX-License-Identifier: Apache-2.0 */
/* Which image a container is made of: containers storage and containerd's metadata, good and damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "plugin/start/boltdb.h"
#include "plugin/start/identify.h"
#include "tests/unit/harness.h"

#define IMAGE_ID "1f0e4d6a5b5b8a3f6f2b7d1e2c3a4b5c6d7e8f901a2b3c4d5e6f708192a3b4c5"
#define DIGEST "sha256:3190b35b1e2a27e5eddfd1d3d38f71505a34e7491c42dacf22cc6ba3f3e0e179"

static const char image_one[] = "[{\"id\":\"" IMAGE_ID "\",\"digest\":\"" DIGEST
                                "\",\"names\":[\"registry.example.com/team/app:v1\"],\"layer\":\"x\"}]";
static const char image_two_names[] = "[{\"id\":\"" IMAGE_ID "\",\"digest\":\"" DIGEST
                                      "\",\"names\":[\"registry.example.com/team/app:v1\",\"localhost/evil:v1\"]}]";
static const char container_named[] =
    "[{\"id\":\"c1\",\"image\":\"" IMAGE_ID
    "\",\"metadata\":\"{\\\"image-name\\\":\\\"registry.example.com/team/app:v1\\\"}\"}]";
static const char container_plain[] = "[{\"id\":\"c1\",\"image\":\"" IMAGE_ID "\"}]";

struct storage_case {
    const char *what, *images, *containers, *volatiles;
    enum reason reason; /* OK = identified */
    const char *reference, *digest;
    const char *other; /* NULL = no further name */
};

static const struct storage_case storage_cases[] = {
    {"plain", image_one, container_plain, "", REASON_OK, "registry.example.com/team/app:v1", DIGEST},
    {"in the volatile file", image_one, "[]", container_plain, REASON_OK, "registry.example.com/team/app:v1", DIGEST},
    {"created under one of two names", image_two_names, container_named, "", REASON_OK,
     "registry.example.com/team/app:v1", DIGEST},
    {"two names, none chosen", image_two_names, container_plain, "", REASON_OK, "registry.example.com/team/app:v1",
     DIGEST, "localhost/evil:v1"},
    {"no names", "[{\"id\":\"" IMAGE_ID "\",\"digest\":\"" DIGEST "\"}]", container_plain, "", REASON_OK, NULL, DIGEST},
    {"no digest (built here)", "[{\"id\":\"" IMAGE_ID "\",\"names\":[\"localhost/a:v1\"]}]", container_plain, "",
     REASON_OK, "localhost/a:v1", NULL},
    {"created under a name the image no longer has",
     "[{\"id\":\"" IMAGE_ID "\",\"digest\":\"" DIGEST "\",\"names\":[\"localhost/evil:v1\"]}]", container_named, "",
     REASON_OK, "localhost/evil:v1", DIGEST},
    {"no such container", image_one, "[{\"id\":\"c2\",\"image\":\"" IMAGE_ID "\"}]", "", REASON_NOT_FOUND, NULL, NULL},
    {"no such image", "[]", container_plain, "", REASON_NOT_FOUND, NULL, NULL},
    {"rootfs only", image_one, "[{\"id\":\"c1\",\"image\":\"\"}]", "", REASON_NOT_FOUND, NULL, NULL},
    {"two records", image_one, "[{\"id\":\"c1\",\"image\":\"a\"},{\"id\":\"c1\",\"image\":\"b\"}]", "",
     REASON_MALFORMED, NULL, NULL},
    {"not a list", image_one, "{}", "", REASON_MALFORMED, NULL, NULL},
    {"cut off", image_one, "[{\"id\":\"c1\"", "", REASON_MALFORMED, NULL, NULL},
    {"image is a number", image_one, "[{\"id\":\"c1\",\"image\":1}]", "", REASON_MALFORMED, NULL, NULL},
    {"name is a number", "[{\"id\":\"" IMAGE_ID "\",\"names\":[1]}]", container_plain, "", REASON_MALFORMED, NULL,
     NULL},
    {"the second name is a number", "[{\"id\":\"" IMAGE_ID "\",\"names\":[\"a/b:1\",1]}]", container_plain, "",
     REASON_MALFORMED, NULL, NULL},
    {"empty files", "", "", "", REASON_NOT_FOUND, NULL, NULL},
};

START_TEST(reads_storage)
{
    const struct storage_case *c = &storage_cases[_i];
    struct storage_files files = {span_str(c->images), span_str(c->containers), span_str(c->volatiles)};
    struct start_identity identity = {0};
    struct error err = ERROR_INIT;
    bool found = identify_container(&files, "c1", &identity, &err);

    ck_assert_msg(found == (c->reason == REASON_OK), "%s: %s", c->what, err.text);
    if (!found) {
        ck_assert_msg(err.reason == c->reason, "%s: %s (%s)", c->what, reason_name(err.reason), err.text);
        ck_assert_ptr_null(identity.digest);
        return;
    }
    ck_assert_str_eq(identity.image_id, IMAGE_ID);
    ck_assert_pstr_eq(identity.reference, c->reference);
    ck_assert_pstr_eq(identity.digest, c->digest);
    ck_assert_uint_eq(identity.others.count, c->other ? 1 : 0);
    if (c->other)
        ck_assert_str_eq(identity.others.items[0], c->other);
    start_identity_done(&identity);
}
END_TEST

static struct buf database;

static void load(const char *name)
{
    char path[4096];
    struct error err = ERROR_INIT;
    const char *source = secure_getenv("PG_SOURCE");

    (void)snprintf(path, sizeof(path), "%s/tests/vectors/containerd-2.1/%s", source ? source : ".", name);
    ck_assert_msg(file_read(path, 1 << 20, FILE_ANY, &database, &err), "%s", err.text);
}

static void load_database(void)
{
    load("meta.db");
}

static void drop_database(void)
{
    buf_free(&database);
}

static enum reason look(struct span bytes, const char *namespace, const char *container, const char *name)
{
    struct start_identity identity = {0};
    struct error err = ERROR_INIT;

    if (!identify_containerd(bytes, namespace, container, name, &identity, &err))
        return err.reason;
    ck_assert_str_eq(identity.digest, "sha256:dcca462a35e011aa0b91e08508aa18fb3996cd2958d74bede6439cb1c5a004d4");
    start_identity_done(&identity);
    return REASON_OK;
}

START_TEST(reads_containerd)
{
    struct span bytes = buf_as_span(&database);
    char name[64];

    ck_assert_int_eq(look(bytes, "k8s.io", NULL, "registry.example.com/team/app:v1"), REASON_OK);
    for (int i = 1; i <= 60; i++) { /* spread over branch pages */
        (void)snprintf(name, sizeof(name), "registry.example.com/team/n%d:v1", i);
        ck_assert_int_eq(look(bytes, "k8s.io", NULL, name), REASON_OK);
    }
    ck_assert_int_eq(look(bytes, "k8s.io", NULL, "registry.example.com/team/n61:v1"), REASON_NOT_FOUND);
    ck_assert_int_eq(look(bytes, "k8s.io", NULL, ""), REASON_NOT_FOUND);
    ck_assert_int_eq(look(bytes, "moby", NULL, "registry.example.com/team/app:v1"), REASON_NOT_FOUND);
    ck_assert_int_eq(look(bytes, "k8s.io", "no-such-container", NULL), REASON_NOT_FOUND);
}
END_TEST

/* Two containers of one name, which was another image's when the first was made (SOURCE.md). */
START_TEST(believes_the_record_not_the_name)
{
    static const char moved[] = "b4abc9d567cf1b9c0ff94c8d428e62db7c859826c8b3184fca7a52bc5c9977ae",
                      settled[] = "2c7e82428bb58798a90c002657be89d0b560bbfe1a3ad5e0c546eaa9b28fccc8",
                      first[] = "sha256:bb8dab655237e70161af9ed413c84ee20b21357ef4834b2e34eae38e498ed37c",
                      second[] = "sha256:c9bbb7e52ab57caef834bdee5bf5736f42bd2ef29db95f8e14bd91147e1ad3fa",
                      name[] = "127.0.0.1:50999/moved:v1";
    const struct {
        const char *container, *name, *digest;
    } cases[] = {
        {moved, NULL, first},
        {moved, name, first},
        {settled, NULL, second},
        {settled, name, second},
        {NULL, name, second},
        {"not-yet-recorded", name, second}, /* NRI at CreateContainer: a name is all there is */
    };

    buf_free(&database);
    load("cri-meta.db");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct start_identity identity = {0};
        struct error err = ERROR_INIT;

        ck_assert_msg(identify_containerd(buf_as_span(&database), "k8s.io", cases[i].container, cases[i].name,
                                          &identity, &err), "%zu: %s", i, err.text);
        ck_assert_str_eq(identity.digest, cases[i].digest);
        ck_assert_str_eq(identity.reference, name);
        start_identity_done(&identity);
    }
    for (size_t at = 0; at < database.len; at += 13) { /* damage in the record: an error, or the same answer */
        struct start_identity identity = {0};
        struct error err = ERROR_INIT;

        database.ptr[at] ^= 0xff;
        if (identify_containerd(buf_as_span(&database), "k8s.io", moved, NULL, &identity, &err))
            start_identity_done(&identity);
        else
            ck_assert(err.reason == REASON_MALFORMED || err.reason == REASON_NOT_FOUND);
        database.ptr[at] ^= 0xff;
    }
}
END_TEST

START_TEST(survives_damage)
{
    struct span bytes = buf_as_span(&database);
    uint8_t *copy = mem_dup(bytes.ptr, bytes.len);

    ck_assert_ptr_nonnull(copy);
    for (size_t len = 0; len < bytes.len; len += 511)
        (void)look(span_of(bytes.ptr, len), "k8s.io", NULL, "registry.example.com/team/n33:v1");
    for (size_t at = 0; at < bytes.len; at += 7) { /* a wrong digest would fail inside look() */
        copy[at] ^= 0xff;
        if (at < 8192 || at % 5 == 0) {
            struct boltdb db;
            struct error err = ERROR_INIT;
            const char *const path[] = {"v1",     "k8s.io", "images", "registry.example.com/team/n33:v1",
                                        "target", "digest"};
            struct span value = {NULL, 0};

            if (boltdb_open(span_of(copy, bytes.len), &db, &err) &&
                !boltdb_get(&db, path, ARRAY_LEN(path), &value, &err))
                ck_assert_int_eq(err.reason, REASON_MALFORMED);
        }
        copy[at] ^= 0xff;
    }
    mem_free(copy);
}
END_TEST

START_TEST(needs_a_meta_page)
{
    static const uint8_t zeros[8192];

    ck_assert_int_eq(look(span_of(zeros, sizeof(zeros)), "k8s.io", NULL, "a"), REASON_MALFORMED);
    ck_assert_int_eq(look(span_of(NULL, 0), "k8s.io", NULL, "a"), REASON_MALFORMED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_start");
    TCase *cases = tcase_create("storage");
    TCase *containerd = tcase_create("containerd");

    tcase_add_loop_test(cases, reads_storage, 0, (int)ARRAY_LEN(storage_cases));
    suite_add_tcase(suite, cases);
    tcase_add_unchecked_fixture(containerd, load_database, drop_database);
    tcase_add_test(containerd, reads_containerd);
    tcase_add_test(containerd, survives_damage);
    tcase_add_test(containerd, believes_the_record_not_the_name);
    tcase_add_test(containerd, needs_a_meta_page);
    suite_add_tcase(suite, containerd);
    return run_suite(suite);
}
