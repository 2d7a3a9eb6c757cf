"""A server on 127.0.0.1 that takes notifications of apprise (``json://``) and pings, and keeps them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Watcher:
    """Use as a context manager; `refuses` makes it answer 503."""

    def __init__(self):
        self.messages = []  # of channels: path, title, message
        self.pings = []  # path, body
        self.refuses = False

    def __enter__(self):
        watcher = self

        class Handler(BaseHTTPRequestHandler):
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

            def log_message(self, *_):
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self):
        return f"127.0.0.1:{self._server.server_port}"
