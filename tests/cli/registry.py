# SPDX-License-Identifier: Apache-2.0
"""A read-only registry on loopback that serves stored repositories (tests/vectors/*/registry), in this process."""
import http.server
import json
import os
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reply(self, status, body=b"", kind="application/json", digest=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(body)
            except BrokenPipeError:
                pass  # who asked has not waited

    def stored(self, folder, digest):
        name = digest.replace(":", "-", 1)
        for candidate in (name, name + ".json"):
            path = os.path.join(self.repository, folder, candidate)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    return file.read()
        return None

    def do_GET(self):
        self.server.requests.append(self.path)
        time.sleep(self.server.delay)
        parts = self.path.split("?")[0].split("/")
        if self.path == "/v2/":
            return self.reply(200, b"{}")
        if len(parts) < 5 or parts[1] != "v2":
            return self.reply(404)
        name, kind, target = "/".join(parts[2:-2]), parts[-2], parts[-1]
        self.repository = os.path.join(self.server.directory, name)
        if not os.path.isdir(self.repository) or kind not in ("manifests", "blobs"):
            return self.reply(404)
        if kind == "blobs":
            body = self.stored("blobs", target)
            return self.reply(200, body, "application/octet-stream", target) if body is not None else self.reply(404)
        with open(os.path.join(self.repository, "index.json"), encoding="utf-8") as file:
            index = json.load(file)
        digest = target if ":" in target else index["tags"].get(target)
        body = self.stored("manifests", digest) if digest in index["manifests"] else None
        if body is None:
            return self.reply(404)
        return self.reply(200, body, index["manifests"][digest]["contentType"], digest)

    do_HEAD = do_GET


class Registry:
    def __init__(self, directory):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.directory = directory
        self.server.requests = []
        self.server.delay = 0  # seconds before each answer
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.host = "127.0.0.1:%d" % self.server.server_port

    @property
    def requests(self):
        return self.server.requests

    def close(self):
        self.server.shutdown()
        self.server.server_close()
