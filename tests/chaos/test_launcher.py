"""`./dev up --stack full` goes on with what it has when one of its parts does not."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
import redis
import requests

from support import Collector
from support.cluster import CannotStart, KafkaBroker, free_port, lock_folder
from support.harness import ROOT, binary, clean_environment
from support.ports import PortOffset
from support.wait import eventually

START_SECONDS = 120.0
META = "kafka/data/meta.properties"


class Launcher:
    """full_stack.py with its children, which are found by what they were told, among its own."""

    def __init__(self, folder, *words, log="launcher.log"):
        self.data = folder / "full"
        self._ports = PortOffset()
        offset = self._ports.value
        self.collector_url = f"http://127.0.0.1:{8085 + offset}"
        self.processor_url = f"http://127.0.0.1:{8086 + offset}"
        self.redis_port = 6379 + offset
        self.log_path = folder / log
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "deploy/full/full_stack.py"), "--adtally",
                 str(binary()), "--data-dir", str(self.data), "--port-offset", str(offset),
                 *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env=clean_environment(), start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        print(self.said())
        self.stop(signal.SIGTERM)
        self._ports.release()

    def said(self):
        return self.log_path.read_text(encoding="utf-8")

    def child(self, words):
        """The process id of the child whose command line holds the words; nothing: none does."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        for pid in [each for task in tasks.glob("*/children") for each in task.read_text().split()]:
            try:
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if words in command.replace(b"\0", b" ").decode():
                return int(pid)
        return None

    def kill9(self, words):
        pid = self.child(words)
        assert pid is not None, f"no child {words}"
        subprocess.run(["kill", "-9", str(pid)], check=True)

    def wait_for(self, words, deadline=START_SECONDS):
        eventually(lambda: words in self.said() or self.process.poll() is not None, deadline,
                   f"'{words}' of the launcher")
        assert words in self.said(), self.said()

    def wait_ready(self, url):
        def ready():
            try:
                return requests.get(f"{url}/actuator/health/readiness", timeout=5).ok
            except requests.RequestException:
                return False
        eventually(ready, START_SECONDS, f"readiness of {url}")

    def stop(self, how, deadline=60.0):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(deadline)

    def pipeline_status(self):
        answer = requests.get(f"{self.processor_url}/api/pipeline/status", timeout=10)
        return answer.json() if answer.ok else {}


@pytest.mark.timeout(420)
def test_a_broker_that_does_not_come_back_stops_nobody_else(tmp_path, events):
    with Launcher(tmp_path) as launcher:
        launcher.wait_for("started; Ctrl-C stops it")
        launcher.wait_ready(launcher.collector_url)
        launcher.wait_ready(launcher.processor_url)
        Collector(launcher).deliver(events.events(100))
        assert "kafka.instance=" in processor_words(launcher)

        meta = launcher.data / META
        right = meta.read_bytes()
        meta.write_bytes(b"what no broker can read\n")
        launcher.kill9("kafka.Kafka")
        launcher.wait_for("Kafka ended with 1 ")  # and its start after it
        launcher.wait_for("starting it again in 2 s")

        # Collection goes on, by the spool, and the others are looked after.
        Collector(launcher).deliver(events.events(100))
        launcher.kill9(" processor ")
        launcher.wait_for("processor-1 ended with -9")
        eventually(lambda: launcher.child(" processor "), START_SECONDS, "another processor")

        meta.write_bytes(right)
        launcher.wait_for("Kafka answers again")
        eventually(lambda: launcher.pipeline_status().get("counted") == 200, START_SECONDS,
                   "all that was acknowledged is counted")
        assert launcher.pipeline_status()["balanced"]

        # Heard also while the broker is away.
        meta.write_bytes(b"again\n")
        before = launcher.said().count("Kafka ended")
        launcher.kill9("kafka.Kafka")
        eventually(lambda: launcher.said().count("Kafka ended") >= before + 2, START_SECONDS,
                   "a start that failed")
        assert launcher.stop(signal.SIGINT) == 0
        assert "full stack: stopping" in launcher.said()


@pytest.mark.timeout(420)
def test_a_second_start_from_the_same_folder_is_refused_and_harms_nobody(tmp_path, events):
    """On other ports too: two brokers on one directory cut each other's metadata."""
    with Launcher(tmp_path) as launcher:
        launcher.wait_for("started; Ctrl-C stops it")
        launcher.wait_ready(launcher.collector_url)
        launcher.wait_ready(launcher.processor_url)
        Collector(launcher).deliver(events.events(100))

        with Launcher(tmp_path, log="second.log") as second:
            assert second.process.wait(START_SECONDS) == 1
            assert second.said().count("\n") == 1, second.said()
            assert "--data-dir" in second.said() and "--port-offset" in second.said()
            assert f"{launcher.data} is in use by process " in second.said()
            assert f" {launcher.process.pid} (python" in second.said()

        # What another program starts there is refused as well, by the broker's own lock.
        broker = launcher.child("kafka.Kafka")
        with pytest.raises(CannotStart, match=rf"process {broker} \(java\)"):
            KafkaBroker(launcher.data / "kafka", free_port()).start()

        Collector(launcher).deliver(events.events(100))
        eventually(lambda: launcher.pipeline_status().get("counted") == 200, START_SECONDS,
                   "all that was acknowledged is counted")
        assert launcher.pipeline_status()["balanced"]
        launcher.kill9("kafka.Kafka")  # and what it had written can still be read
        launcher.wait_for("Kafka answers again")
        assert launcher.child("kafka.Kafka") not in (None, broker)
        assert "CorruptRecord" not in (launcher.data / "kafka/broker.log").read_text()


@pytest.mark.timeout(180)
def test_what_a_killed_launcher_left_running_keeps_the_folder(tmp_path):
    """Its Redis still appends to the file that another would append to."""
    with Launcher(tmp_path, "--kafka", "127.0.0.1:1") as launcher:
        launcher.wait_for("started; Ctrl-C stops it")
        left = [launcher.child(words) for words in ("redis-server", " processor ", " collector ")]
        assert None not in left
        assert "Kafka does not answer at 127.0.0.1:1: " in launcher.said()
        launcher.stop(signal.SIGKILL)
        try:
            with Launcher(tmp_path, "--kafka", "127.0.0.1:1", log="second.log") as second:
                assert second.process.wait(START_SECONDS) == 1
                assert all(f"{pid} (" in second.said() for pid in left), second.said()
        finally:
            for pid in left:
                os.kill(pid, signal.SIGTERM)
        eventually(lambda: is_unlocked(launcher.data), 60, "the end of all three")
        with Launcher(tmp_path, "--kafka", "127.0.0.1:1", log="third.log") as third:
            third.wait_for("started; Ctrl-C stops it")


def test_a_redis_of_ones_own_is_refused_in_one_line(tmp_path):
    with Launcher(tmp_path, "--redis-url", "redis://127.0.0.1:1") as launcher:
        assert launcher.process.wait(START_SECONDS) == 2
        assert launcher.said().count("\n") == 1 and "docs/OPERATIONS.md" in launcher.said()
        assert not launcher.data.exists()


def is_unlocked(folder):
    try:
        lock_folder(folder).close()
    except CannotStart:
        return False
    return True


def processor_words(launcher):
    pid = launcher.child(" processor ")
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_what_a_torn_write_left_is_cut_off_before_redis_starts(tmp_path):
    """Redis would take the beginning of a transaction for one that goes on with what comes next."""
    directory = tmp_path / "full/redis/appendonlydir"
    directory.mkdir(parents=True)
    manifest = directory / "appendonly.aof.manifest"
    manifest.write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    whole = (b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
             b"*3\r\n$3\r\nSET\r\n$5\r\nwhole\r\n$1\r\n1\r\n")
    torn = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1\r\n1\r\n*3\r\n$3\r\nSE"
    file = directory / "appendonly.aof.1.incr.aof"
    file.write_bytes(whole + torn)
    with Launcher(tmp_path, "--kafka", "127.0.0.1:1") as launcher:
        client = redis.Redis(port=launcher.redis_port, decode_responses=True)

        def answers():
            try:
                return client.get("whole")
            except redis.ConnectionError:
                return None
        assert eventually(answers, 30, "Redis") == "1"
        assert client.get("half") is None
        assert b"MULTI" not in file.read_bytes()[:len(whole) + len(torn)]
        assert f"{len(torn)} bytes cut off" in (launcher.data / "redis.log").read_text()
        client.close()
