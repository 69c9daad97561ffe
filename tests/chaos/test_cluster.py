"""The full stack with parts of it killed, frozen and taken away under load: what was acknowledged
is counted once, and nothing twice.

Real Kafka, real Redis, two collectors, three processors. CHAOS_KILLS says how often each of the
parts is killed (3 by default; 30 for the full length, by ./dev test chaos); the moments come from
the seed.
"""

import os
import signal
import time
from random import Random

import pytest

from support.books import finish_exactly
from support.cluster import Cluster
from support.load import Load
from support.wait import eventually, let_pass

KILLS = int(os.environ.get("CHAOS_KILLS", "3"))
FREEZES = int(os.environ.get("CHAOS_FREEZES", "1"))
JOIN_SECONDS = int(os.environ.get("CHAOS_JOIN_SECONDS", "15"))
OUTAGE_SECONDS = int(os.environ.get("OUTAGE_SECONDS", "10"))
MOST_SECONDS_BETWEEN = 3.0
SESSION_MS = 6000

pytestmark = pytest.mark.timeout(300 + 60 * KILLS)


@pytest.fixture(name="cluster")
def cluster_fixture(tmp_path):
    with Cluster(tmp_path, collectors=2, processors=3) as cluster:
        yield cluster
        print(cluster.log_tail())  # shown when the test has failed


@pytest.mark.parametrize("which", ["collector", "processor"])
def test_a_service_is_killed(which, cluster, oracle, seed, record_property):
    chance = Random(seed)
    services = cluster.collectors if which == "collector" else cluster.processors
    with Load(cluster, oracle, seed) as load:
        load.wait_for(100)
        for _ in range(KILLS):
            let_pass(chance.uniform(0, MOST_SECONDS_BETWEEN))
            victim = chance.choice(services)
            victim.kill9()
            let_pass(chance.uniform(0, MOST_SECONDS_BETWEEN))
            victim.start()
        finish_exactly(cluster, load, oracle, record_property, kills=KILLS)


def test_the_partitions_of_a_killed_processor_are_taken_over(
        cluster, oracle, seed, record_property):
    """By the others, though it does not come back. How long that takes is told, not asserted."""
    with Load(cluster, oracle, seed) as load:
        load.wait_for(500)
        cluster.processors[0].kill9()
        killed_at = time.monotonic()
        ends = [each["end"] for each in cluster.pipeline_status()["partitions"]]

        def passed_everywhere():
            now = cluster.pipeline_status()["partitions"]
            return all(each["processed"] >= end for each, end in zip(now, ends))

        eventually(passed_everywhere, 60, "processing of what stood there at the kill")
        took = time.monotonic() - killed_at
        # And of what came after it, while its session was still running.
        ends = [each["end"] for each in cluster.pipeline_status()["partitions"]]
        eventually(passed_everywhere, 60, "processing of what came later")
        took_over = time.monotonic() - killed_at
        cluster.processors[0].start()
        finish_exactly(cluster, load, oracle, record_property, seconds=round(took_over, 1))
    record_property("seconds_until_what_stood_there_was_counted", round(took, 1))


def test_a_collector_is_killed_while_it_spools(cluster, oracle, seed, record_property):
    """What it answered for lies in its directory, and is passed on by the next one on it."""
    chance = Random(seed)
    with Load(cluster, oracle, seed) as load:
        for _ in range(max(1, KILLS // 3)):
            load.wait_for(100)
            cluster.broker.kill9()
            eventually(lambda: cluster.spooled() > 100, 60, "events in the spools")
            victim = chance.choice(cluster.collectors)
            victim.kill9()
            load.wait_for(20)
            victim.start()
            victim.wait_ready()
            load.wait_for(20)
            cluster.broker.start()
            eventually(lambda: cluster.spooled() == 0, 60, "empty spools")
        finish_exactly(cluster, load, oracle, record_property, kills=max(1, KILLS // 3))


@pytest.mark.parametrize("which", ["broker", "redis"])
def test_a_server_is_killed(which, cluster, oracle, seed, record_property):
    """Collection goes on while it is away."""
    chance = Random(seed)
    victim = cluster.broker if which == "broker" else cluster.redis_server
    with Load(cluster, oracle, seed) as load:
        load.wait_for(100)
        for _ in range(KILLS):
            let_pass(chance.uniform(0, MOST_SECONDS_BETWEEN))
            victim.kill9()
            load.wait_for(20)
            victim.start()
        finish_exactly(cluster, load, oracle, record_property, kills=KILLS)


def test_a_processor_is_frozen_past_its_session(cluster, oracle, seed, record_property):
    """Its partitions go to the others. When it goes on it believes that they are still its own:
    nothing of what it has in hand may count a second time."""
    chance = Random(seed)
    with Load(cluster, oracle, seed) as load:
        load.wait_for(100)
        for _ in range(FREEZES):
            victim = chance.choice(cluster.processors)
            victim.freeze()
            let_pass(SESSION_MS / 1000 + chance.uniform(2, 4))
            load.wait_for(100)
            # Its partitions are in other hands by now: all that stands there is counted.
            ends = [each["end"] for each in cluster.pipeline_status()["partitions"]]
            eventually(lambda ends=ends: all(
                each["processed"] >= end
                for each, end in zip(cluster.pipeline_status()["partitions"], ends)), 60,
                "the others have taken over")
            victim.thaw()
        finish_exactly(cluster, load, oracle, record_property, freezes=FREEZES)


@pytest.mark.parametrize("named", [False, True], ids=["nameless", "named"])
def test_processors_join_and_leave_all_the_time(named, tmp_path, oracle, seed, record_property):
    """A nameless one's partitions go to the others at once; a named one keeps them over a short
    absence, and loses them when it stays away."""
    with Cluster(tmp_path, 2, 3, named_members=named) as cluster:
        join_and_leave(cluster, oracle, seed, record_property)


def join_and_leave(cluster, oracle, seed, record_property):
    chance, moves = Random(seed), 0
    with Load(cluster, oracle, seed) as load:
        load.wait_for(100)
        for _ in range(JOIN_SECONDS // 3):
            let_pass(3)
            service = chance.choice(cluster.processors[1:])
            if service.is_running:
                assert service.stop() == 0
            else:
                service.start()
            moves += 1
        for service in cluster.processors:
            if not service.is_running:
                service.start()
        finish_exactly(cluster, load, oracle, record_property, moves=moves)


def test_the_broker_is_away_for_a_while(cluster, oracle, seed, record_property):
    """Collection does not notice: what comes is spooled, and counted when Kafka is back."""
    with Load(cluster, oracle, seed) as load:
        load.wait_for(100)
        cluster.broker.stop()

        def says_so():
            details = cluster.collectors[0].health()["components"]["eventLog"]["details"]
            return "Kafka" in details.get("behind", "") and int(details["spoolEvents"]) > 0

        eventually(says_so, 30, "a health that names Kafka and counts the spool")
        let_pass(OUTAGE_SECONDS)
        cluster.broker.start()
        finish_exactly(cluster, load, oracle, record_property, seconds=OUTAGE_SECONDS)
    assert set(load.answers) == {202}


def test_the_broker_is_frozen_for_longer_than_the_window(tmp_path, oracle, seed, record_property):
    """What it had taken and not acknowledged is spooled as well, and stands in the log twice, too
    far apart for the window of deduplication: src/pipeline/processor/history.hpp."""
    window = 5
    with Cluster(tmp_path, 2, 3, settings=[f"processor.dedup-window-s={window}"]) as cluster:
        with Load(cluster, oracle, seed) as load:
            for _ in range(max(1, KILLS // 5)):
                load.wait_for(500)
                cluster.broker.process.send_signal(signal.SIGSTOP)
                let_pass(window + 10)
                load.wait_for(100)
                cluster.broker.process.send_signal(signal.SIGCONT)
                eventually(lambda: cluster.spooled() == 0, 60, "empty spools")
            finish_exactly(cluster, load, oracle, record_property, seconds=window + 10)
        assert set(load.answers) == {202}
