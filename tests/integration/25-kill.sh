#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The engine and its children are killed at random moments of a thousand decisions: no unsigned image is ever let through, every
# hook answers in time and with one line, the cache is never torn, and the next decision is right. PG_SEED varies the moments.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

begin_node pullguard-containerd "$@"
begin_registry
make_key good
write_policy node "$R/**" good
good=$(push_image "$R/good:v1")
sign bundle good "$R/good@$good"
bad=$(push_image "$R/bad:v1")
PULLS=${PG_KILL_PULLS:-1000}
# A credential helper that takes its time: it must not outlive an engine that is killed meanwhile.
mkdir -p "$PG_NODE/usr/bin" "$PG_NODE/etc/pullguard"
cat >"$PG_NODE/usr/bin/docker-credential-slow" <<'END'
#!/bin/sh
read -r server
sleep 0.03
echo '{"Username": "u", "Secret": "s"}'
END
chmod 0755 "$PG_NODE/usr/bin/docker-credential-slow"
printf '{"credHelpers": {"%s": "slow"}}\n' "$R" >"$PG_NODE/etc/pullguard/auth.json"

thousand()
{
    local media='-stdin-media-type application/vnd.oci.descriptor.v1+json'
    # shellcheck disable=SC2086
    python3 "$PG_LIB/kill.py" "$PULLS" 6 "$PG_LIBEXEC/pullguard-containerd" --root "$PG_NODE" -name "$R/good:v1" -digest "$good" $media -- \
        "$PG_LIBEXEC/pullguard-containerd" --root "$PG_NODE" -name "$R/bad:v1" -digest "$bad" $media | tee "$PG_WORK/kill.out"
}

refused()
{
    ! decide bad "$bad"
}

for cache in false true; do
    pg_settings "cache: {enabled: $cache}"
    expect "$PULLS decisions under fire, cache: $cache" thousand
    say "$(tail -n 1 "$PG_WORK/kill.out")"
    expect "afterwards: the signed image is let through" decide good "$good"
    expect "afterwards: the unsigned one is stopped" refused
    expect "nothing stays behind" wait_for 5 nothing_left
done
# A cache that is torn or written by somebody else is a miss, never an allow and never an error.
decide good "$good" >/dev/null || true
find "$PG_NODE/var/cache" -type f >"$PG_WORK/entries"
say "$(wc -l <"$PG_WORK/entries") cache files"
torn()
{
    local file size
    while read -r file; do
        size=$(stat -c %s "$file")
        truncate -s $((size / 2)) "$file"
    done <"$PG_WORK/entries"
    decide good "$good" && refused
}
garbage()
{
    local file
    while read -r file; do head -c 4096 /dev/urandom >"$file"; done <"$PG_WORK/entries"
    decide good "$good" && refused
}
expect "cache files cut in half" torn
expect "cache files full of noise" garbage
results
