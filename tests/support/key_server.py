"""A server on 127.0.0.1 that gives temporary keys, as the metadata of a CVM and as STS, and keeps what it was asked."""

import json
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

from local_server import LocalServer, QuietHandler

from pipeline.clock import SystemClock

ROLE = "esign-import-role"
LIST = "/latest/meta-data/cam/security-credentials/"


@dataclass
class KeyServer(LocalServer):
    """Use as a context manager. Each request for keys gets the next number: AKIDtmp1, key-1, token-1."""

    clock: object = field(default_factory=SystemClock)
    lifetime: float = 7200.0  # seconds
    status: int = 200  # of every answer
    code: str | None = None  # in place of keys
    content: bytes | None = None  # in place of an answer
    given: int = 0
    requests: list = field(default_factory=list)  # method, path, headers, body

    def make_handler(self):
        server = self

        class Handler(QuietHandler, BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer(b"")

            def do_POST(self):
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body):
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.requests.append((self.command, self.path, headers, body))
                content = server.content if server.content is not None else server.answer(self.path)
                self.send_response(server.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if server.status == 302:
                    self.send_header("Location", f"{server.url}/elsewhere")
                self.end_headers()
                self.wfile.write(content)

            def date_time_string(self, *_):
                return formatdate(server.clock.now(), usegmt=True)

        return Handler

    def answer(self, path):
        if path == LIST:
            return ROLE.encode()
        if self.code is not None:
            error = {"Code": self.code, "Message": "no such role for 110101199003070732"}
            failed = (
                {"Code": self.code}
                if path.startswith(LIST)
                else {"Response": {"Error": error, "RequestId": "r"}}
            )
            return json.dumps(failed).encode()
        self.given += 1
        keys = {
            "TmpSecretId": f"AKIDtmp{self.given}",
            "TmpSecretKey": f"key-{self.given}",
            "Token": f"token-{self.given}",
        }
        expires = int(self.clock.now() + self.lifetime)
        if path.startswith(LIST):
            return json.dumps({**keys, "ExpiredTime": expires, "Code": "Success"}).encode()
        response = {"Credentials": keys, "ExpiredTime": expires, "RequestId": "r"}
        return json.dumps({"Response": response}).encode()
