#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The start gates on real crun: 1.8 (Debian 12), 1.21 (13) and the newer suite's. Handler and hook allow and refuse; every way
# around a handler that is known is tried; commands on running containers work whatever is broken. The engine is a stand-in
# that allows ids with "good" in them: what the engine decides is tested elsewhere.
# shellcheck disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../lib/integration.sh"

peers()
{
    local suite
    for suite in bookworm trixie forky; do suite_root "$suite" crun crun libyajl2; done
}
begin "$@"

# The program inside the containers: static, so that a root file system is one file.
printf '#include <unistd.h>\n#include <stdio.h>\nint main(int c, char **v) { (void)v; puts("ran"); if (c > 1) return 0; return pause(); }\n' >"$PG_WORK/app.c"
cc -static -O -o "$PG_WORK/app" "$PG_WORK/app.c"
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || die "cannot mount cgroup2"

# bundle DIR [ANNOTATION-JSON]: an OCI bundle whose process waits.
bundle()
{
    mkdir -p "$1/rootfs/proc" "$1/rootfs/dev"
    cp "$PG_WORK/app" "$1/rootfs/app"
    cat >"$1/config.json" <<EOF
{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["/app"],"cwd":"/","env":["PATH=/"]},
 "root":{"path":"rootfs"},"hostname":"t","annotations":${2:-{\}},${3:-}
 "mounts":[{"destination":"/proc","type":"proc","source":"proc"}],
 "linux":{"namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"uts"}]}}
EOF
}

# node SUITE: that suite's root with pullguard's files at their installed places, ready to be pivoted into. Sets NODE, HANDLERS.
node()
{
    NODE=$PG_WORK/$1
    HANDLERS=$NODE/usr/lib/x86_64-linux-gnu/crun/handlers
    cp -a "$PG_TEST_CACHE/$1.crun" "$NODE"
    mount --bind "$NODE" "$NODE"
    on_exit "umount -R -l '$NODE'"
    mkdir -p "$NODE/proc" "$NODE/dev" "$NODE/sys" "$NODE/run/pullguard" "$NODE/tmp" "$NODE$PG_PREFIX" "$HANDLERS"
    mount -t proc proc "$NODE/proc"
    mount --rbind /dev "$NODE/dev"
    mount --rbind /sys "$NODE/sys"
    mount -t tmpfs tmpfs "$NODE/run"
    mkdir -p "$NODE/run/pullguard"
    mount --bind "$PG_PREFIX" "$NODE$PG_PREFIX"
    install_handler
}

# As a package does it: copied beside, then renamed in.
install_handler()
{
    cp "$PG_LIBEXEC/pullguard-crun.so" "$NODE/usr/lib/x86_64-linux-gnu/crun/.pullguard-crun.so.new"
    mv "$NODE/usr/lib/x86_64-linux-gnu/crun/.pullguard-crun.so.new" "$HANDLERS/pullguard-crun.so"
}

crun()
{
    python3 "$PG_SOURCE/tests/lib/pivot.py" "$NODE" "/usr/bin/${CRUN:-crun}" --cgroup-manager=disabled "$@"
}

engine_up()
{
    start "engine-$1" python3 "$PG_SOURCE/tests/lib/stub_engine.py" "$NODE/run/pullguard/engine.sock" ${2:-}
    ENGINE=$PG_PID
    wait_for 10 test -S "$NODE/run/pullguard/engine.sock"
}

engine_down()
{
    stop "$ENGINE"
    rm -f "$NODE/run/pullguard/engine.sock"
}

# allowed NAME ID ARGUMENT...: crun creates it.
allowed()
{
    local name=$1 id=$2
    shift 2
    if crun create "$@" "$id" >"$PG_WORK/out" 2>&1 </dev/null; then
        pass "$name"
    else
        fail "$name" "$PG_WORK/out"
    fi
}

# refused NAME TEXT ID ARGUMENT...: crun does not create it, says TEXT, and knows no such container afterwards.
refused()
{
    local name=$1 text=$2 id=$3
    shift 3
    if crun create "$@" "$id" >"$PG_WORK/out" 2>&1 </dev/null; then
        crun delete -f "$id" || true
        fail "$name: was created" "$PG_WORK/out"
    elif ! grep -qF "$text" "$PG_WORK/out"; then
        fail "$name: refused without \"$text\"" "$PG_WORK/out"
    elif [ -e "$NODE/run/crun/$id" ]; then
        fail "$name: refused, and a container is left" "$PG_WORK/out"
    else
        pass "$name"
    fi
}

works()
{
    local name=$1
    shift
    if "$@" >"$PG_WORK/out" 2>&1 </dev/null; then pass "$name"; else fail "$name" "$PG_WORK/out"; fi
}

# Everything one does with a container that exists; deletes it.
life_goes_on()
{
    local what=$1 id=$2
    works "$what: list" crun list
    works "$what: state" crun state "$id"
    works "$what: exec" crun exec "$id" /app once
    works "$what: kill" crun kill "$id" KILL
    works "$what: delete" crun delete -f "$id"
}

# damaged KIND [FILE]: our handler's bytes, as a package strips them, damaged in that way and put in their place by rename. What
# crun does then is crun's: it loads every handler before it looks at its command.
damaged()
{
    local bytes=$PG_WORK/damaged.so file=${2:-$HANDLERS/pullguard-crun.so}
    rm -f "$bytes"
    strip --strip-unneeded -o "$bytes" "$PG_LIBEXEC/pullguard-crun.so"
    case $1 in
    empty) : >"$bytes" ;;
    half-missing) truncate -s $(($(stat -c %s "$bytes") / 2)) "$bytes" ;;
    section-table-missing) truncate -s -64 "$bytes" ;; # for tools; nothing that is loaded
    other-owner-reads) chmod 0 "$bytes" ;;             # root reads it all the same
    random-bytes) head -c 40000 /dev/urandom >"$bytes" ;;
    zeroes) head -c 40000 /dev/zero >"$bytes" ;;
    flipped-bit-in-the-magic) printf '\377ELF' | dd of="$bytes" conv=notrunc status=none ;;
    wrong-architecture) printf '\3' | dd of="$bytes" bs=1 seek=18 conv=notrunc status=none ;; # i386
    no-entry-point) cc -shared -nostdlib -o "$bytes" -x c - <<<'int nothing_here;' ;;
    entry-point-says-nothing) cc -shared -nostdlib -o "$bytes" -x c - <<<'void *run_oci_handler_get_handler(void) { return 0; }' ;;
    unresolved-symbol) cc -shared -nostdlib -o "$bytes" -x c - <<<'int nowhere(void); int run_oci_handler_get_handler(void) { return nowhere(); }' ;;
    dangling-link) ln -sf /no/such/file "$bytes" ;;
    a-directory) rm "$bytes"; mkdir "$bytes" ;;
    *) die "damaged: $1" ;;
    esac
    rm -rf "$file"
    mv -T "$bytes" "$file"
}

# fate KIND: "nothing" when damage of that kind changes nothing, "everything" when crun refuses each of its commands.
fate()
{
    case $1 in
    section-table-missing | other-owner-reads) echo nothing ;;
    *) echo everything ;;
    esac
}

# What README and the manual say about a damaged handler, one version of crun after the other: nothing starts that should not,
# and what runs goes on running, but crun itself cannot be used until the file is repaired or removed.
damage_tests()
{
    local suite=$1 kind command seen
    allowed "$suite: before the damage" good-9 -b /b
    works "$suite: started" crun start good-9
    for kind in empty half-missing section-table-missing other-owner-reads random-bytes zeroes flipped-bit-in-the-magic \
        wrong-architecture no-entry-point entry-point-says-nothing unresolved-symbol dangling-link a-directory; do
        damaged "$kind"
        seen=
        for command in list "state good-9" "exec good-9 /app once" "kill good-9 0" --version; do
            # shellcheck disable=SC2086
            if crun $command >"$PG_WORK/out" 2>&1 </dev/null; then seen+=' nothing'; else seen+=' everything'; fi
        done
        if [ "$(xargs -n 1 <<<"$seen" | sort -u)" = "$(fate "$kind")" ]; then
            pass "$suite: damage \"$kind\" stops $(fate "$kind"): $(tail -n 1 "$PG_WORK/out" | cut -c1-120)"
        else
            fail "$suite: damage \"$kind\" should stop $(fate "$kind"), stops:$seen" "$PG_WORK/out"
        fi
        if crun create -b /b bad-10 >"$PG_WORK/out" 2>&1 </dev/null; then
            fail "$suite: damage \"$kind\" lets a refused image start" "$PG_WORK/out"
        else
            pass "$suite: damage \"$kind\" lets no refused image start"
        fi
    done
    rm -rf "$HANDLERS/pullguard-crun.so"
    works "$suite: damage: the file removed, crun works" crun list
    install_handler
    works "$suite: damage: what ran runs still" crun exec good-9 /app once
    life_goes_on "$suite: repaired" good-9
}

# The same damage to the file that `enable crun` links: after --repair everything works again, and the gate is shut as before.
repair_tests()
{
    local suite=$1 kind below=$NODE/below
    local file=$below$PG_LIBEXEC/pullguard-crun.so
    rm -rf "$below" "$HANDLERS/pullguard-crun.so"
    mkdir -p "$below$PG_LIBEXEC"
    cp -p "$PG_LIBEXEC"/pullguard-crun.so* "$below$PG_LIBEXEC/"
    ln -s "/below$PG_LIBEXEC/pullguard-crun.so" "$HANDLERS/pullguard-crun.so"
    allowed "$suite: repair: before the damage" good-11 -b /b
    works "$suite: repair: started" crun start good-11
    works "$suite: repair: nothing to do" repair "can be loaded"
    for kind in empty half-missing random-bytes zeroes flipped-bit-in-the-magic wrong-architecture no-entry-point \
        unresolved-symbol dangling-link; do
        damaged "$kind" "$file"
        if crun list >"$PG_WORK/out" 2>&1 </dev/null; then fail "$suite: repair: $kind: was no damage" "$PG_WORK/out"; fi
        works "$suite: repair: $kind" repair "was damaged"
        works "$suite: repair: $kind: list" crun list
        works "$suite: repair: $kind: state" crun state good-11
        works "$suite: repair: $kind: exec" crun exec good-11 /app once
        works "$suite: repair: $kind: kill" crun kill good-11 0
        refused "$suite: repair: $kind: a refused image" "stub engine: no signature" bad-11 -b /b
    done
    life_goes_on "$suite: repair" good-11
    damaged zeroes "$file"
    damaged zeroes "$file.second"
    if repair "its second copy" >"$PG_WORK/out" 2>&1; then
        fail "$suite: repair: both damaged" "$PG_WORK/out"
    elif grep -q "Install pullguard again" "$PG_WORK/out"; then
        pass "$suite: repair: both damaged: $(tail -n 1 "$PG_WORK/out" | cut -c1-120)"
    else
        fail "$suite: repair: both damaged" "$PG_WORK/out"
    fi
    rm -f "$HANDLERS/pullguard-crun.so"
    install_handler
}
repair()
{
    "$PG_PREFIX/bin/pullguard" --root "$NODE/below" enable crun --repair | tee "$PG_WORK/repair.out"
    grep -q "$1" "$PG_WORK/repair.out"
}

suite_tests()
{
    local suite=$1 v
    node "$suite"
    v=$(crun --version | head -n 1)
    say "$v ($suite)"
    bundle "$NODE/b"
    bundle "$NODE/sandbox" '{"io.kubernetes.cri.container-type":"sandbox"}'
    bundle "$NODE/crio-sandbox" '{"io.kubernetes.cri-o.ContainerType":"sandbox"}'
    bundle "$NODE/own-handler" '{"run.oci.handler":"pullguard"}'
    bundle "$NODE/wasm" '{"run.oci.handler":"wasm","module.wasm.image/variant":"compat"}'
    bundle "$NODE/wasm-image" '{"module.wasm.image/variant":"compat"}'
    bundle "$NODE/escaped" '{"io.kubernetes.cri.container-\u0074ype":"sandbox"}'
    bundle "$NODE/nonexistent" '{"run.oci.handler":"nonexistent"}'
    local no="pullguard: stub engine: no signature"

    engine_up "$suite"
    works "$suite: the handler is loaded" grep -q PULLGUARD <(crun --version)
    allowed "$suite: an allowed image is created" good-1 -b /b
    works "$suite: and started" crun start good-1
    refused "$suite: a refused image is not" "$no" bad-1 -b /b
    refused "$suite: container-type sandbox does not get around it" "$no" bad-2 -b /sandbox
    refused "$suite: nor CRI-O's ContainerType sandbox" "$no" bad-3 -b /crio-sandbox
    refused "$suite: nor naming our handler" "$no" bad-4 -b /own-handler
    refused "$suite: naming our handler runs nothing inside it" "runs no containers" good-4 -b /own-handler
    refused "$suite: nor naming wasm" "$no" bad-5 -b /wasm
    refused "$suite: nor an image that says it is wasm" "$no" bad-14 -b /wasm-image
    refused "$suite: nor naming one that does not exist" "$no" bad-6 -b /nonexistent
    refused "$suite: nor an annotation whose name is escaped" "$no" bad-11 -b /escaped
    ln -sf crun "$NODE/usr/bin/krun"
    CRUN=krun refused "$suite: nor the name krun" "$no" bad-12 -b /b
    if crun restore --image-path /b -b /b bad-13 >"$PG_WORK/out" 2>&1; then fail "$suite: nor restore" "$PG_WORK/out"
    elif grep -qF -e "$no" -e "unknown command restore" "$PG_WORK/out"; then pass "$suite: nor restore"; else fail "$suite: nor restore" "$PG_WORK/out"; fi
    refused "$suite: an option it does not know is refused, not guessed" "" bad-7 --future-option -b /b
    if crun run -b /b bad-8 >"$PG_WORK/out" 2>&1; then fail "$suite: run is gated" "$PG_WORK/out"
    elif grep -qF "$no" "$PG_WORK/out"; then pass "$suite: run is gated"; else fail "$suite: run is gated" "$PG_WORK/out"; fi
    if grep -F '"container_id": "good-1"' "$PG_WORK/engine-$suite.log" | grep -F '"bundle": "/b"' | grep -qF '"runtime": "crun"'; then
        pass "$suite: the engine is told bundle, id and runtime"
    else
        fail "$suite: the engine is told bundle, id and runtime" "$PG_WORK/engine-$suite.log"
    fi
    asked=$(wc -l <"$PG_WORK/engine-$suite.log")
    life_goes_on "$suite" good-1
    if [ "$(wc -l <"$PG_WORK/engine-$suite.log")" = "$asked" ]; then pass "$suite: no other command asks the engine"
    else fail "$suite: no other command asks the engine" "$PG_WORK/engine-$suite.log"; fi

    allowed "$suite: one more" good-2 -b /b
    works "$suite: started" crun start good-2
    engine_down
    mv "$PG_LIBEXEC/pullguard-engine" "$PG_WORK/engine.away" 2>/dev/null || true
    refused "$suite: without an engine nothing is created" "pullguard: " good-3 -b /b
    life_goes_on "$suite: engine gone" good-2
    mv "$PG_WORK/engine.away" "$PG_LIBEXEC/pullguard-engine" 2>/dev/null || true

    engine_up "$suite-2"
    allowed "$suite: and back" good-5 -b /b
    works "$suite: started" crun start good-5
    lib=$(find "$PG_PREFIX" -name 'libpullguard.so.0.*' -type f)
    cp -a "$lib" "$PG_WORK/lib.away"
    truncate -s 100 "$lib"
    refused "$suite: a damaged hook library refuses" "cannot be used" good-6 -b /b
    chmod 0777 "$lib"
    refused "$suite: a hook library others may write is not loaded" "writable" good-6 -b /b
    life_goes_on "$suite: hook library damaged" good-5
    cp -a --remove-destination "$PG_WORK/lib.away" "$lib"
    allowed "$suite: repaired" good-7 -b /b
    works "$suite: deleted" crun delete -f good-7

    # What no file in that directory can prevent: crun refuses every command when one of its handlers does not load.
    printf 'read me\n' >"$HANDLERS/README"
    if crun list >"$PG_WORK/out" 2>&1; then fail "$suite: (crun now survives strays: update README's table)" "$PG_WORK/out"
    else pass "$suite: a stray file stops crun itself, as README says"; fi
    rm "$HANDLERS/README"
    works "$suite: and its removal repairs it" crun list

    damage_tests "$suite"
    repair_tests "$suite"

    # The OCI hook alone, without the handler.
    rm "$HANDLERS/pullguard-crun.so"
    bundle "$NODE/hooked" '{}' '"hooks":{"createRuntime":[{"path":"'"$PG_LIBEXEC"'/pullguard-oci-hook"}]},'
    if python3 "$PG_SOURCE/tests/lib/pivot.py" "$NODE" "$PG_LIBEXEC/pullguard-oci-hook" --version >"$PG_WORK/out" 2>&1; then
        allowed "$suite: hook: an allowed image is created" good-8 -b /hooked
        works "$suite: hook: deleted" crun delete -f good-8
        refused "$suite: hook: a refused image is not" "" bad-9 -b /hooked
    else
        say "$suite: the hook's libraries are not in this root; hook not tried here"
    fi
    engine_down
}

for suite in bookworm trixie forky; do suite_tests "$suite"; done
results
