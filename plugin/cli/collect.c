/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard collect: signatures and attestations of images into a directory (an OCI layout) that a policy can name as
 * its source, for nodes without a registry. The registry's bytes are sorted out in the judge's sandbox; out here files
 * are written, under names that are digests computed from the bytes.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/wire.h"
#include "crypto/digest.h"
#include "plugin/cli/ask.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/download.h"
#include "plugin/cli/file_judge.h"
#include "plugin/cli/say.h"
#include "plugin/replay/replay.h"

enum { WORK_TIMEOUT_MS = 60 * 1000, OUTPUT_MAX_BYTES = LIMIT_EVIDENCE_BYTES + 2 * LIMIT_MANIFEST_BYTES };
enum { OUT_MESSAGE = 1, OUT_INDEX = 1, OUT_BLOB = 2 /* digest text, LF, bytes */ };

static const char name_annotation[] = "org.opencontainers.image.ref.name";

struct collect_values {
    struct download_values download; /* first: its options' offsets hold here too */
    const char *to;
};

/* ---- in the sandbox ---- */

struct sorting {
    struct span file;      /* evidence */
    struct span old_index; /* index.json as it is; empty = none */
};

static bool put_blob(struct buf *out, struct span body, char digest_text[DIGEST_TEXT_BYTES], struct error *err)
{
    struct digest digest;
    size_t open;

    if (!digest_compute(DIGEST_SHA256, body, &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 fails");
    open = wire_open(out, OUT_BLOB);
    buf_str(out, digest_format(&digest, digest_text));
    buf_byte(out, '\n');
    buf_span(out, body);
    wire_close(out, open);
    return true;
}

/* Does this entry of the old index carry a name that is about to be written anew? */
static bool is_renewed(const struct node *entry, const struct replay *replay)
{
    const struct node *name = node_get(node_get(entry, "annotations"), name_annotation);

    for (size_t i = 0; node_is(name, NODE_STRING) && i < replay->evidence.count; i++) {
        const struct want *want = &replay->evidence.wants[i];
        CLEANUP(mem_freep) char *full = mem_printf("%s/%s:%s", want->host, want->repository, want->target);

        if (full && want->kind == WANT_MANIFEST && span_eq_str(name->text, full))
            return true;
    }
    return false;
}

static bool keep_entries(struct json_out *index, struct span old_index, const struct replay *replay, struct error *err)
{
    CLEANUP(tree_freep) struct tree *tree = NULL;
    const struct node *list;

    if (old_index.len == 0)
        return true;
    if (!json_parse(old_index, "index.json", TREE_NO_PLACES, &tree, err))
        return false;
    list = node_get(tree_root(tree), "manifests");
    if (!node_is(list, NODE_LIST))
        return error_set(err, REASON_MALFORMED, "index.json: not an OCI layout's");
    for (const struct node *entry = list->child; entry; entry = entry->next)
        if (!is_renewed(entry, replay))
            json_put_node(index, NULL, entry);
    return true;
}

/* Tags of signatures and attestations get a name; bundles are found by the subject that their manifests name. */
static void put_entry(struct json_out *index, const struct want *want, const struct evidence *item, const char *digest)
{
    CLEANUP(mem_freep) char *name = mem_printf("%s/%s:%s", want->host, want->repository, want->target);

    json_open_map(index, NULL);
    json_put_str(index, "mediaType",
                 item->content_type ? item->content_type : "application/vnd.oci.image.manifest.v1+json");
    json_put_str(index, "digest", digest);
    json_put_int(index, "size", (int64_t)item->body.len);
    json_open_map(index, "annotations");
    json_put_str(index, name_annotation, name);
    json_close_map(index);
    json_close_map(index);
}

/* The listing of referrers is made anew by whoever reads the directory. */
static bool is_listing(const struct want *want)
{
    return want->kind == WANT_REFERRERS || want->kind == WANT_PAGE ||
           (want->kind == WANT_MANIFEST && strlen(want->target) == strlen("sha256-") + 64 &&
            span_starts(span_str(want->target), "sha256-"));
}

static bool sort_evidence(void *context, struct buf *out, struct error *err)
{
    const struct sorting *sorting = context;
    CLEANUP(replay_done) struct replay replay = {0};
    CLEANUP(buf_free) struct buf index_text = BUF_INIT(LIMIT_MANIFEST_BYTES);
    struct json_out index = json_out_to(&index_text);
    size_t message = wire_begin(out, OUT_MESSAGE);

    if (!replay_read(sorting->file, &replay, err))
        return false;
    json_open_map(&index, NULL);
    json_put_int(&index, "schemaVersion", 2);
    json_put_str(&index, "mediaType", "application/vnd.oci.image.index.v1+json");
    json_open_list(&index, "manifests");
    if (!keep_entries(&index, sorting->old_index, &replay, err))
        return false;
    for (size_t i = 0; i < replay.evidence.count; i++) {
        const struct want *want = &replay.evidence.wants[i];
        const struct evidence *item = &replay.evidence.items[i];
        char digest[DIGEST_TEXT_BYTES];

        if (item->status != EVIDENCE_FOUND || is_listing(want))
            continue;
        if (!put_blob(out, item->body, digest, err))
            return false;
        if (want->kind == WANT_MANIFEST && !strchr(want->target, ':'))
            put_entry(&index, want, item, digest);
    }
    json_close_list(&index);
    json_close_map(&index);
    wire_put(out, OUT_INDEX, buf_as_span(&index_text));
    wire_end(out, message);
    return (buf_ok(&index_text) && buf_ok(out)) || error_set(err, REASON_LIMIT, "too much for one image");
}

/* ---- outside ---- */

static bool make_dir(const char *path, struct error *err)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST || error_errno(err, REASON_IO, errno, "%s", path);
}

static bool make_layout(const char *dir, struct error *err)
{
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    CLEANUP(mem_freep) char *blobs = mem_printf("%s/blobs", dir);
    CLEANUP(mem_freep) char *algorithm = mem_printf("%s/blobs/sha256", dir);
    CLEANUP(mem_freep) char *layout = mem_printf("%s/oci-layout", dir);

    if (!blobs || !algorithm || !layout)
        return error_oom(err);
    return make_dir(dir, err) && make_dir(blobs, err) && make_dir(algorithm, err) &&
           file_write_atomic(layout, span_str(version), 0644, false, err);
}

static bool write_blob(const char *dir, struct span record, struct error *err)
{
    size_t end = span_find_byte(record, '\n');
    struct digest digest;
    char hex[2 * DIGEST_MAX_BYTES + 1];
    CLEANUP(mem_freep) char *path = NULL;

    if (end == SIZE_MAX || !digest_parse(span_cut(record, 0, end), &digest))
        return error_set(err, REASON_INTERNAL, "a blob without its digest");
    path = mem_printf("%s/blobs/sha256/%s", dir, digest_hex(&digest, hex));
    if (!path)
        return error_oom(err);
    return access(path, F_OK) == 0 || file_write_atomic(path, span_cut(record, end + 1, SIZE_MAX), 0644, false, err);
}

static bool write_all(const char *dir, struct span message, size_t *ret_objects, struct error *err)
{
    CLEANUP(mem_freep) char *index = mem_printf("%s/index.json", dir);
    struct wire_message parsed;
    struct reader records;
    struct span bytes;
    uint16_t tag;

    if (!index)
        return error_oom(err);
    if (!wire_parse(message, &parsed, err))
        return false;
    records = reader_of(parsed.records);
    while (wire_next(&records, &tag, &bytes)) { /* the index comes last: it never names what is not there yet */
        if (tag == OUT_BLOB ? !write_blob(dir, bytes, err) : !file_write_atomic(index, bytes, 0644, true, err))
            return false;
        *ret_objects += tag == OUT_BLOB;
    }
    return !records.failed || error_set(err, REASON_INTERNAL, "the sorted evidence is cut off");
}

static bool read_index(const char *dir, struct buf *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/index.json", dir);

    if (!path)
        return error_oom(err);
    return file_read(path, LIMIT_MANIFEST_BYTES, FILE_ANY, ret, err) || err->reason == REASON_NOT_FOUND;
}

static bool collect_one(const struct cli *cli, const struct collect_values *values, const char *reference,
                        struct response *response, size_t *ret_objects, struct error *err)
{
    CLEANUP(buf_free) struct buf old_index = BUF_INIT(0);
    CLEANUP(buf_free) struct buf sorted = BUF_INIT(0);
    struct sorting sorting;

    if (!download_collect(cli, &values->download, reference, response, err) || !read_index(values->to, &old_index, err))
        return false;
    sorting = (struct sorting){.file = response->evidence, .old_index = buf_as_span(&old_index)};
    return judge_sandbox_run(cli, sort_evidence, &sorting, OUTPUT_MAX_BYTES, WORK_TIMEOUT_MS, &sorted, err) &&
           write_all(values->to, buf_as_span(&sorted), ret_objects, err);
}

static void put_result(struct json_out *out, const char *reference, const struct response *response, size_t objects,
                       const struct error *err)
{
    json_open_map(out, NULL);
    json_put_str(out, "reference", reference);
    json_put_bool(out, "collected", err == NULL);
    json_put_str(out, "digest", response->digest);
    json_put_int(out, "objects", (int64_t)objects);
    if (err) {
        json_put_str(out, "reason", reason_name(err->reason));
        json_put_str(out, "message", err->text);
    }
    json_close_map(out);
}

static int collect_run(const struct cli *cli, const void *values_, const struct text_list *args)
{
    const struct collect_values *values = values_;
    CLEANUP(buf_free) struct buf json = BUF_INIT(LIMIT_MANIFEST_BYTES);
    struct json_out out = json_out_to(&json);
    struct error err = ERROR_INIT;
    int code = EXIT_YES;

    if (values->to == NULL) {
        say_error(cli, "--to DIR is missing: the directory to fill");
        return EXIT_UNDECIDED;
    }
    if (!make_layout(values->to, &err))
        return say_failed(cli, &err);
    json_open_list(&out, NULL);
    for (size_t i = 0; i < args->count; i++) {
        CLEANUP(response_done) struct response response = {0};
        size_t objects = 0;
        bool done;

        if (isatty(STDERR_FILENO) && !cli->json)
            fprintf(stderr, "%zu of %zu  %s\n", i + 1, args->count, args->items[i]);
        done = collect_one(cli, values, args->items[i], &response, &objects, &err);
        put_result(&out, args->items[i], &response, objects, done ? NULL : &err);
        if (!done)
            say_error(cli, "%s: %s: %s", args->items[i], reason_name(err.reason), err.text);
        else if (!cli->json)
            printf("%s  %s  %zu objects\n", args->items[i], response.digest ? response.digest : "", objects);
        code = done ? code : EXIT_UNDECIDED;
    }
    json_close_list(&out);
    return cli->json && !say_json(cli, &json) ? EXIT_UNDECIDED : code;
}

static const struct option_spec options[] = {
    {"to", 0, OPTION_TEXT, "DIR", offsetof(struct collect_values, to),
     "the directory to fill; made when it is missing"},
    DOWNLOAD_OPTIONS,
};

const struct command command_collect = {
    .name = "collect",
    .usage = "[options] REF... --to DIR",
    .summary = "copy signatures and attestations of images into a directory, for nodes without a registry",
    .details =
        "Brings the signatures, attestations and bundles of each image into DIR, an OCI layout. What DIR holds "
        "already\n"
        "stays. A policy names it with source: [{directory: DIR}], and a node then verifies without any network.\n"
        "Nothing is verified here.\n\n"
        "Exit status: 0 all collected, 2 not all.",
    OPTIONS(options, struct collect_values),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = collect_run,
};
