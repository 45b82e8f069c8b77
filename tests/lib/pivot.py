#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pivot.py DIR COMMAND...: become COMMAND with DIR as the root of a mount namespace of its own (pivot_root, not chroot:
whoever later joins the namespace of a container made here must land in that container's root)."""
import ctypes
import os
import sys

CLONE_NEWNS = 0x20000
MNT_DETACH = 2

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


check(libc.unshare(CLONE_NEWNS), "unshare")
os.chdir(sys.argv[1])
check(libc.pivot_root(b".", b"."), "pivot_root")
check(libc.umount2(b".", MNT_DETACH), "umount2")
os.chdir("/")
os.execvp(sys.argv[2], sys.argv[2:])
