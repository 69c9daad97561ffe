"""An adtally that a test starts, kills and starts again.

    with Adtally(tmp_path) as adtally:
        requests.post(f"{adtally.collector_url}/api/events", json={...})
        adtally.kill9()
        adtally.start()

Promise. Ports are free ones, kept over a restart. The data is in the folder given. Whatever
happens, close() and the end of `with` leave no process behind; only processes started here, or that
work in the data folder (a redis-server that outlived a kill -9), are ever signalled, by their id.
The log of all starts is in one file and is printed when the test fails.
"""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import redis
import requests

from support.ports import PortOffset
from support.wait import eventually

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0  # a build with sanitizers on a busy machine
STOP_SECONDS = 35.0  # adtally promises 30


def binary():
    return Path(os.environ.get("ADTALLY_BINARY", ROOT / "build/release/bin/adtally")).resolve()


def clean_environment(more=None):
    """The environment of an adtally: without ADTALLY_*, which are settings to it and would be those
    of the tests; then `more`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ADTALLY_")}
    return {**own, **(more or {})}


class Adtally:
    def __init__(self, folder, *arguments, subcommand="all", environment=None, data_dir=None):
        """`arguments` are for every start; start() takes more for one."""
        self.folder = Path(folder)
        self.data_dir = Path(data_dir) if data_dir else self.folder / "data"
        self.log_path = self.folder / "adtally.log"
        self.subcommand = subcommand
        self.arguments = list(map(str, arguments))
        self.environment = dict(environment or {})
        self.process = None
        self._ports = PortOffset()
        self.offset = self._ports.value
        self.collector_url = f"http://127.0.0.1:{8085 + self.offset}"
        self.processor_url = f"http://127.0.0.1:{8086 + self.offset}"
        self.redis_port = 6379 + self.offset
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}"
        # No retries inside: a test wants to see the error, and eventually() repeats.
        self.redis = redis.Redis(
            port=self.redis_port, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)

    def __enter__(self):
        try:
            return self if self.is_running else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, *arguments, wait_ready=True):
        assert not self.is_running, "adtally already runs"
        if not binary().exists():
            raise FileNotFoundError(f"{binary()} is not there: ./dev build, or set ADTALLY_BINARY")
        self.data_dir.mkdir(parents=True, exist_ok=True)
        command = [
            str(binary()), self.subcommand, "--port-offset", str(self.offset),
            "--data-dir", str(self.data_dir), *self.arguments, *map(str, arguments)]
        with open(self.log_path, "ab") as log:
            log.write(f"--- {' '.join(command)}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                cwd=self.folder, env=clean_environment(self.environment), start_new_session=True)
        if wait_ready:
            self.wait_ready()
        return self

    def wait_ready(self, deadline=READY_SECONDS):
        """Until the collector and the processor both say that they are ready."""
        eventually(self._ready_or_ended, deadline, "readiness of adtally")
        if not self.is_running:
            raise RuntimeError(f"adtally ended with {self.process.returncode}:\n{self.log_tail()}")

    def _ready_or_ended(self):
        return not self.is_running or (self.is_ready("collector") and self.is_ready("processor"))

    def is_ready(self, service):
        url = {"collector": self.collector_url, "processor": self.processor_url}[service]
        try:
            return requests.get(f"{url}/actuator/health/readiness", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def stop(self, deadline=STOP_SECONDS, how=signal.SIGTERM):
        """SIGTERM, as an operator stops it. Returns the exit code, or fails after `deadline`."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"adtally did not end within {deadline:g} s of SIGTERM") from None

    def kill9(self):
        """SIGKILL: no handler, no flush. Returns when the process is gone."""
        if self.is_running:
            self.process.send_signal(signal.SIGKILL)
        return self.process.wait(10)

    def wait_end(self, deadline=30.0):
        """Until the process ends by itself (an armed crash point, a broken environment)."""
        return self.process.wait(deadline)

    def restart(self, *arguments):
        self.stop()
        return self.start(*arguments)

    def redis_pid(self):
        return self.redis.info("server")["process_id"]

    def kill9_redis(self):
        """SIGKILL to the redis-server that adtally supervises; returns when it is gone."""
        pid = self.redis_pid()
        assert pid in self.leftovers(), f"redis-server {pid} is not of {self.data_dir}"
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not _is_alive(pid), 10, f"the end of redis-server {pid}")
        return pid

    def kill9_all(self):
        """SIGKILL to adtally and its redis-server at once, as when the machine fails."""
        for pid in self.leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        eventually(lambda: not self.leftovers(), 10, "the end of adtally and its redis-server")

    def leftovers(self):
        """The ids of the processes that run in the data folder: adtally and its redis-server."""
        return _processes_in(self.data_dir)

    def pipeline_status(self):
        answer = requests.get(f"{self.processor_url}/api/pipeline/status", timeout=10)
        answer.raise_for_status()
        return answer.json()

    def health(self, service):
        url = {"collector": self.collector_url, "processor": self.processor_url}[service]
        answer = requests.get(f"{url}/actuator/health", timeout=10)
        return answer.status_code, answer.json()

    def not_ready_reasons(self, service):
        """{component: reason} when the service's readiness is 503, None when it is ready."""
        url = {"collector": self.collector_url, "processor": self.processor_url}[service]
        answer = requests.get(f"{url}/actuator/health/readiness", timeout=10)
        if answer.status_code == 200:
            return None
        assert answer.status_code == 503, answer.text
        return {name: part.get("details", {}).get("error")
                for name, part in answer.json()["components"].items() if part["status"] != "UP"}

    def counts(self, entity, kind="ad"):
        """What Redis has counted: {impressions, clicks, conversions} of an ad or a campaign."""
        members = ("impressions", "clicks", "conversions")
        values = self.redis.mget([f"{kind}:metrics:{entity}:{member}" for member in members])
        return {member: int(value or 0) for member, value in zip(members, values)}

    def log_tail(self, lines=80):
        if not self.log_path.exists():
            return "(no log)"
        text = self.log_path.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def close(self):
        """Ends everything. A stop that takes too long is reported after all is gone."""
        try:
            self.stop()
        finally:
            self.redis.close()
            self._end_leftovers()
            self._ports.release()

    def _end_leftovers(self):
        """A redis-server whose parent was killed gets two seconds to end by itself."""
        try:
            eventually(lambda: not _processes_in(self.data_dir), 2)
        except AssertionError:
            for pid in _processes_in(self.data_dir):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            eventually(lambda: not _processes_in(self.data_dir), 10, "the end of what was killed")


def _is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def _processes_in(folder):
    """The ids of living redis-servers and adtallys whose directory or arguments lie in `folder`."""
    folder, found = str(Path(folder).resolve()), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            name = (entry / "comm").read_text(encoding="utf-8").strip()
            directory = os.readlink(entry / "cwd")
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if not name.startswith(("redis-server", "adtally")):
            continue
        paths = [directory, *words]
        if any(p == folder or p.startswith(folder + "/") for p in paths) and _is_alive(entry.name):
            found.append(int(entry.name))
    return found
