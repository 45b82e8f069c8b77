#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The units as systemd runs them: systemd itself is process 1 of an isolated root. Socket activation, readiness, watchdog, idle
# end, reload, restart; that the lines which harden the services leave pullguard's own sandbox working; the endorser; the timer.
# Where systemd cannot be process 1 only the units' text is checked, and that is said.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"
. "$PG_SOURCE/tests/lib/systemd.sh"

peers()
{
    peers_root
    systemd_root
}
begin "$@"
systemd_node "$PG_WORK/node"
cp -a "$PG_LIBEXEC" "$PG_WORK/libexec" # what is damaged here is nobody else's
mount --bind "$PG_WORK/libexec" "$PG_NODE$PG_LIBEXEC"
UNITS=(pullguard.socket pullguard.service pullguard-endorser.service pullguard-trust.service pullguard-trust.timer
    pullguard-crun-repair.path pullguard-crun-repair.service)

# ---- the text ----------------------------------------------------------------------------------------------------------------
analyze()
{
    chroot "$PG_NODE" /usr/bin/systemd-analyze "$@"
}
verified()
{
    local out
    out=$(analyze verify --man=no "${UNITS[@]/#//etc/systemd/system/}" 2>&1 | grep -v '^Failed to .*: \(No such file\|Read-only\)') || true
    printf '%s\n' "$out"
    [ -z "$out" ]
}
expect "systemd-analyze verify has nothing to say" verified
# exposed UNIT TENTHS: systemd's own measure of what a service could still do; 0 = nothing, 10 = everything. It may only fall.
exposed()
{
    local level
    level=$(analyze security --offline=yes --no-pager "$1" | tee "$PG_WORK/security.out" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
    cat "$PG_WORK/security.out"
    [ -n "$level" ] && [ "${level/./}" -le "$2" ]
}
expect "pullguard.service: exposure" exposed pullguard.service 30
expect "pullguard-endorser.service: exposure" exposed pullguard-endorser.service 30
expect "pullguard-trust.service: exposure" exposed pullguard-trust.service 30
expect "pullguard-crun-repair.service: exposure" exposed pullguard-crun-repair.service 16

if ! systemd_boot; then
    say "skipped: the units are not started: $SYSTEMD_REASON"
    results
    exit
fi
say "$(inside systemctl --version | head -n 1) is process 1"

# ---- an image that is signed and one that is not -------------------------------------------------------------------------------
begin_registry
make_key good
make_key other
write_policy node "$R/**" good
good=$(push_image "$R/good:v1")
sign bundle good "$R/good@$good"
bad=$(push_image "$R/bad:v1")

property()
{
    inside systemctl show -P "$2" "$1"
}
is()
{
    [ "$(property "$1" "$2")" = "$3" ] || { echo "$2=$(property "$1" "$2"), wanted $3"; inside systemctl status --no-pager "$1"; return 1; }
}
ask()
{
    inside "$PG_LIBEXEC/pullguard-containerd" -name "$R/$1:v1" -digest "$2" -stdin-media-type application/vnd.oci.descriptor.v1+json
}
# decisions [OPTION...]: those in the journal.
decisions()
{
    inside journalctl --sync
    inside journalctl --no-pager -o json --output-fields=VERDICT "$@" VERDICT=allow + VERDICT=deny
}
# by UNIT VERDICT: the last decision in the journal was that, and is the unit's to whoever asks for the unit's entries.
by()
{
    decisions -n 1 >"$PG_WORK/last.json"
    cat "$PG_WORK/last.json"
    grep -q "\"VERDICT\":\"$2\"" "$PG_WORK/last.json" && { [ -z "$1" ] || decisions -n 1 -u "$1" | grep -F "$(grep -o '"__CURSOR":"[^"]*"' "$PG_WORK/last.json")"; }
}
allowed_by() { ask good "$good" && by "$1" allow; }
allows_by() { wait_for 20 allowed_by "$1"; }
# denied_by UNIT REPOSITORY DIGEST
denied_by()
{
    if ask "$2" "$3"; then return 1; fi
    by "$1" deny
}
denies_by() { wait_for 20 denied_by "$1" "$2" "$3"; }
# outside PROGRAM: the oldest process of that program as this suite's namespaces number it.
outside()
{
    pgrep -o -f "^$PG_LIBEXEC/$1"
}
# status_of PROGRAM FIELD: from its /proc/PID/status.
status_of()
{
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$(outside "$1")/status"
}
# seen_by PROGRAM COMMAND...: with the files as that program sees them.
seen_by()
{
    local pid
    pid=$(outside "$1")
    shift
    nsenter --target "$pid" --mount --root --wd -- "$@"
}

# ---- what a boot makes ------------------------------------------------------------------------------------------------------------
expect "sysusers.d made the user" inside grep -q '^pullguard:x:' /etc/passwd
modes()
{
    local found
    found=$(inside stat -c '%a %U %n' /run/pullguard /var/lib/pullguard /var/cache/pullguard /var/log/pullguard | tr '\n' ';')
    echo "$found"
    [ "$found" = '755 root /run/pullguard;755 root /var/lib/pullguard;700 root /var/cache/pullguard;750 root /var/log/pullguard;' ]
}
expect "tmpfiles.d made the directories" modes

# ---- socket activation -------------------------------------------------------------------------------------------------------------
expect "enable and start the socket" inside systemctl enable --now pullguard.socket
expect "the socket listens, the service does not run yet" is pullguard.service ActiveState inactive
expect "the socket is root's alone" test "$(inside stat -c %a:%u /run/pullguard/engine.sock)" = 600:0
expect "the first question starts the service: signed image allowed by it" allows_by pullguard.service
expect "unsigned image denied by it" denies_by pullguard.service bad "$bad"
expect "the service said that it is ready" is pullguard.service ActiveState active
MAIN=$(property pullguard.service MainPID)
expect "no new privileges" [ "$(status_of pullguard-engine NoNewPrivs)" = 1 ]
expect "a system call filter" [ "$(status_of pullguard-engine Seccomp)" = 2 ]
# CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, KILL, SETGID, SETUID
expect "the capabilities of the unit" [ "$(status_of pullguard-engine CapBnd)" = 00000000000000e7 ]
expect "it may write below /var/cache/pullguard" seen_by pullguard-engine touch /var/cache/pullguard/probe
cannot_write() { ! seen_by pullguard-engine touch "$1/probe"; }
for path in /etc /etc/pullguard /usr/bin /var/lib /root; do expect "it may not write below $path" cannot_write "$path"; done
expect "its verdicts are kept" [ -n "$(inside find /var/cache/pullguard -type f ! -name probe)" ]
# A kept verdict is read by the hook itself: from here on the service is to decide.
printf 'cache: {enabled: false}\n' >"$PG_NODE/etc/pullguard/pullguard.yaml"

# The sandbox of the children while a registry keeps them waiting.
start silent python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
kept = []
while True: kept.append(s.accept())'
SILENT=$PG_PID
wait_for 5 test -s "$PG_WORK/silent.log"
S=127.0.0.1:$(cat "$PG_WORK/silent.log")
write_policy silent "$S/**" good
(inside "$PG_LIBEXEC/pullguard-containerd" -name "$S/x:v1" -digest "$good" -stdin-media-type application/vnd.oci.descriptor.v1+json || true) >/dev/null 2>&1 &
WAITING=$!
children()
{
    inside ps -eo user:20,comm | tee "$PG_WORK/ps.out" | awk '$1 == "pullguard" { n++ } END { exit n < 2 }' || { cat "$PG_WORK/ps.out"; return 1; }
}
expect "fetcher and judge run as the unprivileged user" wait_for 5 children
stop "$SILENT"
wait "$WAITING" 2>/dev/null || true
rm "$PG_NODE/etc/pullguard/policy.d/silent.yaml"
restrictions=()
while read -r line; do restrictions+=(-p "$line"); done < <(
    sed -n '/^NoNewPrivileges/,/^UMask/p' "$PG_PREFIX/lib/systemd/system/pullguard.service" | grep '^[A-Z]')
expect "the sandbox's own test passes below the unit's restrictions" inside systemd-run --wait --pipe --quiet "${restrictions[@]}" \
    "$PG_LIBEXEC/pullguard-engine" --selftest

# ---- reload --------------------------------------------------------------------------------------------------------------------------
write_policy node "$R/**" other
expect "reload" inside systemctl reload pullguard.service
expect "the other key counts" denies_by pullguard.service good "$good"
write_policy node "$R/**" good
printf 'spec: [\n' >"$PG_NODE/etc/pullguard/policy.d/broken.yaml"
inside systemctl reload pullguard.service || true
expect "a reload of what does not load leaves the service up" is pullguard.service ActiveState active
rm "$PG_NODE/etc/pullguard/policy.d/broken.yaml"
inside systemctl reload pullguard.service
expect "and back" allows_by pullguard.service
all_its_own()
{
    local before after all
    before=$(decisions -u pullguard.service | wc -l)
    all=$(decisions | wc -l)
    for _ in $(seq 30); do ask good "$good" >/dev/null || return 1; done
    after=$(decisions -u pullguard.service | wc -l)
    echo "of $(($(decisions | wc -l) - all)) decisions $((after - before)) are shown"
    [ $((after - before)) = 30 ]
}
expect "journalctl -u pullguard.service shows each decision, whatever became of its worker" all_its_own
expect "the same process all along" is pullguard.service MainPID "$MAIN"

# ---- death, watchdog, idle end ---------------------------------------------------------------------------------------------------------
another()
{
    local now
    now=$(property pullguard.service MainPID)
    [ "$now" != 0 ] && [ "$now" != "$MAIN" ] && is pullguard.service ActiveState active
}
inside kill -KILL "$MAIN"
expect "killed: systemd starts another one" wait_for 10 another
expect "which decides" allows_by pullguard.service

inside sh -c 'mkdir -p /run/systemd/system/pullguard.service.d && printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/pullguard.service.d/test.conf'
inside systemctl daemon-reload
inside systemctl restart pullguard.service
MAIN=$(property pullguard.service MainPID)
sleep 5
expect "five seconds with a watchdog of two: it keeps answering the watchdog" is pullguard.service MainPID "$MAIN"
inside kill -STOP "$MAIN"
expect "stopped: the watchdog ends it and another one starts" wait_for 20 another
watchdog_said()
{
    inside journalctl --no-pager -u pullguard.service >"$PG_WORK/unit.journal" && grep 'Watchdog timeout' "$PG_WORK/unit.journal"
}
expect "because of the watchdog" watchdog_said
expect "which decides" allows_by pullguard.service

printf 'cache: {enabled: false}\nresident: {idle-exit: 2s}\n' >"$PG_NODE/etc/pullguard/pullguard.yaml"
inside systemctl restart pullguard.service
expect "nobody asks: it ends by itself" wait_for 20 is pullguard.service ActiveState inactive
expect "without a failure" is pullguard.service Result success
expect "the socket still listens" is pullguard.socket SubState listening
expect "the next question starts it again" allows_by pullguard.service
printf 'cache: {enabled: false}\n' >"$PG_NODE/etc/pullguard/pullguard.yaml"

inside systemctl restart pullguard.service
expect "stop" inside systemctl stop pullguard.service
expect "stopped without a failure" is pullguard.service Result success
inside systemctl stop pullguard.socket
# tmpfiles' directory stays; a socket that nobody listens on must not stop a pull.
expect "socket and service stopped: the hook's own engine decides" allows_by ''
expect "and denies" denies_by '' bad "$bad"

# ---- the endorser ------------------------------------------------------------------------------------------------------------------------
endorsement()
{
    python3 -c 'import sys, urllib.request, urllib.error
url = "http://127.0.0.1:14242/v1/%s/%s@sha256=%s/signature-1" % (sys.argv[1], sys.argv[2], sys.argv[3][7:])
try:
    print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code, error.reason)' "$R" "$1" "$2"
}
inside rm -rf /var/lib/pullguard
expect "the endorser starts on a node that has no key yet" inside systemctl start pullguard-endorser.service
# What starts after it, CRI-O above all, may pull at once.
expect "and listens when it has started" port_open 127.0.0.1:14242
expect "it stays" is pullguard-endorser.service ActiveState active
expect "the node key is root's alone" test "$(inside stat -c %a:%u /var/lib/pullguard/node-key.pem)" = 600:0
expect "it endorses the signed image" [ "$(endorsement good "$good")" = 200 ]
expect "it refuses the unsigned one, in its words" grep -q '^403 pullguard: ' <<<"$(endorsement bad "$bad")"
expect "no new privileges" [ "$(status_of pullguard-endorser NoNewPrivs)" = 1 ]
expect "a system call filter" [ "$(status_of pullguard-endorser Seccomp)" = 2 ]
MAIN=$(property pullguard-endorser.service MainPID)
inside kill -KILL "$MAIN"
expect "killed: it comes back" wait_for 10 port_open 127.0.0.1:14242
key=$(inside cat /var/lib/pullguard/node-key.pub)
inside systemctl restart pullguard-endorser.service
wait_for 10 port_open 127.0.0.1:14242 || true
expect "with the same key" test "$key" = "$(inside cat /var/lib/pullguard/node-key.pub)"
inside systemctl stop pullguard-endorser.service
expect "stopping it leaves the directory of the engine's socket" inside test -d /run/pullguard
not() { ! "$@"; }
# Whoever takes its port first can stop it for as long as he holds it, and no longer.
python3 -c 'import socket, time
squatter = socket.create_server(("127.0.0.1", 14242))
time.sleep(60)' &
SQUATTER=$!
expect "its port is taken" wait_for 10 port_open 127.0.0.1:14242
inside systemctl start --no-block pullguard-endorser.service
tried_often() { [ "$(property pullguard-endorser.service NRestarts)" -ge 6 ] || is pullguard-endorser.service ActiveState failed; }
expect "it is started again and again" wait_for 30 tried_often
kill "$SQUATTER"
wait "$SQUATTER" || true
endorses() { [ "$(endorsement good "$good")" = 200 ]; }
expect "and is there when the port is free" wait_for 10 endorses
cp "$PG_NODE/etc/pullguard/pullguard.yaml" "$PG_WORK/settings" 2>/dev/null || : >"$PG_WORK/settings"
printf 'endorser: {listen: 127.0.0.2:4242}\n' | cat "$PG_WORK/settings" - >"$PG_NODE/etc/pullguard/pullguard.yaml"
inside systemctl restart pullguard-endorser.service
expect "it listens where the settings say" port_open 127.0.0.2:4242
expect "and nowhere else" not port_open 127.0.0.1:14242
printf 'endorser: {listen: 0.0.0.0:4242}\n' | cat "$PG_WORK/settings" - >"$PG_NODE/etc/pullguard/pullguard.yaml"
expect "never to other machines" not inside systemctl restart pullguard-endorser.service
expect "which is said" inside sh -c 'journalctl --sync; journalctl --no-pager -u pullguard-endorser.service | grep -q "want 127.x.y.z:PORT (loopback only), found 0.0.0.0:4242"'
cp "$PG_WORK/settings" "$PG_NODE/etc/pullguard/pullguard.yaml"
inside systemctl stop pullguard-endorser.service

# ---- enable restarts nothing, unless asked ------------------------------------------------------------------------------------------------
# A CRI-O that only runs, so that its restarts can be counted.
inside sh -c 'printf "[Service]\nExecStart=/bin/sleep 600\n" >/run/systemd/system/crio.service; mkdir -p /etc/crio'
inside systemctl daemon-reload
inside systemctl start crio.service
CRIO=$(property crio.service MainPID)
pullguard() { inside "$PG_PREFIX/bin/pullguard" "$@"; }
expect "enable crio" pullguard enable --yes crio
expect "restarts nothing" is crio.service MainPID "$CRIO"
expect "and starts nothing" is pullguard-endorser.service ActiveState inactive
restarted() { [ "$(property crio.service MainPID)" != "$CRIO" ] && is crio.service ActiveState active; }
expect "asked to restart" pullguard enable --yes --restart crio
expect "CRI-O is restarted" restarted
expect "the endorser runs" is pullguard-endorser.service ActiveState active
expect "and will after a boot" is pullguard-endorser.service UnitFileState enabled
expect "enable podman" pullguard enable --yes --restart podman
expect "the endorser runs again" is pullguard-endorser.service ActiveState active
printf 'endorser: {listen: 127.0.0.2:4242}\n' | cat "$PG_WORK/settings" - >"$PG_NODE/etc/pullguard/pullguard.yaml"
expect "another address in the settings" pullguard enable --yes --restart podman
expect "the endorser listens there" port_open 127.0.0.2:4242
expect "and registries.d leads there" grep -q http://127.0.0.2:4242/v1/ "$PG_NODE/etc/containers/registries.d/50-pullguard.yaml"
cp "$PG_WORK/settings" "$PG_NODE/etc/pullguard/pullguard.yaml"
expect "and back" pullguard enable --yes --restart podman
CRIO=$(property crio.service MainPID)
expect "disable crio" pullguard disable --yes --restart crio
expect "CRI-O is restarted again" restarted
expect "the endorser still runs: podman needs it" is pullguard-endorser.service ActiveState active
expect "disable podman" pullguard disable --yes --restart podman
expect "the endorser is stopped with the last one" is pullguard-endorser.service ActiveState inactive
inside systemctl stop crio.service

# ---- the trust roots' timer -----------------------------------------------------------------------------------------------------------------
expect "the timer waits" inside systemctl start pullguard-trust.timer
expect "its next run is known" test -n "$(property pullguard-trust.timer NextElapseUSecRealtime)"
inside systemctl start pullguard-trust.service
expect "nothing initialised: the service is not started" is pullguard-trust.service ConditionResult no
python3 "$PG_LIB/tuf_repository.py" "$PG_NODE/etc/pullguard/first-root.json" "$PG_WORK/tuf.url" &
TUF=$!
on_exit 'kill "$TUF" 2>/dev/null'
expect "a TUF repository" wait_for 20 test -s "$PG_WORK/tuf.url"
url=$(cat "$PG_WORK/tuf.url")
expect "trust init" inside "$PG_PREFIX/bin/pullguard" trust init --mirror "$url" --initial-root /etc/pullguard/first-root.json
before=$(sha256sum <"$PG_NODE/etc/pullguard/trust/public-good.json")
installed()
{
    sha256sum <"$PG_NODE/etc/pullguard/trust/public-good.json"
}
expect "nothing new: the service does its work" inside systemctl start pullguard-trust.service
expect "it was started" is pullguard-trust.service ConditionResult yes
expect "the trust root stays" test "$before" = "$(installed)"
python3 -c 'import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(urllib.request.Request(sys.argv[1], method="POST"), timeout=20)' "$url"
expect "a newer one: the service brings it" inside systemctl start pullguard-trust.service
expect "it is installed" test "$before" != "$(installed)"
newer=$(installed)
kill "$TUF"
wait "$TUF" 2>/dev/null || true
fails()
{
    ! "$@"
}
expect "the repository is gone: the service fails" fails inside systemctl start pullguard-trust.service
expect "what was installed stays" test "$newer" = "$(installed)"
expect "the journal says why" grep -q 'pullguard trust update: public-good: ' <<<"$(inside journalctl --no-pager -u pullguard-trust.service)"
inside systemctl reset-failed pullguard-trust.service
# A repository of the test's own; a second state is published when the file "step" is there.
export PYTHONPATH=$PG_LIB
start tuf python3 -c 'import os, sys, time
from tuf_repository import Repository, Server, TARGET
repository = Repository()
with Server(repository) as server:
    open(sys.argv[1], "wb").write(repository.files["1.root.json"])
    print(server.url, flush=True)
    while not os.path.exists(sys.argv[2]): time.sleep(0.05)
    repository.step()
    repository.target = TARGET + b"\n"
    repository.publish()
    print("published", flush=True)
    time.sleep(600)' "$PG_NODE/first-root.json" "$PG_WORK/step"
wait_for 10 test -s "$PG_WORK/tuf.log" || { cat "$PG_WORK/tuf.log"; die "the trust root's repository does not start"; }
expect "a trust root is initialised" inside "$PG_PREFIX/bin/pullguard" trust init --mirror "$(head -n 1 "$PG_WORK/tuf.log")" --initial-root /first-root.json
: >"$PG_WORK/step"
wait_for 10 grep -q published "$PG_WORK/tuf.log" || true
INSTALLED=$PG_NODE/etc/pullguard/trust/public-good.json
before=$(stat -c %i "$INSTALLED" 2>/dev/null)
trust_log()
{
    inside systemctl start pullguard-trust.service || { inside journalctl --no-pager -u pullguard-trust.service; return 1; }
}
expect "the service refreshes it, below its restrictions" trust_log
expect "without a failure" is pullguard-trust.service Result success
expect "the new one is installed" [ "$(stat -c %i "$INSTALLED")" != "$before" ]
expect "and can be read by everybody" [ "$(stat -c %a "$INSTALLED")" = 644 ]
expect "no unit of ours has failed" [ -z "$(inside systemctl list-units --failed --plain --no-legend 'pullguard*')" ]
# ---- the handler in crun -------------------------------------------------------------------------------------------------------------
HANDLER=$PG_WORK/libexec/pullguard-crun.so
watching()
{
    wait_for 5 is pullguard-crun-repair.path SubState waiting >"$PG_WORK/path.out" || { cat "$PG_WORK/path.out"; return 1; }
}
mended()
{
    wait_for 5 cmp -s "$HANDLER" "$HANDLER.second" || { inside journalctl --no-pager -u 'pullguard-crun-repair*'; return 1; }
}
said()
{
    inside journalctl --sync
    inside journalctl --no-pager -u pullguard-crun-repair.service | grep "$1"
}
expect "the handler is watched over" inside systemctl enable --now pullguard-crun-repair.path
expect "it is looked at when that begins" wait_for 5 said "nothing to repair"
for damage in 'truncate -s 100' 'dd if=/dev/zero bs=4096 count=2 conv=notrunc status=none of=' rm; do
    expect "waiting for a change" watching
    case $damage in *=) eval "$damage$HANDLER" ;; *) $damage "$HANDLER" ;; esac
    expect "${damage%% *}: the second copy takes its place at once" mended
done
expect "the journal tells of it" said "was damaged"

results
