"""How adtally starts, or says in one line why it does not, and how it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support import Collector
from support.books import assert_exact, figures
from support.harness import binary, clean_environment
from support.load import Load
from support.ports import PORTS, PortOffset
from support.wait import eventually

STOP_SECONDS = 30


@pytest.fixture(name="offset")
def offset_fixture():
    ports = PortOffset()
    yield ports.value
    ports.release()


def refuses_to_start(offset, data_dir, environment=None):
    """Starts adtally, which must end by itself; returns the one line it says on stderr."""
    ended = subprocess.run(
        [binary(), "all", "--port-offset", str(offset), "--data-dir", data_dir],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        env=clean_environment(environment))
    assert ended.returncode == 1, ended
    lines = ended.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("adtally: "), ended.stderr
    return lines[0]


def assert_nothing_listens(offset, but=()):
    for port in PORTS:
        with socket.socket() as probe:
            listens = probe.connect_ex(("127.0.0.1", port + offset)) == 0
            assert listens == (port in but), port + offset


@pytest.mark.parametrize("port", PORTS)
def test_a_port_in_use(tmp_path, offset, port):
    with socket.create_server(("127.0.0.1", port + offset)):
        line = refuses_to_start(offset, tmp_path / "data")
        assert f"port {port + offset} is" in line and "in use" in line
        assert "--port-offset" in line
        assert_nothing_listens(offset, but=[port])
    assert_nothing_listens(offset)


def test_no_redis_server(tmp_path, offset):
    line = refuses_to_start(offset, tmp_path / "data", {"PATH": str(tmp_path)})
    assert "redis-server is not installed" in line
    assert "apt-get install redis-server" in line and "--redis-url" in line
    assert_nothing_listens(offset)


def test_a_data_directory_in_use(adtally, offset):
    line = refuses_to_start(offset, adtally.data_dir)
    assert f"{adtally.data_dir} is in use" in line and "--data-dir" in line
    assert_nothing_listens(offset)
    assert adtally.is_ready("collector") and adtally.is_ready("processor")
    assert len(adtally.leftovers()) == 2


def test_an_unknown_setting_in_the_environment_is_named(tmp_path, offset):
    ended = subprocess.run(
        [binary(), "all", "--port-offset", str(offset), "--data-dir", tmp_path / "data"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        env=clean_environment({"ADTALLY_COLLECTOR_PROT": "1"}))
    assert ended.returncode == 1
    assert "ADTALLY_COLLECTOR_PROT" in ended.stderr
    assert "did you mean ADTALLY_COLLECTOR_PORT?" in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_under_load_loses_nothing(adtally, oracle, seed, how, record_property):
    with Load(adtally, oracle, seed) as load:
        load.wait_for(300)
        assert adtally.stop(STOP_SECONDS, how) == 0
        assert adtally.leftovers() == []
        load.abandon()
    assert_nothing_listens(adtally.offset)
    assert oracle.acknowledged_count >= 300
    adtally.start()
    status = assert_exact(adtally, oracle)
    figures(record_property, oracle, status, answers=dict(load.answers))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_stops_in_order(make_adtally, how):
    """It counts what it has accepted before it ends, and Redis ends with it."""
    demo = make_adtally(subcommand="demo")
    eventually(lambda: demo.pipeline_status()["counted"] > 500, 60, "counted events of the demo")
    assert demo.stop(how=how) == 0
    assert demo.leftovers() == []


def test_a_start_is_given_up_while_redis_loads(adtally, tmp_path):
    """With exit code 0, at once, and nothing is lost."""
    with adtally.redis.pipeline(transaction=False) as commands:
        for i in range(20_000):
            commands.set(f"key:{i}", "value")
        commands.execute()
    assert adtally.stop() == 0
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "redis-server").write_text(
        f'#!/bin/sh\nexec {shutil.which("redis-server")} "$@" --key-load-delay 2000\n')
    (slow / "redis-server").chmod(0o755)
    adtally.environment["PATH"] = f"{slow}:{os.environ['PATH']}"
    adtally.start(wait_ready=False)
    eventually(lambda: "redis_loading" in adtally.log_tail(), 30, "a Redis that loads")
    assert adtally.stop(deadline=15) == 0
    assert "nothing is lost" in adtally.log_tail()
    assert adtally.leftovers() == []

    del adtally.environment["PATH"]
    adtally.start()
    assert adtally.redis.get("key:19999") == "value"


def test_a_stop_without_load_leaves_nothing_to_be_counted_at_the_next_start(
        adtally, collector, oracle, events):
    collector.deliver(events.events(500))
    counted = assert_exact(adtally, oracle)
    assert adtally.stop(STOP_SECONDS) == 0
    adtally.start()
    assert assert_exact(adtally, oracle) == counted
    collector.deliver(events.events(20))
    assert assert_exact(adtally, oracle)["counted"] == 520


def test_ids_from_before_a_restart_are_known(adtally, collector, oracle, events):
    before = events.events(100)
    collector.deliver(before)
    adtally.restart()
    collector.deliver(before)
    status = assert_exact(adtally, oracle)
    assert (status["counted"], status["duplicates"]) == (100, 100)


def listening_ports(pids):
    """The TCP ports that these processes listen on."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and columns[9] in inodes:
                ports.add(int(columns[1].rpartition(":")[2], 16))
    return ports


def test_the_port_offset_moves_every_port(make_adtally):
    """So that two run side by side."""
    for adtally in [make_adtally(), make_adtally()]:
        moved = {port + adtally.offset for port in PORTS}
        assert listening_ports(adtally.leftovers()) == moved


def begun(url_port, text):
    """A connection on which the beginning of a request has been sent."""
    connection = socket.create_connection(("127.0.0.1", url_port), timeout=20)
    connection.sendall(text)
    return connection


def rest_of(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    connection.close()
    return b"".join(parts).decode()


def test_what_has_begun_is_finished_and_readiness_is_503_meanwhile(adtally, oracle, events):
    """The drain is held open by requests that the stop finds half-way."""
    port = 8085 + adtally.offset
    collector = Collector(adtally, oracle)
    collector.deliver(events.events(10))  # what is sent next is read after this
    event = events.event(event_id="half-way", type="impression", ad_id=77)
    body = json.dumps(event).encode()
    post = begun(port, (
        "POST /api/events HTTP/1.1\r\nHost: adtally\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n").encode() + body[:10])
    ready = begun(port, b"GET /actuator/health/readiness HTTP/1.1\r\nHost: adtally\r\n")
    collector.deliver(events.events(10))

    adtally.process.send_signal(signal.SIGTERM)
    eventually(lambda: refused(port), 10, "a closed port")
    ready.sendall(b"\r\n")
    answer = rest_of(ready)
    assert answer.startswith("HTTP/1.1 503"), answer
    assert "OUT_OF_SERVICE" in answer
    oracle.sent(event)
    post.sendall(body[10:])
    answer = rest_of(post)
    assert answer.startswith("HTTP/1.1 202"), answer
    oracle.acknowledged(event)
    assert adtally.process.wait(STOP_SECONDS) == 0

    adtally.start()
    assert_exact(adtally, oracle)
    assert adtally.counts(77)["impressions"] == 1


def refused(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
