"""One Apache Kafka broker in KRaft mode: its jars, its data directory, its process.

    broker = KafkaBroker(data_directory, port)
    broker.start(); …; broker.stop()      # or broker.kill9(), and start() again on the same data

The jars come from Maven Central by the versions of pom.xml beside this file and are kept in
$XDG_CACHE_HOME/adtally (~/.cache/adtally): the first start needs the network, the others do not.
Needs: java 17 or newer; mvn for the first start.
"""

import base64
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass

from folder_lock import CannotStart, lock_folder

HERE = pathlib.Path(__file__).resolve().parent
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 30
ASK_AGAIN_S = 0.1
LAST_WORDS_BYTES = 64 << 10


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "adtally"


def need(command, package):
    if shutil.which(command) is None:
        raise CannotStart(f"{command} is not installed: apt-get install {package}")


def fetch_jars(say=lambda text: None):
    """The directory of the broker's jars, named by what pom.xml asks for."""
    pom = HERE / "pom.xml"
    version = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    jars = cache_directory() / f"kafka-{version}"
    if jars.is_dir():
        return jars
    need("mvn", "maven")
    say(f"fetching Apache Kafka from Maven Central to {jars} (about 60 MB, once)")
    # Several may fetch at once: each into a directory of its own, the first to end gives its name.
    fresh = jars.with_name(f"{jars.name}.{os.getpid()}")
    jars.parent.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", "--file", str(pom), "dependency:copy-dependencies",
         f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"],
        capture_output=True, text=True, check=False)
    if result.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        words = (result.stdout + result.stderr).strip().splitlines()
        raise CannotStart("Maven could not fetch Apache Kafka: " + (words[0] if words else "?"))
    try:
        fresh.rename(jars)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
    return jars


_reserved = []


def free_port():
    """Kept for this process: a bound socket that does not listen keeps the kernel from giving the
    port to a connection meanwhile, and lets a server that sets SO_REUSEADDR (all of ours, Kafka and
    Redis) listen there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", port))
    _reserved.append(kept)
    return port


def answers(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def port_in_use(port):
    return CannotStart(f"port {port} is in use (by whom: ss -ltnp 'sport = :{port}'); stop that "
                       "process (./dev down, if it is adtally's), or move all ports with "
                       "--port-offset")


@dataclass(frozen=True)
class Listener:
    """One more address of a broker: what is connected there is told to go on at `advertised`."""

    name: str
    port: int
    protocol: str = "PLAINTEXT"
    advertised: str = ""  # host:port; empty: the address itself

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


class KafkaBroker:
    """Threads: one. The address is 127.0.0.1:port; the controller takes another free port. The
    directory is locked before it is touched and as long as the broker's process lives.

    `settings` are lines of server.properties that win over ours; `listeners` are further ones,
    beside the plain one of the address, which brokers and tools use.
    """

    def __init__(self, directory, port, say=lambda text: None, settings=None, listeners=()):
        self.directory = pathlib.Path(directory)
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.process = None
        self.log = self.directory / "broker.log"
        self._say = say
        self._settings = settings or {}
        self._listeners = [Listener("PLAINTEXT", port), *listeners]

    def start(self, cancelled=lambda: False):
        """Returns when clients are answered. On data that is there already, goes on with it.
        `cancelled` is asked while it waits: then it raises."""
        self.spawn()
        self._await_start(cancelled)

    def spawn(self):
        """Returns its process at once, before it answers."""
        need("java", "default-jre-headless")
        jars = fetch_jars(self._say)
        if answers(self.port):
            raise port_in_use(self.port)
        with lock_folder(self.directory) as lock:
            properties = self.directory / "server.properties"
            properties.write_text(self._properties())
            if not (self.directory / "data" / "meta.properties").exists():
                self._format(jars, properties)
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    self._java(jars, "kafka.Kafka", str(properties)), stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True, pass_fds=[lock.fileno()])
        return self.process

    def stop(self):
        """As SIGTERM ends it: everything is on the disk."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def tool(self, main, *arguments, stdin="", told_where=True):
        """Runs one of Kafka's own command line tools to its end; what it printed. `main`: a class
        of org.apache.kafka.tools, or a full name. `told_where`: it takes --bootstrap-server."""
        name = main if "." in main else f"org.apache.kafka.tools.{main}"
        where = ["--bootstrap-server", self.address] if told_where else []
        result = subprocess.run(
            [*self._java(fetch_jars(self._say), name), *where, *arguments],
            input=stdin, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{main} failed: {result.stderr or result.stdout}")
        return result.stdout

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def _java(self, jars, main, *arguments):
        return ["java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{jars}/*", main, *arguments]

    def _format(self, jars, properties):
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # In one word: an id may begin with a dash.
        result = subprocess.run(
            self._java(jars, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}",
                       "--config", str(properties)),
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise CannotStart(f"{self.directory} could not be made a Kafka's: "
                              + (result.stderr or result.stdout).strip().splitlines()[-1])

    def _await_start(self, cancelled):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if answers(self.port):
                return
            if cancelled():
                raise CannotStart("stopped before Kafka answered")
            try:
                self.process.wait(ASK_AGAIN_S)
            except subprocess.TimeoutExpired:
                continue
            raise CannotStart(f"Kafka ended at its start; its last words: {self.last_words()}")
        self.kill9()
        raise CannotStart(f"Kafka did not answer on {self.address} in {START_TIMEOUT_S} s; its "
                          f"log is {self.log}")

    def last_words(self):
        """The last line of the log that is no part of a stack trace."""
        if not self.log.exists():
            return "none"
        with open(self.log, "rb") as log:
            log.seek(max(0, self.log.stat().st_size - LAST_WORDS_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        said = [line for line in lines if line.strip() and not line.startswith(("\t", " "))]
        return said[-1].strip() if said else "none"

    def _properties(self):
        controller = Listener("CONTROLLER", self._remembered_controller_port())
        everyone = [*self._listeners, controller]
        cores = len(os.sched_getaffinity(0))
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "listeners": ",".join(f"{each.name}://{each.address}" for each in everyone),
            "advertised.listeners": ",".join(
                f"{each.name}://{each.advertised or each.address}" for each in self._listeners),
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": controller.name,
            "controller.quorum.voters": f"1@{controller.address}",
            "listener.security.protocol.map": ",".join(
                f"{each.name}:{each.protocol}" for each in everyone),
            "log.dirs": self.directory / "data",
            # One broker: nothing can be copied to another. It survives kill -9 (the page cache
            # stays); against a power cut there are several brokers, or these two settings.
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "offsets.topic.num.partitions": 4,
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "log.retention.hours": 168,
            # Kafka's defaults, 3 and 8, but on few cores: there they take turns, and every answer
            # waits (docs/BENCHMARKS.md).
            "num.network.threads": min(3, max(1, cores // 2)),
            "num.io.threads": min(8, max(2, cores)),
        }
        settings.update(self._settings)
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _remembered_controller_port(self):
        """The voters' addresses are part of the data: the port stays the same over restarts."""
        note = self.directory / "controller.port"
        if not note.exists():
            note.write_text(str(free_port()))
        return int(note.read_text())
