/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs in cosign's form: generate-key-pair, import-key-pair, public-key. Passwords come as they do with cosign. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "crypto/keyfile.h"
#include "crypto/privkey.h"
#include "plugin/cli/commands.h"
#include "plugin/cli/input.h"
#include "plugin/cli/say.h"

enum { PASSWORD_MAX_BYTES = 4096 };

struct key_values {
    const char *prefix; /* --output-key-prefix */
    const char *key;    /* --key */
    const char *output; /* --outfile */
};

/* One line from the terminal without echo. */
static bool ask_line(int tty, const char *question, struct buf *ret, struct error *err)
{
    struct termios before, quiet;
    bool good = false;
    char byte;

    if (tcgetattr(tty, &before) != 0)
        return error_errno(err, REASON_IO, errno, "terminal");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (!fd_write_all(tty, question, strlen(question)) || tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
        return error_errno(err, REASON_IO, errno, "terminal");
    while (read(tty, &byte, 1) == 1) {
        if (byte == '\n') {
            good = true;
            break;
        }
        buf_byte(ret, (uint8_t)byte);
    }
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    if (!fd_write_all(tty, "\n", 1) || !good || (ret->len > 0 && !buf_ok(ret)))
        return error_set(err, REASON_BAD_REQUEST, "no password was given");
    return true;
}

static bool ask_terminal(bool twice, struct buf *ret, struct error *err)
{
    CLEANUP(fd_closep) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    CLEANUP(buf_wipe) struct buf again = BUF_INIT(PASSWORD_MAX_BYTES);

    if (tty < 0)
        return error_set(
            err, REASON_BAD_REQUEST,
            "a password is wanted: on a terminal, in COSIGN_PASSWORD, or as the first line of standard input");
    if (!ask_line(tty, "Password for the private key: ", ret, err))
        return false;
    if (!twice)
        return true;
    if (!ask_line(tty, "The same again: ", &again, err))
        return false;
    return span_eq(buf_as_span(ret), buf_as_span(&again)) ||
           error_set(err, REASON_BAD_REQUEST, "the two passwords are not the same");
}

/* cosign's ways: the variable, standard input when it is no terminal, the terminal. An empty password is one too. */
static bool get_password(bool twice, struct buf *ret, struct error *err)
{
    const char *set = secure_getenv("COSIGN_PASSWORD");
    CLEANUP(buf_wipe) struct buf text = { 0 };
    struct span line;

    *ret = (struct buf)BUF_INIT(PASSWORD_MAX_BYTES);
    if (set != NULL) {
        buf_str(ret, set);
        return ret->len == 0 || buf_ok(ret) || error_oom(err);
    }
    if (isatty(STDIN_FILENO) == 1)
        return ask_terminal(twice, ret, err);
    if (!input_read("-", PASSWORD_MAX_BYTES, &text, err))
        return false;
    line = span_cut(buf_as_span(&text), 0, span_find_byte(buf_as_span(&text), '\n'));
    buf_span(ret, line);
    return ret->len == 0 || buf_ok(ret) || error_oom(err);
}

/* A key is never overwritten: its old public half may be in policies somewhere. */
static bool write_new(const char *path, const struct buf *bytes, unsigned int mode, struct error *err)
{
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

    if (fd < 0)
        return error_errno(err, REASON_IO, errno, "%s", path);
    if (!fd_write_all(fd, bytes->ptr, bytes->len) || fsync(fd) != 0)
        return error_errno(err, REASON_IO, errno, "%s", path);
    return true;
}

static bool encrypt(const struct privkey *key, struct buf *ret, struct error *err)
{
    CLEANUP(buf_wipe) struct buf password = { 0 };

    return get_password(/* twice= */ true, &password, err) && keyfile_encrypt(key, buf_as_span(&password), ret, err) &&
           (buf_ok(ret) || error_oom(err));
}

static bool write_pair(const struct privkey *key, const char *prefix, char **ret_private, char **ret_public,
                       struct error *err)
{
    CLEANUP(buf_wipe) struct buf private_pem = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    CLEANUP(buf_free) struct buf public_pem = BUF_INIT(LIMIT_KEY_FILE_BYTES);

    *ret_private = mem_printf("%s.key", prefix);
    *ret_public = mem_printf("%s.pub", prefix);
    if (*ret_private == NULL || *ret_public == NULL)
        return error_oom(err);
    if (!encrypt(key, &private_pem, err))
        return false;
    pubkey_write_pem(privkey_public(key), &public_pem);
    if (!buf_ok(&public_pem))
        return error_oom(err);
    return write_new(*ret_private, &private_pem, 0600, err) && write_new(*ret_public, &public_pem, 0644, err);
}

static int finish(const struct cli *cli, const struct privkey *key, const char *prefix)
{
    CLEANUP(mem_freep) char *private_path = NULL;
    CLEANUP(mem_freep) char *public_path = NULL;
    struct error err = ERROR_INIT;

    if (!write_pair(key, prefix, &private_path, &public_path, &err))
        return say_failed(cli, &err);
    fprintf(stderr, "Private key written to %s\nPublic key written to %s\n", private_path, public_path);
    return EXIT_YES;
}

static int generate_run(const struct cli *cli, const void *values_, const struct text_list *args UNUSED)
{
    const struct key_values *values = values_;
    CLEANUP(privkey_freep) struct privkey *key = NULL;
    struct error err = ERROR_INIT;

    if (!privkey_generate(&key, &err))
        return say_failed(cli, &err);
    return finish(cli, key, values->prefix != NULL ? values->prefix : "cosign");
}

static int import_run(const struct cli *cli, const void *values_, const struct text_list *args UNUSED)
{
    const struct key_values *values = values_;
    CLEANUP(buf_wipe) struct buf pem = { 0 };
    CLEANUP(privkey_freep) struct privkey *key = NULL;
    struct error err = ERROR_INIT;

    if (values->key == NULL)
        error_set(&err, REASON_BAD_REQUEST, "--key FILE is wanted: a private key in PEM");
    if (values->key == NULL || !file_read(values->key, LIMIT_KEY_FILE_BYTES, FILE_ANY, &pem, &err) ||
        !privkey_parse_pem(buf_as_span(&pem), &key, &err))
        return say_failed(cli, &err);
    return finish(cli, key, values->prefix != NULL ? values->prefix : "import-cosign");
}

static bool read_private(const char *path, struct privkey **ret, struct error *err)
{
    CLEANUP(buf_wipe) struct buf pem = { 0 };
    CLEANUP(buf_wipe) struct buf password = { 0 };

    if (!file_read(path, LIMIT_KEY_FILE_BYTES, FILE_ANY, &pem, err))
        return false;
    if (span_find(buf_as_span(&pem), "-----BEGIN ENCRYPTED SIGSTORE") == SIZE_MAX &&
        span_find(buf_as_span(&pem), "-----BEGIN ENCRYPTED COSIGN") == SIZE_MAX)
        return privkey_parse_pem(buf_as_span(&pem), ret, err);
    return get_password(/* twice= */ false, &password, err) &&
           keyfile_decrypt(buf_as_span(&pem), buf_as_span(&password), ret, err);
}

static int public_run(const struct cli *cli, const void *values_, const struct text_list *args UNUSED)
{
    const struct key_values *values = values_;
    CLEANUP(privkey_freep) struct privkey *key = NULL;
    CLEANUP(buf_free) struct buf pem = BUF_INIT(LIMIT_KEY_FILE_BYTES);
    struct error err = ERROR_INIT;

    if (values->key == NULL)
        error_set(&err, REASON_BAD_REQUEST, "--key FILE is wanted: a private key of cosign, or in PEM");
    if (values->key == NULL || !read_private(values->key, &key, &err))
        return say_failed(cli, &err);
    pubkey_write_pem(privkey_public(key), &pem);
    if (!buf_ok(&pem)) {
        say_error(cli, "out of memory");
        return EXIT_UNDECIDED;
    }
    if (values->output != NULL) {
        if (!write_new(values->output, &pem, 0644, &err))
            return say_failed(cli, &err);
        return EXIT_YES;
    }
    fwrite(pem.ptr, 1, pem.len, stdout);
    return EXIT_YES;
}

#define KEY_OPTION(name, value, member, help) { name, 0, OPTION_TEXT, value, offsetof(struct key_values, member), help }

static const struct option_spec generate_options[] = {
    KEY_OPTION("output-key-prefix", "NAME", prefix, "write NAME.key and NAME.pub; default cosign"),
};
static const struct option_spec import_options[] = {
    KEY_OPTION("key", "FILE", key, "private key in PEM: PKCS#8, SEC1 or PKCS#1, not encrypted"),
    KEY_OPTION("output-key-prefix", "NAME", prefix, "write NAME.key and NAME.pub; default import-cosign"),
};
static const struct option_spec public_options[] = {
    KEY_OPTION("key", "FILE", key, "private key of cosign, or in PEM"),
    KEY_OPTION("outfile", "FILE", output, "write it to FILE instead of standard output"),
};

#define PASSWORD_TEXT                                                                                                  \
    "\n\nThe password is taken from COSIGN_PASSWORD, from standard input, or asked for on the terminal. Existing "     \
    "files are never\n"                                                                                                \
    "overwritten.\n\nExit status: 0 done, 2 not done."

const struct command command_generate_key_pair = {
    .name = "generate-key-pair",
    .usage = "[--output-key-prefix NAME]",
    .summary = "make a key pair that cosign signs with",
    .details = "Makes an ECDSA P-256 key pair: the private half encrypted in cosign's form, the public half in "
               "PEM." PASSWORD_TEXT,
    OPTIONS(generate_options, struct key_values),
    .max_args = 0,
    .run = generate_run,
};

const struct command command_import_key_pair = {
    .name = "import-key-pair",
    .usage = "--key FILE [--output-key-prefix NAME]",
    .summary = "turn a private key in PEM into a key pair of cosign",
    .details =
        "Writes an existing private key in cosign's encrypted form, and its public half beside it." PASSWORD_TEXT,
    OPTIONS(import_options, struct key_values),
    .max_args = 0,
    .run = import_run,
};

const struct command command_public_key = {
    .name = "public-key",
    .usage = "--key FILE [--outfile FILE]",
    .summary = "print the public half of a private key",
    .details = "Prints the public half of a private key, for --key and for policies." PASSWORD_TEXT,
    OPTIONS(public_options, struct key_values),
    .max_args = 0,
    .run = public_run,
};
