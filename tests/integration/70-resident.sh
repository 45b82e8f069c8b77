#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The resident engine over time: sixty-four clients at once, silent clients, policies that change under it, a policy that breaks,
# and its death. PG_SOAK_SECONDS makes the soak longer than its twenty seconds.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

begin_node pullguard-containerd "$@"
begin_registry
make_key good
make_key other
write_policy node "$R/**" good
good=$(push_image "$R/good:v1")
sign bundle good "$R/good@$good"
bad=$(push_image "$R/bad:v1")
pg_resident

allows() { decide good "$good" >"$PG_WORK/decide.out"; }
# refuses REASON: the signed image is refused for that reason.
refuses()
{
    if decide good "$good" >"$PG_WORK/decide.out"; then return 1; fi
    cat "$PG_WORK/decide.out"
    grep -qE "^($1):" "$PG_WORK/decide.out"
}
bad_refused()
{
    if decide bad "$bad" >"$PG_WORK/decide.out"; then return 1; fi
    grep -q '^no_signature:' "$PG_WORK/decide.out"
}
expect "signed image" allows
expect "unsigned image" bad_refused

soak()
{
    local media='-stdin-media-type application/vnd.oci.descriptor.v1+json'
    # shellcheck disable=SC2086
    python3 "$PG_LIB/soak.py" "${PG_SOAK_SECONDS:-20}" 64 "$PG_RESIDENT_PID" "$PG_LIBEXEC/pullguard-containerd" --root "$PG_NODE" -name "$R/good:v1" \
        -digest "$good" $media -- "$PG_LIBEXEC/pullguard-containerd" --root "$PG_NODE" -name "$R/bad:v1" -digest "$bad" $media >"$PG_WORK/soak.out"
}
for cache in true false; do
    pg_settings "cache: {enabled: $cache}"
    expect "${PG_SOAK_SECONDS:-20} seconds of sixty-four clients at once, cache: $cache" soak
    say "$(cat "$PG_WORK/soak.out")"
done

# Clients that connect and say nothing.
start silent python3 -c 'import socket, sys, time
held = []
for _ in range(50):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)
print("held", flush=True)
time.sleep(600)' "$PG_NODE/run/pullguard/engine.sock"
SILENT=$PG_PID
wait_for 5 test -s "$PG_WORK/silent.log" || true
quick()
{
    local began=$EPOCHREALTIME
    allows && [ $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) -lt 2000 ]
}
expect "fifty silent clients delay nobody" quick
stop "$SILENT"

# Policies change under it. What an administrator wrote counts for the next decision, or the last good set does, loudly.
write_policy node "$R/**" other
expect "another key in the policy counts at once" wait_for 5 refuses wrong_key
write_policy node "$R/**" good
expect "and back" wait_for 5 allows
printf 'spec: [\n' >"$ETC/policy.d/broken.yaml"
sleep 1
expect "a policy that breaks: the last good set stays in force" allows
expect "and the journal says so" sh -c "tail -n 3 '$PG_JOURNAL' | grep -q 'broken.yaml\|last good'"
rm "$ETC/policy.d/broken.yaml"
kill -HUP "$PG_RESIDENT_PID"
expect "SIGHUP: still there and right" wait_for 5 allows
expect "SIGHUP: the unsigned image is stopped" bad_refused

kill -KILL "$PG_RESIDENT_PID"
wait "$PG_RESIDENT_PID" 2>/dev/null || true
expect "killed: the hook starts an engine of its own" allows
expect "killed: the unsigned image is stopped" bad_refused
expect "nothing stays behind" wait_for 10 nothing_left
results
