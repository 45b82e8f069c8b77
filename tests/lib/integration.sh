# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC1091,SC2034
# Sourced first by every suite in tests/integration: the other files of this folder, and how a suite begins.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$PG_SOURCE/tests/lib/suite.sh"
. "$PG_SOURCE/tests/lib/peers.sh"
. "$PG_SOURCE/tests/lib/node.sh"
. "$PG_SOURCE/tests/lib/podman.sh"

# What the suite runs against. Called twice: with the network, to unpack it, and inside the namespaces, to name it. A suite
# that needs other programs writes its own before begin.
peers()
{
    peers_root
}

# begin "$@": from root's shell into namespaces without a network, with a working directory and this tree installed.
begin()
{
    local build=${PG_INSTALL_FROM:-$PG_SOURCE/build-tests/gcc}
    need_root
    [ -n "${PG_OFFLINE:-}" ] || peers
    go_offline "$@"
    peers
    make_work_dir
    pg_build "$build"
    pg_install "$build"
}

# begin_node PROGRAM "$@": the same, and an empty node (PG_NODE, ETC). Ends the suite when this tree does not build PROGRAM.
begin_node()
{
    local program=$1
    shift
    begin "$@"
    pg_present "$program" || { results; exit; }
    pg_node "$PG_WORK/node"
    ETC=$PG_NODE/etc/pullguard
}

# begin_registry: a registry that asks nobody for a name (R), and cosign ready to make keys and sign.
begin_registry()
{
    registry_start registry
    R=$REGISTRY_ADDR
    cosign_init
}

# decide REPOSITORY DIGEST: what containerd would ask of the verifier about $R/REPOSITORY:v1, without containerd.
decide()
{
    "$PG_LIBEXEC/pullguard-containerd" --root "$PG_NODE" -name "$R/$1:v1" -digest "$2" \
        -stdin-media-type application/vnd.oci.descriptor.v1+json </dev/null
}
