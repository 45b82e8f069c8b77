/* SPDX-License-Identifier: Apache-2.0 */
/* The fetcher's job: what a request grants, it grants to the image's own registry and to nobody else. */
#include <string.h>

#include "base/mem.h"
#include "plugin/engine/job.h"
#include "tests/unit/harness.h"

#define OWN "reg.example:5000"

static const struct case_ {
    const char *reference; /* of the request */
    const char *settings;
    const char *host;      /* that is asked */
    uint32_t request_flags;
    bool insecure;         /* may be reached without verified TLS */
    bool credentials;      /* gets the request's */
} cases[] = {
    {OWN "/team/app:1", "", OWN, REQUEST_INSECURE, true, true},
    {OWN "/team/app:1", "", OWN, 0, false, true},
    /* A policy's source elsewhere, however alike it is called. */
    {OWN "/team/app:1", "", "reg.example", REQUEST_INSECURE, false, false},
    {OWN "/team/app:1", "", "reg.example:5001", REQUEST_INSECURE, false, false},
    {OWN "/team/app:1", "", "sub.reg.example:5000", REQUEST_INSECURE, false, false},
    {OWN "/team/app:1", "", "ghcr.io", REQUEST_INSECURE, false, false},
    {"alpine", "", "index.docker.io", REQUEST_INSECURE, true, true},
    {"alpine", "", OWN, REQUEST_INSECURE, false, false},
    /* The settings name registries one by one. */
    {"alpine", "insecure-registries: [\"" OWN "\"]\n", OWN, 0, true, false},
    {"alpine", "insecure-registries: [\"reg.example\"]\n", OWN, 0, false, false},
};

static void make_request(const struct case_ *c, struct request *request)
{
    *request = (struct request){.operation = OPERATION_PULL, .flags = c->request_flags};
    request->reference = mem_strdup(c->reference);
    request->username = mem_strdup("me");
    request->password = mem_strdup("secret");
}

START_TEST(grants_go_to_the_images_own_registry)
{
    const struct case_ *c = &cases[_i];
    CLEANUP(settings_done) struct settings settings = {0};
    CLEANUP(request_done) struct request request = {0};
    CLEANUP(wants_done) struct wants wants = {0};
    CLEANUP(job_plan_done) struct job_plan plan = {0};
    CLEANUP(buf_free) struct buf message = BUF_INIT(1 << 20);
    struct error err = ERROR_INIT;
    const struct fetch_endpoint *endpoint;

    ck_assert_msg(settings_parse(span_str(c->settings), "settings", &settings, &err), "%s", err.text);
    make_request(c, &request);
    ck_assert(wants_add(&wants, WANT_MANIFEST, c->host, "team/app", "v1", 1000, &err));
    ck_assert_msg(
        job_write(JOB_ALL_ENDPOINTS, "/nonexistent", &settings, &request, &wants, 1000, &plan, &message, &err), "%s",
        err.text);
    ck_assert_uint_eq(plan.job.registry_count, 1);
    ck_assert_uint_eq(plan.job.registries[0].count, 1);
    endpoint = &plan.job.registries[0].endpoints[0];
    ck_assert_int_eq((endpoint->flags & (FETCH_SKIP_VERIFY | FETCH_EITHER_SCHEME)) != 0, c->insecure);
    ck_assert_ptr_nonnull(strstr(endpoint->url, "https://")); /* tried first */
    ck_assert_int_eq(endpoint->credentials.password != NULL, c->credentials);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plugin_job");
    TCase *tests = tcase_create("job");

    tcase_add_loop_test(tests, grants_go_to_the_images_own_registry, 0, (int)ARRAY_LEN(cases));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
