"""A server on 127.0.0.1 that takes notifications of apprise (``json://``) and pings, and keeps them."""

import json
from http.server import BaseHTTPRequestHandler

from local_server import LocalServer, QuietHandler


class Watcher(LocalServer):
    """Use as a context manager; `refuses` makes it answer 503."""

    def __init__(self):
        self.messages = []  # of channels: path, title, message
        self.pings = []  # path, body
        self.refuses = False

    def make_handler(self):
        watcher = self

        class Handler(QuietHandler, BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if not watcher.refuses:
                    if self.path.startswith("/ping"):
                        watcher.pings.append((self.path, body))
                    else:
                        content = json.loads(body)
                        watcher.messages.append((self.path, content["title"], content["message"]))
                self.send_response(503 if watcher.refuses else 200)
                self.end_headers()

        return Handler
