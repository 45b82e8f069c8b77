/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/engine/selftest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/process.h"

/* What a child's exit status says of its attempt. */
enum { WORKED = 0, FAILED = 1, NO_SANDBOX = 2 };

enum { SOCKET = 0 };

static bool open_for_reading(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool open_policy(void)
{
    return open("/etc/pullguard", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 || open("/root", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool open_for_writing(void)
{
    return open("/tmp/.pullguard-selftest", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0;
}

static bool remove_file(void)
{
    return unlink("/tmp/.pullguard-selftest") == 0;
}

static bool open_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool listen_on_socket(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd >= 0 && bind(fd, (const struct sockaddr *)(const void *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0;
}

static bool open_packet_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0;
}

static bool execute(void)
{
    char name[] = "true";
    char *argv[] = {name, NULL};

    return execve("/bin/true", argv, NULL) == 0;
}

static bool trace_parent(void)
{
    return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0;
}

static bool make_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool signal_parent(void)
{
    return kill(getppid(), 0) == 0;
}

static bool run_new_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool become_root(void)
{
    return setuid(0) == 0;
}

static bool write_to_socket(void)
{
    return send(SOCKET, "x", 1, MSG_NOSIGNAL) == 1;
}

static bool use_memory(void)
{
    size_t len = 8U * 1024 * 1024;
    char *block = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED)
        return false;
    memset(block, 1, len);
    return munmap(block, len) == 0;
}

static bool read_resolver_file(void)
{
    return open("/etc/hosts", O_RDONLY | O_CLOEXEC) >= 0 || access("/etc/hosts", F_OK) != 0;
}

static bool resolve_name(void)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (getaddrinfo("localhost", "443", &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static bool open_local_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool make_stream_pair(void)
{
    int pair[2];

    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0;
}

static bool make_datagram_pair(void)
{
    int pair[2];

    return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0;
}

static bool open_audit_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT) >= 0;
}

static bool signal_own_thread(void)
{
    return syscall(SYS_tgkill, getpid(), gettid(), 0) == 0;
}

static bool signal_thread_of_parent(void)
{
    return syscall(SYS_tgkill, getppid(), getppid(), 0) == 0;
}

static const struct attempt {
    enum sandbox_kind kind;
    const char *name;
    bool (*try)(void);
    bool needed; /* must work; all others must not */
    bool deadly; /* must be stopped by the filter: the change of user alone would do against root's processes only */
} attempts[] = {
    {SANDBOX_JUDGE, "judge: writes to its socket", write_to_socket, true},
    {SANDBOX_JUDGE, "judge: uses memory", use_memory, true},
    {SANDBOX_JUDGE, "judge: opens a file", open_for_reading, false},
    {SANDBOX_JUDGE, "judge: writes a file", open_for_writing, false},
    {SANDBOX_JUDGE, "judge: removes a file", remove_file, false},
    {SANDBOX_JUDGE, "judge: opens a socket", open_socket, false},
    {SANDBOX_JUDGE, "judge: executes a program", execute, false},
    {SANDBOX_JUDGE, "judge: makes a process", make_process, false},
    {SANDBOX_JUDGE, "judge: traces a process", trace_parent, false},
    {SANDBOX_JUDGE, "judge: signals a process", signal_parent, false},
    {SANDBOX_JUDGE, "judge: runs new code", run_new_code, false},
    {SANDBOX_JUDGE, "judge: becomes root", become_root, false},
    {SANDBOX_LISTENER, "listener: writes to its socket", write_to_socket, true},
    {SANDBOX_LISTENER, "listener: opens a file", open_for_reading, false},
    {SANDBOX_LISTENER, "listener: opens a socket", open_socket, false},
    {SANDBOX_LISTENER, "listener: executes a program", execute, false},
    {SANDBOX_LISTENER, "listener: makes a process", make_process, false},
    {SANDBOX_FETCHER, "fetcher: opens a socket", open_socket, true},
    {SANDBOX_FETCHER, "fetcher: reads /etc/hosts", read_resolver_file, true},
    {SANDBOX_FETCHER, "fetcher: resolves a name", resolve_name, true},
    {SANDBOX_FETCHER, "fetcher: makes a pair of streams", make_stream_pair, true},
    {SANDBOX_FETCHER, "fetcher: signals a thread of its own", signal_own_thread, true},
    {SANDBOX_FETCHER, "fetcher: signals another process's thread", signal_thread_of_parent, false, true},
    {SANDBOX_FETCHER, "fetcher: signals a process", signal_parent, false, true},
    {SANDBOX_FETCHER, "fetcher: opens a local socket", open_local_socket, false},
    {SANDBOX_FETCHER, "fetcher: makes a pair for local datagrams", make_datagram_pair, false},
    {SANDBOX_FETCHER, "fetcher: opens a netlink socket for more than addresses", open_audit_socket, false},
    {SANDBOX_FETCHER, "fetcher: writes a file", open_for_writing, false},
    {SANDBOX_FETCHER, "fetcher: removes a file", remove_file, false},
    {SANDBOX_FETCHER, "fetcher: opens the policies or root's files", open_policy, false},
    {SANDBOX_FETCHER, "fetcher: listens on a socket", listen_on_socket, false},
    {SANDBOX_FETCHER, "fetcher: opens a packet socket", open_packet_socket, false},
    {SANDBOX_FETCHER, "fetcher: executes a program", execute, false},
    {SANDBOX_FETCHER, "fetcher: makes a process", make_process, false},
    {SANDBOX_FETCHER, "fetcher: traces a process", trace_parent, false},
    {SANDBOX_FETCHER, "fetcher: runs new code", run_new_code, false},
    {SANDBOX_FETCHER, "fetcher: becomes root", become_root, false},
};

static _Noreturn void attempt_main(int socket, const struct sandbox *sandbox, const struct attempt *attempt)
{
    struct error err = ERROR_INIT;

    if (socket != SOCKET && dup2(socket, SOCKET) < 0)
        _exit(NO_SANDBOX);
    close_from(SOCKET + 1);
    if (!sandbox_enter(attempt->kind, sandbox, &err))
        _exit(NO_SANDBOX);
    _exit(attempt->try() ? WORKED : FAILED);
}

static const char *outcome(int status, bool *ret_worked, bool *ret_known)
{
    *ret_known = true;
    *ret_worked = false;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return "killed";
    if (WIFEXITED(status) && WEXITSTATUS(status) == FAILED)
        return "refused";
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKED) {
        *ret_worked = true;
        return "works";
    }
    *ret_known = false;
    return WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX ? "the sandbox cannot be set up"
                                                                  : "ended unexpectedly";
}

static bool run_one(const struct sandbox *sandbox, const struct attempt *attempt, struct buf *ret_text)
{
    struct error err = ERROR_INIT;
    int ours = -1, theirs = -1, status = 0;
    bool worked, known, right;
    const char *what;
    pid_t pid;

    if (!socket_pair(&ours, &theirs, &err))
        return false;
    pid = fork();
    if (pid == 0)
        attempt_main(theirs, sandbox, attempt);
    (void)close(theirs);
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
    (void)close(ours);
    if (pid < 0)
        return false;
    what = outcome(status, &worked, &known);
    right = known && worked == attempt->needed && (!attempt->deadly || WIFSIGNALED(status));
    buf_printf(ret_text, "%s %s: %s\n", right ? "ok  " : "FAIL", attempt->name, what);
    return right;
}

bool selftest_run(const struct sandbox *sandbox, struct buf *ret_text)
{
    bool right = true;

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        right = run_one(sandbox, &attempts[i], ret_text) && right;
    return right && buf_ok(ret_text);
}
