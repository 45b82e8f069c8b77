# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/run, the suites and packaging/quickstart: progress, results, clean-up, waiting.

set -euo pipefail
# The system's own programs: not what a version manager of the user's put before them.
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022

PG_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PG_TEST_CACHE=${PG_TEST_CACHE:-/var/cache/pullguard-tests}
export PG_SOURCE PG_TEST_CACHE

# ---- telling the reader what happens -------------------------------------------------------------------------------

say()
{
    printf '%4ds  %s\n' "$SECONDS" "$*"
}

die()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

need_root()
{
    [ "$(id -u)" = 0 ] || die "needs root (it builds isolated roots, namespaces and runs a container runtime): sudo $0"
}

# ---- results --------------------------------------------------------------------------------------------------------
# A suite counts with pass and fail and ends with results, whose last line tests/run adds up.

PG_PASSED=0
PG_FAILED=0

pass()
{
    PG_PASSED=$((PG_PASSED + 1))
    printf '%4ds  ok    %s\n' "$SECONDS" "$*"
}

# fail NAME [FILE]: FILE holds what was seen, its end is shown.
fail()
{
    PG_FAILED=$((PG_FAILED + 1))
    printf '%4ds  FAIL  %s\n' "$SECONDS" "$1"
    if [ -n "${2:-}" ] && [ -f "$2" ]; then
        tail -n 25 "$2" | sed 's/^/            | /'
    fi
}

# expect NAME COMMAND...: the command succeeds.
expect()
{
    local name=$1 log
    shift
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then pass "$name"; else fail "$name" "$log"; fi
    rm -f "$log"
}

results()
{
    printf '%d passed, %d failed\n' "$PG_PASSED" "$PG_FAILED"
    [ "$PG_FAILED" = 0 ]
}

# ---- clean-up -------------------------------------------------------------------------------------------------------
# on_exit COMMAND: run at the end, last one first, whatever ends the program.

PG_ON_EXIT=()

on_exit()
{
    PG_ON_EXIT+=("$1")
}

run_on_exit()
{
    local status=$? i
    trap - EXIT
    set +e
    for ((i = ${#PG_ON_EXIT[@]} - 1; i >= 0; i--)); do
        eval "${PG_ON_EXIT[i]}"
    done
    exit "$status"
}
trap run_on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A private working directory below a path that only root can write: pullguard refuses files below world-writable ones.
make_work_dir()
{
    mkdir -p "$PG_TEST_CACHE"
    chmod 0755 "$PG_TEST_CACHE"
    # What a killed run left behind.
    find "$PG_TEST_CACHE" -maxdepth 1 -name 'run.*' -mmin +600 -exec rm -rf --one-file-system {} +
    PG_WORK=$(mktemp -d "$PG_TEST_CACHE/run.XXXXXX")
    chmod 0755 "$PG_WORK"
    export PG_WORK
    on_exit 'remove_work_dir'
}

remove_work_dir()
{
    if [ -n "${PG_KEEP:-}" ]; then
        printf 'kept: %s\n' "$PG_WORK"
    else
        # A runtime that was killed leaves its mounts to our namespace.
        awk -v below="$PG_WORK/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts | sort -r | xargs -r umount -l 2>/dev/null
        # Nothing is removed through a mount that stayed.
        if [ -z "$(awk -v below="$PG_WORK/" 'index($2, below) == 1' /proc/self/mounts)" ]; then
            rm -rf --one-file-system "$PG_WORK"
        fi
    fi
}

# ---- processes and waiting ------------------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: polls until the command succeeds.
wait_for()
{
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

# start NAME COMMAND...: a background program, its output in $PG_WORK/NAME.log, ended with us. Sets PG_PID.
start()
{
    local name=$1
    shift
    "$@" >"$PG_WORK/$name.log" 2>&1 </dev/null &
    PG_PID=$!
    on_exit "stop $PG_PID"
}

stop()
{
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}

# Two runs of a script never share a port: the kernel gives it out, the program takes it at once.
free_port()
{
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# offline COMMAND...: in a network with nothing but loopback, and in mount and process namespaces that end with the
# command, so that no packet leaves the machine and nothing is left running or mounted.
offline()
{
    PG_OFFLINE=1 unshare --net --mount --pid --fork --kill-child --mount-proc \
        python3 "$PG_SOURCE/tests/lib/loopback.py" "$@"
}

# Each suite starts itself again inside offline.
go_offline()
{
    if [ -z "${PG_OFFLINE:-}" ]; then
        PG_OFFLINE=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc \
            python3 "$PG_SOURCE/tests/lib/loopback.py" bash "$0" "$@"
    fi
}
