/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/lookaside.h"

#include <string.h>

#include "base/encode.h"
#include "base/json_out.h"
#include "base/limits.h"
#include "base/mem.h"
#include "verifier/ref.h"

static const char prefix[] = "/v1/";
static const char digest_mark[] = "@sha256=";
static const char number_mark[] = "/signature-";

void lookaside_request_done(struct lookaside_request *request)
{
    mem_free(request->repository);
    mem_free(request->digest);
    memset(request, 0, sizeof(*request));
}

/*
 * The repository must be in its canonical spelling already: what is asked for is what is signed, and two spellings of
 * one place would be two policies. containers' library writes docker.io where go-containerregistry writes
 * index.docker.io, so that one host is accepted as it stands.
 */
static bool check_repository(struct span repository, struct error *err)
{
    struct ref ref CLEANUP(ref_done) = {0};
    char *host CLEANUP(mem_freep) = NULL;
    size_t slash = span_find_byte(repository, '/');

    if (slash == SIZE_MAX || slash == 0)
        return error_set(err, REASON_BAD_REQUEST, "the path names no registry host before the repository");
    host = span_dup(span_cut(repository, 0, slash));
    if (!host || !ref_parse_repository(repository, &ref, err))
        return host ? error_wrap(err, "the repository in the path") : error_oom(err);
    if (strcmp(host, "docker.io") == 0)
        return true;
    if (strcmp(ref.host, host) != 0 || !span_eq_str(repository, ref.name))
        return error_set(err, REASON_BAD_REQUEST, "the repository in the path is not in its canonical form; want %s",
                         ref.name);
    return true;
}

/* The part before "/-<n>", and what is behind the n components after it. */
static bool drop_mirror_path(struct span written, char **ret, struct error *err)
{
    size_t mark = span_find(written, "/-"), end;
    struct span before = span_cut(written, 0, mark), rest = span_cut(written, mark, SIZE_MAX);
    uint64_t count = 0;

    if (mark == SIZE_MAX) {
        *ret = span_dup(written);
        return *ret || error_set(err, REASON_BAD_REQUEST, "the repository in the path is not text");
    }
    rest = span_cut(rest, 2, SIZE_MAX);
    end = span_find_byte(rest, '/');
    if (!span_to_u64(span_cut(rest, 0, end), LOOKASIDE_MAX_DROPPED, &count) || count == 0)
        return error_set(err, REASON_BAD_REQUEST, "/-<n> in the path wants a number from 1 to %d",
                         LOOKASIDE_MAX_DROPPED);
    for (; count > 0 && end != SIZE_MAX; count--) {
        rest = span_cut(rest, end + 1, SIZE_MAX);
        end = span_find_byte(rest, '/');
    }
    if (count > 0 || end == SIZE_MAX)
        return error_set(err, REASON_BAD_REQUEST, "the path ends within the mirror's part");
    *ret = mem_printf("%.*s%.*s", (int)before.len, (const char *)before.ptr, (int)(rest.len - end),
                      (const char *)rest.ptr + end);
    return *ret || error_oom(err);
}

static bool parse_digest(struct span hex, struct lookaside_request *request, struct error *err)
{
    uint8_t raw[32];

    if (!hex_decode(hex, raw, sizeof(raw)))
        return error_set(err, REASON_BAD_REQUEST, "the path's digest is not 64 lower-case hexadecimal digits");
    request->digest = mem_printf("sha256:%.*s", (int)hex.len, (const char *)hex.ptr);
    return request->digest ? true : error_oom(err);
}

bool lookaside_parse_target(struct span target, struct lookaside_request *ret, struct error *err)
{
    struct lookaside_request request CLEANUP(lookaside_request_done) = {0};
    struct span rest = span_cut(target, sizeof(prefix) - 1, SIZE_MAX);
    size_t digest_at = span_find(rest, digest_mark), number_at = span_find(rest, number_mark);
    uint64_t number = 0;

    if (target.len > LOOKASIDE_TARGET_BYTES)
        return error_set(err, REASON_LIMIT, "the path is longer than %d bytes", LOOKASIDE_TARGET_BYTES);
    if (!span_starts(target, prefix) || digest_at == SIZE_MAX || number_at == SIZE_MAX || number_at < digest_at)
        return error_set(err, REASON_BAD_REQUEST, "want /v1/<host>/<repository>@sha256=<hex>/signature-<n>");
    if (!span_to_u64(span_cut(rest, number_at + sizeof(number_mark) - 1, SIZE_MAX), LOOKASIDE_MAX_NUMBER, &number) ||
        number == 0)
        return error_set(err, REASON_BAD_REQUEST, "signatures are numbered from 1 to %d", LOOKASIDE_MAX_NUMBER);
    if (!drop_mirror_path(span_cut(rest, 0, digest_at), &request.repository, err) ||
        !check_repository(span_str(request.repository), err))
        return false;
    digest_at += sizeof(digest_mark) - 1;
    if (!parse_digest(span_cut(rest, digest_at, number_at - digest_at), &request, err))
        return false;
    request.number = (uint32_t)number;
    *ret = request;
    memset(&request, 0, sizeof(request));
    return true;
}

void lookaside_payload(const struct lookaside_request *request, struct buf *ret)
{
    struct json_out out = json_out_to(ret);

    json_open_map(&out, NULL);
    json_open_map(&out, "critical");
    json_open_map(&out, "identity");
    json_put_str(&out, "docker-reference", request->repository);
    json_close_map(&out);
    json_open_map(&out, "image");
    json_put_str(&out, "docker-manifest-digest", request->digest);
    json_close_map(&out);
    json_put_str(&out, "type", "cosign container image signature");
    json_close_map(&out);
    json_put_null(&out, "optional");
    json_close_map(&out);
}

void lookaside_signature(struct span payload, struct span signature, struct buf *ret)
{
    static const char magic[] = "\0sigstore-json\n";
    struct json_out out;

    buf_append(ret, magic, sizeof(magic) - 1);
    out = json_out_to(ret);
    json_open_map(&out, NULL);
    json_put_str(&out, "mimeType", "application/vnd.dev.cosign.simplesigning.v1+json");
    json_put_base64(&out, "payload", payload);
    json_open_map(&out, "annotations");
    json_put_base64(&out, "dev.cosignproject.cosign/signature", signature);
    json_close_map(&out);
    json_close_map(&out);
}
