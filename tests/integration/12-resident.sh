#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same pulls as 10-containerd.sh, decided by the resident engine: same messages, same verdicts.
export PG_RESIDENT=1
exec "$(dirname "${BASH_SOURCE[0]}")/10-containerd.sh" "$@"
