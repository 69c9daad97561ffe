"""Redis is away for a while: collection goes on, the processor says that it is not ready and why,
and catches up when Redis is back.

OUTAGE_SECONDS says for how long (5 by default; 30 for the full length).
"""

import contextlib
import os
import signal
import subprocess

import pytest
import redis
import requests

from support.books import assert_exact, figures
from support.load import Load
from support.ports import PortOffset
from support.wait import eventually, let_pass

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "5"))

pytestmark = pytest.mark.timeout(240 + 4 * OUTAGE_SECONDS)


def assert_collects_without_redis(adtally, oracle, load):
    """Stays for the outage; returns how many events were acknowledged in it."""
    reasons = eventually(lambda: adtally.not_ready_reasons("processor"), 15, "503 and a reason")
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
    return oracle.acknowledged_count - at_start


def assert_catches_up(adtally, oracle, load):
    """Returns the status of the pipeline when it has."""
    adtally.wait_ready()
    load.wait_for(50)
    load.finish()
    assert set(load.answers) == {202}
    return assert_exact(adtally, oracle)


@contextlib.contextmanager
def frozen(pid):
    """SIGSTOP: the process keeps its connections and answers nobody."""
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
        status = assert_catches_up(adtally, oracle, load)
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
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--dir", str(self.folder), "--appendonly", "yes" if appendonly else "no"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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


@pytest.mark.parametrize("keeps_data", [True, False], ids=["keeps_its_data", "comes_back_empty"])
def test_an_external_redis_is_stopped_and_started(
        external_redis, make_adtally, oracle, seed, keeps_data, record_property):
    """One that comes back empty is filled again from the log."""
    external_redis.start(appendonly=keeps_data)
    adtally = make_adtally("--redis-url", external_redis.url)
    adtally.redis.close()
    adtally.redis = external_redis.client
    assert len(adtally.leftovers()) == 1, "adtally started a Redis of its own"
    with Load(adtally, oracle, seed) as load:
        load.wait_for(100)
        external_redis.stop()
        meanwhile = assert_collects_without_redis(adtally, oracle, load)
        external_redis.start(appendonly=keeps_data)
        status = assert_catches_up(adtally, oracle, load)
    figures(record_property, oracle, status, seconds=OUTAGE_SECONDS, meanwhile=meanwhile)
