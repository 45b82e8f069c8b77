/* SPDX-License-Identifier: Apache-2.0 */
/* subjectHostname against a certificate's names, as Go's Certificate.VerifyHostname has it. */
#include "policy/hostname.h"

#include "tests/unit/harness.h"

static const struct {
    const char *wanted;
    enum san_kind kind;
    const char *found;
    bool matches;
} cases[] = {
    {"h.example.com", SAN_DNS, "h.example.com", true},
    {"h.example.com", SAN_DNS, "H.Example.COM", true},
    {"H.EXAMPLE.com", SAN_DNS, "h.example.com", true},
    {"h.example.com", SAN_DNS, "x.example.com", false},
    {"h.example.com", SAN_DNS, "example.com", false},
    {"h.example.com", SAN_DNS, "", false},
    {"h.example.com.", SAN_DNS, "h.example.com", true}, /* the root's dot is the wanted name's to have */
    {"h.example.com..", SAN_DNS, "h.example.com", false},
    {"h.example.com", SAN_DNS, "h.example.com.", false},
    {"h.example.com.", SAN_DNS, "h.example.com.", true}, /* no pattern, but the same text */
    /* "*" is one whole label, and the first one */
    {"h.example.com", SAN_DNS, "*.example.com", true},
    {"h.example.com", SAN_DNS, "*.EXAMPLE.com", true},
    {"example.com", SAN_DNS, "*.example.com", false},
    {"a.b.example.com", SAN_DNS, "*.example.com", false},
    {"a.b.example.com", SAN_DNS, "*.*.example.com", false},
    {"h.example.com", SAN_DNS, "h*.example.com", false},
    {"h.example.com", SAN_DNS, "h.*.com", false},
    {"h.example.com", SAN_DNS, "*", false},
    {"localhost", SAN_DNS, "*", false},
    {"h.example.com", SAN_DNS, "*.", false},
    {"h.example.com", SAN_DNS, ".example.com", false},
    {"com", SAN_DNS, "*.com", false},
    {"*.example.com", SAN_DNS, "*.example.com", true}, /* the same text */
    {"*.example.com", SAN_DNS, "h.example.com", false}, /* a wanted * is none */
    /* what is no host name: the same text only */
    {"h_1.example.com", SAN_DNS, "*.example.com", true},
    {"-h.example.com", SAN_DNS, "*.example.com", false},
    {"-h.example.com", SAN_DNS, "-H.example.com", true},
    {"h example.com", SAN_DNS, "h example.com", true},
    {"h..example.com", SAN_DNS, "*.example.com", false},
    {"", SAN_DNS, "", false},
    {".", SAN_DNS, ".", false},
    {"\xc3\x84.example.com", SAN_DNS, "\xc3\xa4.example.com", false}, /* ASCII only */
    /* kinds */
    {"h.example.com", SAN_URI, "h.example.com", false},
    {"h.example.com", SAN_EMAIL, "h.example.com", false},
    {"h.example.com", SAN_OTHER, "h.example.com", false},
    {"h.example.com", SAN_IP, "h.example.com", false},
    /* addresses */
    {"192.0.2.1", SAN_IP, "192.0.2.1", true},
    {"192.0.2.1", SAN_IP, "192.0.2.2", false},
    {"192.0.2.1", SAN_DNS, "192.0.2.1", false},
    {"192.0.2.1", SAN_DNS, "*.0.2.1", false},
    {"[192.0.2.1]", SAN_IP, "192.0.2.1", true},
    {"::ffff:192.0.2.1", SAN_IP, "192.0.2.1", true},
    {"2001:DB8:0::1", SAN_IP, "2001:db8::1", true},
    {"[2001:db8::1]", SAN_IP, "2001:db8::1", true},
    {"[2001:db8::1]", SAN_IP, "2001:db8::2", false},
    {"192.0.2.01", SAN_IP, "192.0.2.1", false}, /* no address: leading zeros */
    {"192.0.2.01", SAN_DNS, "192.0.2.01", true},
};

START_TEST(matches_as_go_does)
{
    ck_assert_msg(hostname_matches(cases[_i].wanted, cases[_i].kind, cases[_i].found) == cases[_i].matches,
                  "\"%s\" in a certificate for \"%s\"", cases[_i].wanted, cases[_i].found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy_hostname");
    TCase *tcase = tcase_create("hostname");

    tcase_add_loop_test(tcase, matches_as_go_does, 0, (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
