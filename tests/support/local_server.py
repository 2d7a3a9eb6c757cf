"""An HTTP server on a free port of 127.0.0.1, for stand-ins of services that a test asks."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that prints nothing."""

    def log_message(self, *_):
        """Print nothing."""


class LocalServer:
    """Use as a context manager; a subclass has `make_handler`, which returns the class that answers."""

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.make_handler())
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

    @property
    def url(self):
        return f"http://{self.host}"
