"""A TCP proxy on the loopback that fails as networks do, when a test says so.

    with TcpProxy(target_port, seed) as proxy:
        client.connect(proxy.address)
        proxy.cut(); …; proxy.heal()

    cut      nothing is delivered any more, in neither direction, and nobody is told: connections
             stay open, new ones are taken and stay silent. What was sent meanwhile arrives after
             heal(), late and in order, as after retransmission
    refuse   all connections end by RST, new ones are refused
    reset    all connections end by RST; new ones are served
    slow     every piece is late by `latency` and a part of `jitter` seconds, in order; optionally
             no more than so many bytes pass in a second
    heal     the network is whole again

The port stays the proxy's own while it refuses. What the jitter is comes from the seed.

Threads: one of its own runs everything; the methods may be called from any and return when it is
so.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from random import Random

PIECE = 64 * 1024
PIECES_UNDER_WAY = 64  # then the sender has to wait, as on any network
CALL_SECONDS = 10.0
_RST_AT_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s


class TcpProxy:
    def __init__(self, target_port, seed=0):
        self._target = ("127.0.0.1", target_port)
        self._chance = Random(seed)
        self._latency = self._jitter = 0.0
        self._bytes_per_second = None
        self._links = set()
        self.connections = self.bytes = 0  # that were taken; that were delivered
        self._listener = _bound_socket()
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._flows, self._listens = asyncio.Event(), asyncio.Event()
        self._flows.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy")
        self._thread.start()
        self._accepting = None
        self._call(self._start)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def cut(self):
        async def stop():
            self._flows.clear()
        self._call(stop)

    def refuse(self):
        async def end():
            self._listens.clear()
            # Not listening, but bound: nobody else gets the port.
            self._listener.shutdown(socket.SHUT_RDWR)
            await self._abort_all()
        self._call(end)

    def reset(self):
        self._call(self._abort_all)

    def slow(self, latency, jitter=0.0, bytes_per_second=None):
        async def slow_down():
            self._latency, self._jitter = latency, jitter
            self._bytes_per_second = bytes_per_second
        self._call(slow_down)

    def heal(self):
        async def mend():
            self._latency = self._jitter = 0.0
            self._bytes_per_second = None
            self._flows.set()
            if not self._listens.is_set():
                self._listen()
        self._call(mend)

    def close(self):
        async def end():
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            await self._abort_all()
        if self._thread.is_alive():
            self._call(end)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._listener.close()

    def _call(self, function):
        asyncio.run_coroutine_threadsafe(function(), self._loop).result(CALL_SECONDS)

    async def _start(self):
        self._accepting = self._loop.create_task(self._accept())
        self._listen()

    def _listen(self):
        self._listener.listen(128)
        self._listens.set()

    async def _abort_all(self):
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _accept(self):
        while True:
            await self._listens.wait()
            try:
                client, _ = await self._loop.sock_accept(self._listener)
            except OSError:  # refuse() has come between
                continue
            self.connections += 1
            link = self._loop.create_task(self._serve(client))
            self._links.add(link)
            link.add_done_callback(lambda done, client=client: self._forget(done, client))

    def _forget(self, link, client):
        client.close()  # that of one who never came to run is still open
        self._links.discard(link)

    async def _serve(self, client):
        target, pumps, whole = socket.socket(), [], False
        try:
            for end in (client, target):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.sleep(self._lateness())
            await self._flows.wait()
            await self._loop.sock_connect(target, self._target)
            for source, sink in ((client, target), (target, client)):
                queue = asyncio.Queue(PIECES_UNDER_WAY)
                pumps.append(self._loop.create_task(self._read(source, queue)))
                pumps.append(self._loop.create_task(self._write(queue, sink)))
            await asyncio.gather(*pumps)
            whole = True
        except OSError:  # one side has broken: so does the other, as soon as it can be told
            await self._flows.wait()
        finally:
            for pump in pumps:
                pump.cancel()
            # Nobody waits for a socket any more when it is closed: its number goes to the next.
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (client, target):
                if not whole:
                    with contextlib.suppress(OSError):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_AT_CLOSE)
                end.close()

    def _lateness(self):
        return self._latency + self._jitter * self._chance.random()

    async def _read(self, source, queue):
        arrives = 0.0
        while True:
            piece = await self._loop.sock_recv(source, PIECE)
            now = self._loop.time()
            if self._bytes_per_second:
                arrives = max(arrives, now) + len(piece) / self._bytes_per_second
            arrives = max(arrives, now + self._lateness())
            await queue.put((arrives, piece))
            if not piece:
                return

    async def _write(self, queue, sink):
        while True:
            arrives, piece = await queue.get()
            if arrives > self._loop.time():
                await asyncio.sleep(arrives - self._loop.time())
            await self._flows.wait()
            if not piece:
                with contextlib.suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)
                return
            await self._loop.sock_sendall(sink, piece)
            self.bytes += len(piece)


def _bound_socket():
    """Bound to a free port by its number: only such a one stays bound while it does not listen."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)
    listener.bind(("127.0.0.1", port))
    return listener
