"""kill -9 at random moments under load: what was acknowledged is counted once, and nothing twice.

CHAOS_KILLS says how often each of these kills (6 by default; 30 for the full length). The moments
come from the seed; what happens to run at a moment does not.
"""

import os
from random import Random

import pytest

from support.books import assert_exact, figures
from support.load import HASTY_ADS, Load
from support.wait import eventually, let_pass

KILLS = int(os.environ.get("CHAOS_KILLS", "6"))
MOST_SECONDS_BETWEEN = 1.5
SECONDS_PER_KILL = 40  # of the limit, not of the run: a slow machine

pytestmark = pytest.mark.timeout(120 + SECONDS_PER_KILL * KILLS)


def test_adtally_is_killed(make_adtally, oracle, seed, record_property):
    """Half of the time while it starts, now and then together with its redis-server."""
    chance, adtally, with_redis, starting = Random(seed), make_adtally(), 0, 0
    with Load(adtally, oracle, seed) as load:
        for _ in range(KILLS):
            let_pass(chance.uniform(0, MOST_SECONDS_BETWEEN))
            if chance.random() < 0.3:
                with_redis += 1
                adtally.kill9_all()
            else:
                assert adtally.kill9() == -9
            wait_ready = chance.random() < 0.5
            starting += not wait_ready
            adtally.start(wait_ready=wait_ready)
        adtally.wait_ready()
        load.wait_for(100)
        load.finish()
    # All others were sent again until they were acknowledged: their numbers are exact.
    assert set(oracle.possible()) <= set(HASTY_ADS)
    status = assert_exact(adtally, oracle)
    figures(record_property, oracle, status, kills=KILLS, with_redis=with_redis,
            not_yet_ready=starting, answers=dict(load.answers))


def test_redis_is_killed(adtally, oracle, seed, record_property):
    """Collection does not notice: the collector answers 202 throughout."""
    chance = Random(seed)
    with Load(adtally, oracle, seed) as load:
        for _ in range(KILLS):
            let_pass(chance.uniform(0, MOST_SECONDS_BETWEEN))
            killed = adtally.kill9_redis()
            load.wait_for(20)
            eventually(lambda: adtally.redis_pid() != killed, 30, "another redis-server")
        load.finish()
    assert set(load.answers) == {202}
    status = assert_exact(adtally, oracle)
    _, health = adtally.health("processor")
    restarts = int(health["components"]["redis"]["details"]["restarts"])
    assert restarts == KILLS
    figures(record_property, oracle, status, kills=KILLS, answers=dict(load.answers))


def test_redis_starts_on_a_file_whose_tail_is_cut(adtally, oracle, seed, record_property):
    """As after a power cut: the newest writes of Redis are gone, at any byte. The log has them."""
    chance, cut_bytes = Random(seed), 0
    for _ in range(KILLS):
        with Load(adtally, oracle, seed=chance.randrange(10**6)) as load:
            load.wait_for(chance.randint(100, 600))
            if chance.random() < 0.5:
                adtally.kill9_all()
                load.abandon()
            else:
                load.finish()
                assert adtally.stop() == 0
        cut_bytes += cut_tail(adtally, chance)
        adtally.start()
        status = assert_exact(adtally, oracle)
    torn = adtally.log_path.read_text(encoding="utf-8").count("redis_torn_tail")
    assert torn > 0, "no cut went through a write"
    figures(record_property, oracle, status, cuts=KILLS, cut_bytes=cut_bytes, torn=torn)


def cut_tail(adtally, chance):
    """Cuts a few bytes, many, or any number off Redis' append-only file."""
    assert not adtally.leftovers()
    file = max(adtally.data_dir.glob("redis/appendonlydir/*.incr.aof"),
               key=lambda path: path.stat().st_mtime_ns)
    size = file.stat().st_size
    assert size > 0
    cut = chance.randint(1, min(size, chance.choice([100, 100_000, size])))
    os.truncate(file, size - cut)
    return cut
