"""What is away for a while: Redis, and room on the disk. Collection goes on or says why it does not;
what was acknowledged is counted once everything is back.

OUTAGE_SECONDS says how long Redis is away (5 by default; 30 for the full length).
"""

import contextlib
import os
import signal
import subprocess

import pytest
import redis
import requests

from support import Adtally
from support.books import assert_exact, figures
from support.load import Load
from support.ports import PortOffset
from support.wait import eventually, let_pass

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "5"))
MIB = 1 << 20
DISK_MIB = 64
KEPT_FREE_MIB = 8

pytestmark = pytest.mark.timeout(240 + 4 * OUTAGE_SECONDS)


def readiness(adtally, service):
    url = {"collector": adtally.collector_url, "processor": adtally.processor_url}[service]
    answer = requests.get(f"{url}/actuator/health/readiness", timeout=10)
    return answer.status_code, answer.json()


def not_ready_reasons(adtally, service):
    """{component: reason} once the service says 503, None before."""
    status, body = readiness(adtally, service)
    if status == 200:
        return None
    assert status == 503
    return {name: part["details"]["error"] for name, part in body["components"].items()
            if part["status"] == "DOWN"}


def assert_collects_without_redis(adtally, oracle, load):
    """While Redis is away: 202s, a processor that is not ready and says why, and its liveness."""
    reasons = eventually(lambda: not_ready_reasons(adtally, "processor"), 15, "503 and a reason")
    assert all(reasons.values()), reasons
    status, health = adtally.health("processor")
    assert (status, health["status"]) == (503, "DOWN")
    live = requests.get(f"{adtally.processor_url}/actuator/health/liveness", timeout=10)
    assert live.status_code == 200
    assert adtally.is_ready("collector")

    at_start = oracle.acknowledged_count
    let_pass(OUTAGE_SECONDS)
    load.wait_for(50)
    assert not adtally.is_ready("processor")
    assert adtally.is_running
    return oracle.acknowledged_count - at_start


@contextlib.contextmanager
def frozen(pid):
    """SIGSTOP: the process holds its connections and answers nobody."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_redis_does_not_answer(adtally, oracle, seed, record_property):
    with Load(adtally, oracle, seed) as load:
        load.wait_for(100)
        with frozen(adtally.redis_pid()):
            meanwhile = assert_collects_without_redis(adtally, oracle, load)
        adtally.wait_ready()
        load.wait_for(50)
        load.finish()
    assert set(load.answers) == {202}
    status = assert_exact(adtally, oracle)
    figures(record_property, oracle, status, seconds=OUTAGE_SECONDS, meanwhile=meanwhile)


class ExternalRedis:
    """A redis-server that is not adtally's, on a port of the test's."""

    def __init__(self, folder):
        self.folder = folder
        self._ports = PortOffset()
        self.port = 6379 + self._ports.value
        self.url = f"redis://127.0.0.1:{self.port}/3"
        self.client = redis.Redis(port=self.port, db=3, decode_responses=True, socket_timeout=5)
        self.process = None

    def start(self, appendonly):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", str(self.folder), "--appendonly", "yes" if appendonly else "no"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        eventually(self.client.ping, 20, "an answer of the external Redis")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def close(self):
        self.stop()
        self.client.close()
        self._ports.release()


@pytest.fixture(name="external_redis")
def external_redis_fixture(tmp_path):
    folder = tmp_path / "external-redis"
    folder.mkdir()
    server = ExternalRedis(folder)
    yield server
    server.close()


@pytest.mark.parametrize("keeps_data", [True, False], ids=["keeps its data", "comes back empty"])
def test_an_external_redis_is_stopped_and_comes_back(
        external_redis, make_adtally, oracle, seed, keeps_data, record_property):
    """One that comes back empty is filled again from the log."""
    external_redis.start(appendonly=keeps_data)
    adtally = make_adtally("--redis-url", external_redis.url)
    adtally.redis.close()
    adtally.redis = external_redis.client
    with Load(adtally, oracle, seed) as load:
        load.wait_for(100)
        external_redis.stop()
        meanwhile = assert_collects_without_redis(adtally, oracle, load)
        external_redis.start(appendonly=keeps_data)
        adtally.wait_ready()
        load.wait_for(50)
        load.finish()
    assert set(load.answers) == {202}
    status = assert_exact(adtally, oracle)
    figures(record_property, oracle, status, seconds=OUTAGE_SECONDS, meanwhile=meanwhile)


@pytest.fixture(name="small_disk")
def small_disk_fixture(tmp_path):
    """A file system of DISK_MIB in memory."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder],
        capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(name="on_small_disk")
def on_small_disk_fixture(small_disk, tmp_path, request):
    """An adtally whose data lie on the small disk and that leaves KEPT_FREE_MIB of it free."""
    folder = tmp_path / "adtally-on-small-disk"
    folder.mkdir()
    arguments = ["--set", f"eventlog.min-free-disk-bytes={KEPT_FREE_MIB * MIB}"]
    with Adtally(folder, *arguments, data_dir=small_disk / "data") as adtally:
        yield adtally
        request.node.add_report_section("call", "log", adtally.log_tail())


def free_bytes(folder):
    answer = os.statvfs(folder)
    return answer.f_bavail * answer.f_frsize


def take_room(folder, leaving):
    """A file, as another program's, that leaves so many bytes free."""
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(folder) - leaving)
    return ballast


def large_events(events, count):
    return events.events(count, page_url="https://example.org/" + "a" * 2000)


def assert_full(adtally, collector, events):
    """503 with the reason, for events and for whoever asks how it is."""
    reasons = eventually(lambda: not_ready_reasons(adtally, "collector"), 15, "503 and a reason")
    assert "free on the disk of" in reasons["eventLog"], reasons
    assert "make room" in reasons["eventLog"], reasons
    status, health = adtally.health("collector")
    assert (status, health["status"]) == (503, "DOWN")
    refused = collector.post(events.event())
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert "disk" in refused.json()["detail"]


def test_the_disk_fills_up_and_is_emptied(on_small_disk, small_disk, oracle, events):
    adtally, collector = on_small_disk, Collector_(on_small_disk, oracle)
