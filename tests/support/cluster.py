"""A full stack that a test starts, breaks and mends: Kafka, Redis, collectors, processors.

    with Cluster(tmp_path, collectors=2, processors=3) as cluster:
        cluster.processors[0].kill9()
        cluster.broker.kill9(); cluster.broker.start()

To the oracle, the clients and the load it is what an Adtally is: collector_url (the next collector
in turn), redis, pipeline_status(). Ports are free ones, kept over restarts; whatever happens, the
end of `with` leaves no process behind, and only processes started here are ever signalled.
"""

import contextlib
import itertools
import signal
import subprocess
import sys

import redis
import requests

from support.harness import READY_SECONDS, ROOT, STOP_SECONDS, binary, clean_environment
from support.wait import eventually

sys.path.insert(0, str(ROOT / "deploy/full"))

from folder_lock import CannotStart, lock_folder  # noqa: E402, F401
from kafka_broker import KafkaBroker, Listener, free_port  # noqa: E402, F401


class Process:
    """One that is started, signalled and started again with the same words."""

    def __init__(self, folder, name, *command):
        self.folder, self.name = folder, name
        self.command = [str(word) for word in command]
        self.log_path = folder / f"{name}.log"
        self.process = None
        self.frozen = False

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        assert not self.is_running, f"{self.name} already runs"
        with open(self.log_path, "ab") as log:
            log.write(f"--- {' '.join(self.command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=self.folder, env=clean_environment(), start_new_session=True)
        return self

    def kill9(self):
        self.process.kill()
        return self.process.wait(10)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    def stop(self):
        """SIGTERM; the exit code, or fails."""
        if self.process is None:
            return None
        if self.is_running:
            self.thaw()
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} did not end within {STOP_SECONDS:g} s") from None

    def log_tail(self, lines=30):
        if not self.log_path.exists():
            return "(no log)"
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])


class Service(Process):
    """A collector or a processor."""

    def __init__(self, folder, kind, number, kafka, redis_url, *settings):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        name = f"{kind}-{number}"
        super().__init__(folder, name, binary(), kind, "--kafka", kafka, "--redis-url", redis_url,
                         "--data-dir", folder / name, "--set", f"{kind}.port={self.port}",
                         *settings)

    def is_ready(self):
        try:
            url = f"{self.url}/actuator/health/readiness"
            return requests.get(url, timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def health(self):
        return requests.get(f"{self.url}/actuator/health", timeout=10).json()

    def wait_ready(self, deadline=READY_SECONDS):
        eventually(lambda: self.is_ready() or not self.is_running, deadline,
                   f"readiness of {self.name}")
        assert self.is_running, f"{self.name} ended:\n{self.log_tail()}"


class Cluster:
    def __init__(self, folder, collectors=1, processors=1, settings=(), broker=None, kafka=None,
                 named_members=True):
        """`broker`: one with settings of the test's own. `kafka`: what the services are told of it,
        when it is not its address. `named_members`: each processor has a fixed name in the group,
        as `./dev up` and the units of systemd give it."""
        self.folder = folder
        self.broker = broker or KafkaBroker(folder / "kafka", free_port())
        self.redis_port = free_port()
        self.redis_server = Process(
            folder, "redis", "redis-server", "--port", self.redis_port, "--bind", "127.0.0.1",
            "--dir", folder, "--appendonly", "yes", "--aof-load-truncated", "yes", "--save", "")
        self.redis = redis.Redis(port=self.redis_port, decode_responses=True, socket_timeout=5,
                                 socket_connect_timeout=5)
        self._kafka = kafka or self.broker.address
        self._named_members = named_members
        words = [word for each in settings for word in ("--set", each)]
        self.collectors = self._services("collector", collectors, words)
        self.processors = self._services("processor", processors, words)
        self._turn = itertools.count()

    def _services(self, kind, count, words):
        def name(number):
            is_named = self._named_members and kind == "processor"
            return ["--set", f"kafka.instance={kind}-{number}"] if is_named else []

        return [Service(self.folder, kind, number, self.kafka_of(kind), self.redis_of(kind),
                        *name(number), *words) for number in range(count)]

    def kafka_of(self, kind):
        """What a service of this kind is told of Kafka."""
        return self._kafka

    def redis_of(self, kind):
        return f"redis://127.0.0.1:{self.redis_port}"

    @property
    def services(self):
        return [*self.processors, *self.collectors]

    @property
    def collector_url(self):
        return self.collectors[next(self._turn) % len(self.collectors)].url

    @property
    def processor_url(self):
        """Of one that answers: not a frozen one."""
        return next(each.url for each in self.processors if each.is_running and not each.frozen)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def start(self):
        self.redis_server.start()
        self.broker.start()
        self.start_services()
        self.wait_ready()
        return self

    def start_services(self):
        for service in self.services:
            service.start()

    def wait_ready(self):
        for service in self.services:
            service.wait_ready()

    def pipeline_status(self):
        """As any processor tells it: the books are Redis', the ends Kafka's."""
        answer = requests.get(f"{self.processor_url}/api/pipeline/status", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def spooled(self):
        """Events that collectors have answered for and not yet passed on to Kafka."""
        components = [each.health()["components"] for each in self.collectors if each.is_running]
        return sum(int(each["eventLog"]["details"]["spoolEvents"]) for each in components)

    def log_tail(self):
        parts = [self.redis_server, *self.services]
        return "\n".join(f"--- {part.name}\n{part.log_tail()}" for part in parts)

    def close(self):
        failures = []
        for part in [*self.collectors, *self.processors, self.redis_server]:
            try:
                part.stop()
            except AssertionError as error:
                failures.append(str(error))
        with contextlib.suppress(Exception):
            self.redis.close()
        self.broker.stop()
        assert not failures, failures
