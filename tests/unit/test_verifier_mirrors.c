/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/mirrors/mirrors.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tests/unit/harness.h"
#include "tests/unit/scratch.h"
#include "verifier/mirrors/mirrors_read.h"

#define CERT "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"
#define CERT_B "-----BEGIN CERTIFICATE-----\nBB\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN PRIVATE KEY-----\nKK\n-----END PRIVATE KEY-----\n"

static struct names certs_dirs;
static struct mirrors_config config;

static void setup(void)
{
    scratch_begin();
    certs_dirs = (struct names){0};
    ck_assert(names_add(&certs_dirs, "/certs.d"));
    config = (struct mirrors_config){
        .root = scratch_root, .hosts_dirs = &certs_dirs, .registries_conf = "/registries.conf", .trust = FILE_TRUSTED};
}

static void teardown(void)
{
    names_free(&certs_dirs);
    scratch_end();
}

/* Without line ends, to stand in one line. */
static void put_text(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, " %s=", name);
    for (; *text != '\0'; text++)
        if (*text != '\n' && *text != '-')
            buf_byte(out, (uint8_t)*text);
}

static void put_endpoint(struct buf *out, const struct fetch_endpoint *e)
{
    buf_printf(out, "%s %s%s%s%s%s", e->url, e->flags & FETCH_CAN_PULL ? "p" : "-",
               e->flags & FETCH_CAN_RESOLVE ? "r" : "-", e->flags & FETCH_CAN_REFERRERS ? "f" : "-",
               e->flags & FETCH_SKIP_VERIFY ? "S" : "", e->flags & FETCH_EITHER_SCHEME ? "E" : "");
    put_text(out, "repo", e->repository);
    put_text(out, "ns", e->ns);
    if (e->connect_ms > 0)
        buf_printf(out, " ms=%u", e->connect_ms);
    put_text(out, "ca", e->ca_pem);
    put_text(out, "cert", e->client_cert_pem);
    put_text(out, "key", e->client_key_pem);
    for (size_t i = 0; i < e->header_count; i++)
        buf_printf(out, " [%s]", e->headers[i]);
    buf_str(out, "\n");
}

static bool find(const char *host, const char *repository, bool has_digest, struct buf *out, struct error *err)
{
    const struct mirrors_query query = {.host = host, .repository = repository, .has_digest = has_digest};
    CLEANUP(fetch_job_done) struct fetch_job job = {0};
    struct fetch_registry *registry = fetch_job_registry(&job, host, repository);

    ck_assert_ptr_nonnull(registry);
    if (!mirrors_find(&config, &query, registry, err))
        return false;
    for (size_t i = 0; i < registry->count; i++)
        put_endpoint(out, &registry->endpoints[i]);
    return true;
}

static void check_found(const char *host, const char *repository, bool has_digest, const char *want)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct error err = ERROR_INIT;

    ck_assert_msg(find(host, repository, has_digest, &out, &err), "%s", err.text);
    ck_assert_str_eq(buf_cstr(&out), want);
}

static void check_refused(const char *host, const char *repository, enum reason reason, const char *want)
{
    CLEANUP(buf_free) struct buf out = BUF_INIT(8192);
    struct error err = ERROR_INIT;

    ck_assert_msg(!find(host, repository, true, &out, &err), "taken: %s", buf_cstr(&out));
    ck_assert_str_eq(reason_name(err.reason), reason_name(reason));
    ck_assert_msg(strstr(err.text, want) != NULL, "\"%s\" is not in: %s", want, err.text);
}

START_TEST(nothing_configured)
{
    check_found("registry.example.com", "app", true, "https://registry.example.com/v2 prf\n");
    check_found("index.docker.io", "library/alpine", true, "https://registry-1.docker.io/v2 prf\n");
    check_found("127.0.0.1:5000", "app", true, "http://127.0.0.1:5000/v2 prfSE\n");
    config.hosts_dirs = NULL;
    config.registries_conf = NULL;
    check_found("registry.example.com:8443", "app", false, "https://registry.example.com:8443/v2 prf\n");
}
END_TEST

/* containerd.md section 7, "Finding the directory" */
START_TEST(the_first_directory_that_exists)
{
    scratch_put("/certs.d/_default/hosts.toml", "server = 'default.example.com'\n");
    check_found("a.example.com:5000", "app", true, "https://default.example.com/v2 prf ns=a.example.com:5000\n");
    scratch_put("/certs.d/a.example.com:5000/hosts.toml", "server = 'literal.example.com'\n");
    check_found("a.example.com:5000", "app", true, "https://literal.example.com/v2 prf ns=a.example.com:5000\n");
    scratch_put("/certs.d/a.example.com_5000_/hosts.toml", "server = 'port.example.com'\n");
    check_found("a.example.com:5000", "app", true, "https://port.example.com/v2 prf ns=a.example.com:5000\n");
    check_found("a.example.com", "app", true, "https://default.example.com/v2 prf ns=a.example.com\n");
    scratch_put("/certs.d/[::1]_5000_/hosts.toml", "server = 'six.example.com'\n");
    check_found("[::1]:5000", "app", true, "https://six.example.com/v2 prf ns=[::1]:5000\n");
}
END_TEST

START_TEST(several_roots)
{
    ck_assert(names_add(&certs_dirs, "/more.d"));
    scratch_put("/more.d/a.example.com/hosts.toml", "server = 'more.example.com'\n");
    check_found("a.example.com", "app", true, "https://more.example.com/v2 prf ns=a.example.com\n");
    scratch_put("/certs.d/_default/hosts.toml", "server = 'default.example.com'\n");
    check_found("a.example.com", "app", true, "https://default.example.com/v2 prf ns=a.example.com\n");
}
END_TEST

START_TEST(names_that_leave_the_directory)
{
    check_refused("..", "app", REASON_BAD_REQUEST, "a registry's name");
    check_refused("a/../../b", "app", REASON_BAD_REQUEST, "a registry's name");
    check_refused("", "app", REASON_BAD_REQUEST, "a registry's name");
}
END_TEST

/* Docker Hub: its directory is docker.io; the ns parameter too, but not towards registry-1.docker.io itself. */
START_TEST(docker_hub)
{
    scratch_put("/certs.d/docker.io/hosts.toml", "[host.'https://mirror.example.com']\n");
    check_found("index.docker.io", "library/alpine", true,
                "https://mirror.example.com/v2 prf ns=docker.io\nhttps://registry-1.docker.io/v2 prf\n");
    scratch_put("/certs.d/docker.io/hosts.toml", "server = 'https://registry-1.docker.io'\n");
    check_found("index.docker.io", "library/alpine", true, "https://registry-1.docker.io/v2 prf\n");
}
END_TEST

struct hosts_case {
    const char *toml;
    const char *want;
};

#define UPSTREAM "https://a.example.com/v2 prf\n"
#define NS " ns=a.example.com"

static const struct hosts_case hosts_cases[] = {
    /* order, and the root last */
    {"[host.'https://z.example.com']\n[host.'https://b.example.com']\n[host.'https://z.example.com'.header]\n",
     "https://z.example.com/v2 prf" NS "\nhttps://b.example.com/v2 prf" NS "\n" UPSTREAM},
    {"server = 'https://m.example.com'\n[host.'http://b.example.com:5000']\n",
     "http://b.example.com:5000/v2 prf" NS "\nhttps://m.example.com/v2 prf" NS "\n"},
    {"# nothing\n", UPSTREAM},
    /* capabilities */
    {"[host.'https://b.example.com']\ncapabilities = ['pull', 'resolve']\n",
     "https://b.example.com/v2 prf" NS "\n" UPSTREAM},
    {"[host.'https://b.example.com']\ncapabilities = ['Pull']\n", "https://b.example.com/v2 p-f" NS "\n" UPSTREAM},
    {"[host.'https://b.example.com']\ncapabilities = ['resolve']\n", "https://b.example.com/v2 ---" NS "\n" UPSTREAM},
    {"[host.'https://b.example.com']\ncapabilities = ['push']\n", "https://b.example.com/v2 ---" NS "\n" UPSTREAM},
    {"[host.'https://b.example.com']\ncapabilities = ['referrers']\n", "https://b.example.com/v2 --f" NS "\n" UPSTREAM},
    {"[host.'https://b.example.com']\ncapabilities = []\n", "https://b.example.com/v2 prf" NS "\n" UPSTREAM},
    {"server = 'm.example.com'\ncapabilities = ['pull']\n", "https://m.example.com/v2 p-f" NS "\n"},
    {"capabilities = ['pull']\n", UPSTREAM}, /* without a server: everything */
    /* URLs */
    {"server = 'm.example.com'\n", "https://m.example.com/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/'\n", "https://m.example.com/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/v2'\n", "https://m.example.com/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/v2/'\n", "https://m.example.com/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/proxy//a/../hub/.'\n", "https://m.example.com/proxy/hub/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/../..'\n", "https://m.example.com/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/v2/hub'\n", "https://m.example.com/v2/hub/v2 prf" NS "\n"},
    {"server = 'https://m.example.com/v2/hub'\noverride_path = true\n", "https://m.example.com/v2/hub prf" NS "\n"},
    {"server = 'https://m.example.com'\noverride_path = true\n", "https://m.example.com prf" NS "\n"},
    {"server = 'https://a.example.com/sub'\n", "https://a.example.com/sub/v2 prf\n"}, /* the registry itself: no ns */
    {"server = ''\n", UPSTREAM},
    /* TLS */
    {"server = 'm.example.com'\nskip_verify = true\n", "https://m.example.com/v2 prfS" NS "\n"},
    {"server = 'http://m.example.com:5000'\nskip_verify = true\n", "https://m.example.com:5000/v2 prfSE" NS "\n"},
    {"server = 'http://m.example.com:80'\nskip_verify = true\n", "http://m.example.com:80/v2 prfS" NS "\n"},
    {"server = 'http://m.example.com'\nskip_verify = false\n", "https://m.example.com/v2 prfE" NS "\n"},
    {"server = 'http://m.example.com'\n", "http://m.example.com/v2 prf" NS "\n"},
    {"server = 'm.example.com'\nca = 'a.crt'\n",
     "https://m.example.com/v2 prf" NS " ca=BEGIN CERTIFICATEAAEND CERTIFICATE\n"},
    {"ca = ['a.crt', 'sub/b.crt']\n",
     "https://a.example.com/v2 prf ca=BEGIN CERTIFICATEAAEND CERTIFICATEBEGIN CERTIFICATEBBEND CERTIFICATE\n"},
    {"ca = '/else/b.crt'\n", "https://a.example.com/v2 prf ca=BEGIN CERTIFICATEBBEND CERTIFICATE\n"},
    {"client = 'both.pem'\n",
     "https://a.example.com/v2 prf cert=BEGIN CERTIFICATEBBEND CERTIFICATEBEGIN PRIVATE KEYKKEND "
     "PRIVATE KEY key=BEGIN CERTIFICATEBBEND CERTIFICATEBEGIN PRIVATE KEYKKEND PRIVATE KEY\n"},
    {"client = [['a.crt', 'a.key']]\n",
     "https://a.example.com/v2 prf cert=BEGIN CERTIFICATEAAEND CERTIFICATE key=BEGIN PRIVATE KEYKKEND PRIVATE KEY\n"},
    {"client = [['both.pem', '']]\n",
     "https://a.example.com/v2 prf cert=BEGIN CERTIFICATEBBEND CERTIFICATEBEGIN PRIVATE KEYKKEND "
     "PRIVATE KEY key=BEGIN CERTIFICATEBBEND CERTIFICATEBEGIN PRIVATE KEYKKEND PRIVATE KEY\n"},
    {"client = ['both.pem']\n",
     "https://a.example.com/v2 prf cert=BEGIN CERTIFICATEBBEND CERTIFICATEBEGIN PRIVATE KEYKKEND "
     "PRIVATE KEY key=BEGIN CERTIFICATEBBEND CERTIFICATEBEGIN PRIVATE KEYKKEND PRIVATE KEY\n"},
    /* headers, dial time-out, members of others */
    {"[host.'https://b.example.com']\ndial_timeout = '1m1.5s'\n[host.'https://b.example.com'.header]\nX-A = 'b'\n"
     "x-c = ['d', 'e']\n",
     "https://b.example.com/v2 prf" NS " ms=61500 [X-A: b] [x-c: d] [x-c: e]\n" UPSTREAM},
    {"server = 'm.example.com'\n[header]\nAuthorization = 'Basic Zm9v'\n",
     "https://m.example.com/v2 prf" NS " [Authorization: Basic Zm9v]\n"},
    {"dial_timeout = ''\n", UPSTREAM},
    {"[host.'https://b.example.com'.rewrite]\n'^(.*)$' = 'x/$1'\n", "https://b.example.com/v2 prf" NS "\n" UPSTREAM},
};

static void put_files(void)
{
    scratch_put("/certs.d/a.example.com/a.crt", CERT);
    scratch_put("/certs.d/a.example.com/sub/b.crt", CERT_B);
    scratch_put("/certs.d/a.example.com/a.key", KEY);
    scratch_put("/certs.d/a.example.com/both.pem", CERT_B KEY);
    scratch_put("/certs.d/a.example.com/not.pem", "hello\n");
    scratch_put("/else/b.crt", CERT_B);
}

START_TEST(hosts_toml)
{
    put_files();
    scratch_put("/certs.d/a.example.com/hosts.toml", hosts_cases[_i].toml);
    check_found("a.example.com", "app", true, hosts_cases[_i].want);
}
END_TEST

static const struct hosts_case bad_hosts_cases[] = {
    {"server = \n", "hosts.toml:1:10: a value is wanted here"},
    {"server = 1\n", "hosts.toml:1:10: \"server\" is a URL"},
    {"server = 'ftp://m.example.com'\n", "hosts.toml:1:10: not a registry's URL"},
    {"server = 'https:///x'\n", "hosts.toml:1:10: not a registry's URL"},
    {"server = 'https://u:p@m.example.com'\n", "hosts.toml:1:10: not a registry's URL"},
    {"server = 'https://m.example.com/?a=b'\n", "hosts.toml:1:10: not a registry's URL"},
    {"server = \"https://m.example.com/\\n\"\n", "hosts.toml:1:10: not a registry's URL"},
    {"host = 1\n", "hosts.toml:1:8: \"host\" holds one table per URL"},
    {"[host]\nx = 1\n", "hosts.toml:2:5: [host] holds one table per URL"},
    {"capabilities = ['pul']\n", "hosts.toml:1:17: an unknown capability"},
    {"capabilities = [1]\n", "hosts.toml:1:17: an unknown capability"},
    {"capabilities = 'pull'\n", "hosts.toml:1:16: \"capabilities\" is a list"},
    {"skip_verify = 'yes'\n", "hosts.toml:1:15: must be true or false"},
    {"override_path = 1\n", "hosts.toml:1:17: must be true or false"},
    {"ca = 1\n", "hosts.toml:1:6: \"ca\" is a file name or a list of them"},
    {"ca = [1]\n", "hosts.toml:1:7: \"ca\" is a file name or a list of them"},
    {"ca = 'missing.crt'\n", "missing.crt: No such file or directory"},
    {"ca = 'not.pem'\n", "not.pem: no \"-----BEGIN CERTIFICATE-----\" in it"},
    {"client = 1\n", "hosts.toml:1:10: \"client\" is a file name, a list"},
    {"client = [['a.crt']]\n", "hosts.toml:1:11: \"client\" is a file name, a list"},
    {"client = [['a.crt', 1]]\n", "hosts.toml:1:11: \"client\" is a file name, a list"},
    {"client = 'a.crt'\n", "a.crt: no \"PRIVATE KEY-----\" in it"},
    {"header = 1\n", "hosts.toml:1:10: \"header\" is a table"},
    {"[header]\nx = 1\n", "hosts.toml:2:5: a header's value is a string or a list of them"},
    {"[header]\n'x y' = 'z'\n", "hosts.toml:2:9: not a header's name"},
    {"[header]\n'' = 'z'\n", "hosts.toml:2:6: a header without a name"},
    {"[header]\nx = \"a\\r\\nb: c\"\n", "hosts.toml:2:5: a control character in a header's value"},
    {"dial_timeout = 3\n", "hosts.toml:1:16: \"dial_timeout\" is a duration"},
    {"dial_timeout = '3'\n", "hosts.toml:1:16: \"dial_timeout\" is a duration"},
};

START_TEST(bad_hosts_toml)
{
    put_files();
    scratch_put("/certs.d/a.example.com/hosts.toml", bad_hosts_cases[_i].toml);
    check_refused("a.example.com", "app", REASON_POLICY_ERROR, bad_hosts_cases[_i].want);
}
END_TEST

START_TEST(docker_layout)
{
    scratch_put("/certs.d/a.example.com/x.crt", CERT);
    check_found("a.example.com", "app", true, "https://a.example.com/v2 prf ca=BEGIN CERTIFICATEAAEND CERTIFICATE\n");
    scratch_put("/certs.d/a.example.com/hosts.toml", ""); /* empty = not there */
    check_found("a.example.com", "app", true, "https://a.example.com/v2 prf ca=BEGIN CERTIFICATEAAEND CERTIFICATE\n");
    scratch_put("/certs.d/b.example.com/c.cert", CERT);
    scratch_put("/certs.d/b.example.com/c.key", KEY);
    scratch_put("/certs.d/b.example.com/README", "x");
    check_found(
        "b.example.com", "app", true,
        "https://b.example.com/v2 prf cert=BEGIN CERTIFICATEAAEND CERTIFICATE key=BEGIN PRIVATE KEYKKEND PRIVATE "
        "KEY\n");
    scratch_put("/certs.d/c.example.com/c.cert", CERT KEY);
    check_found(
        "c.example.com", "app", true,
        "https://c.example.com/v2 prf cert=BEGIN CERTIFICATEAAEND CERTIFICATEBEGIN PRIVATE KEYKKEND PRIVATE KEY "
        "key=BEGIN CERTIFICATEAAEND CERTIFICATEBEGIN PRIVATE KEYKKEND PRIVATE KEY\n");
    scratch_put("/certs.d/d.example.com/d.cert", CERT);
    check_refused("d.example.com", "app", REASON_POLICY_ERROR, "d.cert: no \"PRIVATE KEY-----\" in it");
}
END_TEST

START_TEST(loopback_with_a_directory)
{
    scratch_put("/certs.d/127.0.0.1_5000_/x.crt", CERT);
    check_found("127.0.0.1:5000", "app", true,
                "http://127.0.0.1:5000/v2 prfSE ca=BEGIN CERTIFICATEAAEND CERTIFICATE\n");
}
END_TEST

START_TEST(files_of_others_are_refused)
{
    scratch_put("/certs.d/a.example.com/hosts.toml", "server = 'm.example.com'\n");
    ck_assert_int_eq(chmod(scratch_path("/certs.d/a.example.com/hosts.toml"), 0666), 0);
    check_refused("a.example.com", "app", REASON_UNTRUSTED_FILE, "hosts.toml");
    config.trust = FILE_ANY;
    check_found("a.example.com", "app", true, "https://m.example.com/v2 prf" NS "\n");
}
END_TEST

struct registries_case {
    const char *toml;
    const char *host, *repository;
    const char *by_digest, *by_tag; /* NULL = the same */
};

static const struct registries_case registries_cases[] = {
    {"[[registry]]\nlocation = 'a.example.com'\n", "a.example.com", "app", UPSTREAM, NULL},
    {"[[registry]]\nlocation = 'b.example.com'\n", "a.example.com", "app", UPSTREAM, NULL},
    /* prefix and location */
    {"[[registry]]\nprefix = 'a.example.com/team'\nlocation = 'b.example.com/x/y'\n", "a.example.com", "team/app",
     "https://b.example.com/v2 prf repo=x/y/app\n", NULL},
    {"[[registry]]\nprefix = 'a.example.com/team'\nlocation = 'b.example.com/x/y'\n", "a.example.com", "teamster/app",
     UPSTREAM, NULL},
    {"[[registry]]\nprefix = 'a.example.com/team/app/'\nlocation = 'b.example.com/x/'\n", "a.example.com", "team/app",
     "https://b.example.com/v2 prf repo=x\n", NULL},
    {"[[registry]]\nprefix = 'docker.io'\nlocation = 'b.example.com/hub'\n", "index.docker.io", "library/alpine",
     "https://b.example.com/v2 prf repo=hub/library/alpine\n", NULL},
    {"[[registry]]\nprefix = 'a.example.com'\nlocation = 'docker.io/team'\n", "a.example.com", "app",
     "https://registry-1.docker.io/v2 prf repo=team/app\n", NULL},
    /* the longest prefix */
    {"[[registry]]\nprefix = 'a.example.com/x/y'\nlocation = 'two.example.com'\n[[registry]]\nlocation = "
     "'a.example.com'\n"
     "[[registry]]\nprefix = 'a.example.com/x'\nlocation = 'one.example.com'\n",
     "a.example.com", "x/y/z", "https://two.example.com/v2 prf repo=z\n", NULL},
    /* insecure */
    {"[[registry]]\nlocation = 'a.example.com'\ninsecure = true\n", "a.example.com", "app",
     "https://a.example.com/v2 prfSE\n", NULL},
    /* mirrors: in order, then the location */
    {"[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\nlocation = 'm.example.com/p'\ninsecure = true\n"
     "[[registry.mirror]]\nlocation = 'n.example.com'\n",
     "a.example.com", "app", "https://m.example.com/v2 prfSE repo=p/app\nhttps://n.example.com/v2 prf\n" UPSTREAM,
     NULL},
    {"[[registry]]\nlocation = 'a.example.com'\nmirror-by-digest-only = true\n[[registry.mirror]]\n"
     "location = 'm.example.com'\n",
     "a.example.com", "app", "https://m.example.com/v2 prf\n" UPSTREAM, UPSTREAM},
    {"[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\nlocation = 'm.example.com'\n"
     "pull-from-mirror = 'digest-only'\n[[registry.mirror]]\nlocation = 'n.example.com'\npull-from-mirror = "
     "'tag-only'\n"
     "[[registry.mirror]]\nlocation = 'o.example.com'\npull-from-mirror = 'all'\n",
     "a.example.com", "app", "https://m.example.com/v2 prf\nhttps://o.example.com/v2 prf\n" UPSTREAM,
     "https://n.example.com/v2 prf\nhttps://o.example.com/v2 prf\n" UPSTREAM},
    /* wildcards: no location = as it is, a location takes the host's place */
    {"[[registry]]\nprefix = '*.example.com'\n[[registry.mirror]]\nlocation = 'm.example.org/x'\n", "a.example.com",
     "app", "https://m.example.org/v2 prf repo=x/app\n" UPSTREAM, NULL},
    {"[[registry]]\nprefix = '*.example.com'\nlocation = 'b.example.org'\n", "a.b.example.com", "app",
     "https://b.example.org/v2 prf\n", NULL},
    {"[[registry]]\nprefix = '*.example.com'\nlocation = 'b.example.org'\n", "example.com", "x.example.com/app",
     "https://example.com/v2 prf\n", NULL},
    {"[[registry]]\nprefix = '*.example.com'\nlocation = 'b.example.org'\n", "a.example.community", "app",
     "https://a.example.community/v2 prf\n", NULL},
    /* what is not about us */
    {"unqualified-search-registries = ['docker.io']\nshort-name-mode = 'permissive'\n[aliases]\n'x' = 'y/x'\n",
     "a.example.com", "app", UPSTREAM, NULL},
};

START_TEST(registries_conf)
{
    const struct registries_case *c = &registries_cases[_i];

    scratch_put("/registries.conf", c->toml);
    check_found(c->host, c->repository, true, c->by_digest);
    check_found(c->host, c->repository, false, c->by_tag ? c->by_tag : c->by_digest);
}
END_TEST

static const struct registries_case bad_registries_cases[] = {
    {"[[registry]]\n", "a.example.com", "app", "registries.conf:1:3: a registry needs a \"prefix\" or a \"location\"",
     NULL},
    {"[[registry]]\nlocation = ''\n", "a.example.com", "app", "registries.conf:2:12: cannot be empty", NULL},
    {"[[registry]]\nlocation = '/'\n", "a.example.com", "app", "registries.conf:2:12: cannot be empty", NULL},
    {"[[registry]]\nlocation = 'https://a.example.com'\n", "a.example.com", "app",
     "without \"http://\" or \"https://\"", NULL},
    {"[[registry]]\nlocation = 'a b'\n", "a.example.com", "app", "must be a host[:port][/path]", NULL},
    {"[[registry]]\nlocation = 1\n", "a.example.com", "app", "\"location\" must be a string, not a number", NULL},
    {"[[registry]]\nprefix = '*.example.com/x'\n", "a.example.com", "app", "a wildcard prefix is \"*.example.com\"",
     NULL},
    {"[registry]\nlocation = 'a'\n", "a.example.com", "app", "registries are written [[registry]]", NULL},
    {"[registries.search]\nregistries = []\n", "a.example.com", "app", "version 1 of registries.conf is not supported",
     NULL},
    {"[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\n", "a.example.com", "app",
     "\"location\" is missing", NULL},
    {"[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\nlocation = 'm'\npull-from-mirror = 'some'\n",
     "a.example.com", "app", "\"pull-from-mirror\" is \"all\"", NULL},
    {"[[registry]]\nlocation = 'a.example.com'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'm'\n"
     "pull-from-mirror = 'all'\n",
     "a.example.com", "app", "exclude each other", NULL},
    {"[[registry]]\nprefix = 'a.example.com/app'\nlocation = 'b.example.com'\n", "a.example.com", "app",
     "which is no repository", NULL},
    {"x = [\n", "a.example.com", "app", "registries.conf:2:1: a value is wanted here", NULL},
};

START_TEST(bad_registries_conf)
{
    const struct registries_case *c = &bad_registries_cases[_i];

    scratch_put("/registries.conf", c->toml);
    check_refused(c->host, c->repository, REASON_POLICY_ERROR, c->by_digest);
}
END_TEST

START_TEST(blocked_registries)
{
    scratch_put("/registries.conf", "[[registry]]\nprefix = 'a.example.com/bad'\nblocked = true\n");
    check_refused("a.example.com", "bad/app", REASON_FETCH_FAILED, "registry \"a.example.com/bad\" is blocked");
    check_found("a.example.com", "good/app", true, UPSTREAM);
}
END_TEST

START_TEST(drop_ins)
{
    scratch_put("/registries.conf.d/10-a.conf",
                "[[registry]]\nprefix = 'a.example.com'\nlocation = 'one.example.com'\n");
    check_found("a.example.com", "app", true, "https://one.example.com/v2 prf\n"); /* without the main file, too */
    scratch_put("/registries.conf", "[[registry]]\nprefix = 'a.example.com'\nlocation = 'main.example.com'\n"
                                    "[[registry.mirror]]\nlocation = 'm.example.com'\n");
    check_found("a.example.com", "app", true, "https://one.example.com/v2 prf\n"); /* whole entries are replaced */
    scratch_put("/registries.conf.d/20-b.conf",
                "[[registry]]\nprefix = 'a.example.com'\nlocation = 'two.example.com'\n");
    scratch_put("/registries.conf.d/30-c.conf.bak", "nonsense");
    check_found("a.example.com", "app", true, "https://two.example.com/v2 prf\n");
    scratch_put("/registries.conf.d/40-d.conf", "nonsense");
    check_refused("a.example.com", "app", REASON_POLICY_ERROR, "40-d.conf:1:9");
}
END_TEST

START_TEST(certificates_of_mirrors)
{
    scratch_put("/registries.conf", "[[registry]]\nlocation = 'a.example.com'\n[[registry.mirror]]\n"
                                    "location = 'm.example.com:5000/x'\n");
    scratch_put("/certs.d/m.example.com:5000/ca.crt", CERT);
    check_found("a.example.com", "app", true,
                "https://m.example.com:5000/v2 prf repo=x/app ca=BEGIN CERTIFICATEAAEND CERTIFICATE\n" UPSTREAM);
}
END_TEST

START_TEST(host_directories_go_first)
{
    scratch_put("/registries.conf", "[[registry]]\nprefix = 'a.example.com'\nlocation = 'conf.example.com'\n");
    scratch_put("/certs.d/a.example.com/hosts.toml", "server = 'toml.example.com'\n");
    check_found("a.example.com", "app", true, "https://toml.example.com/v2 prf" NS "\n");
}
END_TEST

START_TEST(hosts_of_endpoints)
{
    static const char *const cases[][2] = {
        {"https://a.example.com/v2", "a.example.com"},     {"http://a.example.com:5000", "a.example.com:5000"},
        {"https://registry-1.docker.io/v2", "index.docker.io"}, {"https://[::1]:5000/v2/x", "[::1]:5000"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem_freep) char *url = mem_strdup(cases[i][0]);
        const struct fetch_endpoint endpoint = {.url = url};
        CLEANUP(mem_freep) char *host = mirrors_endpoint_host(&endpoint);

        ck_assert_str_eq(host, cases[i][1]);
    }
}
END_TEST

struct duration_case {
    const char *text;
    uint32_t ms;
    bool good;
};

static const struct duration_case durations[] = {
    {"0", 0, true},           {"3s", 3000, true},     {"1.5s", 1500, true},   {".5s", 500, true},
    {"300ms", 300, true},     {"1m30s", 90000, true}, {"1us", 1, true},       {"1\xC2\xB5s", 1, true},
    {"1000ns", 1, true},      {"1.s", 1000, true},    {"999999h", 3600000, true}, {"", 0, false},
    {"3", 0, false},          {"s", 0, false},        {".s", 0, false},       {"-3s", 0, false},
    {"3 s", 0, false},        {"3d", 0, false},       {"3s ", 0, false},
};

START_TEST(durations_of_go)
{
    uint32_t ms = 0;

    ck_assert_msg(mirrors_duration_ms(span_str(durations[_i].text), &ms) == durations[_i].good, "%s",
                  durations[_i].text);
    ck_assert_uint_eq(ms, durations[_i].ms);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verifier_mirrors");
    TCase *cases = tcase_create("mirrors");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, nothing_configured);
    tcase_add_test(cases, the_first_directory_that_exists);
    tcase_add_test(cases, several_roots);
    tcase_add_test(cases, names_that_leave_the_directory);
    tcase_add_test(cases, docker_hub);
    tcase_add_loop_test(cases, hosts_toml, 0, (int)ARRAY_LEN(hosts_cases));
    tcase_add_loop_test(cases, bad_hosts_toml, 0, (int)ARRAY_LEN(bad_hosts_cases));
    tcase_add_test(cases, docker_layout);
    tcase_add_test(cases, loopback_with_a_directory);
    tcase_add_test(cases, files_of_others_are_refused);
    tcase_add_loop_test(cases, registries_conf, 0, (int)ARRAY_LEN(registries_cases));
    tcase_add_loop_test(cases, bad_registries_conf, 0, (int)ARRAY_LEN(bad_registries_cases));
    tcase_add_test(cases, blocked_registries);
    tcase_add_test(cases, drop_ins);
    tcase_add_test(cases, certificates_of_mirrors);
    tcase_add_test(cases, host_directories_go_first);
    tcase_add_test(cases, hosts_of_endpoints);
    tcase_add_loop_test(cases, durations_of_go, 0, (int)ARRAY_LEN(durations));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
