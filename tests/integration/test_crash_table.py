"""Ends adtally by SIGKILL at each row of the table of crashes, at the first and at later passes.

The table stands in src/pipeline/processor/redis_sink/README.md. Clients send until the process is
gone and remember what was answered; after the restart they send again, with the same ids, what was
not. Then every event is counted exactly once and the books add up.

The row `processor-after-dead-letter` needs a record that no decoder takes, and the collector lets
none into the log: processor_test.cpp leaves the same behind by a store that loses the flush.
"""

import concurrent.futures
import contextlib
import hashlib
import hmac
import itertools
import re
import signal
import time

import pytest
import requests

from support import Collector, EventFactory, eventually
from support.harness import ROOT
from support.receiver import Receiver

LOG_ROWS = ["log-before-commit", "log-after-commit"]
PROCESSOR_ROWS = [
    "processor-after-fold", "processor-after-send", "processor-after-flush",
    "processor-before-publish"]
ALERT_ROWS = ["alert-before-delivery", "alert-after-delivery"]
ROWS_OF_UNIT_TESTS = ["processor-after-dead-letter"]

TABLE = ROOT / "src/pipeline/processor/redis_sink/README.md"
NAMES = ROOT / "src/base/crash_points.cpp"
SECRET = "the webhook's key"


def test_each_row_of_the_table_and_each_crash_point_is_tested():
    tested = set(LOG_ROWS + PROCESSOR_ROWS + ALERT_ROWS + ROWS_OF_UNIT_TESTS)
    rows = re.findall(r"^\|[^|]*\| `([a-z-]+)` \|", TABLE.read_text(encoding="utf-8"), re.M)
    points = re.findall(r'Named\{"([a-z-]+)"', NAMES.read_text(encoding="utf-8"))
    assert set(rows) == tested
    assert set(points) == tested


@pytest.mark.parametrize("nth", [1, 3, 10])
@pytest.mark.parametrize("point", LOG_ROWS + PROCESSOR_ROWS)
def test_each_event_is_counted_once_after_a_crash(point, nth, make_adtally, oracle, seed):
    adtally = make_adtally(start=False)
    adtally.start("--crash-at", f"{point}:{nth}")
    unanswered = send_until_it_ends(adtally, oracle, seed)
    assert adtally.wait_end() == -signal.SIGKILL

    adtally.start()
    send_again(adtally, oracle, unanswered)
    status = settled(adtally)
    assert_counted_once(adtally, oracle, status)

    repeated = sum(map(len, unanswered))
    assert status["duplicates"] <= repeated, "an event was in the log twice without a retry"
    if nth == 1 and point == "log-before-commit":
        assert status["duplicates"] == 0, "what was never written is no duplicate"
    if nth == 1 and point == "log-after-commit":
        assert status["duplicates"] > 0, "what was written before the crash is there"


def test_one_data_directory_goes_through_all_crashes_in_a_row(make_adtally, oracle, seed):
    adtally, unanswered = make_adtally(start=False), []
    for number, point in enumerate(LOG_ROWS + PROCESSOR_ROWS):
        # With what the last crash left uncounted the next may come before it is ready.
        with contextlib.suppress(RuntimeError):
            adtally.start("--crash-at", f"{point}:2")
        unanswered += send_until_it_ends(adtally, oracle, f"{seed}-{number}")
        assert adtally.wait_end() == -signal.SIGKILL
    adtally.start()
    send_again(adtally, oracle, unanswered)
    assert_counted_once(adtally, oracle, settled(adtally))


@pytest.mark.parametrize("nth", [1, 3, 10])
@pytest.mark.parametrize("point", ALERT_ROWS)
def test_each_incident_is_delivered_after_a_crash(point, nth, make_adtally, oracle):
    with Receiver() as webhook:
        adtally = make_adtally(
            "--set", f"alerts.webhook-url={webhook.url}/hook",
            "--set", f"alerts.webhook-secret={SECRET}", start=False)
        adtally.start("--crash-at", f"{point}:{nth}")
        collector = Collector(adtally, oracle)
        suspicious = suspicious_events()
        collector.post_batch(suspicious)
        assert adtally.wait_end() == -signal.SIGKILL

        adtally.start()
        collector.deliver(suspicious)  # repeated if it was taken before, new if it was not
        collector.close()
        assert_counted_once(adtally, oracle, settled(adtally))
        opened = {
            incident["id"]: incident for incident in
            requests.get(f"{adtally.processor_url}/api/anomalies", timeout=10).json()["anomalies"]}
        assert sorted((i["rule"], i["entity"], i["entity_id"]) for i in opened.values()) == [
            ("ctr", "ad", "200"), ("ctr", "campaign", "20"),
            ("session_clicks", "session", "s-0"), ("session_clicks", "session", "s-1"),
            ("session_clicks", "session", "s-2")]

        eventually(
            lambda: {received.json["id"] for received in webhook.taken} == set(opened), 20,
            "the delivery of all incidents")
    assert len(webhook.taken) <= len(opened) + 1, "one crash repeats at most one delivery"
    for received in webhook.taken:
        incident = received.json
        assert incident == opened[incident["id"]], "a repeated delivery says the same"
        assert received.headers["idempotency-key"] == f'"{incident["id"]}:OPEN"'
        assert_signed(received)


def send_until_it_ends(adtally, oracle, seed):
    """Singles and batches by two clients at once. Returns the requests that got no answer."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [
            pool.submit(send, adtally, oracle, EventFactory(f"{seed}-{number}"), sizes)
            for number, sizes in enumerate([[1], [40, 1, 7]])]
        return list(itertools.chain.from_iterable(client.result() for client in clients))


def send(adtally, oracle, factory, sizes):
    client, unanswered = Collector(adtally, oracle), []
    ends = time.monotonic() + 30
    for size in itertools.cycle(sizes):
        if not adtally.is_running:
            break
        assert time.monotonic() < ends, "the crash point was not passed"
        made = factory.events(size)
        answer = client.post(made[0]) if size == 1 else client.post_batch(made)
        if answer is None:
            unanswered.append(made)
            break
        assert answer.status_code == 202, answer.text
    client.close()
    return unanswered


def send_again(adtally, oracle, unanswered):
    client = Collector(adtally, oracle)
    for request in unanswered:
        client.deliver(request)
    client.close()


def settled(adtally):
    """The books once everything in the log has been counted."""
    def read():
        status = adtally.pipeline_status()
        return status if status["in_flight"] == 0 and status["counted"] > 0 else None
    return eventually(read, 20, "all events counted")


def assert_counted_once(adtally, oracle, status):
    assert oracle.uncertain_count == 0
    assert oracle.differences(adtally) == []
    assert oracle.differences(adtally, "campaign") == []
    assert status["balanced"]
    assert status["counted"] == oracle.acknowledged_count
    assert status["accepted"] == status["appended"] == status["processed"]
    assert status["appended"] == status["counted"] + status["duplicates"]
    assert status["dead_lettered"] == status["expired"] == 0


def suspicious_events():
    """Three sessions with twelve clicks, and an ad whose CTR is 15 %."""
    def event(number, **members):
        return {"event_id": f"suspicious-{number}", "timestamp": started_ms, **members}
    started_ms = int(time.time() * 1000)
    made = [event(n, type="click", ad_id=100 + n % 2, campaign_id=10, session_id=f"s-{n % 3}")
            for n in range(36)]
    made += [event(n, type="impression", ad_id=200, campaign_id=20) for n in range(100)]
    made += [event(100 + n, type="click", ad_id=200, campaign_id=20) for n in range(15)]
    return made


def assert_signed(received):
    parts = dict(part.split("=") for part in received.headers["x-adtally-signature"].split(","))
    text = parts["t"].encode() + b"." + received.body
    assert parts["v1"] == hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    assert abs(int(parts["t"]) - time.time()) < 60
