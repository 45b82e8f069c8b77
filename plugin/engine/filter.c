/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

enum { PROGRAM_STEPS_MAX = 1024 }; /* the longest is 250; all of it fits into a pipe */

/* One rule: a call, with up to two masked comparisons of its arguments. Mask 0 = no comparison. */
struct test {
    unsigned int argument;
    uint64_t mask;
    uint64_t value;
};

struct rule {
    int call;
    struct test tests[2];
};

#define CALL(name) { SCMP_SYS(name), { { 0, 0, 0 }, { 0, 0, 0 } } }
#define CALL_IF(name, arg, mask, value) { SCMP_SYS(name), { { arg, mask, value }, { 0, 0, 0 } } }
#define CALL_IF2(name, arg, mask, value, arg2, mask2, value2) \
    { SCMP_SYS(name), { { arg, mask, value }, { arg2, mask2, value2 } } }

#define INT_MASK 0xffffffffULL
#define SOCKET_TYPE_MASK 0xfULL /* without SOCK_CLOEXEC and SOCK_NONBLOCK */

/* Reading, writing, memory, time, end: the judge's whole world. What libc and OpenSSL need for that is included. */
static const struct rule judge_rules[] = {
    CALL(read),
    CALL(write),
    CALL_IF(sendto, 4, UINT64_MAX, 0), /* send() on the connected socket: no address */
    CALL_IF(recvfrom, 4, UINT64_MAX, 0),
    CALL(close),
    CALL(poll),
    CALL(ppoll),
    CALL(brk),
    /* anonymous memory only, never executable */
    CALL_IF2(mmap, 2, PROT_EXEC, 0, 3, MAP_ANONYMOUS, MAP_ANONYMOUS),
    CALL_IF(mprotect, 2, PROT_EXEC, 0),
    CALL(munmap),
    CALL(mremap),
    CALL(madvise),
    CALL(futex),
    CALL(getrandom),
    CALL(clock_gettime), /* where the vDSO does not answer */
    CALL(gettimeofday),
    CALL(getpid),
    CALL(gettid),
    CALL(rt_sigreturn),
    CALL(rt_sigprocmask),
    CALL(restart_syscall),
    CALL(exit),
    CALL(exit_group),
};

/* On top of the judge's: opening of files for reading, below what Landlock lets through. */
static const struct rule store_rules[] = {
    CALL_IF(open, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CALL_IF(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CALL(fstat), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx), CALL(getdents64), CALL(lseek),
    CALL(readlinkat),
    CALL(getcwd), CALL(geteuid),
    CALL_IF(fcntl, 1, INT_MASK, F_GETFL),
    CALL_IF(fcntl, 1, INT_MASK, F_SETFD),
};

/* On top of the judge's: connections that come in. No call makes or binds a socket. */
static const struct rule listener_rules[] = {
    CALL_IF(accept4, 3, INT_MASK, SOCK_CLOEXEC | SOCK_NONBLOCK),
    CALL(shutdown),
};

/* On top of the judge's: names, sockets, threads, and opening of files for reading (which ones, Landlock says). */
static const struct rule fetcher_rules[] = {
    CALL_IF(socket, 0, INT_MASK, AF_INET),
    CALL_IF(socket, 0, INT_MASK, AF_INET6),
    CALL_IF2(socket, 0, INT_MASK, AF_NETLINK, 2, INT_MASK, NETLINK_ROUTE), /* getaddrinfo looks at the interfaces */
    /* libcurl's alarm clock; of datagrams it would be a way to every local socket */
    CALL_IF2(socketpair, 0, INT_MASK, AF_UNIX, 1, SOCKET_TYPE_MASK, SOCK_STREAM),
    CALL(connect), CALL(bind), CALL(getsockname), CALL(getpeername), CALL(getsockopt),
    CALL(setsockopt),
    CALL(sendto), CALL(recvfrom), CALL(sendmsg), CALL(recvmsg), CALL(sendmmsg), CALL(recvmmsg), CALL(shutdown),
    CALL(select), CALL(pselect6), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait),
    CALL(eventfd2), CALL(pipe), CALL(pipe2), CALL(fcntl), CALL(readv), CALL(writev), CALL(pread64), CALL(lseek),
    CALL_IF(ioctl, 1, INT_MASK, FIONBIO),
    CALL_IF(ioctl, 1, INT_MASK, FIONREAD),
    CALL_IF(ioctl, 1, INT_MASK, 0x8912 /* SIOCGIFCONF */),
    CALL_IF(open, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CALL_IF(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
    CALL(stat), CALL(fstat), CALL(lstat), CALL(newfstatat), CALL(statx), CALL(access), CALL(faccessat),
    CALL(faccessat2),
    CALL(readlink), CALL(readlinkat), CALL(getdents64), CALL(statfs), CALL(fstatfs), CALL(uname), CALL(getcwd),
    CALL_IF(mmap, 2, PROT_WRITE | PROT_EXEC, PROT_EXEC), /* code of name service modules: never writable too */
    CALL_IF(mmap, 2, PROT_EXEC, 0),
    CALL_IF(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM),
    CALL(set_robust_list), CALL(rseq), CALL(set_tid_address), CALL(sigaltstack), CALL(rt_sigaction), CALL(sched_yield),
    CALL(sched_getaffinity), CALL(sched_getparam), CALL(sched_getscheduler), CALL(nanosleep), CALL(clock_nanosleep),
    CALL(clock_getres), CALL(time), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getppid),
    CALL(getrusage), CALL(sysinfo), CALL(membarrier), CALL(wait4), CALL(waitid),
    CALL_IF(prlimit64, 2, UINT64_MAX, 0), /* looking only */
    CALL_IF(prctl, 0, INT_MASK, 15 /* PR_SET_NAME */),
};

static bool add_rule(scmp_filter_ctx filter, const struct rule *rule, struct error *err)
{
    struct scmp_arg_cmp tests[2];
    unsigned int count = 0;
    int code;

    for (size_t i = 0; i < 2; i++)
        if (rule->tests[i].mask != 0)
            tests[count++] = (struct scmp_arg_cmp){.arg = rule->tests[i].argument,
                                                   .op = SCMP_CMP_MASKED_EQ,
                                                   .datum_a = rule->tests[i].mask,
                                                   .datum_b = rule->tests[i].value};
    code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, count, tests);
    if (code != 0)
        return error_errno(err, REASON_SANDBOX, -code, "seccomp refuses the rule for call %d", rule->call);
    return true;
}

/* What a kind may do beyond the judge. */
static const struct rule *rules_beyond(enum sandbox_kind kind, size_t *ret_count)
{
    switch (kind) {
    case SANDBOX_STORE:
        *ret_count = ARRAY_LEN(store_rules);
        return store_rules;
    case SANDBOX_LISTENER:
        *ret_count = ARRAY_LEN(listener_rules);
        return listener_rules;
    case SANDBOX_FETCHER:
        *ret_count = ARRAY_LEN(fetcher_rules);
        return fetcher_rules;
    case SANDBOX_JUDGE:
    default:
        *ret_count = 0;
        return NULL;
    }
}

/* What a rule of the tables cannot say. */
static bool add_fetcher_rules(scmp_filter_ctx filter, struct error *err)
{
    const struct scmp_arg_cmp own = SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)getpid());
    const struct scmp_arg_cmp local = SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX);

    /* A filter cannot look at clone3's flags: libc falls back to clone when told there is no such call. */
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) != 0)
        return error_set(err, REASON_SANDBOX, "seccomp refuses the rule for clone3");
    /* pthread_cancel() and abort(), and nobody else's threads */
    if (seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own) != 0)
        return error_set(err, REASON_SANDBOX, "seccomp refuses the rule for tgkill");
    /*
     * Local sockets lead to D-Bus and whatever else answers everybody, and no filter sees their names. The resolver
     * does without: told that there are none it passes over nscd, nss-resolve and Avahi, to /etc/hosts and DNS, where
     * systemd-resolved answers too.
     */
    if (seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, &local) != 0)
        return error_set(err, REASON_SANDBOX, "seccomp refuses the rule for local sockets");
    return true;
}

static bool add_rules(scmp_filter_ctx filter, enum sandbox_kind kind, struct error *err)
{
    size_t count;
    const struct rule *beyond = rules_beyond(kind, &count);

    for (size_t i = 0; i < ARRAY_LEN(judge_rules); i++)
        /* the fetcher has wider rules of its own for these three */
        if (kind != SANDBOX_FETCHER ||
            (judge_rules[i].call != SCMP_SYS(mmap) && judge_rules[i].call != SCMP_SYS(sendto) &&
             judge_rules[i].call != SCMP_SYS(recvfrom)))
            if (!add_rule(filter, &judge_rules[i], err))
                return false;
    for (size_t i = 0; i < count; i++)
        if (!add_rule(filter, &beyond[i], err))
            return false;
    return kind != SANDBOX_FETCHER || add_fetcher_rules(filter, err);
}

/* Compiled filters, one for each kind: a fork finds what its parent has compiled. */
static struct program {
    struct sock_filter steps[PROGRAM_STEPS_MAX];
    size_t bytes; /* 0 = not compiled yet */
} programs[SANDBOX_KINDS];

/* libseccomp writes programs to descriptors only. A pipe takes all of it, and no limit on files' sizes counts for it.
 */
static bool take_program(scmp_filter_ctx filter, struct program *program, struct error *err)
{
    CLEANUP(fd_closep) int out = -1;
    CLEANUP(fd_closep) int in = -1;
    int ends[2], code;
    ssize_t got;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "no pipe for the seccomp filter");
    in = ends[0];
    out = ends[1];
    code = seccomp_export_bpf(filter, out);
    if (code != 0)
        return error_errno(err, REASON_SANDBOX, -code, "the seccomp filter cannot be compiled");
    got = read(in, program->steps, sizeof(program->steps));
    if (got <= 0 || (size_t)got == sizeof(program->steps) || (size_t)got % sizeof(program->steps[0]) != 0)
        return error_set(err, REASON_SANDBOX, "the seccomp filter has an impossible length");
    program->bytes = (size_t)got;
    return true;
}

bool filter_prepare(enum sandbox_kind kind, struct error *err)
{
    scmp_filter_ctx filter;
    bool done;

    if (programs[kind].bytes > 0)
        return true;
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return error_set(err, REASON_SANDBOX, "seccomp cannot be set up");
    done = add_rules(filter, kind, err) && take_program(filter, &programs[kind], err);
    seccomp_release(filter);
    return done;
}

bool filter_enter(enum sandbox_kind kind, struct error *err)
{
    struct sock_fprog program = {.filter = programs[kind].steps,
                                 .len = (unsigned short)(programs[kind].bytes / sizeof(struct sock_filter))};

    if (program.len == 0)
        return error_set(err, REASON_SANDBOX, "the seccomp filter is not compiled");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        return error_errno(err, REASON_SANDBOX, errno, "the kernel refuses the seccomp filter");
    return true;
}
