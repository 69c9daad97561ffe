"""Whether what was acknowledged is what was counted."""

import requests

from support.load import HASTY_ADS
from support.wait import eventually

COUNTED_SECONDS = 120.0


def wait_counted(adtally, deadline=60.0):
    """Until Redis holds everything that the log holds; returns the pipeline's status then."""
    def all_counted():
        status = adtally.pipeline_status()
        return status if status["in_flight"] == 0 else None

    status = eventually(all_counted, deadline, "an empty pipeline")
    assert status["balanced"], status
    assert status["dead_lettered"] == status["expired"] == 0, status
    return status


def assert_exact(adtally, oracle, deadline=60.0):
    """Every event that was acknowledged is counted once, and no event twice: per ad, per campaign,
    money included, and in the pipeline's own books. Returns its status."""
    status = wait_counted(adtally, deadline)
    assert oracle.differences(adtally) == []
    assert oracle.differences(adtally, "campaign") == []
    least = oracle.acknowledged_count
    assert least <= status["counted"] <= least + oracle.uncertain_count, status
    assert status["counted"] + status["duplicates"] == status["appended"], status
    return status


def figures(record_property, oracle, status, **more):
    """Puts what a test has done into the report of the run."""
    values = {
        **more, "acknowledged": oracle.acknowledged_count, "unanswered": oracle.uncertain_count,
        "counted": status["counted"], "duplicates": status["duplicates"]}
    for name, value in values.items():
        record_property(name, value)
    print(", ".join(f"{name} {value}" for name, value in values.items()))


def get(url, expected=200):
    """The JSON at `url`."""
    answer = requests.get(url, timeout=10)
    assert answer.status_code == expected, f"{url}: {answer.status_code} {answer.text}"
    return answer.json()


def finish_exactly(cluster, load, oracle, record_property, **more):
    """The end of a chaos test: all is well again, and what was acknowledged is counted. Returns the
    pipeline's status."""
    cluster.wait_ready()
    load.wait_for(100)
    load.finish()
    eventually(lambda: cluster.spooled() == 0, COUNTED_SECONDS, "empty spools")
    assert set(oracle.possible()) <= set(HASTY_ADS)
    status = assert_exact(cluster, oracle, COUNTED_SECONDS)
    # Reported twice a second: also of collectors that ended with something in their spools.
    eventually(lambda: cluster.pipeline_status()["spooled"] == 0, 10, "reports of empty spools")
    figures(record_property, oracle, status, answers=dict(load.answers), **more)
    return status
