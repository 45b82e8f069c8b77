/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/test_registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tree.h"

static void *must(void *block)
{
    if (!block)
        abort();
    return block;
}

static void die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "%s: %s\n", what, err->text);
    abort();
}

struct span test_vector(const char *path)
{
    const char *source = secure_getenv("PG_SOURCE");
    char *full = must(mem_printf("%s/tests/vectors/cosign-3.1.1/%s", source ? source : ".", path));
    struct buf buf = {0};
    struct error err = ERROR_INIT;
    struct span bytes;

    if (!file_read(full, 16 * 1024 * 1024, FILE_ANY, &buf, &err))
        die(full, &err);
    mem_free(full);
    bytes = buf_as_span(&buf);
    bytes.ptr = must(buf_take(&buf));
    return bytes;
}

struct pubkey *test_key(const char *name)
{
    char *path = must(mem_printf("keys/%s", name));
    struct span pem = test_vector(path);
    struct pubkey *key = NULL;
    struct error err = ERROR_INIT;

    if (!pubkey_parse_pem(pem, &key, &err))
        die(path, &err);
    mem_free(path);
    mem_free((void *)(uintptr_t)pem.ptr);
    return key;
}

struct test_object *test_registry_find(const struct test_registry *registry, enum want_kind kind,
                                       const char *repository, const char *target)
{
    for (size_t i = 0; i < registry->count; i++) {
        struct test_object *item = &registry->items[i];

        if (item->kind == kind && strcmp(item->repository, repository) == 0 && strcmp(item->target, target) == 0)
            return item;
    }
    return NULL;
}

static struct test_object *place(struct test_registry *registry, enum want_kind kind, const char *repository,
                                 const char *target)
{
    struct test_object *item = test_registry_find(registry, kind, repository, target);

    if (item) {
        evidence_done(&item->answer);
        return item;
    }
    if (!mem_grow(&registry->items, &registry->capacity, registry->count, sizeof(*item), 4096))
        abort();
    item = &registry->items[registry->count++];
    item->kind = kind;
    item->repository = must(mem_strdup(repository));
    item->target = must(mem_strdup(target));
    return item;
}

void test_registry_put(struct test_registry *registry, enum want_kind kind, const char *repository, const char *target,
                       const char *content_type, const char *link, struct span body)
{
    struct test_object *item = place(registry, kind, repository, target);

    item->answer = (struct evidence){
        .status = EVIDENCE_FOUND,
        .http_status = 200,
        .content_type = mem_strdup(content_type),
        .link = mem_strdup(link),
        .owned = must(mem_dup(body.ptr, body.len)),
    };
    item->answer.body = span_of(item->answer.owned, body.len);
}

void test_registry_put_digest(struct test_registry *registry, enum want_kind kind, const char *repository,
                              const char *content_type, struct span body, char digest_text[DIGEST_TEXT_BYTES])
{
    struct digest digest;

    if (!digest_compute(DIGEST_SHA256, body, &digest))
        abort();
    test_registry_put(registry, kind, repository, digest_format(&digest, digest_text), content_type, NULL, body);
}

void test_registry_fail(struct test_registry *registry, enum want_kind kind, const char *repository, const char *target,
                        enum reason reason, const char *text)
{
    struct test_object *item = place(registry, kind, repository, target);

    item->answer = (struct evidence){.status = EVIDENCE_ERROR, .reason = reason, .error = mem_strdup(text)};
}

static struct span sample_file(const char *repository, const char *folder, struct span digest, const char *suffix)
{
    char *path = must(
        mem_printf("registry/%s/%s/%.*s%s", repository, folder, (int)digest.len, (const char *)digest.ptr, suffix));
    struct span bytes;

    *strchr(strrchr(path, '/'), ':') = '-';
    bytes = test_vector(path);
    mem_free(path);
    return bytes;
}

static void load_object(struct test_registry *registry, const char *repository, enum want_kind kind, struct span name,
                        struct span digest, const struct node *content_type)
{
    struct span bytes = kind == WANT_BLOB ? sample_file(repository, "blobs", digest, "")
                                          : sample_file(repository, "manifests", digest, ".json");
    char *target = must(span_dup(name));
    char *type = content_type ? must(span_dup(content_type->text)) : NULL;

    test_registry_put(registry, kind, repository, target, type, NULL, bytes);
    mem_free(target);
    mem_free(type);
    mem_free((void *)(uintptr_t)bytes.ptr);
}

void test_registry_load(struct test_registry *registry, const char *repository)
{
    char *path = must(mem_printf("registry/%s/index.json", repository));
    struct span bytes = test_vector(path);
    struct tree *tree = NULL;
    struct error err = ERROR_INIT;
    const struct node *manifests, *tags, *blobs;

    if (!json_parse(bytes, path, TREE_DEFAULT, &tree, &err))
        die(path, &err);
    manifests = node_get(tree_root(tree), "manifests");
    tags = node_get(tree_root(tree), "tags");
    blobs = node_get(tree_root(tree), "blobs");
    for (const struct node *item = must((void *)(uintptr_t)manifests) ? manifests->child : NULL; item;
         item = item->next)
        load_object(registry, repository, WANT_MANIFEST, item->name, item->name, node_get(item, "contentType"));
    for (const struct node *item = tags ? tags->child : NULL; item; item = item->next)
        load_object(registry, repository, WANT_MANIFEST, item->name, item->text,
                    node_get(node_get_span(manifests, item->text), "contentType"));
    for (const struct node *item = blobs ? blobs->child : NULL; item; item = item->next)
        load_object(registry, repository, WANT_BLOB, item->name, item->name, NULL);
    tree_free(tree);
    mem_free((void *)(uintptr_t)bytes.ptr);
    mem_free(path);
}

struct digest test_registry_image(const struct test_registry *registry, const char *repository)
{
    const struct test_object *item = test_registry_find(registry, WANT_MANIFEST, repository, "v1");
    struct digest digest;

    if (!item || !digest_compute(DIGEST_SHA256, item->answer.body, &digest))
        abort();
    return digest;
}

static char *copy(const char *text)
{
    return text ? must(mem_strdup(text)) : NULL;
}

static struct evidence answer(const struct test_registry *registry, const struct want *want)
{
    const struct test_object *item = test_registry_find(registry, want->kind, want->repository, want->target);
    struct evidence result = {.id = want->id, .status = EVIDENCE_ABSENT, .http_status = 404};

    if (!item)
        return result;
    result = item->answer;
    result.id = want->id;
    result.content_type = copy(item->answer.content_type);
    result.link = copy(item->answer.link);
    result.error = copy(item->answer.error);
    result.owned = NULL; /* bodies are borrowed from the registry: large ones are there once */
    return result;
}

size_t test_registry_run(struct test_registry *registry, const struct verify_input *input, struct evidence_set *set)
{
    struct error err = ERROR_INIT;

    for (size_t rounds = 0; rounds <= LIMIT_FETCH_ROUNDS; rounds++) {
        struct wants wants = {0};
        size_t blobs = 0;

        if (!verify_wants(input, set, &wants, &err))
            die("verify_wants", &err);
        if (wants.count == 0) {
            wants_done(&wants);
            return rounds;
        }
        for (size_t i = 0; i < wants.count; i++) {
            struct evidence item = answer(registry, &wants.items[i]);

            registry->requests++;
            blobs += wants.items[i].kind == WANT_BLOB;
            if (!evidence_set_add(set, &wants.items[i], &item, &err))
                die("evidence_set_add", &err);
        }
        if (blobs > registry->most_blobs)
            registry->most_blobs = blobs;
        wants_done(&wants);
    }
    (void)fprintf(stderr, "the verifier never stops asking\n");
    abort();
}

void test_registry_done(struct test_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) {
        mem_free(registry->items[i].repository);
        mem_free(registry->items[i].target);
        evidence_done(&registry->items[i].answer);
    }
    mem_free(registry->items);
    *registry = (struct test_registry){0};
}
