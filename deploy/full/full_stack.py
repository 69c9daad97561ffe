#!/usr/bin/env python3
"""The full stack on this machine: Apache Kafka, Redis, and every service as a process of its own.

    full_stack.py --adtally build/release/bin/adtally --data-dir data/full [--collectors N]
                  [--processors N] [--port-offset N] [--kafka host:port,…] [--config FILE]
                  [--set KEY=VALUE …]

`./dev up --stack full` calls it. Whatever ends by itself is started again and said so, after a
second at first and after half a minute at most; what cannot be started again is tried again, while
the others go on. Ctrl-C or SIGTERM stops everything that was started here, services first.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from folder_lock import lock_folder
from kafka_broker import START_TIMEOUT_S, CannotStart, KafkaBroker, answers, need, port_in_use

STOP_TIMEOUT_S = 35
# What ends at once is not started again at once: each time it takes twice as long.
RESTART_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
# What has run so long had not failed to start.
STEADY_S = 30.0
LOOK_AGAIN_S = 0.2
# Between two instances of one service.
INSTANCE_OFFSET = 100
# Redis reads an append-only file that ends within a transaction as if it did not, and counts half a
# flush twice: what a torn write left is cut off before each start.
MEND_THEN_RUN = '"$1" mend-redis --may-be-new "$2" || exit; shift 2; exec "$@"'


def say(text):
    print(f"full stack: {text}", file=sys.stderr, flush=True)


class Child:
    """A process that is started again when it ends. `look` never waits."""

    def __init__(self, name, command, log, lock=None):
        self.name, self.command, self.log = name, command, log
        self._lock = lock  # of the folder, which it goes on using should this process be killed
        self.process = None
        self._started_at = 0.0
        self._not_before = 0.0
        self._pause = RESTART_PAUSE_S

    def start(self):
        self._started_at = time.monotonic()
        self.process = self._spawn()

    def look(self):
        now = time.monotonic()
        if self.process is None:
            if now >= self._not_before:
                self._start_again()
        elif self.process.poll() is None:
            self._look_running(now - self._started_at)
        else:
            code, self.process = self.process.returncode, None
            self._wait_longer(now - self._started_at >= STEADY_S)
            say(f"{self.name} ended with {code} (log: {self.log}{self._last_words(code)}); "
                f"starting it again in {self._pause:g} s")

    def ask_to_stop(self):
        if self.process is not None:
            self._signal(signal.SIGTERM)

    def await_stop(self):
        if self.process is None:
            return
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            say(f"{self.name} does not stop within {STOP_TIMEOUT_S} s; killing it")
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _spawn(self):
        with open(self.log, "ab") as log:
            return subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True,
                                    pass_fds=[self._lock.fileno()] if self._lock else [])

    def _start_again(self):
        try:
            self.start()
        except (CannotStart, OSError) as reason:
            self._wait_longer(False)
            say(f"{self.name} cannot be started: {reason}; trying again in {self._pause:g} s")

    def _wait_longer(self, was_steady):
        """Twice the pause that was waited before, unless this is the first end in a while."""
        first = was_steady or self._not_before == 0
        self._pause = RESTART_PAUSE_S if first else min(2 * self._pause, LONGEST_PAUSE_S)
        self._not_before = time.monotonic() + self._pause

    def _look_running(self, seconds):
        pass

    def _last_words(self, _code):
        return ""

    def _signal(self, number):
        # To its group, which it leads: what it runs before itself hears it too.
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Broker(Child):
    """Kafka of our own. One that neither ends nor answers is killed, and started again as well."""

    def __init__(self, broker):
        super().__init__("Kafka", [], broker.log)
        self._broker = broker
        self._answers = False

    def start_and_wait(self, cancelled):
        self._started_at = time.monotonic()
        try:
            self._broker.start(cancelled)
        finally:
            self.process = self._broker.process
        self._answers = True

    def _spawn(self):
        self._answers = False
        return self._broker.spawn()

    def _look_running(self, seconds):
        if self._answers:
            return
        self._answers = answers(self._broker.port)
        if self._answers:
            say("Kafka answers again")
        elif seconds > START_TIMEOUT_S:
            say(f"Kafka does not answer within {START_TIMEOUT_S} s; killing it")
            self._signal(signal.SIGKILL)

    def _last_words(self, code):
        # Who was killed did not know it.
        return f", its last words: {self._broker.last_words()}" if code > 0 else ""


class FullStack:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(options.data_dir)
        self.lock = None
        self.broker = None
        self.redis = None
        self.services = []

    def start(self, cancelled):
        # Held until this process and all that it started have ended.
        self.lock = lock_folder(self.directory)
        offset = self.options.port_offset
        kafka = self.options.kafka or self._start_kafka(9092 + offset, cancelled)
        self._start_redis(6379 + offset)
        common = ["--kafka", kafka, "--redis-url", f"redis://127.0.0.1:{6379 + offset}"]
        if self.options.config:
            common += ["--config", self.options.config]
        for setting in self.options.set:
            common += ["--set", setting]
        # From the sink to the source.
        for kind, port, count in (("processor", 8086, self.options.processors),
                                  ("collector", 8085, self.options.collectors)):
            for number in range(count):
                shift = offset + number * INSTANCE_OFFSET
                name = f"{kind}-{number + 1}"
                words = [self.options.adtally, kind, "--port-offset", str(shift), *common,
                         "--data-dir", str(self.directory / name)]
                if kind == "processor":
                    words += ["--set", f"kafka.instance={instance_name(port + shift)}"]
                child = Child(name, words, self.directory / f"{name}.log", self.lock)
                if answers(port + shift):
                    raise port_in_use(port + shift)
                child.start()
                self.services.append(child)
                say(f"{name} on :{port + shift}")
        if self.options.kafka and not any(map(answers_at, self.options.kafka.split(","))):
            say(f"Kafka does not answer at {self.options.kafka}: collectors keep events on disk, "
                "nothing is counted until it does")

    def _start_kafka(self, port, cancelled):
        broker = KafkaBroker(self.directory / "kafka", port, say)
        self.broker = Broker(broker)
        self.broker.start_and_wait(cancelled)
        say(f"Apache Kafka on :{port}")
        return broker.address

    def _start_redis(self, port):
        need("redis-server", "redis-server")
        if answers(port):
            raise port_in_use(port)
        directory = self.directory / "redis"
        directory.mkdir(exist_ok=True)
        server = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir",
                  str(directory), "--appendonly", "yes", "--aof-load-truncated", "yes",
                  "--save", "", "--maxmemory-policy", "noeviction"]
        words = ["sh", "-c", MEND_THEN_RUN, "sh", self.options.adtally, str(directory), *server]
        self.redis = Child("redis", words, self.directory / "redis.log", self.lock)
        self.redis.start()
        say(f"Redis on :{port}")

    def look(self):
        for child in [self.broker, self.redis, *self.services]:
            if child is not None:
                child.look()

    def stop(self):
        for child in self.services:
            child.ask_to_stop()
        for child in self.services:
            child.await_stop()
        for child in (self.redis, self.broker):
            if child is not None:
                child.ask_to_stop()
                child.await_stop()


def answers_at(address):
    host, _, port = address.strip().rpartition(":")
    return port.isdigit() and answers(int(port), host.strip("[]"))


def instance_name(port):
    """Of a processor, in Kafka's consumer group: with a name it has its partitions back when it is
    started again within kafka.session-timeout-ms. Another on the same name would end this one: so
    it is this machine's and the port's."""
    return f"{re.sub('[^a-zA-Z0-9._-]', '-', socket.gethostname())}.{port}"


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="Apache Kafka, Redis and every service of adtally, each a process of its own.")
    parser.add_argument("--adtally", required=True, help="the executable")
    parser.add_argument("--data-dir", required=True, help="where events and metrics are kept")
    parser.add_argument("--port-offset", type=int, default=0, help="added to every port")
    parser.add_argument("--collectors", type=int, default=1, help="how many (ports 100 apart)")
    parser.add_argument("--processors", type=int, default=1, help="how many (ports 100 apart)")
    parser.add_argument("--kafka", default="", help="an existing Kafka, host:port,…")
    parser.add_argument("--config", default="", help="YAML file with settings of every service")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting of every service; may be repeated")
    parser.add_argument("--redis-url", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.redis_url:
        parser.exit(2, "full stack: it starts a Redis of its own; with yours, run the services "
                       "themselves: adtally collector, adtally processor (docs/OPERATIONS.md)\n")
    for name in ("collectors", "processors"):
        if not 1 <= getattr(options, name) <= 50:
            parser.error(f"--{name} takes 1 to 50")
    return options


def main(arguments):
    stack = FullStack(parse(arguments))
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    code = 0
    try:
        stack.start(stopping.is_set)
        say("started; Ctrl-C stops it")
        while not stopping.wait(LOOK_AGAIN_S):
            stack.look()
        say("stopping")
    except CannotStart as reason:
        if not stopping.is_set():
            say(str(reason))
            code = 1
    finally:
        stack.stop()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
