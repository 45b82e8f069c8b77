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

# podman_node DIR: a node that is such a root. Set it up with pg_node DIR afterwards.
podman_node()
{
    PODMAN_NODE=$1
    unpacked_node "$PODMAN_NODE" "$PODMAN_ROOT"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$PODMAN_NODE/etc/passwd" # buildah asks who it is
    mkdir -p "$PODMAN_NODE"/etc/containers/{registries.d,registries.conf.d}
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$PODMAN_NODE/etc/passwd" # buildah asks who it is
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
