"""Incidents and their delivery, differences in the books, thresholds while running.

Ids of ads are the test's own, so that all share one adtally.
"""

import datetime
import hashlib
import hmac
import signal
import time

import pytest
import requests

from support import eventually
from support.events import click, impression, now
from support.receiver import Receiver

SECRET = "the webhook's key"


@pytest.fixture(scope="module")
def webhook():
    with Receiver(answers=[500, 404, 302]) as receiver:  # then it gets well
        yield receiver


@pytest.fixture(scope="module")
def alertmanager():
    with Receiver(answers=[503]) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "adtally.yml"
    path.write_text(settings(session_clicks=10), encoding="utf-8")
    return path


def settings(**processor):
    lines = [f"  {name.replace('_', '-')}: {value}\n" for name, value in processor.items()]
    return "processor:\n" + "".join(lines)


@pytest.fixture(scope="module")
def adtally(shared, webhook, alertmanager, config_file):
    return shared(
        "--config", config_file, "--set", f"alerts.webhook-url={webhook.url}/hook?from=adtally",
        "--set", f"alerts.webhook-secret={SECRET}",
        "--set", f"alerts.alertmanager-url={alertmanager.url}",
        "--set", "processor.reconcile-every-s=1")


def incidents_of(get, entity_id, **parameters):
    told = get("/api/anomalies", limit=1000, **parameters).json()["anomalies"]
    return [entry for entry in told if entry["entity_id"] == str(entity_id)]


def delivered(receiver, entity_id):
    return [entry for entry in receiver.taken if str(entity_id) in entry.body.decode()]


def test_a_ctr_above_ten_percent_opens_one_incident_for_ad_and_campaign_until_below_eight(
        get, send, new_id, webhook, alertmanager):
    ad = new_id()
    send((100, impression(ad)))
    send((10, click(ad)))
    assert incidents_of(get, ad) == [], "ten percent are not above ten percent"
    send((1, click(ad)))
    opened = incidents_of(get, ad)
    assert sorted((e["entity"], e["state"], e["rule"]) for e in opened) == [
        ("ad", "OPEN", "ctr"), ("campaign", "OPEN", "ctr")]
    assert {(e["observed"], e["threshold"], e["impressions"], e["clicks"]) for e in opened} == {
        ("0.110000", "0.100000", "100", "11")}
    send((1, click(ad)))
    send((40, impression(ad)))  # 12 of 140 are 8.6 %
    assert incidents_of(get, ad) == opened, "one incident, not one an event"
    assert len(incidents_of(get, ad, state="OPEN")) == 2
    send((20, impression(ad)))  # 12 of 160 are 7.5 %
    assert incidents_of(get, ad, state="OPEN") == []
    resolved = incidents_of(get, ad, state="RESOLVED")
    assert {e["id"] for e in resolved} == {e["id"] for e in opened}
    assert len(incidents_of(get, ad)) == 4

    told = eventually(
        lambda: len(delivered(webhook, ad)) == 4 and delivered(webhook, ad), 20, "the webhook")
    assert [entry.json["state"] for entry in told] == ["OPEN"] * 2 + ["RESOLVED"] * 2
    assert_alertmanager_was_told(alertmanager, ad, opened)


def test_few_impressions_mean_nothing(get, send, new_id):
    ad = new_id()
    send((99, impression(ad)), (50, click(ad)))
    assert incidents_of(get, ad) == []


def test_the_window_slides_with_event_time(get, send, new_id):
    ad, now_ms = new_id(), int(time.time() * 1000)
    send((100, impression(ad, timestamp=now_ms - 600_000)))
    send((20, click(ad, timestamp=now_ms)))
    assert incidents_of(get, ad) == [], "what left the window counts no more"


def assert_alertmanager_was_told(alertmanager, ad, opened):
    told = eventually(
        lambda: len(delivered(alertmanager, ad)) == 4 and delivered(alertmanager, ad), 20,
        "the Alertmanager")
    now = datetime.datetime.now(datetime.UTC)
    for number, entry in enumerate(told):
        assert entry.path == "/api/v2/alerts"
        assert entry.headers["content-type"] == "application/json"
        [alert] = entry.json
        assert set(alert) >= {"labels", "annotations", "startsAt", "endsAt"}
        assert alert["labels"]["alertname"] == "AdtallyCtrAnomaly"
        assert alert["labels"]["entity_id"] == str(ad)
        assert alert["labels"]["incident"] in {e["id"] for e in opened}
        assert all(isinstance(value, str) for value in alert["labels"].values())
        starts, ends = (datetime.datetime.fromisoformat(alert[name])
                        for name in ("startsAt", "endsAt"))
        assert starts <= now
        assert (ends > now) == (number < 2), "the first two are open, the others over"
    # What is over has the labels of what was open: Alertmanager knows it by them.
    assert [e.json[0]["labels"] for e in told[:2]] == [e.json[0]["labels"] for e in told[2:]]


def test_more_than_ten_clicks_are_one_incident_of_the_session(get, send, new_id, webhook):
    ad = new_id()
    session = f"busy-{ad}"
    send((10, click(ad, session_id=session)))
    assert incidents_of(get, session) == []
    send((1, click(ad + 1, session_id=session)))  # of any ad
    [incident] = incidents_of(get, session)
    assert (incident["rule"], incident["entity"], incident["state"]) == (
        "session_clicks", "session", "OPEN")
    assert (incident["observed"], incident["threshold"]) == ("11", "10")
    send((20, click(ad, session_id=session)))
    assert incidents_of(get, session) == [incident]
    send((11, click(ad, session_id=f"marker-{ad}")))
    eventually(lambda: delivered(webhook, f"marker-{ad}"), 20, "the delivery of a later incident")
    [told] = delivered(webhook, session)
    assert told.json == incident
    assert told.path == "/hook?from=adtally"


def test_deliveries_are_signed_and_keep_their_key_when_repeated(webhook, send, new_id):
    send((11, click(new_id(), session_id=f"signed-{new_id()}")))
    eventually(lambda: webhook.taken, 20, "a delivery")
    assert [entry.path for entry in webhook.refused] == ["/hook?from=adtally"] * 3
    first = webhook.taken[0]
    for entry in webhook.refused:
        assert entry.headers["idempotency-key"] == first.headers["idempotency-key"]
        assert entry.body == first.body
    for entry in webhook.taken + webhook.refused:
        incident = entry.json
        assert entry.headers["idempotency-key"] == f'"{incident["id"]}:{incident["state"]}"'
        parts = dict(part.split("=") for part in entry.headers["x-adtally-signature"].split(","))
        text = parts["t"].encode() + b"." + entry.body
        assert parts["v1"] == hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    keys = [entry.headers["idempotency-key"] for entry in webhook.taken]
    assert len(keys) == len(set(keys)), "what was taken is not sent again"


# ---- the books


def test_the_books_are_reconciled_and_a_difference_is_an_alert(
        adtally, get, send, webhook, alertmanager, new_id):
    """In seconds here, in minutes by default."""
    def rows(since=""):
        minutes = get("/api/pipeline/status").json()["minutes"]
        return sorted((row for row in minutes if row["from"] >= since), key=lambda row: row["from"])

    begin = now()

    def quiet():
        return [row["to"] for row in rows(begin)[-1:] if row["accepted"] == row["in_flight"] == 0]
    [since] = eventually(quiet, 10, "a row without others' events to count from")
    send((7, impression(new_id())))

    def told():  # they may lie in two rows
        found = rows(since)
        return sum(row["counted"] for row in found) == 7 and found
    ours = eventually(told, 10, "their row")
    assert sum(row["accepted"] for row in ours) == sum(row["appended"] for row in ours) == 7
    assert ours[-1]["difference"] == ours[-1]["in_flight"] == 0
    assert all(row["from"] < row["to"] for row in ours)

    def incident(state):
        found = get("/api/anomalies", state=state).json()["anomalies"]
        return [each for each in found if each["rule"] == "reconciliation"]
    books = next(adtally.redis.scan_iter("adtally:books:ad-events:*"))
    adtally.redis.hincrby(books, "counted", 1)
    [opened] = eventually(lambda: incident("OPEN"), 10, "an incident")
    assert (opened["entity"], opened["entity_id"], opened["observed"]) == (
        "pipeline", "ad-events", "1")
    assert get("/api/pipeline/status").json()["balanced"] is False
    gauge = "adtally_pipeline_difference_events{application=\"data-processor\"} "
    eventually(lambda: gauge + "1" in get("/actuator/prometheus").text, 10, "the gauge")
    adtally.redis.hincrby(books, "counted", -1)
    [resolved] = eventually(lambda: incident("RESOLVED"), 10, "its end")
    assert resolved["id"] == opened["id"] and incident("OPEN") == []
    eventually(lambda: [each for each in webhook.taken if each.json["id"] == opened["id"]], 30,
               "the webhook is told")

    def alerts():
        return [each.json[0] for each in alertmanager.taken
                if each.json[0]["labels"]["incident"] == opened["id"]]
    told = eventually(lambda: len(alerts()) == 2 and alerts(), 30, "the Alertmanager is told")
    assert {each["labels"]["alertname"] for each in told} == {"AdtallyBooksDiffer"}
    starts, ends = (datetime.datetime.fromisoformat(told[0][name])
                    for name in ("startsAt", "endsAt"))
    assert ends - starts > datetime.timedelta(hours=23), "open until it is resolved"


# ---- thresholds while running


def test_thresholds_are_taken_over_while_running(adtally, get, send, new_id, config_file):
    def told_after(clicks):
        session = f"live-{new_id()}"
        send((clicks, click(new_id(), session_id=session)))
        return [(e["observed"], e["threshold"]) for e in incidents_of(get, session)]

    def refresh():
        answer = requests.post(adtally.processor_url + "/actuator/refresh", timeout=10)
        assert answer.status_code == 200
        return answer.json()

    assert told_after(4) == []
    config_file.write_text(settings(session_clicks=3), encoding="utf-8")
    assert refresh() == ["processor.session-clicks"]
    assert refresh() == []
    assert told_after(4) == [("4", "3")]

    config_file.write_text(settings(session_clicks=5, flush_events=7), encoding="utf-8")
    adtally.process.send_signal(signal.SIGHUP)
    eventually(lambda: told_after(6) == [("6", "5")], 10, "the threshold of the file")
    assert told_after(5) == []
    log = adtally.log_path.read_text(encoding="utf-8")
    assert '"message":"this setting needs a restart","key":"processor.flush-events"' in log

    # A file with errors changes nothing, and what is right in it neither.
    config_file.write_text(settings(session_clicks=2, flush_event=1), encoding="utf-8")
    assert refresh() == []
    assert told_after(3) == []
    assert "processor.flush-event: unknown setting; did you mean processor.flush-events?" in (
        adtally.log_path.read_text(encoding="utf-8"))
    assert told_after(6) == [("6", "5")]
    config_file.write_text(settings(session_clicks=10), encoding="utf-8")
    assert refresh() == ["processor.session-clicks"]
