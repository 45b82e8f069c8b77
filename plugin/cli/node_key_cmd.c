/* SPDX-License-Identifier: Apache-2.0 */
/* pullguard node-key: the key with which this node endorses images for CRI-O and podman. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "config.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/say.h"
#include "plugin/crio/node_key.h"

static bool made_at(const char *root, char dst[TIME_TEXT_BYTES])
{
    CLEANUP(mem_freep) char *path = path_under(root, NODE_KEY_PATH);
    struct stat status;

    if (path == NULL || stat(path, &status) != 0)
        return false;
    time_format(status.st_mtime, dst);
    return true;
}

static int show(const struct cli *cli, const struct pubkey *key)
{
    CLEANUP(buf_free) struct buf json = BUF_INIT(4096);
    struct json_out out = json_out_to(&json);
    const char *fingerprint = pubkey_fingerprint(key);
    char made[TIME_TEXT_BYTES] = "unknown";

    made_at(cli->root, made);
    if (!cli->json) {
        printf("fingerprint  %s\nmade         %s\npublic half  %s%s\n", fingerprint, made, cli->root,
               NODE_KEY_PUBLIC_PATH);
        return EXIT_YES;
    }
    json_open_map(&out, NULL);
    json_put_str(&out, "fingerprint", fingerprint);
    json_put_str(&out, "made", made);
    json_put_str(&out, "public", NODE_KEY_PUBLIC_PATH);
    json_close_map(&out);
    return say_json(cli, &json) ? EXIT_YES : EXIT_UNDECIDED;
}

static int show_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args UNUSED)
{
    CLEANUP(pubkey_freep) struct pubkey *key = NULL;
    struct error err = ERROR_INIT;
    char made[TIME_TEXT_BYTES];

    if (!made_at(cli->root, made)) {
        say_error(cli, "this node has no key yet; the endorser or \"pullguard enable crio\" makes it");
        return EXIT_NO;
    }
    if (!node_key_check(cli->root, &key, &err))
        return say_failed(cli, &err);
    return show(cli, key);
}

static int rotate_run(const struct cli *cli, const void *values UNUSED, const struct text_list *args UNUSED)
{
    CLEANUP(pubkey_freep) struct pubkey *key = NULL;
    struct error err = ERROR_INIT;

    if (!node_key_rotate(cli->root, &err) || !node_key_check(cli->root, &key, &err))
        return say_failed(cli, &err);
    if (!cli->json)
        printf("The old key is gone, and with it every endorsement made by it.\n"
               "Images pulled before must be pulled again before CRI-O starts them. The endorser uses the new key from "
               "now on.\n");
    return show(cli, key);
}

const struct command command_node_key_show = {
    .name = "node-key show",
    .usage = "[--json]",
    .summary = "show the key with which this node endorses images",
    .details = "Shows fingerprint and age of the key with which this node endorses images for CRI-O and podman.\n\n"
               "Exit status: 0 shown, 1 there is none yet, 2 it cannot be read.",
    .max_args = 0,
    .run = show_run,
};

const struct command command_node_key_rotate = {
    .name = "node-key rotate",
    .usage = "[--json]",
    .summary = "replace that key, which revokes everything endorsed with it",
    .details = "Makes a new node key in place of the old one. Every endorsement made before counts no more: CRI-O "
               "refuses to start\n"
               "containers from images that were pulled under the old key until they are pulled again.\n\n"
               "Exit status: 0 done, 2 not done.",
    .max_args = 0,
    .run = rotate_run,
};
