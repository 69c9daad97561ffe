#!/usr/bin/env python3
"""The full stack on this machine: Apache Kafka, Redis, and every service as a process of its own.

    full_stack.py --adtally build/release/bin/adtally --data-dir data/full [--collectors N]
                  [--processors N] [--port-offset N] [--kafka host:port,… [--set KEY=VALUE …]]

`./dev up --stack full` calls it. Whatever ends by itself is started again and said so; Ctrl-C or
SIGTERM stops everything that was started here, services first.
"""

import argparse
import pathlib
import signal
import subprocess
import sys
import threading
import time

from kafka_broker import CannotStart, KafkaBroker, answers, need

STOP_TIMEOUT_S = 35
# A service that ends at once is not started again at once.
RESTART_PAUSE_S = 1.0
# Between two instances of one service.
INSTANCE_OFFSET = 100


def say(text):
    print(f"full stack: {text}", file=sys.stderr, flush=True)


class Child:
    """A process that is started again when it ends."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, command, log
        self.process = None
        self.not_before = 0.0

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        self.not_before = time.monotonic() + RESTART_PAUSE_S

    def look(self):
        if self.process.poll() is None or time.monotonic() < self.not_before:
            return
        say(f"{self.name} ended with {self.process.returncode} (log: {self.log}); starting it "
            "again")
        self.start()

    def ask_to_stop(self):
        self.process.terminate()

    def await_stop(self):
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            say(f"{self.name} does not stop within {STOP_TIMEOUT_S} s; killing it")
            self.process.kill()
            self.process.wait()


class FullStack:
    def __init__(self, options):
        self.options = options
        self.directory = pathlib.Path(options.data_dir)
        self.broker = None
        self.redis = None
        self.services = []

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        offset = self.options.port_offset
        kafka = self.options.kafka or self._start_kafka(9092 + offset)
        self._start_redis(6379 + offset)
        common = ["--kafka", kafka, "--redis-url", f"redis://127.0.0.1:{6379 + offset}"]
        for setting in self.options.set:
            common += ["--set", setting]
        # From the sink to the source.
        for kind, port, count in (("processor", 8086, self.options.processors),
                                  ("collector", 8085, self.options.collectors)):
            for number in range(count):
                shift = offset + number * INSTANCE_OFFSET
                name = f"{kind}-{number + 1}"
                child = Child(name, [self.options.adtally, kind, "--port-offset", str(shift),
                                     *common, "--data-dir", str(self.directory / name)],
                              self.directory / f"{name}.log")
                if answers(port + shift):
                    raise CannotStart(f"port {port + shift} is in use; choose others with "
                                      "--port-offset")
                child.start()
                self.services.append(child)
                say(f"{name} on :{port + shift}")

    def _start_kafka(self, port):
        self.broker = KafkaBroker(self.directory / "kafka", port, say)
        self.broker.start()
        say(f"Apache Kafka on :{port}")
        return self.broker.address

    def _start_redis(self, port):
        need("redis-server", "redis-server")
        if answers(port):
            raise CannotStart(f"port {port} is in use: is another Redis running? Choose other "
                              "ports with --port-offset")
        directory = self.directory / "redis"
        directory.mkdir(exist_ok=True)
        self.redis = Child("redis", ["redis-server", "--port", str(port), "--bind", "127.0.0.1",
                                     "--dir", str(directory), "--appendonly", "yes",
                                     "--aof-load-truncated", "yes", "--save", "",
                                     "--maxmemory-policy", "noeviction"],
                           self.directory / "redis.log")
        self.redis.start()
        say(f"Redis on :{port}")

    def look(self):
        if self.broker is not None and self.broker.process.poll() is not None:
            say(f"Kafka ended (log: {self.broker.log}); starting it again")
            self.broker.start()
        for child in [self.redis, *self.services]:
            child.look()

    def stop(self):
        for child in self.services:
            child.ask_to_stop()
        for child in self.services:
            child.await_stop()
        if self.redis is not None:
            self.redis.ask_to_stop()
            self.redis.await_stop()
        if self.broker is not None:
            self.broker.stop()


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="Apache Kafka, Redis and every service of adtally, each a process of its own.")
    parser.add_argument("--adtally", required=True, help="the executable")
    parser.add_argument("--data-dir", required=True, help="where events and metrics are kept")
    parser.add_argument("--port-offset", type=int, default=0, help="added to every port")
    parser.add_argument("--collectors", type=int, default=1, help="how many (ports 100 apart)")
    parser.add_argument("--processors", type=int, default=1, help="how many (ports 100 apart)")
    parser.add_argument("--kafka", default="", help="an existing Kafka, host:port,…")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting of every service; may be repeated")
    options = parser.parse_args(arguments)
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
        stack.start()
        say("started; Ctrl-C stops it")
        while not stopping.wait(0.2):
            stack.look()
        say("stopping")
    except CannotStart as reason:
        say(str(reason))
        code = 1
    finally:
        stack.stop()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
