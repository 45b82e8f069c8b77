# SPDX-License-Identifier: Apache-2.0
"""A node that decides without a registry: images below good.example are allowed, others denied."""
import os
import subprocess

from harness import BUILD, Root

VERIFIER = os.path.join(BUILD, "plugin/containerd/pullguard-containerd-test")
POLICY = """apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: all}
spec:
  images: [{glob: "good.example/**"}]
  authorities: [{static: {action: pass}}]
"""


class Node(Root):
    def __init__(self, settings):
        super().__init__()
        self.write("/etc/pullguard/policy.d/all.yaml", POLICY)
        self.write("/etc/pullguard/pullguard.yaml", settings)
        os.makedirs(self.at("/var/log"))

    def decide(self, name):
        """Whether it is allowed."""
        done = subprocess.run([VERIFIER, "--root", self.path, "-name", name, "-digest", "sha256:" + "0" * 64], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        return done.returncode == 0
