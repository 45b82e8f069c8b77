/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/fetcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/wire.h"
#include "config.h"
#include "plugin/message.h"

static const char *mode_name(enum sandbox_mode mode)
{
    switch (mode) {
    case SANDBOX_PREFER:
        return "prefer";
    case SANDBOX_OFF:
        return "off";
    case SANDBOX_REQUIRE:
    default:
        return "require";
    }
}

bool fetcher_start(const char *libexec, const struct sandbox *sandbox, struct fetcher *ret, struct error *err)
{
    CLEANUP(mem_freep) char *path = mem_printf("%s/pullguard-fetch", libexec ? libexec : PG_LIBEXECDIR);
    CLEANUP(mem_freep) char *mode = mem_strdup(mode_name(sandbox->mode));
    CLEANUP(mem_freep) char *user = mem_printf("%u:%u", sandbox->uid, sandbox->gid);
    CLEANUP(mem_freep) char *ca_dir = mem_strdup(sandbox->ca_dir ? sandbox->ca_dir : "");
    CLEANUP(mem_freep) char *ca_file = mem_strdup(sandbox->ca_file ? sandbox->ca_file : "");
    char *argv[] = {path, mode, user, ca_dir, ca_file, NULL};
    CLEANUP(fd_closep) int theirs = -1;
    struct fetcher fetcher = {.socket = -1};

    if (!path || !mode || !user || !ca_dir || !ca_file)
        return error_oom(err);
    if (!socket_pair(&fetcher.socket, &theirs, err))
        return false;
    if (!child_spawn(path, argv, theirs, &fetcher.child, err)) {
        (void)close(fetcher.socket);
        return false;
    }
    *ret = fetcher;
    return true;
}

void fetcher_stop(struct fetcher *fetcher)
{
    if (fetcher->socket >= 0 && fetcher->child.pid > 0)
        (void)close(fetcher->socket);
    child_kill(&fetcher->child);
    *fetcher = (struct fetcher){.socket = -1};
}

bool fetcher_failed(struct fetcher *fetcher, struct error *err)
{
    char fate[64];

    (void)child_fate(child_finish(&fetcher->child, 100), fate, sizeof(fate));
    return error_set(err, REASON_UNAVAILABLE, "the fetcher %s", fate);
}

/* The message is read byte by exact byte: header, then records; nothing follows before the first job. */
static bool receive(struct fetcher *fetcher, size_t wanted, bool *ret_more, struct error *err)
{
    ssize_t got;

    *ret_more = false;
    if (wanted > sizeof(fetcher->hello))
        return error_set(err, REASON_MALFORMED, "the fetcher's first message is too long");
    while (fetcher->hello_len < wanted) {
        got = read(fetcher->socket, fetcher->hello + fetcher->hello_len, wanted - fetcher->hello_len);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            *ret_more = true;
            return true;
        }
        if (got <= 0)
            return fetcher_failed(fetcher, err);
        fetcher->hello_len += (size_t)got;
    }
    return true;
}

static bool read_hello(struct span message, struct error *err)
{
    struct reader records;
    struct span bytes;
    uint16_t tag;
    char text[ERROR_TEXT_BYTES];

    if (!wire_records(message, MESSAGE_READY, &records, err))
        return error_wrap(err, "fetcher");
    if (wire_next(&records, &tag, &bytes))
        return error_set(err, REASON_SANDBOX, "fetcher: %s", text_clean(bytes, text, sizeof(text) - 16));
    return true;
}

bool fetcher_read_ready(struct fetcher *fetcher, struct error *err)
{
    uint16_t type;
    size_t len;
    bool more;

    if (!receive(fetcher, WIRE_HEADER_BYTES, &more, err))
        return false;
    if (more)
        return true;
    if (!wire_parse_header(span_of(fetcher->hello, WIRE_HEADER_BYTES), sizeof(fetcher->hello) - WIRE_HEADER_BYTES,
                           &type, &len, err) ||
        !receive(fetcher, WIRE_HEADER_BYTES + len, &more, err))
        return false;
    if (more)
        return true;
    fetcher->ready = read_hello(span_of(fetcher->hello, fetcher->hello_len), err);
    return fetcher->ready;
}
