"""The full stack with a network that fails between its parts, under load: what was acknowledged is
counted once, and nothing twice.

Each link — collectors and processors, to Kafka and to Redis — is a TCP proxy of its own.
CHAOS_NETWORK_ROUNDS says how often each fault comes (2 by default; 20 for the full length, by
./dev test chaos); on which link, when and for how long comes from the seed.
"""

import os
from random import Random

import pytest

from support.books import finish_exactly
from support.load import Load
from support.network import ProxiedCluster
from support.wait import let_pass

ROUNDS = int(os.environ.get("CHAOS_NETWORK_ROUNDS", "2"))
MOST_SECONDS_BETWEEN = 1.0
ALL = "all links"

# What happens to a link, and how many seconds it lasts. A session of the consumer group ends after
# 6 s of silence, an append to Kafka after 2 s.
FAULTS = {
    "cut": (lambda link: link.cut(), 0.3, 3),
    "cut past the session": (lambda link: link.cut(), 6.5, 8.5),
    "refusal": (lambda link: link.refuse(), 0.3, 3),
    "reset": (lambda link: link.reset(), 0, 0),
    "delay": (lambda link: link.slow(latency=0.15, jitter=0.3), 1, 3),
}

pytestmark = pytest.mark.timeout(300 + 60 * ROUNDS)


@pytest.fixture(name="cluster")
def cluster_fixture(tmp_path, seed):
    with ProxiedCluster(tmp_path, 2, 3, seed) as cluster:
        yield cluster
        print(cluster.log_tail())  # shown when the test has failed


def schedule(links, chance):
    """[(fault, link)]: each fault ROUNDS times, on links in turn."""
    rounds = []
    for fault in FAULTS:
        turn = [*links, ALL]
        chance.shuffle(turn)
        rounds += [(fault, turn[number % len(turn)]) for number in range(ROUNDS)]
    chance.shuffle(rounds)
    return rounds


def test_the_network_fails_between_the_parts(cluster, oracle, seed, record_property):
    chance = Random(seed)
    with Load(cluster, oracle, seed) as load:
        load.wait_for(100)
        for fault, where in schedule(cluster.links, chance):
            let_pass(chance.uniform(0, MOST_SECONDS_BETWEEN))
            strike, least, most = FAULTS[fault]
            seconds = chance.uniform(least, most)
            print(f"seed {seed}: {fault} on {where}, {seconds:.1f} s, after "
                  f"{oracle.acknowledged_count} events")
            for name, link in cluster.links.items():
                if where in (name, ALL):
                    strike(link)
            let_pass(seconds)
            # Collection goes on meanwhile: what Kafka does not take is spooled.
            load.wait_for(20)
            cluster.heal()
        finish_exactly(cluster, load, oracle, record_property, faults=len(FAULTS) * ROUNDS,
                       connections={name: link.connections
                                    for name, link in cluster.links.items()})
    assert all(link.bytes > 0 for link in cluster.links.values())
    assert set(load.answers) == {202}
