/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pullguard-oci-hook: a createRuntime hook (OCI runtime specification, config.md, POSIX-platform hooks). The runtime
 * writes the container's state to stdin; a non-zero exit stops the container's creation. Only "id" and "bundle" are
 * used: the annotations beside them are the pod's word (plugin/start/identify.h).
 *
 * The reason goes to stderr, the journal and the audit; CRI-O shows the user only the hook's path and exit code.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/tree.h"
#include "plugin/client.h"

/* Exit codes: what a hook's caller can show is this number. */
enum { EXIT_ALLOWED = 0, EXIT_REFUSED = 1, EXIT_UNDECIDED = 2 };

/* A state holds every annotation; the specification sets no limit, the kernel's on arguments is of this order. */
enum { STATE_MAX_BYTES = 4 * 1024 * 1024 };

static bool read_state(struct buf *state, struct error *err)
{
    if (fd_read_all(STDIN_FILENO, state))
        return true;
    if (errno == EFBIG)
        return error_set(err, REASON_LIMIT, "the container's state is larger than %d bytes", STATE_MAX_BYTES);
    return error_errno(err, REASON_IO, errno, "reading the container's state from stdin");
}

static char *state_member(const struct node *state, const char *name)
{
    const struct node *value = node_get(state, name);

    return node_is(value, NODE_STRING) && value->text.len > 0 ? span_dup(value->text) : NULL;
}

static bool request_from_state(struct span bytes, struct request *request, struct error *err)
{
    struct tree *tree CLEANUP(tree_freep) = NULL;

    if (!json_parse(bytes, "container state", TREE_NO_PLACES, &tree, err))
        return false;
    request->operation = OPERATION_CREATE;
    request->runtime = mem_strdup("oci-hook");
    request->container_id = state_member(tree_root(tree), "id");
    request->bundle = state_member(tree_root(tree), "bundle");
    if (!request->container_id || !request->bundle)
        return error_set(err, REASON_BAD_REQUEST, "container state: \"id\" and \"bundle\" are wanted as strings");
    return request->runtime ? true : error_oom(err);
}

static int report(const char *text, int status)
{
    (void)fprintf(stderr, "pullguard: %s\n", text);
    return status;
}

static int decide(const char *root)
{
    struct buf state CLEANUP(buf_free) = BUF_INIT(STATE_MAX_BYTES);
    struct request request CLEANUP(request_done) = {0};
    struct response response CLEANUP(response_done) = {0};
    struct client_options options = {.root = root};
    struct error err = ERROR_INIT;

    if (!read_state(&state, &err) || !request_from_state(buf_as_span(&state), &request, &err))
        return report(err.text, EXIT_UNDECIDED);
    if (client_ask(&options, &request, &response))
        return EXIT_ALLOWED;
    return report(response.message ? response.message : "refused without a reason (internal)", EXIT_REFUSED);
}

int main(int argc, char **argv)
{
    const char *root = NULL;

    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("pullguard-oci-hook " PG_VERSION) < 0 ? EXIT_UNDECIDED : EXIT_ALLOWED;
    if (argc == 3 && strcmp(argv[1], "--root") == 0)
        root = argv[2];
    else if (argc != 1)
        return report("usage: pullguard-oci-hook [--root DIR]   (an OCI createRuntime hook; reads the state on stdin)",
                      EXIT_UNDECIDED);
    return decide(root);
}
