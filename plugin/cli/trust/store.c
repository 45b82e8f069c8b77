/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/cli/trust/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"

enum { NAME_MAX_BYTES = 64, DAY_S = 24 * 3600 };

bool trust_name_check(const char *name, struct error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t len = strlen(name);
    char shown[80];

    if (len > 0 && len <= NAME_MAX_BYTES && name[0] != '.' && strspn(name, allowed) == len)
        return true;
    return error_set(err, REASON_BAD_REQUEST, "%s: a trust root's name has letters, digits, '-', '_' and '.'",
                     text_clean(span_str(name), shown, sizeof(shown)));
}

char *trust_path(const char *root, const char *name)
{
    CLEANUP(mem_freep) char *path = mem_printf(PG_CONFDIR "/trust/%s.json", name);

    return path == NULL ? NULL : path_under(root, path);
}

static char *state_path(const char *root, const char *name, const char *file)
{
    CLEANUP(mem_freep) char *path = mem_printf(PG_STATEDIR "/tuf/%s%s%s", name, file[0] != '\0' ? "/" : "", file);

    return path == NULL ? NULL : path_under(root, path);
}

bool trust_install(const char *root, const char *name, struct span bytes, struct error *err)
{
    CLEANUP(mem_freep) char *path = trust_path(root, name);

    if (path == NULL)
        return error_oom(err);
    return file_make_above(path, err) && file_write_atomic(path, bytes, 0644, true, err);
}

bool trust_installed(const char *root, struct names *ret, struct error *err)
{
    static const char *const suffixes[] = { ".json", NULL };
    CLEANUP(mem_freep) char *path = path_under(root, PG_CONFDIR "/trust");
    CLEANUP(names_free) struct names files = { 0 };

    if (path == NULL)
        return error_oom(err);
    if (!dir_list(path, suffixes, &files, err))
        return err->reason == REASON_NOT_FOUND;
    for (size_t i = 0; i < files.count; i++) {
        files.items[i][strlen(files.items[i]) - strlen(".json")] = '\0';
        if (!names_add(ret, files.items[i]))
            return error_oom(err);
    }
    return true;
}

bool trust_updatable(const char *root, struct names *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = path_under(root, PG_STATEDIR "/tuf");

    if (path == NULL)
        return error_oom(err);
    return dir_list(path, NULL, ret, err) || err->reason == REASON_NOT_FOUND;
}

static bool load(const char *root, const char *name, const char *file, bool needed, struct buf *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = state_path(root, name, file);

    if (path == NULL)
        return error_oom(err);
    if (!needed && access(path, F_OK) != 0)
        return true;
    return file_read(path, TRUST_STATE_FILE_BYTES, FILE_TRUSTED, ret, err);
}

bool trust_state_load(const char *root, const char *name, struct trust_update *update, char **ret_url,
                      struct error *err)
{
    CLEANUP(buf_free) struct buf url = { 0 };
    CLEANUP(mem_freep) char *installed = trust_path(root, name);

    if (installed == NULL)
        return error_oom(err);
    if (!load(root, name, "url", true, &url, err)) {
        if (err->reason == REASON_NOT_FOUND)
            error_set(err, REASON_NOT_FOUND,
                      "trust root %s has no source of updates; \"pullguard trust init\" gives it one", name);
        return false;
    }
    for (int role = 0; role < TUF_ROLES; role++)
        if (!load(root, name, tuf_role_file((enum tuf_role)role), role == TUF_ROOT, &update->stored[role], err))
            return false;
    if (access(installed, F_OK) == 0 &&
        !file_read(installed, LIMIT_TRUST_ROOT_BYTES, FILE_TRUSTED, &update->stored_target, err))
        return false;
    *ret_url = span_dup(span_trim(buf_as_span(&url)));
    if (*ret_url == NULL)
        return error_oom(err);
    update->url = *ret_url;
    return true;
}

static bool save(const char *root, const char *name, const char *file, struct span bytes, struct error *err)
{
    CLEANUP(mem_freep) char *path = state_path(root, name, file);

    if (path == NULL)
        return error_oom(err);
    if (bytes.len == 0) {
        if (unlink(path) != 0 && errno != ENOENT)
            return error_errno(err, REASON_IO, errno, "%s", path);
        return true;
    }
    return file_make_above(path, err) && file_write_atomic(path, bytes, 0644, true, err);
}

bool trust_state_save(const char *root, const char *name, const struct trust_update *update, struct error *err)
{
    /* Root first: what follows is only good under it (TUF specification, section 5). An empty state never removes a
     * root. */
    for (int role = 0; role < TUF_ROLES; role++) {
        struct span bytes = buf_as_span(&update->state[role]);

        if (role == TUF_ROOT && bytes.len == 0)
            continue;
        if (!save(root, name, tuf_role_file((enum tuf_role)role), bytes, err))
            return false;
    }
    return true;
}

bool trust_state_save_url(const char *root, const char *name, const char *url, struct error *err)
{
    return save(root, name, "url", span_str(url), err);
}

bool trust_state_forget(const char *root, const char *name, bool *ret_had, struct error *err)
{
    CLEANUP(mem_freep) char *directory = state_path(root, name, "");
    CLEANUP(mem_freep) char *url = state_path(root, name, "url");

    if (directory == NULL || url == NULL)
        return error_oom(err);
    *ret_had = access(url, F_OK) == 0;
    /* the address first: what is left without it is no source of updates */
    if (!save(root, name, "url", span_str(""), err))
        return false;
    for (int role = 0; role < TUF_ROLES; role++)
        if (!save(root, name, tuf_role_file((enum tuf_role)role), span_str(""), err))
            return false;
    if (rmdir(directory) != 0 && errno != ENOENT)
        return error_errno(err, REASON_IO, errno, "%s", directory);
    return true;
}

void trust_freshness_done(struct trust_freshness *freshness)
{
    mem_free(freshness->url);
    *freshness = (struct trust_freshness){ 0 };
}

bool trust_freshness_read(const char *root, const char *name, int64_t now, struct trust_freshness *ret,
                          struct error *err)
{
    CLEANUP(trust_update_done) struct trust_update update = { 0 };
    CLEANUP(mem_freep) char *url_path = state_path(root, name, "url");
    CLEANUP(mem_freep) char *url = NULL;
    CLEANUP(tuf_freep) struct tuf *tuf = NULL;
    struct tuf_stored stored = { .targets = NULL };

    if (url_path == NULL)
        return error_oom(err);
    if (access(url_path, F_OK) != 0)
        return true;
    if (!trust_state_load(root, name, &update, &url, err))
        return false;
    for (int role = 0; role < TUF_ROLES; role++)
        stored.roles[role] = buf_as_span(&update.stored[role]);
    if (!tuf_new(&stored, NULL, 0, now, &tuf, err))
        return false;
    for (int role = 0; role < TUF_ROLES; role++) {
        ret->version[role] = tuf_version(tuf, (enum tuf_role)role);
        ret->expires[role] = tuf_expires(tuf, (enum tuf_role)role);
    }
    ret->url = TAKE_PTR(url);
    return true;
}

long long trust_age_days(const char *root, const char *name, int64_t now)
{
    CLEANUP(mem_freep) char *path = trust_path(root, name);
    CLEANUP(mem_freep) char *url = state_path(root, name, "url");
    struct stat status;

    if (path == NULL || url == NULL || (stat(url, &status) != 0 && stat(path, &status) != 0))
        return -1;
    /* a file of the future is the clock's matter (doctor's system.clock), and no older than today */
    return now > status.st_mtime ? (now - status.st_mtime) / DAY_S : 0;
}
