"""Real logs through the full stack: two collectors, three processors, one of them killed in
mid-stream. The totals are those that were computed without adtally."""

import threading

import pytest

from support import real_data
from support.books import wait_counted
from support.cluster import Cluster
from support.truth import (
    assert_ipinyou, assert_ipinyou_by_api, assert_open_bandit, replay_ipinyou, replay_open_bandit)
from support.wait import eventually

COUNTED_SECONDS = 120.0


@pytest.fixture(name="truth")
def truth_fixture():
    return real_data.ground_truth()


def kill_in_mid_stream(cluster, replays, events):
    """Runs the replays one after the other; kills a processor when a part has been counted."""
    failures = []

    def run():
        try:
            for replay in replays:
                replay()
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    sender = threading.Thread(target=run)
    sender.start()
    try:
        eventually(lambda: cluster.pipeline_status()["counted"] > events, 60, "counted events")
        victim = next(each for each in cluster.processors[1:] if each.is_running)
        victim.kill9()
    finally:
        sender.join(120)
    assert not failures, failures
    victim.start()
    cluster.wait_ready()
    return wait_counted(cluster, COUNTED_SECONDS)


def test_ipinyou_through_two_collectors(tmp_path, truth):
    settings = ["processor.reporting-zone=+08:00", "processor.workers=2"]
    with Cluster(tmp_path, 2, 3, settings=settings) as cluster:
        status = kill_in_mid_stream(
            cluster, [lambda: replay_ipinyou(cluster, "--batch", 20)] * 2, events=500)
        assert (status["appended"], status["counted"]) == (2 * 10_442, 9960 + 433)
        eventually(lambda: cluster.pipeline_status()["accepted"] == 2 * 10_442, 10,
                   "both collectors' reports")
        assert_ipinyou(cluster, truth["ipinyou"])
        assert_ipinyou_by_api(cluster, truth["ipinyou"])


def test_open_bandit_through_two_collectors(tmp_path, truth):
    with Cluster(tmp_path, 2, 3) as cluster:
        status = kill_in_mid_stream(cluster, [lambda: replay_open_bandit(cluster)] * 2, events=500)
        assert (status["counted"], status["duplicates"]) == (10_046, 10_046)
        assert_open_bandit(cluster, truth["open_bandit_bts_women"])
