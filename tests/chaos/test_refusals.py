"""What is set up wrong, or what a broker refuses: said in one clear line and by health, with the
remedy. No service ends, collection goes on by its spool, and once the cause is gone everything that
was acknowledged is counted, once.
"""

import json
import os
import subprocess
from collections import Counter
from contextlib import closing

import pytest

from support import Collector
from support.books import assert_exact
from support.cluster import Cluster, KafkaBroker, Listener, free_port
from support.wait import eventually, let_pass

SAID_SECONDS = 30.0
# Every second all is tried again: a line that is said each time would show.
SPAN_SECONDS = 2.5
# Says once a minute that there was none, whatever else is known.
EACH_MINUTE = "no reconciliation of this minute"
SASL = "kafka.properties=security.protocol=SASL_PLAINTEXT,sasl.mechanism=PLAIN"


def refused(folder, **more):
    """Nothing of it is started."""
    return Cluster(folder, collectors=1, processors=1, **more)


def start_without_broker(cluster):
    cluster.redis_server.start()
    cluster.start_services()


def is_said(service, words):
    """{message: how many lines of its log say all the words}"""
    lines = [line for line in service.log_path.read_text(encoding="utf-8").splitlines()
             if line.startswith("{") and all(word in line for word in words)]
    counted = Counter(json.loads(line)["message"] for line in lines)
    counted.pop(EACH_MINUTE, None)
    return dict(counted)


def what_health_says(service):
    """The whole answer, in words."""
    return json.dumps(service.health())


class Refusal:
    """What the two services say of one cause; `words` are of the cause and of its remedy."""

    def __init__(self, cluster, words):
        self.cluster, self.words = cluster, words
        self.collector, self.processor = cluster.collectors[0], cluster.processors[0]
        self._pids = [service.process.pid for service in cluster.services]

    def is_told_by(self, service, *messages):
        def told():
            health = what_health_says(service)
            assert all(word in health for word in self.words), health
            assert set(messages) & set(is_said(service, self.words)), service.log_tail()
            return True
        eventually(told, SAID_SECONDS, f"{service.name}: a line and health say {self.words}")

    def of_the_processor(self):
        self.is_told_by(self.processor, "processor is held up")
        assert not self.processor.is_ready()

    def of_the_collector(self, client, events):
        """It takes events all the same: more than fit into what a full disk has left in pages."""
        eventually(self.collector.is_ready, SAID_SECONDS, "a collector that takes events")
        for _ in range(3):
            assert client.deliver(events.events(500)).status_code == 202
        self.is_told_by(self.collector, "spool_filling", "kafka is away")

    def is_said_once(self):
        let_pass(SPAN_SECONDS)
        for service in self.cluster.services:
            said = is_said(service, self.words)
            assert set(said.values()) <= {1}, f"{service.name} {said}:\n{service.log_tail(60)}"
        assert self._pids == [service.process.pid for service in self.cluster.services]
        assert all(service.is_running for service in self.cluster.services)


def assert_well(cluster, oracle):
    cluster.wait_ready()

    def is_well():
        assert cluster.spooled() == 0
        assert "behind" not in what_health_says(cluster.collectors[0])
        return all(service.health()["status"] == "UP" for service in cluster.services)

    eventually(is_well, 60, "health of all services, and an empty spool")
    print(f"acknowledged {oracle.acknowledged_count}, counted",
          assert_exact(cluster, oracle)["counted"])


def restart(cluster, old, new):
    """The services, on the same data, with other words."""
    for service in cluster.services:
        assert service.stop() == 0
        service.command = [word.replace(old, new) for word in service.command]
        service.start()


def broker_with_users(folder, users, **settings):
    """The services log in at a listener of their own; the tools are nobody, at the plain one."""
    listener = Listener("SERVICES", free_port(), protocol="SASL_PLAINTEXT")
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    login = "org.apache.kafka.common.security.plain.PlainLoginModule"
    broker = KafkaBroker(folder / "kafka", free_port(), listeners=[listener], settings={
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.services.plain.sasl.jaas.config": f"{login} required {known};", **settings})
    return broker, listener.address


def test_no_broker_at_the_start(tmp_path, oracle, events):
    with closing(refused(tmp_path)) as cluster:
        start_without_broker(cluster)
        refusal = Refusal(cluster, [
            cluster.broker.address, "Connection refused", "is Kafka running at the address of"])
        eventually(lambda: "kafka is away" in is_said(refusal.collector, refusal.words),
                   SAID_SECONDS, "a line of a collector that nobody has sent anything")
        refusal.of_the_processor()
        refusal.of_the_collector(Collector(cluster, oracle), events)
        refusal.is_said_once()
        cluster.broker.start()
        assert_well(cluster, oracle)
        refusal.is_said_once()


def test_an_address_that_is_wrong(tmp_path, oracle, events):
    with closing(refused(tmp_path, kafka="kafka.invalid:9092")) as cluster:
        start_without_broker(cluster)
        client = Collector(cluster, oracle)
        refusal = Refusal(cluster, ["Failed to resolve 'kafka.invalid:9092'",
                                    "check the host name in --kafka"])
        refusal.of_the_processor()
        refusal.of_the_collector(client, events)
        refusal.is_said_once()

        nobody = f"127.0.0.1:{free_port()}"
        restart(cluster, "kafka.invalid:9092", nobody)
        refusal = Refusal(cluster, [
            nobody, "Connection refused", "is Kafka running at the address of --kafka?"])
        refusal.of_the_processor()
        refusal.of_the_collector(client, events)
        refusal.is_said_once()

        cluster.broker.start()
        restart(cluster, nobody, cluster.broker.address)
        assert_well(cluster, oracle)


def test_a_user_without_rights_and_then_a_wrong_password(tmp_path, oracle, events):
    """The user may make the topics and see that they are there, nothing else. What was granted is
    taken away again in the midst of it."""
    broker, address = broker_with_users(tmp_path, {"adtally": "right"}, **{
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS"})

    def grant(*words):
        broker.tool("AclCommand", "--add", "--allow-principal", "User:adtally", *words)

    with closing(refused(tmp_path, broker=broker, kafka=address, settings=[
            f"{SASL},sasl.username=adtally,sasl.password=right"])) as cluster:
        broker.start()
        grant("--operation", "Create", "--operation", "Describe", "--topic", "*")
        start_without_broker(cluster)
        client = Collector(cluster, oracle)
        remedy = "the user needs rights: READ, WRITE and DESCRIBE on the ad-* topics"
        Refusal(cluster, ["Group authorization failed", remedy]).of_the_processor()
        refusal = Refusal(cluster, ["authorization failed", remedy])
        refusal.of_the_collector(client, events)
        refusal.is_said_once()
        grant("--operation", "Read", "--group", "adtally-processor")
        refusal.words = ["reading ad-events", "Topic authorization failed", remedy]
        refusal.of_the_processor()
        refusal.is_said_once()

        restart(cluster, "sasl.password=right", "sasl.password=wrong")
        refusal = Refusal(cluster, [address, "Invalid username or password",
                                    "check sasl.username, sasl.password and sasl.mechanism"])
        refusal.of_the_processor()
        refusal.of_the_collector(client, events)
        refusal.is_said_once()

        grant("--operation", "Read", "--operation", "Write", "--topic", "*")
        restart(cluster, "sasl.password=wrong", "sasl.password=right")
        assert_well(cluster, oracle)
        assert all("sasl.password=" not in what_health_says(each) for each in cluster.services)

        # A reader that reads is told so once, by the broker, and reads nothing any more.
        broker.tool("AclCommand", "--remove", "--force", "--allow-principal", "User:adtally",
                    "--operation", "Read", "--topic", "*")
        refusal = Refusal(cluster, ["reading ad-events", "Topic authorization failed", remedy])
        refusal.of_the_processor()
        let_pass(SPAN_SECONDS)
        said = is_said(refusal.processor, refusal.words)
        client.deliver(events.events(100))
        let_pass(SPAN_SECONDS)
        refusal.of_the_processor()
        assert is_said(refusal.processor, refusal.words) == said, refusal.processor.log_tail(60)
        grant("--operation", "Read", "--topic", "*")
        assert_well(cluster, oracle)


@pytest.fixture(name="small_disk")
def small_disk_fixture(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a disk of its own for the broker: only root may mount one")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a disk of its own for the broker: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(path):
    """With zeros, until there is no room."""
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=4k"], capture_output=True, check=False)
    return path


def test_a_full_disk_of_the_broker(tmp_path, small_disk, oracle, events):
    """One of its two, so that it goes on: with none left a broker ends, and is absent."""
    broker = KafkaBroker(tmp_path / "kafka", free_port(), settings={
        "log.dirs": f"{small_disk}/log,{tmp_path}/other",
        "metadata.log.dir": f"{tmp_path}/kafka/data", "log.index.size.max.bytes": 4096})
    with closing(refused(tmp_path, broker=broker, settings=["kafka.partitions=4"])) as cluster:
        cluster.start()
        client = Collector(cluster, oracle)
        client.deliver(events.events(50))
        ballast = fill(small_disk / "ballast")
        refusal = Refusal(cluster, ["KAFKA_STORAGE_ERROR", "is its disk full?"])
        refusal.of_the_collector(client, events)
        refusal.is_said_once()
        ballast.unlink()
        broker.stop()
        broker.start()
        assert_well(cluster, oracle)


def test_a_broker_that_takes_small_batches_only(tmp_path, oracle, events):
    """Told while all runs, then found at the start."""
    with Cluster(tmp_path, settings=["kafka.partitions=1"]) as cluster:
        client, collector = Collector(cluster, oracle), cluster.collectors[0]
        assert client.deliver(events.events(500)).status_code == 202
        cluster.broker.tool("kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics",
                            "--entity-name", "ad-events",
                            "--add-config", "max.message.bytes=10000")
        assert client.deliver(events.events(500)).status_code == 202
        small = ["kafka takes small records only"]
        eventually(lambda: is_said(collector, small), SAID_SECONDS, "a line of the smaller limit")
        assert_well(cluster, oracle)
        assert client.deliver(events.events(500)).status_code == 202
        assert_well(cluster, oracle)
        assert is_said(collector, ["Message size too large"]) == {"spool_filling": 1}

        assert collector.stop() == 0
        collector.log_path.unlink()
        collector.start()
        collector.wait_ready()
        eventually(lambda: is_said(collector, small), SAID_SECONDS, "a line of the smaller limit")
        assert client.deliver(events.events(500)).status_code == 202
        assert_well(cluster, oracle)


def test_a_full_spool_turns_events_away_and_takes_them_again(tmp_path, oracle, events):
    with closing(refused(tmp_path, settings=["spool.max-events=1000"])) as cluster:
        start_without_broker(cluster)
        collector = cluster.collectors[0]
        eventually(collector.is_ready, SAID_SECONDS, "a collector that takes events")
        client = Collector(cluster, oracle)
        turned_away = None
        for _ in range(4):
            answer = client.post_batch(events.events(500))
            if answer.status_code != 202:
                turned_away = answer
                break
        assert turned_away is not None and turned_away.status_code == 503
        assert int(turned_away.headers["Retry-After"]) >= 1
        assert turned_away.json()["code"] == "log_overloaded"
        assert "the spool is full" in what_health_says(collector), what_health_says(collector)
        assert 500 <= oracle.acknowledged_count <= 1500
        cluster.broker.start()
        assert_well(cluster, oracle)
        assert client.deliver(events.events(500)).status_code == 202
        assert_well(cluster, oracle)
