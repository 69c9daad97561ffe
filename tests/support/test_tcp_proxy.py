"""The proxy fails as it promises: what the tests of network faults stand on."""

import contextlib
import socket
import socketserver
import threading
import time

import pytest

from support.tcp_proxy import TcpProxy

SECONDS = 10.0
A_MOMENT = 0.1


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            while piece := self.request.recv(4096):
                self.request.sendall(piece)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture(name="proxy")
def proxy_fixture():
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with TcpProxy(server.server_address[1], seed=1) as proxy:
            yield proxy
        server.shutdown()
        thread.join()


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=SECONDS)


def read(connection, size):
    got = b""
    while len(got) < size:
        piece = connection.recv(size - len(got))
        assert piece, got
        got += piece
    return got


def is_silent(connection):
    connection.settimeout(A_MOMENT)
    try:
        connection.recv(1)
        return False
    except TimeoutError:
        return True
    finally:
        connection.settimeout(SECONDS)


def test_it_passes_everything_on_and_the_end_too(proxy):
    sent = bytes(range(256)) * 4096
    with connect(proxy) as connection:
        sender = threading.Thread(target=connection.sendall, args=(sent,))
        sender.start()
        assert read(connection, len(sent)) == sent
        sender.join()
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert proxy.connections == 1 and proxy.bytes == 2 * len(sent)


def test_what_is_sent_into_a_cut_arrives_late_and_in_order(proxy):
    with connect(proxy) as old:
        old.sendall(b"1")
        assert read(old, 1) == b"1"
        proxy.cut()
        old.sendall(b"2")
        with connect(proxy) as new:
            new.sendall(b"a")
            assert is_silent(old) and is_silent(new)
            proxy.heal()
            old.sendall(b"3")
            assert read(old, 2) == b"23"
            assert read(new, 1) == b"a"


def test_it_refuses_and_takes_again_at_the_same_port(proxy):
    with connect(proxy) as old:
        old.sendall(b"1")
        assert read(old, 1) == b"1"
        for _ in range(3):
            proxy.refuse()
            with pytest.raises(ConnectionResetError):
                old.recv(1)
            with pytest.raises(ConnectionRefusedError):
                connect(proxy)
            proxy.heal()
            old.close()
            old = connect(proxy)
            old.sendall(b"2")
            assert read(old, 1) == b"2"
        old.close()


def test_a_reset_ends_what_is_there_and_nothing_else(proxy):
    with connect(proxy) as old, connect(proxy) as other:
        for each in (old, other):
            each.sendall(b"1")
            assert read(each, 1) == b"1"
        proxy.reset()
        for each in (old, other):
            with pytest.raises(ConnectionResetError):
                each.recv(1)
        with connect(proxy) as new:
            new.sendall(b"2")
            assert read(new, 1) == b"2"


def test_slow_is_late_in_both_directions_and_keeps_the_order(proxy):
    with connect(proxy) as connection:
        proxy.slow(latency=A_MOMENT, jitter=A_MOMENT)
        began = time.monotonic()
        for number in range(50):
            connection.sendall(bytes([number]))
        assert read(connection, 50) == bytes(range(50))
        assert time.monotonic() - began >= 2 * A_MOMENT
        proxy.slow(latency=0, bytes_per_second=100_000)
        began = time.monotonic()
        connection.sendall(bytes(20_000))
        assert read(connection, 20_000) == bytes(20_000)
        assert time.monotonic() - began >= A_MOMENT
        proxy.heal()


def test_an_end_within_a_cut_is_told_after_it(proxy):
    with connect(proxy) as client:
        client.sendall(b"1")
        assert read(client, 1) == b"1"
        proxy.cut()
        client.shutdown(socket.SHUT_WR)
        assert is_silent(client)
        proxy.heal()
        assert client.recv(1) == b""
