/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked for and where: listings, their pages and limits, registries that lie about them, and what is asked. */
#include "tests/unit/verifier_traps.h"

START_TEST(listings_by_the_api_and_its_pages)
{
    static const char next[] = "</v2/" REPO "/referrers/sha256:" HEX "?page=2>; rel=\"next\"";
    struct buf bundle, first = BUF_INIT(10000), second = BUF_INIT(10000);
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    buf_str(&first,
            "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":5,\"digest\":\"sha256:" OTHER
            "\"}");
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &second);
    test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, next, buf_cstr(&first));
    test_put_index(&run.registry, WANT_PAGE, REPO, "/v2/" REPO "/referrers/sha256:" HEX "?page=2", next,
                   buf_cstr(&second));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_LIMIT); /* the second page leads to itself */
    ck_assert_int_eq(run.claims.findings[1].reason, REASON_FETCH_FAILED); /* the one that is listed and not there */
    run_done(&run);
    buf_free(&bundle);
    buf_free(&first);
    buf_free(&second);
}
END_TEST

START_TEST(pages_on_other_hosts_are_not_followed)
{
    static const struct {
        const char *link;
        bool more; /* names a page, which is then missing from what was looked at */
    } links[] = {
        {"<https://evil.example/v2/x>; rel=\"next\"", true}, {"<//evil.example/v2/x>; rel=\"next\"", true},
        {"<?page=2>; rel=\"next\"", true}, {"</v1/x>; rel=\"next\"", true}, {"</v2/x y>; rel=\"next\"", true},
        {"<https://" TEST_HOST ".evil.example/v2/x>; rel=\"next\"", true},
        {"<", false}, {">;rel=\"next\"<", false}, {"</v2/x>; rel=\"prev\"", false}, {"", false},
    };

    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        struct run run;

        run_start(&run);
        test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, links[i].link, "");
        run_go(&run);
        ck_assert_msg(run.rounds == 1, "%s", links[i].link);
        ck_assert_msg(run.claims.finding_count == links[i].more, "%s", links[i].link);
        ck_assert(!links[i].more || run.claims.findings[0].reason == REASON_UNSUPPORTED);
        run_done(&run);
    }
}
END_TEST

START_TEST(pages_without_end)
{
    char target[40] = "", link[80];
    enum want_kind kind = WANT_REFERRERS;
    struct run run;

    run_start(&run);
    for (int page = 0; page <= LIMIT_REFERRERS_PAGES; page++) {
        (void)snprintf(link, sizeof(link), "</v2/page/%d>; rel=\"next\"", page + 1);
        test_put_index(&run.registry, kind, REPO, kind == WANT_PAGE ? target : "sha256:" HEX, link, "");
        (void)snprintf(target, sizeof(target), "/v2/page/%d", page + 1);
        kind = WANT_PAGE;
    }
    run_go(&run);
    ck_assert_uint_eq(run.rounds, LIMIT_REFERRERS_PAGES);
    ck_assert_uint_eq(run.claims.finding_count, 1);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_LIMIT);
    run_done(&run);
}
END_TEST

START_TEST(a_page_on_the_same_host_by_its_url)
{
    struct buf bundle, descriptors = BUF_INIT(10000);
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX,
                   "</x>; rel=prev, <https://" TEST_HOST "/v2/next?a=b>; rel=\"next\"", "");
    test_put_index(&run.registry, WANT_PAGE, REPO, "/v2/next?a=b", NULL, buf_cstr(&descriptors));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&descriptors);
}
END_TEST

/* 200 with another type: the API is not there, the fallback tag counts (sigstore.md 2.5). */
START_TEST(a_listing_of_another_type_is_none)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    test_registry_put(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, "text/html", NULL, span_str("<html>"));
    put_bundle(&run, buf_as_span(&bundle), NULL);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* A registry that resolves the fallback tag to the image's own index: nothing found, nothing fetched, no fault. */
START_TEST(the_image_is_not_its_own_referrer)
{
    static const char index[] =
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"size\":2,\"digest\":\"sha256:" HEX "\"}]}";
    char digest[DIGEST_TEXT_BYTES], tag[DIGEST_TEXT_BYTES];
    struct run run;

    run_start(&run);
    ck_assert(digest_compute(DIGEST_SHA256, span_str(index), &run.input.image));
    (void)snprintf(tag, sizeof(tag), "sha256-%s", digest_format(&run.input.image, digest) + 7);
    test_registry_put(&run.registry, WANT_MANIFEST, REPO, tag, "application/vnd.oci.image.index.v1+json", NULL,
                      span_str(index));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    ck_assert_uint_eq(run.rounds, 1);
    run_done(&run);
}
END_TEST

/* What others wrote into the listing, or a registry in its own words, must not cost us the entries beside it. */
START_TEST(unusable_entries_hide_nothing)
{
    static const char *const foreign[] = {
        "{\"mediaType\":\"a/b\",\"size\":5,\"digest\":\"blake3:" HEX "\"}",
        "{\"mediaType\":\"a/b\",\"digest\":\"sha256:" OTHER "\"}",
        "{\"mediaType\":\"a/b\",\"size\":5,\"digest\":\"sha256:" OTHER "\",\"annotations\":{\"n\":1}}",
        "{\"size\":5,\"digest\":\"sha256:" OTHER "\"}",
        "[]",
        "null",
    };

    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        struct buf bundle, descriptors = BUF_INIT(10000);
        struct run run;

        run_start(&run);
        test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
        buf_str(&descriptors, foreign[i]);
        test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
        test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, NULL, buf_cstr(&descriptors));
        run_go(&run);
        expect(&run, REASON_OK, foreign[i]);
        ck_assert_uint_eq(run.claims.finding_count, 1);
        ck_assert_int_eq(run.claims.findings[0].reason, REASON_MALFORMED);
        run_done(&run);
        buf_free(&bundle);
        buf_free(&descriptors);
    }
}
END_TEST

/* A registry that writes every member, with null for what is not there. */
START_TEST(null_is_absence_in_a_listing)
{
    static const char nulls[] = ",\"artifactType\":null,\"annotations\":null}";
    struct buf bundle, written = BUF_INIT(10000), descriptors = BUF_INIT(10000);
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), ",\"subject\":null,\"annotations\":null", &written);
    buf_span(&descriptors, span_cut(buf_as_span(&written), 0, span_find(buf_as_span(&written), ",\"artifactType\"")));
    buf_str(&descriptors, nulls);
    test_put_index(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, NULL, buf_cstr(&descriptors));
    run_go(&run);
    expect(&run, REASON_OK, buf_cstr(&descriptors));
    ck_assert_uint_eq(run.claims.finding_count, 0);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&written);
    buf_free(&descriptors);
}
END_TEST

/* A hundred manifests of others in front of ours; `more` members in each, and in what the listing says of it. */
static void put_crowd(struct run *run, const char *more, const char *listed, struct buf *descriptors)
{
    struct buf bundle;

    for (int i = 0; i < 100; i++) {
        char manifest[600], digest[DIGEST_TEXT_BYTES];

        (void)snprintf(manifest, sizeof(manifest),
                       "{\"schemaVersion\":2,%s" CONFIG ",\"layers\":[],\"annotations\":{\"n\":\"%d\"}}", more, i);
        test_registry_put_digest(&run->registry, WANT_MANIFEST, REPO, NULL, span_str(manifest), digest);
        buf_printf(descriptors,
                   "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\",%s}%s",
                   strlen(manifest), digest, listed, i < 99 ? "," : "");
    }
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    test_put_bundle(&run->registry, REPO, buf_as_span(&bundle), NULL, descriptors);
    test_put_index(&run->registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(descriptors));
    buf_free(&bundle);
}

START_TEST(foreign_referrers_hide_nothing)
{
    struct buf descriptors = BUF_INIT(1000000);
    struct run run;

    run_start(&run);
    put_crowd(&run, "\"artifactType\":\"application/spdx+json\",", "\"artifactType\":\"application/spdx+json\"",
              &descriptors);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_int_eq(run.claims.findings[0].reason, REASON_LIMIT);
    ck_assert_int_eq(run.claims.findings[1].reason, REASON_NO_SIGNATURE);
    ck_assert_uint_le(run.registry.requests, 3 + LIMIT_REFERRERS + 1);
    run_done(&run);
    buf_free(&descriptors);
}
END_TEST

/* Whoever asks for more than signatures puts it into the list first: it must still be there, and numbers stay distinct.
 */
START_TEST(wants_are_added_to)
{
    struct wants wants = {0};
    struct error err = ERROR_INIT;
    struct run run;

    run_start(&run);
    ck_assert(wants_add(&wants, WANT_MANIFEST, TEST_HOST, "other", "v1", 1024, &err));
    ck_assert(verify_wants(&run.input, &run.set, &wants, &err));
    ck_assert_uint_gt(wants.count, 1);
    ck_assert_str_eq(wants.items[0].repository, "other");
    for (size_t i = 1; i < wants.count; i++)
        ck_assert_uint_ne(wants.items[i].id, wants.items[i - 1].id);
    wants_done(&wants);
    run_done(&run);
}
END_TEST

/* A hundred attestations of our own kind, said so by the listing, take no place of the one signature behind them. */
START_TEST(attestations_crowd_nothing_out)
{
    struct buf descriptors = BUF_INIT(1000000);
    struct run run;

    run_start(&run);
    put_crowd(&run, "",
              "\"artifactType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\",\"annotations\":"
              "{\"dev.sigstore.bundle.predicateType\":\"https://cosign.sigstore.dev/attestation/vuln/v1\"}",
              &descriptors);
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_uint_eq(run.claims.finding_count, 0);
    ck_assert_uint_le(run.registry.requests, 3 + 2);
    run_done(&run);
    buf_free(&descriptors);
}
END_TEST

/* The annotation is cosign's hint: an SBOM is not even fetched where signatures are wanted. */
START_TEST(hints_save_requests)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    put_bundle(&run, buf_as_span(&bundle),
               ",\"annotations\":{\"dev.sigstore.bundle.predicateType\":\"https://cyclonedx.org/bom\"}");
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 0);
    ck_assert_uint_eq(run.rounds, 2);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* A referrer's manifest that is not the one of its digest: another space is another manifest. */
START_TEST(referrers_are_held_to_their_digest)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    put_bundle(&run, buf_as_span(&bundle), " ");
    for (size_t i = 0; i < run.registry.count; i++) {
        struct test_object *object = &run.registry.items[i];

        if (object->kind == WANT_MANIFEST && strncmp(object->target, "sha256:", 7) == 0)
            ((uint8_t *)object->answer.owned)[object->answer.body.len - 2] = '\n';
    }
    run_go(&run);
    expect(&run, REASON_DIGEST_MISMATCH, "manifest");
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* The digest is right and the size that the listing says is not: two readers must not see two objects. */
START_TEST(referrers_are_held_to_their_size)
{
    struct buf bundle, written = BUF_INIT(10000), descriptors = BUF_INIT(10000);
    struct run run;
    size_t at;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &written);
    at = span_find(buf_as_span(&written), "\"size\":") + strlen("\"size\":");
    buf_printf(&descriptors, "%.*s1%s", (int)at, buf_cstr(&written), buf_cstr(&written) + at);
    test_put_index(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    run_go(&run);
    expect(&run, REASON_DIGEST_MISMATCH, "size");
    run_done(&run);
    buf_free(&bundle);
    buf_free(&written);
    buf_free(&descriptors);
}
END_TEST

START_TEST(a_listing_must_be_an_index)
{
    struct run run;

    run_start(&run);
    test_registry_put(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, NULL,
                      span_str("{\"schemaVersion\":2," CONFIG ",\"layers\":[]}"));
    run_go(&run);
    expect(&run, REASON_MALFORMED, "fallback tag");
    run_done(&run);
}
END_TEST

START_TEST(errors_are_told_apart_from_absence)
{
    static const enum reason reasons[] = {REASON_FETCH_FAILED, REASON_TIMEOUT, REASON_UNAUTHORIZED, REASON_LIMIT};
    struct run run;

    for (size_t i = 0; i < 4; i++) {
        run_start(&run);
        test_registry_fail(&run.registry, WANT_MANIFEST, REPO, SIG_TAG, reasons[i], "as said");
        run_go(&run);
        expect(&run, reasons[i], "look-up");
        ck_assert_str_eq(run.claims.findings[0].text, "as said");
        run_done(&run);
    }
    run_start(&run);
    test_registry_fail(&run.registry, WANT_REFERRERS, REPO, "sha256:" HEX, REASON_INTERNAL, NULL);
    run_go(&run);
    expect(&run, REASON_FETCH_FAILED, "no reason given");
    run_done(&run);
}
END_TEST

START_TEST(tag_prefixes_and_other_repositories)
{
    struct test_layer layer = {.payload = span_str(GOOD_PAYLOAD)};
    struct verify_place places[2] = {{TEST_HOST, REPO, "", true, false},
                                     {"other.example:5000", "sigs", "pre-", true, false}};
    struct buf signature;
    struct run run;

    run_start(&run);
    test_sign(key, layer.payload, &signature);
    layer.signature = buf_as_span(&signature);
    test_put_layers(&run.registry, "sigs", "pre-" SIG_TAG, &layer, 1);
    run.input.places = places;
    run.input.place_count = 2;
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    ck_assert_str_eq(run.claims.items[0].place.repository, "other.example:5000/sigs");
    ck_assert_str_eq(run.claims.items[0].place.tag_prefix, "pre-");
    ck_assert_str_eq(run.claims.items[0].place.manifest, "pre-" SIG_TAG);
    run_done(&run);
    buf_free(&signature);
}
END_TEST

/* Numbers go on over the rounds, and nothing is asked twice. */
START_TEST(questions_are_numbered_and_asked_once)
{
    struct buf bundle;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    put_bundle(&run, buf_as_span(&bundle), NULL);
    run_go(&run);
    for (size_t i = 0; i < run.set.count; i++) {
        ck_assert_uint_eq(run.set.wants[i].id, i + 1);
        for (size_t j = 0; j < i; j++)
            ck_assert(run.set.wants[i].kind != run.set.wants[j].kind ||
                      strcmp(run.set.wants[i].target, run.set.wants[j].target) != 0);
    }
    ck_assert_uint_eq(run.set.count, 5);
    ck_assert_uint_eq(run.rounds, 3);
    run_done(&run);
    buf_free(&bundle);
}
END_TEST

/* More layers than are ever looked at: the rest is left out and said so; the signature in front of them counts. */
START_TEST(too_many_layers_hide_nothing)
{
    enum { LAYERS = 1000, MANIFESTS = 20 };
    struct buf bundle, manifest = BUF_INIT(1000000), descriptors = BUF_INIT(1000000);
    char digest[DIGEST_TEXT_BYTES];
    bool said = false;
    struct run run;

    run_start(&run);
    test_bundle(key, span_str(GOOD_STATEMENT), &bundle);
    test_put_bundle(&run.registry, REPO, buf_as_span(&bundle), NULL, &descriptors);
    for (int i = 0; i < MANIFESTS; i++) {
        buf_clear(&manifest);
        buf_printf(&manifest,
                   "{\"schemaVersion\":2,\"annotations\":{\"n\":\"%d\"},\"config\":{\"mediaType\":"
                   "\"application/vnd.dev.cosign.artifact.sig.v1+json\",\"size\":2,\"digest\":\"sha256:" HEX "\"},"
                   "\"layers\":[", i);
        for (int j = 0; j < LAYERS; j++)
            buf_printf(&manifest,
                       "%s{\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\",\"size\":2,"
                       "\"digest\":\"sha256:" HEX "\"}", j > 0 ? "," : "");
        buf_str(&manifest, "]}");
        test_registry_put_digest(&run.registry, WANT_MANIFEST, REPO, NULL, buf_as_span(&manifest), digest);
        buf_printf(&descriptors,
                   ",{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":%zu,\"digest\":\"%s\"}",
                   manifest.len, digest);
    }
    test_put_index(&run.registry, WANT_MANIFEST, REPO, "sha256-" HEX, NULL, buf_cstr(&descriptors));
    run_go(&run);
    ck_assert_uint_eq(run.claims.count, 1);
    for (size_t i = 0; i < run.claims.finding_count; i++)
        said |= run.claims.findings[i].reason == REASON_LIMIT;
    ck_assert(said);
    run_done(&run);
    buf_free(&bundle);
    buf_free(&manifest);
    buf_free(&descriptors);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_discover");
    TCase *cases = tcase_create("discover");
    struct error err = ERROR_INIT;
    int result;

    if (!crypto_init(&err) || !privkey_generate(&key, &err))
        return EXIT_FAILURE;
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, listings_by_the_api_and_its_pages);
    tcase_add_test(cases, pages_on_other_hosts_are_not_followed);
    tcase_add_test(cases, pages_without_end);
    tcase_add_test(cases, a_page_on_the_same_host_by_its_url);
    tcase_add_test(cases, a_listing_of_another_type_is_none);
    tcase_add_test(cases, the_image_is_not_its_own_referrer);
    tcase_add_test(cases, unusable_entries_hide_nothing);
    tcase_add_test(cases, null_is_absence_in_a_listing);
    tcase_add_test(cases, foreign_referrers_hide_nothing);
    tcase_add_test(cases, wants_are_added_to);
    tcase_add_test(cases, attestations_crowd_nothing_out);
    tcase_add_test(cases, hints_save_requests);
    tcase_add_test(cases, referrers_are_held_to_their_digest);
    tcase_add_test(cases, referrers_are_held_to_their_size);
    tcase_add_test(cases, a_listing_must_be_an_index);
    tcase_add_test(cases, errors_are_told_apart_from_absence);
    tcase_add_test(cases, tag_prefixes_and_other_repositories);
    tcase_add_test(cases, questions_are_numbered_and_asked_once);
    tcase_add_test(cases, too_many_layers_hide_nothing);
    suite_add_tcase(suite, cases);
    result = run_suite(suite);
    privkey_free(key);
    return result;
}
