"""Bytes to a server as they are: for what no decent client sends."""

import contextlib
import json
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Wire:
    """One connection. `source` is the address it comes from: any of 127.0.0.0/8 is ours."""

    def __init__(self, url, source=None, timeout=15.0):
        place = urlsplit(url)
        self._socket = socket.create_connection(
            (place.hostname, place.port), timeout, (source, 0) if source else None)
        self._held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        """Sends all of it, or as much as the server takes before it hangs up."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def finish_sending(self):
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self, with_body=True):
        """The next answer; None when the server closed without one."""
        head, found, _ = self._until(b"\r\n\r\n")
        if not found:
            assert head == b"", f"the answer ended in its head: {head!r}"
            return None
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0)) if with_body else 0
        while len(self._held) < length and self._receive():
            pass
        body, self._held = self._held[:length], self._held[length:]
        assert len(body) == length, f"the body ended after {len(body)} of {length} bytes"
        return Answer(int(status_line.split(" ")[1]), headers, body)

    def only_answer(self):
        """The answer, after which the server must say nothing more and close."""
        answer = self.answer()
        assert self.rest() == b"", "there is more than one answer"
        return answer

    def rest(self):
        """All bytes until the server closes."""
        while self._receive():
            pass
        held, self._held = self._held, b""
        return held

    def wait_for_anything(self, seconds):
        """True if the server sent something, or closed, within that time."""
        before = self._socket.gettimeout()
        self._socket.settimeout(seconds)
        try:
            return self._receive() or True
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(before)

    def close(self):
        self._socket.close()

    def _receive(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self._held += data
        return bool(data)

    def _until(self, mark):
        while mark not in self._held:
            if not self._receive():
                held, self._held = self._held, b""
                return held.partition(mark)
        parts = self._held.partition(mark)
        self._held = parts[2]
        return parts


def request(method, target, body=b"", **headers):
    """A well-formed request; an underscore in a header's name stands for a dash."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"{method} {target} HTTP/1.1", "Host: adtally.test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
