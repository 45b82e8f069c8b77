# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# systemd as process 1 of a root of its own, to start units for real: its own process, mount, control group, host name and IPC
# namespaces; the network is the suite's. Sourced after common.sh, suite.sh, peers.sh and node.sh.

# Sets SYSTEMD_ROOT, the unpacked packages; PG_ROOT is left as it was.
systemd_root()
{
    local peers=${PG_ROOT:-}
    suite_root "$(own_suite)" systemd systemd dbus procps coreutils bash dash sed grep findutils
    SYSTEMD_ROOT=$PG_ROOT
    PG_ROOT=$peers
}

# systemd_node DIR: a root above the unpacked packages whose changes are memory only, with pullguard's prefix in it and its
# units, users and directories known to systemd as a package would make them known. Sets PG_NODE.
systemd_node()
{
    local file
    PG_NODE=$1
    mkdir -p "$PG_NODE" "$PG_WORK/systemd.upper"
    mount -t tmpfs tmpfs "$PG_WORK/systemd.upper"
    mkdir "$PG_WORK/systemd.upper/upper" "$PG_WORK/systemd.upper/work"
    mount -t overlay overlay -o "lowerdir=$SYSTEMD_ROOT,upperdir=$PG_WORK/systemd.upper/upper,workdir=$PG_WORK/systemd.upper/work" "$PG_NODE"
    mkdir -p "$PG_NODE"/{proc,sys,dev,run,tmp,root,var/tmp,var/lib,var/cache,var/log/journal,etc/pullguard/{policy.d,keys,trust}} \
        "$PG_NODE"/etc/{systemd/system,sysusers.d,tmpfiles.d} "$PG_NODE$PG_PREFIX"
    chmod 0755 "$PG_NODE"
    mount --bind "$PG_PREFIX" "$PG_NODE$PG_PREFIX"
    # What maintainer scripts would have made: the root is only unpacked.
    printf 'root:x:0:0:root:/root:/bin/sh\nmessagebus:x:100:100::/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$PG_NODE/etc/passwd"
    printf 'root:x:0:\nadm:x:4:\nsystemd-journal:x:102:\nmessagebus:x:100:\nnogroup:x:65534:\n' >"$PG_NODE/etc/group"
    printf '0123456789abcdef0123456789abcdef\n' >"$PG_NODE/etc/machine-id"
    printf '127.0.0.1 localhost\n' >"$PG_NODE/etc/hosts"
    pg_libraries "$PG_NODE"
    for file in "$PG_PREFIX"/lib/systemd/system/*; do ln -s "$file" "$PG_NODE/etc/systemd/system/"; done
    ln -s "$PG_PREFIX/lib/sysusers.d/pullguard.conf" "$PG_NODE/etc/sysusers.d/"
    ln -s "$PG_PREFIX/lib/tmpfiles.d/pullguard.conf" "$PG_NODE/etc/tmpfiles.d/"
    export PG_NODE
}

# What the first process does in its new namespaces before it becomes systemd.
systemd_init()
{
    local device
    set -e
    mount -t sysfs -o ro sysfs "$PG_NODE/sys"
    mount -t cgroup2 none "$PG_NODE/sys/fs/cgroup"
    mount -t proc proc "$PG_NODE/proc"
    mount -t tmpfs -o mode=0755 tmpfs "$PG_NODE/run"
    mount -t tmpfs -o mode=0755 tmpfs "$PG_NODE/dev"
    for device in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 0666 "$PG_NODE/dev/${device%:*}" c 1 "${device#*:}"; done
    mknod -m 0666 "$PG_NODE/dev/tty" c 5 0
    mkdir "$PG_NODE/dev/shm" "$PG_NODE/dev/pts" "$PG_NODE/dev/mqueue" "$PG_NODE/dev/hugepages"
    mount -t tmpfs -o mode=1777 tmpfs "$PG_NODE/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$PG_NODE/dev/pts"
    ln -s pts/ptmx "$PG_NODE/dev/ptmx"
    hostname pullguard-test
    exec env -i container=pullguard-test PATH="$PATH" python3 "$PG_LIB/pivot.py" "$PG_NODE" \
        /lib/systemd/systemd --unit=multi-user.target --log-target=journal --show-status=0
}

# systemd_boot: false, with the reason in SYSTEMD_REASON, where systemd cannot be process 1 (no control groups of version 2, no
# namespaces, ...). Sets SYSTEMD_PID.
systemd_boot()
{
    local all=$PG_WORK/cgroup
    SYSTEMD_REASON=
    mkdir -p "$all"
    if ! mount -t cgroup2 none "$all" 2>"$PG_WORK/systemd.log" || ! SYSTEMD_CGROUP=$(mktemp -d "$all/pullguard-test.XXXXXX"); then
        SYSTEMD_REASON="no control groups of version 2 here: $(tail -n 1 "$PG_WORK/systemd.log")"
        return 1
    fi
    on_exit 'systemd_remove_cgroup'
    export PG_LIB
    export -f systemd_init
    (
        echo "$BASHPID" >"$SYSTEMD_CGROUP/cgroup.procs"
        exec unshare --pid --mount --cgroup --uts --ipc --fork --kill-child bash -c systemd_init
    ) >"$PG_WORK/systemd.log" 2>&1 </dev/null &
    on_exit "kill -KILL $! 2>/dev/null; wait $! 2>/dev/null"
    if wait_for 10 pgrep -P $! && SYSTEMD_PID=$(pgrep -P $!) && wait_for 60 systemd_is_up; then return 0; fi
    SYSTEMD_REASON="systemd does not start as process 1: $(tail -n 1 "$PG_WORK/systemd.log")"
    return 1
}

systemd_is_up()
{
    case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac
}

systemd_remove_cgroup()
{
    local i
    for i in $(seq 50); do
        find "$SYSTEMD_CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$SYSTEMD_CGROUP" ] || return 0
        sleep 0.1
    done
}

# inside COMMAND...: in systemd's namespaces.
inside()
{
    nsenter --target "$SYSTEMD_PID" --mount --pid --uts --ipc --cgroup --root --wd -- "$@" </dev/null
}
