/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/replay_steps.h"

#include <stdio.h>

#include "plugin/cli/report.h"
#include "plugin/cli/say.h"

/* "  yes  what was found" and, below it, by which section. */
static void print_step(const struct cli *cli, bool good, const char *what, struct span detail, const char *section)
{
    fputs("    ", stdout);
    say_coloured(cli, good ? COLOUR_GOOD : COLOUR_BAD, good ? "yes" : "no ");
    printf("  %s", what);
    say_clean(stdout, detail, 300);
    printf("\n         [%s]\n", section);
}

static const struct node *first_of(const struct node *map, const char *name)
{
    const struct node *list = node_get(map, name);

    return node_is(list, NODE_LIST) ? list->child : NULL;
}

static void print_form(const struct cli *cli, const struct node *claim)
{
    bool bundle = node_str_is(node_get(claim, "layout"), "bundle");
    bool attestation = node_str_is(node_get(claim, "kind"), "attestation");

    print_step(cli, true, "layout: ", report_text(claim, "layout"),
               bundle ? "Sigstore protobuf-specs, sigstore_bundle.proto, versions 0.1 to 0.3"
                      : "cosign SIGNATURE_SPEC.md, tag-based discovery and layer annotations");
    if (bundle || attestation) {
        print_step(cli, true, "signed: the envelope's payload, type ", report_text(claim, "predicateType"),
                   "DSSE 1.0 protocol.md, PAE; in-toto Statement v0.1 and v1, predicateType");
        print_step(cli, true, "subject: a digest is the image's", span_str(""),
                   "in-toto Statement v1, subject; digest over the bytes as received: OCI image, descriptor.md");
        return;
    }
    print_step(cli, true, "signed: the payload for ", report_text(claim, "dockerReference"),
               "cosign SIGNATURE_SPEC.md, simple signing payload (containers-signature(5))");
    print_step(cli, true, "payload: critical.image.docker-manifest-digest is the image's", span_str(""),
               "containers-signature(5), critical; digest over the bytes as received: OCI image, descriptor.md");
}

static void print_chain(const struct cli *cli, const struct node *chain)
{
    struct span root = report_text(chain, "root"), problem = report_text(chain, "problem");
    bool verified = report_flag(chain, "verified"), sct = report_flag(chain, "sct");

    print_step(cli, verified,
               verified && report_flag(chain, "atNow") ? "certificate: chain at the time of the decision, trust root "
               : verified                              ? "certificate: chain at each proven time, trust root "
                                                       : "certificate: no chain at a time that counts, trust root ",
               root, "RFC 5280 sections 6.1 and 4.2.1.12 (code signing)");
    print_step(cli, sct,
               sct ? "certificate: embedded SCT, trust root " : "certificate: no SCT that verifies, trust root ", root,
               "RFC 6962 sections 3.2 and 3.3");
    if (problem.len > 0) {
        fputs("         ", stdout);
        say_clean(stdout, problem, 300);
        fputc('\n', stdout);
    }
}

static void print_signer(const struct cli *cli, const struct node *signer)
{
    if (report_text(signer, "key").len > 0) {
        print_step(cli, true, "signature: verifies with key ", report_text(signer, "key"),
                   "FIPS 186-5 (ECDSA), RFC 8017 section 8.2 (RSA), RFC 8032 section 5.1 (Ed25519)");
        return;
    }
    print_step(cli, true, "signature: verifies with the key of certificate ", report_text(signer, "fingerprint"),
               "FIPS 186-5 (ECDSA), RFC 8017 section 8.2 (RSA), RFC 8032 section 5.1 (Ed25519)");
    print_step(cli, true, "identity: ", report_text(signer, "identity"), "RFC 5280 section 4.2.1.6");
    print_step(cli, true, "issuer: ", report_text(signer, "issuer"),
               "Fulcio oid-info.md, 1.3.6.1.4.1.57264.1.8 and .1");
    for (const struct node *chain = first_of(signer, "chains"); chain != NULL; chain = chain->next)
        print_chain(cli, chain);
}

static void print_proofs(const struct cli *cli, const struct node *claim)
{
    for (const struct node *log = first_of(claim, "logs"); log != NULL; log = log->next) {
        if (report_flag(log, "set"))
            print_step(cli, true, "log: signed entry timestamp of ", report_text(log, "log"),
                       "Rekor SignedEntryTimestamp over RFC 8785 JSON; client-spec section 4.4");
        if (report_flag(log, "proof"))
            print_step(cli, true, "log: inclusion proof and checkpoint of ", report_text(log, "log"),
                       "RFC 6962 section 2.1.1; C2SP signed-note and tlog-checkpoint");
    }
    if (first_of(claim, "logs") == NULL)
        print_step(cli, false, "log: no entry that verifies", span_str(""), "client-spec section 4.4");
    for (const struct node *time = first_of(claim, "times"); time != NULL; time = time->next) {
        bool tsa = node_str_is(node_get(time, "kind"), "tsa");

        print_step(
            cli, true, tsa ? "time: timestamp token, " : "time: integrated into the log, ", report_text(time, "time"),
            tsa ? "RFC 3161 sections 2.3 and 2.4.2" : "Rekor integratedTime, trusted under a valid entry timestamp");
    }
    if (first_of(claim, "times") == NULL)
        print_step(cli, false, "time: none is proven", span_str(""), "RFC 3161; Rekor integratedTime");
}

void replay_steps_print(const struct cli *cli, const struct node *report)
{
    unsigned int number = 0;

    say_coloured(cli, COLOUR_BOLD, "\nHow each was verified\n");
    for (const struct node *claim = first_of(report, "claims"); claim != NULL; claim = claim->next) {
        printf("  %3u  ", ++number);
        say_clean(stdout, report_text(claim, "kind"), 20);
        fputs(" in ", stdout);
        say_clean(stdout, report_text(claim, "manifest"), 200);
        fputc('\n', stdout);
        print_form(cli, claim);
        print_signer(cli, node_get(claim, "signer"));
        print_proofs(cli, claim);
    }
    if (number == 0)
        printf("  nothing verifies; what was found is told below\n");
    printf("  Then by policy: AND over policies, OR or a threshold over authorities, everything an authority asks for "
           "of one\n  signature. [pullguard-policy(5), HOW A DECISION IS MADE]\n");
}
