/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crio/peer.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

/* Seen from the other end: its source is our peer. */
static struct question question_about(const struct sockaddr_in *peer, const struct sockaddr_in *own)
{
    struct question question = {
        .head = {.nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = UINT32_MAX},
    };

    question.body.id.idiag_sport = peer->sin_port;
    question.body.id.idiag_src[0] = peer->sin_addr.s_addr;
    question.body.id.idiag_dport = own->sin_port;
    question.body.id.idiag_dst[0] = own->sin_addr.s_addr;
    question.body.id.idiag_cookie[0] = question.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return question;
}

static bool ask_kernel(const struct question *question, uid_t *ret)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_msg body;
        uint8_t attributes[1024];
    } answer = {0};
    int fd CLEANUP(fd_closep) = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    ssize_t got;

    if (fd < 0 || send(fd, question, sizeof(*question), 0) != (ssize_t)sizeof(*question))
        return false;
    got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT); /* the kernel has answered when send returns */
    if (got < (ssize_t)(sizeof(answer.head) + sizeof(answer.body)) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    if (answer.body.idiag_state != TCP_ESTABLISHED) /* of a closed socket the kernel tells user 0, whose ever it was */
        return false;
    *ret = answer.body.idiag_uid;
    return true;
}

bool peer_user(int fd, uid_t *ret)
{
    struct sockaddr_in peer = {0}, own = {0};
    socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
    struct question question;

    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 || peer.sin_family != AF_INET ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) != 0)
        return false;
    question = question_about(&peer, &own);
    return ask_kernel(&question, ret);
}
