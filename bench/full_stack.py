"""Scenarios of the full stack: Kafka, Redis and every service a process of its own.

What one event costs is told by process. The controls are Kafka's and librdkafka's own tools on the
same broker in the same run: ProducerPerformance for acknowledgements, kcat for reading.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from harness import CannotRun, Server, free_port, get_json
from tables import process_cpu, say, say_books, visible_cells

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy/full"))

from kafka_broker import CannotStart, KafkaBroker, fetch_jars  # noqa: E402

EVENTS = "ad-events"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Of all its threads, ended ones included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


class Stack:
    """Kafka and Redis, and services that come and go."""

    def __init__(self, bench, folder):
        self.bench, self.folder = bench, folder
        self.broker = KafkaBroker(folder / "kafka", free_port(), say)
        self.redis_port = free_port()
        self.servers = {}

    def start(self):
        try:
            self.broker.start()
        except CannotStart as reason:
            raise CannotRun(str(reason)) from None
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir",
                   str(self.folder), "--appendonly", "yes", "--save", "",
                   "--maxmemory-policy", "noeviction"]
        self.servers["redis"] = Server(
            command, self.folder, lambda: answers(self.redis_port), "redis")

    def service(self, kind, *settings):
        port = free_port()
        command = [str(self.bench.adtally_binary), kind, "--kafka", self.broker.address,
                   "--redis-url", f"redis://127.0.0.1:{self.redis_port}",
                   "--data-dir", str(self.folder / kind), "--set", f"{kind}.port={port}",
                   *settings, *self.bench.options.adtally_option]
        say(f"    {' '.join(command)}")
        started = Server(command, self.folder,
                         lambda: get_json(port, "/actuator/health/readiness")[0] == 200, kind)
        self.servers[kind] = started
        return port

    def pid(self, name):
        return self.broker.process.pid if name == "kafka" else self.servers[name].process.pid

    def target(self, collector, processor=None):
        names = ["kafka", *self.servers]
        return {"server": self.servers["collector"], "url": f"http://127.0.0.1:{collector}",
                "collector": collector, "processor": processor,
                "redis": f"127.0.0.1:{self.redis_port}",
                "pids": {name: self.pid(name) for name in names}}

    def stop(self):
        for name in ("collector", "processor", "redis"):
            if name in self.servers:
                self.servers.pop(name).stop()
        self.broker.stop()


def answers(port):
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@contextlib.contextmanager
def stack(bench):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="full-", dir=bench.scratch))
    made = Stack(bench, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def producer_control(running, rate, seconds):
    """The broker's own floor: Kafka's producer, as many records of the size of an event."""
    jars = fetch_jars(say)
    command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{jars}/*",
               "org.apache.kafka.tools.ProducerPerformance", "--topic", "ad-metrics",
               "--num-records", str(rate * seconds), "--record-size", "250",
               "--throughput", str(rate), "--producer-props",
               f"bootstrap.servers={running.broker.address}", "acks=all", "linger.ms=5"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    last = ended.stdout.strip().splitlines()[-1] if ended.stdout.strip() else ended.stderr
    found = re.search(r"([\d.]+) records/sec.*?([\d.]+) ms avg latency.*?"
                      r"(\d+) ms 99th", last)
    if not found:
        raise CannotRun(f"ProducerPerformance said: {last[:300]}")
    return {"per_second": float(found[1]), "mean_ms": float(found[2]), "p99_ms": float(found[3])}


def full_10k(bench):
    options = bench.options
    rate, seconds = options.rate or 10_000, options.duration or 300
    say(f"full-10k: {rate} single POSTs/s, open loop, {seconds} s, {options.connections} "
        "connections; one collector, one processor")
    with stack(bench) as running:
        processor = running.service("processor")
        collector = running.service("collector")
        target = running.target(collector, processor)
        common = ["--connections", options.connections]
        # The JVM compiles what it runs often: its first minute is not its speed.
        bench.load(target, *common, "--rate", rate // 3, "--duration", options.jvm_warmup)
        bench.load(target, *common, "--rate", rate, "--duration", 10)
        run = bench.load(target, *common, "--rate", rate, "--duration", seconds,
                         "--redis", target["redis"])
        books = bench.books(target)
        control = producer_control(running, rate, min(seconds, 30))
    bench.results["full-10k"] = {"adtally": run, "books": books, "producer": control}
    say()
    say("| target | requests/s | errors | ack mean | p99 | p99.9 ms | visible mean | p99 ms "
        "| collector | processor | Redis | Kafka | load: CPU µs an event |")
    say("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    ack = run["ack_us"]
    cells = " | ".join(f"{process_cpu(run, name):.1f}"
                       for name in ("collector", "processor", "redis", "kafka", "load"))
    say(f"| adtally | {run['per_second']:,.0f} | {run['error_count']} | {ack['mean'] / 1e3:.2f} "
        f"| {ack['p99'] / 1e3:.2f} | {ack['p999'] / 1e3:.2f} | {visible_cells(run)} | {cells} |")
    say(f"| ProducerPerformance alone, control | {control['per_second']:,.0f} | 0 "
        f"| {control['mean_ms']:.2f} | {control['p99_ms']:.2f} | – | – | – | – | – | – | – | – |")
    say_books(books)


def full_batch(bench):
    options = bench.options
    rate, seconds = options.rate or 400, options.duration or 30
    say(f"full-batch: {rate} batches of 100/s to one collector, open loop, {seconds} s")
    with stack(bench) as running:
        processor = running.service("processor")  # makes the topics ready, then is out of the way
        running.servers.pop("processor").stop()
        collector = running.service("collector")
        target = running.target(collector, processor)
        common = ["--batch", 100, "--connections", min(options.connections, 16)]
        bench.load(target, *common, "--rate", rate // 2, "--duration", options.jvm_warmup)
        run = bench.load(target, *common, "--rate", rate, "--duration", seconds)
    with bench.nginx(51) as target:
        control = bench.load(target, *common, "--rate", rate, "--duration", seconds,
                             "--path", "/api/events/batch")
    bench.results["full-batch"] = {"adtally": run, "nginx": control}
    spent = process_cpu(run, "collector")
    say()
    say("| target | events/s | errors | ack mean | p99 ms | collector | events a CPU second "
        "| Kafka | load: CPU µs an event |")
    say("|---|---|---|---|---|---|---|---|---|")
    say(f"| adtally | {run['events_per_second']:,.0f} | {run['error_count']} "
        f"| {run['ack_us']['mean'] / 1e3:.2f} | {run['ack_us']['p99'] / 1e3:.2f} | {spent:.2f} "
        f"| {1e6 / spent:,.0f} | {process_cpu(run, 'kafka'):.2f} "
        f"| {process_cpu(run, 'load'):.2f} |")
    nginx = process_cpu(control, "nginx")
    say(f"| nginx, control | {control['events_per_second']:,.0f} | {control['error_count']} "
        f"| {control['ack_us']['mean'] / 1e3:.2f} | {control['ack_us']['p99'] / 1e3:.2f} "
        f"| {nginx:.2f} | {1e6 / nginx:,.0f} | – | {process_cpu(control, 'load'):.2f} |")
    threads = sorted(run["cpu"]["collector"]["threads"].items(),
                     key=lambda one: -one[1]["us_per_event"])
    say("\nthe collector's threads, CPU µs an event: " + ", ".join(
        f"{name} {cost['us_per_event']:.2f}" for name, cost in threads
        if cost["us_per_event"] >= 0.01))


def full_catch_up(bench):
    options = bench.options
    events = options.events
    say(f"full-catch-up: {events:,} events wait in Kafka, then one processor reads them")
    with stack(bench) as running:
        running.service("processor")
        running.servers.pop("processor").stop()
        collector = running.service("collector")
        target = running.target(collector)
        rate = options.rate or 300
        bench.load(target, "--batch", 100, "--connections", 16, "--rate", rate, "--warmup", 0,
                   "--duration", max(1, events // (rate * 100)))
        running.servers.pop("collector").stop()
        control = kcat_control(running)
        begin = time.monotonic()
        port = running.service("processor")
        pid, redis = running.pid("processor"), running.pid("redis")
        spent_by_redis = cpu_seconds(redis)
        status = {}

        def caught_up():
            status.update(get_json(port, "/api/pipeline/status")[1])
            return status["in_flight"] == 0
        running.servers["processor"].wait_until(caught_up, patience=600)
        seconds, spent = time.monotonic() - begin, cpu_seconds(pid)
        spent_by_redis = cpu_seconds(redis) - spent_by_redis
    counted = status["counted"] + status["duplicates"]
    bench.results["full-catch-up"] = {
        "events": counted, "seconds": seconds, "cpu_s": spent, "redis_cpu_s": spent_by_redis,
        "kcat": control, "status": status}
    say()
    say("| reader | events | seconds | CPU seconds | events a CPU second | CPU µs an event |")
    say("|---|---|---|---|---|---|")
    for name, count, took, cpu in (("adtally processor", counted, seconds, spent),
                                   ("its Redis", counted, seconds, spent_by_redis),
                                   ("kcat to /dev/null, control", *control)):
        say(f"| {name} | {count:,} | {took:.1f} | {cpu:.2f} | {count / cpu:,.0f} "
            f"| {cpu / count * 1e6:.2f} |")
    say(f"\nbalanced: {status['balanced']}, counted {status['counted']:,}")


def kcat_control(running):
    """librdkafka reading the same records and throwing them away: (records, seconds, CPU s)."""
    if not shutil.which("kcat"):
        raise CannotRun("kcat is missing; install it with apt-get install kcat")
    begin, before = time.monotonic(), os.times()
    with open(running.folder / "offsets", "wb") as out:
        subprocess.run(["kcat", "-b", running.broker.address, "-C", "-t", EVENTS, "-o", "beginning",
                        "-e", "-q", "-f", "\\n"], stdout=out, stderr=subprocess.DEVNULL, check=True)
    after = os.times()
    records = (running.folder / "offsets").stat().st_size
    return (records, time.monotonic() - begin,
            after.children_user + after.children_system
            - before.children_user - before.children_system)


SCENARIOS = {"full-10k": full_10k, "full-batch": full_batch, "full-catch-up": full_catch_up}
