/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/verify_out.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"

enum { OUTPUT_MAX_BYTES = 64 * 1024 * 1024 };

static bool is_bundle(const struct node *claim)
{
    return node_str_is(node_get(claim, "layout"), "bundle");
}

/* true when every claim has at least one entry in that list for which `flag` (if given) holds or `kind` fits. */
static bool all_have_log(const struct node *const *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *logs = node_get(claims[i], "logs");

        if (!node_is(logs, NODE_LIST) || logs->count == 0)
            return false;
    }
    return true;
}

static bool all_have_timestamp(const struct node *const *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *times = node_get(claims[i], "times");
        bool found = false;

        for (const struct node *time = node_is(times, NODE_LIST) ? times->child : NULL; time != NULL; time = time->next)
            found = found || node_str_is(node_get(time, "kind"), "tsa");
        if (!found)
            return false;
    }
    return true;
}

static void header_line(const char *text)
{
    fprintf(stderr, "  - %s\n", text);
}

void verify_out_header(const struct verify_values *values, const char *reference, const struct node *const *claims,
                       size_t count)
{
    fputs("\nVerification for ", stderr);
    say_clean(stderr, span_str(reference), LIMIT_REFERENCE_BYTES);
    fputs(" --\nThe following checks were performed on each of these signatures:\n", stderr);
    header_line("The cosign claims were validated");
    if (values->annotations.count > 0)
        header_line("The specified annotations were verified.");
    if (!values->insecure_ignore_tlog && all_have_log(claims, count))
        header_line("Existence of the claims in the transparency log was verified offline");
    if (adhoc_wants_timestamp(values) && all_have_timestamp(claims, count))
        header_line("The signed timestamps were verified using trusted timestamp authority certificates");
    if (values->keys.count > 0)
        header_line("The signatures were verified against the specified public key");
    else
        header_line("The code-signing certificate was verified using trusted certificate authority certificates");
    if (values->keys.count == 0)
        header_line("The certificate's identity and issuer are the specified ones");
    if (values->insecure_ignore_tlog)
        header_line("NOT checked: the transparency log (--insecure-ignore-tlog)");
    if (values->keys.count == 0 && values->insecure_ignore_sct)
        header_line("NOT checked: the signed certificate timestamp (--insecure-ignore-sct)");
}

/* cosign's names for what a certificate's extensions .2 to .6 say. */
static const struct {
    const char *index;
    const char *name;
} workflow_facts[] = {
    { "2", "githubWorkflowTrigger" }, { "3", "githubWorkflowSha" }, { "4", "githubWorkflowName" },
    { "5", "githubWorkflowRepository" }, { "6", "githubWorkflowRef" },
};

/* The entry that came with a legacy signature and was verified; NULL when there is none. */
static const struct node *entry_of(const struct node *logs)
{
    return node_is(logs, NODE_LIST) && logs->child != NULL ? node_get(logs->child, "entry") : NULL;
}

/*
 * Does a fact take this name under "optional"? A signed annotation of the same name would be a second member, and which
 * of them a reader takes for the certificate's would be his reader's choice.
 */
static bool is_fact(struct span name)
{
    bool fact = span_eq_str(name, "Issuer") || span_eq_str(name, "Subject") || span_eq_str(name, "Bundle");

    for (size_t i = 0; i < ARRAY_LEN(workflow_facts); i++)
        fact = fact || span_eq_str(name, workflow_facts[i].name);
    return fact;
}

/* cosign adds facts to what was signed; they stand beside the annotations under "optional". */
static void put_facts(struct json_out *out, const struct node *claim)
{
    const struct node *signer = node_get(claim, "signer"), *logs = node_get(claim, "logs");
    struct span text = report_text(signer, "issuer");

    if (text.len > 0)
        json_put_span(out, "Issuer", text);
    text = report_text(signer, "identity");
    if (text.len > 0)
        json_put_span(out, "Subject", text);
    for (size_t i = 0; i < ARRAY_LEN(workflow_facts); i++) {
        text = report_text(node_get(signer, "extensions"), workflow_facts[i].index);
        if (text.len > 0)
            json_put_span(out, workflow_facts[i].name, text);
    }
    if (entry_of(logs) != NULL)
        json_put_node(out, "Bundle", entry_of(logs));
}

static bool put_optional(struct json_out *out, const struct node *annotations, const struct node *claim,
                         struct error *err)
{
    bool any = node_is(annotations, NODE_MAP) && annotations->count > 0;
    bool facts = node_get(node_get(claim, "signer"), "identity") != NULL || entry_of(node_get(claim, "logs")) != NULL;

    if (!any && !facts) {
        json_put_null(out, "optional");
        return true;
    }
    json_open_map(out, "optional");
    for (const struct node *member = any ? annotations->child : NULL; member != NULL; member = member->next) {
        CLEANUP(mem_freep) char *name = span_dup(member->name);

        if (name == NULL)
            return error_oom(err);
        if (!facts || !is_fact(member->name))
            json_put_node(out, name, member);
    }
    put_facts(out, claim);
    json_close_map(out);
    return true;
}

/* A legacy signature: the payload that was signed. */
static bool put_payload(struct json_out *out, const struct node *claim, struct buf *payload, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *root;

    if (!json_parse(buf_as_span(payload), "the signed payload", TREE_NO_PLACES, &tree, err))
        return false;
    root = tree_root(tree);
    json_open_map(out, NULL);
    json_put_node(out, "critical", node_get(root, "critical"));
    if (!put_optional(out, node_get(root, "optional"), claim, err))
        return false;
    json_close_map(out);
    return true;
}

/* A bundle: cosign shows its statement in the shape of a payload, with the name that was asked for. */
static bool put_statement(struct json_out *out, const char *reference, const struct node *claim,
                          const struct node *report_image, struct error *err)
{
    json_open_map(out, NULL);
    json_open_map(out, "critical");
    json_open_map(out, "identity");
    json_put_str(out, "docker-reference", reference);
    json_close_map(out);
    json_open_map(out, "image");
    json_put_span(out, "docker-manifest-digest", report_text(report_image, "digest"));
    json_close_map(out);
    json_put_span(out, "type", report_text(claim, "predicateType"));
    json_close_map(out);
    if (!put_optional(out, node_get(claim, "annotations"), claim, err))
        return false;
    json_close_map(out);
    return true;
}

static bool put_claim(struct json_out *out, const char *reference, const struct node *image, const struct node *claim,
                      struct error *err)
{
    CLEANUP(buf_free) struct buf payload = BUF_INIT(LIMIT_PAYLOAD_BYTES);

    if (is_bundle(claim))
        return put_statement(out, reference, claim, image, err);
    if (!base64_decode(report_text(claim, "payload"), BASE64_STD, &payload) || payload.len == 0)
        return error_set(err, REASON_INTERNAL, "the engine's report has no payload for a signature");
    return put_payload(out, claim, &payload, err);
}

bool verify_out_claims(bool text, const char *reference, const struct node *image, const struct node *const *claims,
                       size_t count, struct error *err)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(OUTPUT_MAX_BYTES);
    struct json_out out = json_out_to(&json);

    if (!text)
        json_open_list(&out, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!put_claim(&out, reference, image, claims[i], err))
            return false;
        if (text) {
            buf_byte(&json, '\n');
            out = json_out_to(&json);
        }
    }
    if (!text)
        json_close_list(&out);
    if (!buf_ok(&json))
        return error_set(err, REASON_LIMIT, "the output is larger than %d bytes", OUTPUT_MAX_BYTES);
    fwrite(text ? "" : "\n", 1, text ? 0 : 1, stdout);
    fwrite(json.ptr, 1, json.len, stdout);
    if (!text)
        fputc('\n', stdout);
    return true;
}
