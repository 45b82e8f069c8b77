# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# podman and skopeo of the newer suite in a root of their own, which is a node's root at the same time.
# Sourced after common.sh, suite.sh, peers.sh and node.sh.

# podman_root [PACKAGE...]: sets PODMAN_ROOT, these and podman's packages unpacked; PG_ROOT is left as it was.
podman_root()
{
    local peers=${PG_ROOT:-} set=podman${1:+-$1}
    suite_root "$PG_SUITE" "$set" podman skopeo netavark passt "$@"
    PODMAN_ROOT=$PG_ROOT
    PG_ROOT=$peers
    export PODMAN_ROOT
}

# podman_node DIR: a root above the unpacked packages, whose changes are memory only, with pullguard's prefix in it.
# Set up the node with pg_node DIR afterwards.
podman_node()
{
    PODMAN_NODE=$1
    mkdir -p "$PODMAN_NODE" "$PG_WORK/podman.upper"
    mount -t tmpfs tmpfs "$PG_WORK/podman.upper"
    mkdir "$PG_WORK/podman.upper/upper" "$PG_WORK/podman.upper/work"
    mount -t overlay overlay -o "lowerdir=$PODMAN_ROOT,upperdir=$PG_WORK/podman.upper/upper,workdir=$PG_WORK/podman.upper/work" "$PODMAN_NODE"
    mkdir -p "$PODMAN_NODE"/{proc,dev,sys,run,tmp,var/tmp,etc/containers/registries.d,etc/containers/registries.conf.d} "$PODMAN_NODE$PG_PREFIX"
    chmod 0755 "$PODMAN_NODE"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$PODMAN_NODE/etc/passwd" # buildah asks who it is
    mount -t proc proc "$PODMAN_NODE/proc"
    # Devices and kernel of its own, so that whatever is done to this root does not reach the machine's.
    mount -t sysfs -o ro sysfs "$PODMAN_NODE/sys"
    mount -t tmpfs -o mode=0755 tmpfs "$PODMAN_NODE/dev"
    mkdir -m 1777 "$PODMAN_NODE/dev/shm"
    mknod -m 0666 "$PODMAN_NODE/dev/null" c 1 3
    mknod -m 0666 "$PODMAN_NODE/dev/zero" c 1 5
    mknod -m 0666 "$PODMAN_NODE/dev/random" c 1 8
    mknod -m 0666 "$PODMAN_NODE/dev/urandom" c 1 9
    mount --bind "$PG_PREFIX" "$PODMAN_NODE$PG_PREFIX"
}

# inside PROGRAM [ARGUMENT...]: with this node's root as the root.
inside()
{
    python3 "$PG_LIB/pivot.py" "$PODMAN_NODE" "$@"
}

podman()
{
    PODMAN_IGNORE_CGROUPSV1_WARNING=1 inside /usr/bin/podman --storage-driver vfs --cgroup-manager cgroupfs --events-backend none "$@"
}
