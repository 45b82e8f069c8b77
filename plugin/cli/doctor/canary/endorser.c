/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endorser asked directly, as the image library would: policy.json refuses what no scope names before it asks
 * anybody, so a refused canary alone does not tell whether the endorser works.
 */
#include "plugin/cli/doctor/canary/endorser.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"

enum { ANSWER_BYTES = 2048, TARGET_BYTES = 512 };

/* "127.0.0.1:14242" */
static bool connect_to(const char *listen, int timeout_ms, int *ret, struct error *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    size_t colon = span_find_byte(span_str(listen), ':');
    CLEANUP(mem_freep) char *host = span_dup(span_cut(span_str(listen), 0, colon));
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = { .tv_sec = timeout_ms / 1000 };
    uint64_t port = 0;

    if (host == NULL)
        return error_oom(err);
    if (colon == SIZE_MAX || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        !span_to_u64(span_cut(span_str(listen), colon + 1, SIZE_MAX), 65535, &port))
        return error_set(err, REASON_POLICY_ERROR, "%s is not ADDRESS:PORT", listen);
    address.sin_port = htons((uint16_t)port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return error_errno(err, REASON_UNAVAILABLE, errno, "http://%s", listen);
    *ret = TAKE_FD(fd);
    return true;
}

static bool exchange(int fd, const char *target, char answer[ANSWER_BYTES], struct error *err)
{
    char request[TARGET_BYTES + 64];
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    size_t used = 0;
    ssize_t got = 1;

    if (len <= 0 || (size_t)len >= sizeof(request) || send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        return error_errno(err, REASON_UNAVAILABLE, errno, "the endorser takes no request");
    while (got > 0 && used < ANSWER_BYTES - 1) {
        got = recv(fd, answer + used, ANSWER_BYTES - 1 - used, 0);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            used += (size_t)got;
    }
    answer[used] = '\0';
    return used > 0 || error_set(err, REASON_TIMEOUT, "the endorser gave no answer");
}

bool endorser_ask(const char *listen, const struct canary_image *image, uint16_t port, int timeout_ms,
                  unsigned int *ret_status, char *reason, size_t reason_size, struct error *err)
{
    char target[TARGET_BYTES], answer[ANSWER_BYTES];
    CLEANUP(fd_closep) int fd = -1;
    struct span line;
    uint64_t status;

    snprintf(target, sizeof(target), "/v1/127.0.0.1:%u/%s@sha256=%s/signature-1", port, image->repository,
             image->manifest.digest + strlen("sha256:"));
    if (!connect_to(listen, timeout_ms, &fd, err) || !exchange(fd, target, answer, err))
        return false;
    line = span_trim(span_cut(span_str(answer), 0, span_find_byte(span_str(answer), '\n')));
    if (!span_starts(line, "HTTP/1.1 ") || !span_to_u64(span_cut(line, 9, 3), 999, &status))
        return error_set(err, REASON_MALFORMED, "http://%s is not the endorser: it does not answer as HTTP", listen);
    *ret_status = (unsigned int)status;
    text_clean(span_cut(line, 13, SIZE_MAX), reason, reason_size);
    return true;
}
