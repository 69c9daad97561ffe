"""An HTTP server of the test's own that takes what adtally sends: a webhook, an Alertmanager."""

import http.server
import json
import threading
from dataclasses import dataclass


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Receiver:
    """Answers the first requests with the statuses of `answers`, all others with 200. What was
    answered 200 is in `taken`, in order; the rest in `refused`."""

    def __init__(self, answers=()):
        self.taken, self.refused = [], []
        self._answers = list(answers)
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._take(Received(self.path, headers, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _take(self, received):
        with self._lock:
            status = self._answers.pop(0) if self._answers else 200
            (self.taken if status == 200 else self.refused).append(received)
            return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
