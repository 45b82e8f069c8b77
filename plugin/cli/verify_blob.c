/* SPDX-License-Identifier: Apache-2.0 */
/* verify-blob, verify-blob-attestation, verify-bundle: files instead of images. No engine, no registry. */
#include <string.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/file_judge.h"
#include "plugin/cli/input.h"
#include "plugin/cli/report.h"
#include "plugin/cli/say.h"

/* Ed25519 signs the whole artifact, so it is held in memory. */
enum { ARTIFACT_MAX_BYTES = 1024 * 1024 * 1024 };

struct blob_values {
    struct verify_values verify;
    const char *bundle;
    const char *signature;
    const char *certificate;
    const char *type;
    const char *digest;
};

/* Everything read from disk, before anything of it is looked at. */
struct blob_input {
    struct adhoc adhoc;
    struct buf bundle, signature, certificate, artifact;
    struct verify_file file;
    struct verify_artifact what;
};

static void blob_input_done(struct blob_input *input)
{
    adhoc_done(&input->adhoc);
    buf_free(&input->bundle);
    buf_free(&input->signature);
    buf_free(&input->certificate);
    buf_free(&input->artifact);
}

static bool read_optional(const char *path, size_t max, struct buf *buf, struct span *ret, struct error *err)
{
    if (path == NULL)
        return true;
    if (!input_read(path, max, buf, err))
        return false;
    if (buf->len == 0)
        return error_set(err, REASON_BAD_REQUEST, "%s is empty", path);
    *ret = buf_as_span(buf);
    return true;
}

/* cosign takes the signature itself as well as a file with it. */
static bool read_signature(const char *text, struct blob_input *input, struct error *err)
{
    struct error ignored = ERROR_INIT;

    if (text == NULL || read_optional(text, LIMIT_KEY_FILE_BYTES, &input->signature, &input->file.signature, &ignored))
        return true;
    if (ignored.reason != REASON_NOT_FOUND || strchr(text, '/') == text) {
        *err = ignored;
        return false;
    }
    input->file.signature = span_str(text);
    return true;
}

static bool is_digest(const char *text)
{
    return strncmp(text, "sha256:", 7) == 0 || strncmp(text, "sha384:", 7) == 0 || strncmp(text, "sha512:", 7) == 0;
}

static bool read_artifact(const char *text, bool digest_only, struct blob_input *input, struct error *err)
{
    char shown[80];

    if (digest_only) {
        if (!digest_parse(span_str(text), &input->what.digest))
            return error_set(err, REASON_BAD_REQUEST, "%s: sha256:<64 lower-case hexadecimal digits> is wanted",
                             text_clean(span_str(text), shown, sizeof(shown)));
        return true;
    }
    if (!input_read(text, ARTIFACT_MAX_BYTES, &input->artifact, err))
        return false;
    input->what.bytes = buf_as_span(&input->artifact);
    input->what.has_bytes = true;
    return true;
}

static bool read_files(const struct blob_values *values, const char *artifact, bool digest_only,
                       struct blob_input *input, struct error *err)
{
    if (values->bundle == NULL && values->signature == NULL)
        return error_set(err, REASON_BAD_REQUEST, "what is to be verified? Give --bundle FILE, or --signature FILE");
    if (values->bundle != NULL && (values->signature != NULL || values->certificate != NULL))
        return error_set(err, REASON_BAD_REQUEST, "--bundle and --signature or --certificate exclude each other");
    return read_optional(values->bundle, LIMIT_ATTESTATION_BYTES, &input->bundle, &input->file.bundle, err) &&
           read_signature(values->signature, input, err) &&
           read_optional(values->certificate, LIMIT_CERTIFICATE_BYTES, &input->certificate, &input->file.certificate,
                         err) &&
           read_artifact(artifact, digest_only, input, err);
}

static int refuse(const struct cli *cli, enum reason reason, const char *message)
{
    const struct response as_response = { .reason = reason };
    const char *step = ask_next_step(reason);
    char shown[LIMIT_REASON_LINE_BYTES + 4];

    say_error(cli, "%s: %s", reason_name(reason), text_clean(span_str(message), shown, sizeof(shown)));
    if (step != NULL && reason == REASON_NO_LOG_ENTRY)
        say_hint(cli, "%s", step);
    return (int)ask_exit_code(&as_response);
}

static int show(const struct cli *cli, const struct file_answer *answer)
{
    if (!answer->satisfied)
        return refuse(cli, answer->reason == REASON_OK ? REASON_INTERNAL : answer->reason, answer->message);
    if (cli->json && answer->report != NULL)
        printf("%s\n", answer->report);
    fputs("Verified OK\n", stderr);
    return EXIT_YES;
}

static int judge_and_show(const struct cli *cli, const struct blob_input *input)
{
    CLEANUP(file_answer_done) struct file_answer answer = { 0 };
    struct error err = ERROR_INIT;

    if (!file_judge(cli, &input->adhoc, &input->file, &input->what, &answer, &err))
        return refuse(cli, err.reason, err.text);
    return show(cli, &answer);
}

static int blob_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct blob_values *values = values_;
    CLEANUP(blob_input_done) struct blob_input input = { 0 };
    struct error err = ERROR_INIT;

    if (!read_files(values, args->items[0], false, &input, &err) ||
        !adhoc_build(&values->verify, cli->root, &input.adhoc, &err))
        return say_failed(cli, &err);
    return judge_and_show(cli, &input);
}

static int blob_attestation_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct blob_values *values = values_;
    struct blob_values with_type = *values;
    const char *types[1] = { values->type != NULL ? values->type : "custom" };
    CLEANUP(blob_input_done) struct blob_input input = { 0 };
    struct error err = ERROR_INIT;

    with_type.verify.types = (struct text_list){ types, 1, 1 };
    if ((values->digest != NULL) == (args->count == 1)) {
        say_error(cli, "either a file or --digest is wanted");
        return EXIT_UNDECIDED;
    }
    if (!read_files(values, values->digest != NULL ? values->digest : args->items[0], values->digest != NULL, &input,
                    &err) ||
        !adhoc_build(&with_type.verify, cli->root, &input.adhoc, &err))
        return say_failed(cli, &err);
    return judge_and_show(cli, &input);
}

/* The predicate type of the attestation that a first judgement found instead of a signature; NULL when there is none.
 */
static char *attested_type(const struct file_answer *answer)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *claim;

    if (answer->report == NULL || !json_parse(span_str(answer->report), "report", TREE_NO_PLACES, &tree, &err))
        return NULL;
    claim = node_at(node_get(tree_root(tree), "claims"), 0);
    if (!node_str_is(node_get(claim, "kind"), "attestation"))
        return NULL;
    return span_dup(report_text(claim, "predicateType"));
}

/*
 * The client protocol of sigstore's conformance suite. A bundle may hold a signature over the artifact or an
 * attestation about it, of whatever type: the first judgement tells which, the second one asks for exactly that.
 */
static int bundle_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    struct blob_values values = *(const struct blob_values *)values_;
    CLEANUP(blob_input_done) struct blob_input input = { 0 };
    CLEANUP(file_answer_done) struct file_answer answer = { 0 };
    CLEANUP(mem_freep) char *type = NULL;
    struct error err = ERROR_INIT;
    const char *types[1];

    if (!read_files(&values, args->items[0], is_digest(args->items[0]), &input, &err) ||
        !adhoc_build(&values.verify, cli->root, &input.adhoc, &err))
        return say_failed(cli, &err);
    if (!file_judge(cli, &input.adhoc, &input.file, &input.what, &answer, &err))
        return refuse(cli, err.reason, err.text);
    type = answer.satisfied ? NULL : attested_type(&answer);
    if (type == NULL)
        return show(cli, &answer);
    types[0] = type;
    values.verify.types = (struct text_list){ types, 1, 1 };
    adhoc_done(&input.adhoc);
    if (!adhoc_build(&values.verify, cli->root, &input.adhoc, &err))
        return say_failed(cli, &err);
    return judge_and_show(cli, &input);
}

#define BLOB_OPTION(name, letter, value, member, help) \
    { name, letter, OPTION_TEXT, value, offsetof(struct blob_values, member), help }
#define BUNDLE_OPTION                                                                                                  \
    BLOB_OPTION("bundle", 0, "FILE", bundle, "Sigstore bundle with signature or attestation, and proofs")

/* struct verify_values comes first in struct blob_values, so the offsets are the same. */
static const struct option_spec blob_options[] = {
    BUNDLE_OPTION,
    BLOB_OPTION("signature", 0, "FILE", signature, "detached signature: a file, or the base64 text itself"),
    BLOB_OPTION("certificate", 0, "FILE", certificate, "certificate in PEM that goes with --signature"),
    SIGNER_OPTIONS, LOG_OPTIONS,
};
static const struct option_spec blob_attestation_options[] = {
    BUNDLE_OPTION,
    BLOB_OPTION("type", 0, "TYPE", type, "predicate type, short or as a URI; default custom"),
    BLOB_OPTION("digest", 0, "DIGEST", digest, "digest of the artifact instead of a file, as sha256:..."),
    SIGNER_OPTIONS, LOG_OPTIONS,
};
static const struct option_spec bundle_options[] = { BUNDLE_OPTION, SIGNER_OPTIONS, LOG_OPTIONS };

#define SIGNED_BY "(--key FILE | --certificate-identity NAME --certificate-oidc-issuer URL)"
#define JUDGED_SO                                                                                                      \
    "\n\nThe files are judged in a process without network and without files, by the same code as images.\n\n"         \
    "Exit status: 0 verified, 1 not verified, 2 could not be tried."

const struct command command_verify_blob = {
    .name = "verify-blob",
    .usage = "(--bundle FILE | --signature FILE) " SIGNED_BY " [options] FILE",
    .summary = "verify a signature over a file, with cosign's flags",
    .details =
        "Verifies that FILE was signed: by a Sigstore bundle, or by a detached signature. \"Verified OK\" goes to\n"
        "standard error, as with cosign." JUDGED_SO,
    OPTIONS(blob_options, struct blob_values),
    .min_args = 1,
    .max_args = 1,
    .run = blob_run,
};

const struct command command_verify_blob_attestation = {
    .name = "verify-blob-attestation",
    .usage = "--bundle FILE --type TYPE " SIGNED_BY " [options] [FILE]",
    .summary = "verify an attestation about a file, with cosign's flags",
    .details = "Verifies that the bundle holds an attestation of that type about FILE (or about --digest)." JUDGED_SO,
    OPTIONS(blob_attestation_options, struct blob_values),
    .min_args = 0,
    .max_args = 1,
    .run = blob_attestation_run,
};

const struct command command_verify_bundle = {
    .name = "verify-bundle",
    .usage = "--bundle FILE " SIGNED_BY " [--trusted-root FILE] [options] FILE|DIGEST",
    .summary = "verify a Sigstore bundle as the client conformance protocol asks",
    .details = "Verifies a Sigstore bundle against a file or a digest (sha256:...), whether the bundle holds a "
               "signature or an\n"
               "attestation of any type. The arguments are those of Sigstore's client conformance protocol." JUDGED_SO,
    OPTIONS(bundle_options, struct blob_values),
    .min_args = 1,
    .max_args = 1,
    .run = bundle_run,
};
