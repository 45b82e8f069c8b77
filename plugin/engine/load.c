/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/load.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"
#include "crypto/digest.h"
#include "verifier/trustroot.h"

enum { PEEK_FILES = 16, PEEK_BYTES = 64 * 1024 };

/* Where policies' keys and trust roots come from, and a list of what was read. */
struct reading {
    const char *root;
    struct consulted *consulted;
    struct load_files *files; /* NULL = not kept */
};

bool load_files_add(struct load_files *files, enum load_kind kind, const char *name, struct span bytes,
                    struct error *err)
{
    struct load_file file = {.kind = kind, .name = mem_strdup(name)};
    void *copy = mem_dup(bytes.ptr, bytes.len);

    if (!file.name || !copy ||
        !mem_grow(&files->items, &files->capacity, files->count, sizeof(*files->items), 3 * LIMIT_POLICY_FILES)) {
        mem_free(file.name);
        mem_free(copy);
        return error_oom(err);
    }
    file.bytes = span_of(copy, bytes.len);
    files->items[files->count++] = file;
    return true;
}

void load_files_done(struct load_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        mem_free(files->items[i].name);
        mem_free((void *)(uintptr_t)files->items[i].bytes.ptr);
    }
    mem_free(files->items);
    *files = (struct load_files){0};
}

static bool keep(const struct reading *reading, enum load_kind kind, const char *name, const struct buf *bytes,
                 struct error *err)
{
    return !reading->files || load_files_add(reading->files, kind, name, buf_as_span(bytes), err);
}

static bool consult(const struct reading *reading, const char *path, struct error *err)
{
    const struct names *names = &reading->consulted->paths;

    for (size_t i = names->count; i > 0 && i + 8 > names->count; i--) /* directories come again and again, closely */
        if (strcmp(names->items[i - 1], path) == 0)
            return true;
    return consulted_add(reading->consulted, path, err);
}

static bool consult_under(const struct reading *reading, const char *path, struct error *err)
{
    CLEANUP(mem_freep) char *full = path_under(reading->root, path);

    return full ? consult(reading, full, err) : error_oom(err);
}

static bool read_absolute(const struct reading *reading, const char *name, size_t max, struct buf *ret,
                          struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(reading->root, name);
    CLEANUP(mem_freep) char *directory = NULL;
    char *slash;

    if (!path)
        return error_oom(err);
    directory = mem_strdup(path);
    slash = directory ? strrchr(directory, '/') : NULL;
    if (!slash)
        return error_oom(err);
    *slash = '\0'; /* a file put in its place later changes the directory */
    return (directory[0] == '\0' || consult(reading, directory, err)) && consult(reading, path, err) &&
           file_read(path, max, FILE_TRUSTED, ret, err);
}

/* A name that a policy wrote, for a file of `directory`: never a way out of it. */
static bool read_named(const struct reading *reading, const char *directory, const char *name, const char *suffix,
                       size_t max, struct buf *ret, struct error *err)
{
    CLEANUP(mem_freep) char *relative = NULL;
    CLEANUP(mem_freep) char *path = NULL;
    char shown[80];

    if (name[0] == '/') /* containers' policy.json names its keys so; a ClusterImagePolicy cannot */
        return read_absolute(reading, name, max, ret, err);
    if (name[0] == '\0' || name[0] == '.' || strstr(name, ".."))
        return error_set(err, REASON_POLICY_ERROR, "\"%s\" is no name of a file below the directory",
                         text_clean(span_str(name), shown, sizeof(shown)));
    relative = mem_printf("%s/%s%s", directory, name, suffix);
    path = relative ? path_under(reading->root, relative) : NULL;
    if (!path)
        return error_oom(err);
    return consult_under(reading, directory, err) && consult(reading, path, err) &&
           file_read(path, max, FILE_TRUSTED, ret, err);
}

static bool read_key(void *context, const char *name, struct buf *ret, struct error *err)
{
    return read_named(context, PG_CONFDIR "/keys", name, "", LIMIT_KEY_FILE_BYTES, ret, err) &&
           keep(context, LOAD_KEY, name, ret, err);
}

static bool read_trust(void *context, const char *name, struct buf *ret, struct error *err)
{
    return read_named(context, PG_CONFDIR "/trust", name, ".json", LIMIT_TRUST_ROOT_BYTES, ret, err) &&
           keep(context, LOAD_TRUST, name, ret, err);
}

static bool add_file(struct policy_set *set, const struct reading *reading, const char *directory, const char *name,
                     struct error *err)
{
    const struct policy_source source = {
        .context = (void *)(uintptr_t)reading, .read_key = read_key, .read_trust = read_trust};
    CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, name);
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(LIMIT_POLICY_FILE_BYTES);

    if (!path)
        return error_oom(err);
    return consult(reading, path, err) && file_read(path, LIMIT_POLICY_FILE_BYTES, FILE_TRUSTED, &bytes, err) &&
           keep(reading, LOAD_POLICY, path, &bytes, err) &&
           policy_set_add(set, path, buf_as_span(&bytes), &source, err);
}

static const char *const suffixes[] = {".yaml", ".yml", ".json", NULL};

/* Words that every such policy has, in either dialect; many policies take longer to load than a fetcher. */
static bool hints_at_home(const char *directory, const char *name)
{
    static const char *const words[] = {"static", "directory", "insecureAcceptAnything", "reject"};
    CLEANUP(mem_freep) char *path = mem_printf("%s/%s", directory, name);
    CLEANUP(buf_free) struct buf bytes = BUF_INIT(PEEK_BYTES);
    struct error ignored = ERROR_INIT;

    if (!path || !file_read(path, PEEK_BYTES, FILE_ANY, &bytes, &ignored))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (span_find(buf_as_span(&bytes), words[i]) != SIZE_MAX)
            return true;
    return false;
}

bool engine_may_stay_home(const char *root, const struct settings *settings)
{
    CLEANUP(mem_freep) char *directory = path_under(root, PG_CONFDIR "/policy.d");
    CLEANUP(names_free) struct names names = {0};
    struct error ignored = ERROR_INIT;

    if (settings->no_match != NO_MATCH_DENY || !directory || !dir_list(directory, suffixes, &names, &ignored) ||
        names.count > PEEK_FILES)
        return true;
    for (size_t i = 0; i < names.count; i++)
        if (hints_at_home(directory, names.items[i]))
            return true;
    return false;
}

/* The whole directory or nothing: a policy is never dropped. */
static bool add_directory(struct policy_set *set, const struct reading *reading, struct error *err)
{
    CLEANUP(mem_freep) char *directory = path_under(reading->root, PG_CONFDIR "/policy.d");
    CLEANUP(names_free) struct names names = {0};

    if (!directory)
        return error_oom(err);
    if (!consult(reading, directory, err))
        return false;
    if (!dir_list(directory, suffixes, &names, err)) {
        if (err->reason == REASON_NOT_FOUND)
            return error_set(err, REASON_POLICY_ERROR, "the policy directory %s is missing", directory);
        return false;
    }
    if (!file_check_trusted(directory, err))
        return false;
    if (names.count > LIMIT_POLICY_FILES)
        return error_set(err, REASON_LIMIT, "%s: more than %d files", directory, LIMIT_POLICY_FILES);
    for (size_t i = 0; i < names.count; i++)
        if (!add_file(set, reading, directory, names.items[i], err))
            return false;
    return true;
}

static bool parse_roots(struct engine_config *config, struct error *err)
{
    size_t count = 0;
    const char *const *names = policy_set_roots(config->policies, &count);

    if (count == 0)
        return true;
    config->roots = mem_new(count, sizeof(struct trust_root *));
    if (!config->roots)
        return error_oom(err);
    for (; config->root_count < count; config->root_count++)
        if (!trust_root_parse(policy_set_root_bytes(config->policies, config->root_count),
                              &config->roots[config->root_count], err)) {
            err->reason = REASON_POLICY_ERROR;
            return error_wrap(err, "trust root %s", names[config->root_count]);
        }
    return true;
}

/* Each part behind its length: no two different sets of files give the same bytes. */
static bool fingerprint(const struct settings *settings, struct engine_config *config, struct error *err)
{
    CLEANUP(buf_free) struct buf all = BUF_INIT(2 * LIMIT_SETTINGS_BYTES);
    const struct span parts[] = {span_str(PG_VERSION), settings->raw,
                                 span_str(policy_set_fingerprint(config->policies))};
    struct digest digest;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_u64(&all, parts[i].len);
        buf_span(&all, parts[i]);
    }
    if (!buf_ok(&all))
        return error_oom(err);
    if (!digest_compute(DIGEST_SHA256, buf_as_span(&all), &digest))
        return error_set(err, REASON_INTERNAL, "SHA-256 fails");
    hex_encode(span_of(digest.bytes, digest_size(DIGEST_SHA256)), config->fingerprint);
    return true;
}

/* Takes the settings only when all is well: a failure is recorded as they say. */
static bool config_finish(struct settings *settings, struct policy_set **policies, struct engine_config *ret,
                          struct error *err)
{
    CLEANUP(engine_config_done) struct engine_config config = {0};

    config.policies = TAKE_PTR(*policies);
    if (!parse_roots(&config, err) || !fingerprint(settings, &config, err))
        return false;
    config.settings = *settings;
    *settings = (struct settings){0};
    *ret = config;
    config = (struct engine_config){0};
    return true;
}

bool engine_load_settings(const char *root, struct consulted *consulted, struct settings *ret, struct error *err)
{
    const struct reading reading = {.root = root, .consulted = consulted};

    consulted->began = time_now();
    return consult_under(&reading, PG_CONFDIR, err) && consult_under(&reading, PG_CONFDIR "/pullguard.yaml", err) &&
           consult(&reading, PG_LIBEXECDIR "/pullguard-engine", err) && settings_load(root, ret, err);
}

/* A set that cannot be stamped decides as well as any other; its verdicts are not kept. */
static void take_stamp(const struct consulted *consulted, struct engine_config *config)
{
    const struct settings *settings = &config->settings;
    bool engine_only = settings->log_json || settings->audit[0] || settings->metrics;
    struct error ignored = ERROR_INIT;

    config->stamp = (struct buf)BUF_INIT(STAMP_MAX_BYTES);
    if (!stamp_make(consulted, config->fingerprint, engine_only, &config->stamp, &ignored))
        buf_free(&config->stamp);
}

bool engine_load_policies(const char *root, struct consulted *consulted, bool keep_files, struct settings *settings,
                          struct engine_config *ret, struct error *err)
{
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    CLEANUP(load_files_done) struct load_files files = {0};
    const struct reading reading = {.root = root, .consulted = consulted, .files = keep_files ? &files : NULL};
    struct engine_config config;

    if (!set)
        return error_oom(err);
    if (!add_directory(set, &reading, err) || !config_finish(settings, &set, &config, err))
        return false;
    take_stamp(consulted, &config);
    config.files = files;
    files = (struct load_files){0};
    *ret = config;
    return true;
}

bool engine_load(const char *root, struct engine_config *ret, struct error *err)
{
    CLEANUP(settings_done) struct settings settings = {0};
    CLEANUP(consulted_done) struct consulted consulted = {0};

    return engine_load_settings(root, &consulted, &settings, err) &&
           engine_load_policies(root, &consulted, false, &settings, ret, err);
}

static bool no_key_file(void *context, const char *name, struct buf *ret, struct error *err)
{
    (void)context;
    (void)name;
    (void)ret;
    return error_set(err, REASON_POLICY_ERROR, "a policy of the request names a key file");
}

static bool request_trust(void *context, const char *name, struct buf *ret, struct error *err)
{
    const struct request *request = context;

    if (!request->trust_root || strcmp(name, "adhoc") != 0)
        return error_set(err, REASON_POLICY_ERROR, "the request brings no trust root of that name");
    *ret = (struct buf)BUF_INIT(LIMIT_TRUST_ROOT_BYTES);
    buf_str(ret, request->trust_root);
    return buf_ok(ret) || error_oom(err);
}

bool engine_load_adhoc(const struct request *request, struct settings *settings, struct engine_config *ret,
                       struct error *err)
{
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    const struct policy_source source = {
        .context = (void *)(uintptr_t)request, .read_key = no_key_file, .read_trust = request_trust};

    if (!set)
        return error_oom(err);
    return policy_set_add(set, "request.json", span_str(request->policy), &source, err) &&
           config_finish(settings, &set, ret, err);
}

bool engine_load_request(const struct request *request, struct engine_config *ret, struct error *err)
{
    CLEANUP(settings_done) struct settings settings = {0};

    return settings_default(&settings, err) && engine_load_adhoc(request, &settings, ret, err);
}

static bool from_memory(void *context, enum load_kind kind, const char *name, struct buf *ret, struct error *err)
{
    const struct load_files *files = context;

    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].kind == kind && strcmp(files->items[i].name, name) == 0) {
            buf_span(ret, files->items[i].bytes);
            return buf_ok(ret) || error_oom(err);
        }
    return error_set(err, REASON_NOT_FOUND, "the evidence file lacks a file that its policies name");
}

static bool key_from_memory(void *context, const char *name, struct buf *ret, struct error *err)
{
    *ret = (struct buf)BUF_INIT(LIMIT_KEY_FILE_BYTES);
    return from_memory(context, LOAD_KEY, name, ret, err);
}

static bool trust_from_memory(void *context, const char *name, struct buf *ret, struct error *err)
{
    *ret = (struct buf)BUF_INIT(LIMIT_TRUST_ROOT_BYTES);
    return from_memory(context, LOAD_TRUST, name, ret, err);
}

bool engine_load_files(const struct load_files *files, struct engine_config *ret, struct error *err)
{
    CLEANUP(policy_set_freep) struct policy_set *set = policy_set_new();
    CLEANUP(settings_done) struct settings settings = {0};
    const struct policy_source source = {
        .context = (void *)(uintptr_t)files, .read_key = key_from_memory, .read_trust = trust_from_memory};

    if (!set)
        return error_oom(err);
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].kind == LOAD_POLICY &&
            !policy_set_add(set, files->items[i].name, files->items[i].bytes, &source, err))
            return false;
    return settings_default(&settings, err) && config_finish(&settings, &set, ret, err);
}

void engine_config_done(struct engine_config *config)
{
    for (size_t i = 0; config->roots && i < config->root_count; i++)
        trust_root_freep(&config->roots[i]);
    mem_free(config->roots);
    policy_set_free(config->policies);
    settings_done(&config->settings);
    buf_free(&config->stamp);
    load_files_done(&config->files);
    *config = (struct engine_config){0};
}
