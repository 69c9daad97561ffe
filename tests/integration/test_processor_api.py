"""The metrics API, the live stream, incidents and their delivery, thresholds while running.

Ids of ads are the test's own, so that all share one adtally.
"""

import asyncio
import datetime
import hashlib
import hmac
import json
import signal
import threading
import time
from decimal import Decimal

import aiohttp
import pytest
import requests

from support import eventually
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


@pytest.fixture
def get(adtally):
    def ask(path, **parameters):
        return requests.get(adtally.processor_url + path, params=parameters, timeout=10)
    return ask


@pytest.fixture
def send(adtally):
    """Sends events, given as (how many, members), and returns when they are counted."""
    def deliver(*groups):
        made = [dict(members) for count, members in groups for _ in range(count)]
        answer = requests.post(
            adtally.collector_url + "/api/events/batch", json=made, timeout=10)
        assert (answer.status_code, answer.json()["rejected"]) == (202, []), answer.text
        eventually(lambda: adtally.pipeline_status()["in_flight"] == 0, 10, "all events counted")
    return deliver


def impression(ad, **members):
    return {"type": "impression", "ad_id": ad, "campaign_id": ad, **members}


def click(ad, **members):
    return {"type": "click", "ad_id": ad, "campaign_id": ad, **members}


def exact(answer):
    """The document with its decimals as they are written."""
    return json.loads(answer.text, parse_float=Decimal)


# ---- metrics


def test_an_ad_and_its_campaign_are_told_with_exact_ratios(get, send, new_id):
    ad = new_id()
    send((7, impression(ad, cost_micros=1_500)), (3, click(ad, cost_micros=200_000)),
         (1, {**click(ad, value_micros=12_300_000), "type": "conversion"}))
    answer = get(f"/api/metrics/ads/{ad}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    wanted = {
        "impressions": 7, "clicks": 3, "conversions": 1, "ctr": Decimal("0.428571"),
        "cpc": Decimal("0.203500"), "cpm": Decimal("87.214286"), "cost": Decimal("0.610500"),
        "cost_nanos": "610500000", "value_nanos": "12300000000"}
    assert exact(answer) == {"ad_id": str(ad), **wanted}
    assert exact(get(f"/api/metrics/campaigns/{ad}")) == {"campaign_id": str(ad), **wanted}


def test_a_ratio_without_a_denominator_is_null(get, send, new_id):
    ad, other = new_id(), new_id()
    send((1, impression(ad)), (1, click(other)))
    told = get(f"/api/metrics/ads/{ad}").json()
    assert (told["ctr"], told["cpc"], told["cpm"]) == (0, None, 0)
    told = get(f"/api/metrics/ads/{other}").json()
    assert (told["ctr"], told["cpc"], told["cpm"]) == (None, 0, None)


@pytest.mark.parametrize("path", ["/api/metrics/ads/", "/api/metrics/campaigns/"])
@pytest.mark.parametrize("which, status", [
    ("0", 400), ("-1", 400), ("x", 400), ("1.5", 400), ("9223372036854775808", 400),
    ("%20", 400), ("%zz", 400), ("9223372036854775807", 404), ("123456789", 404)])
def test_ids_that_are_none_are_400_and_unknown_ones_404(adtally, path, which, status):
    answer = requests.Request("GET", adtally.processor_url + path).prepare()
    answer.url += which  # as it is
    with requests.Session() as session:
        answer = session.send(answer, timeout=10)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status and answer.json()["detail"]


def test_hours_and_days_are_told_with_the_empty_ones(get, send, new_id):
    ad, today = new_id(), datetime.datetime.now(datetime.UTC).date()
    past = today - datetime.timedelta(days=3)
    send((2, impression(ad, timestamp=f"{past}T05:59:59.999Z", cost_micros=1000)),
         (1, click(ad, timestamp=f"{past}T06:00:00Z")),
         (1, click(ad, timestamp=f"{past}T23:59:59+00:00")),
         (1, impression(ad)))
    told = exact(get(f"/api/metrics/ads/{ad}/hourly", date=past))
    assert (told["ad_id"], told["date"]) == (str(ad), str(past))
    assert [entry["hour"] for entry in told["hours"]] == list(range(24))
    busy = {e["hour"]: (e["impressions"], e["clicks"]) for e in told["hours"]
            if e["impressions"] or e["clicks"]}
    assert busy == {5: (2, 0), 6: (0, 1), 23: (0, 1)}
    assert told["hours"][5]["cost"] == Decimal("0.002000")
    assert sum(e["impressions"] for e in exact(get(f"/api/metrics/ads/{ad}/hourly"))["hours"]) == 1

    told = exact(get(f"/api/metrics/ads/{ad}/daily"))
    days = [str(today - datetime.timedelta(days=n)) for n in range(6, -1, -1)]
    assert [entry["date"] for entry in told["days"]] == days
    assert [(e["impressions"], e["clicks"]) for e in told["days"]] == [
        (0, 0), (0, 0), (0, 0), (2, 2), (0, 0), (0, 0), (1, 0)]
    assert told["days"][3]["ctr"] == 1
    told = exact(get(f"/api/metrics/ads/{ad}/daily", **{"from": past, "to": past}))
    assert [e["date"] for e in told["days"]] == [str(past)]
    # An ad that nobody has seen has days too, all empty.
    assert len(get(f"/api/metrics/ads/{new_id()}/daily").json()["days"]) == 7


@pytest.mark.parametrize("path", [
    "/api/metrics/ads/1/hourly?date=2024-02-30", "/api/metrics/ads/1/hourly?date=yesterday",
    "/api/metrics/ads/1/hourly?date=", "/api/metrics/ads/0/hourly", "/api/metrics/ads/x/daily",
    "/api/metrics/ads/1/daily?from=2024-01-15T00", "/api/metrics/ads/1/daily?to=20240115",
    "/api/metrics/ads/1/daily?from=2024-01-16&to=2024-01-15",
    "/api/metrics/ads/1/daily?from=2022-01-01&to=2024-01-15",
    "/api/metrics/top?by=colour", "/api/metrics/top?limit=0", "/api/metrics/top?limit=1001",
    "/api/metrics/top?limit=x", "/api/metrics/top?limit=-1", "/api/metrics/top?by=",
    "/api/anomalies?state=open", "/api/anomalies?limit=0", "/api/anomalies?limit=1e3"])
def test_parameters_that_are_none_are_refused(get, path):
    answer = get(path)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_the_top_is_in_order(get, send, new_id):
    ads = [new_id() for _ in range(4)]
    send(*((500 + 100 * n, impression(ad, cost_micros=1_000_000 * (4 - n)))
           for n, ad in enumerate(ads)))
    send(*((60 * (n % 3 + 1), click(ad)) for n, ad in enumerate(ads)))

    def top(by):
        told = get("/api/metrics/top", by=by, limit=4).json()
        assert told["by"] == by
        return [int(entry["ad_id"]) for entry in told["ads"]]
    assert top("impressions") == ads[::-1]
    assert top("cost") == ads
    assert set(top("clicks")) == set(ads) and top("clicks")[0] == ads[2]
    assert [e["impressions"] for e in get("/api/metrics/top").json()["ads"]] == sorted(
        (e["impressions"] for e in get("/api/metrics/top").json()["ads"]), reverse=True)
    # By CTR: 60/500 120/600 180/700 60/800; ads with too few impressions have no rank.
    few = new_id()
    send((99, impression(few)), (5, click(few)))
    ranked = [int(e["ad_id"]) for e in get("/api/metrics/top", by="ctr", limit=1000).json()["ads"]]
    assert [ad for ad in ranked if ad in ads] == [ads[2], ads[1], ads[0], ads[3]]
    assert few not in ranked


def test_the_books_add_up(adtally, get, send, new_id):
    before, ad = get("/api/pipeline/status").json(), new_id()
    twice = impression(ad, event_id=f"twice-{ad}")
    send((2, twice), (3, impression(ad)))
    requests.post(adtally.collector_url + "/api/events", data="broken", timeout=10)
    after = get("/api/pipeline/status").json()
    grown = {name: after[name] - before[name] for name in (
        "accepted", "appended", "processed", "counted", "duplicates", "rejected",
        "dead_lettered", "expired", "in_flight")}
    assert grown == {
        "accepted": 5, "appended": 5, "processed": 5, "counted": 4, "duplicates": 1,
        "rejected": 1, "dead_lettered": 0, "expired": 0, "in_flight": 0}
    assert after["balanced"] is True
    assert len(after["partitions"]) == 4
    for entry in after["partitions"]:
        assert entry["processed"] + entry["lag"] == entry["end"] and entry["balanced"]
    assert sum(entry["end"] for entry in after["partitions"]) == after["appended"]


def test_the_books_are_reconciled_and_a_difference_is_an_alert(adtally, get, send, webhook, new_id):
    """In seconds here, in minutes by default."""
    def rows(since=""):
        minutes = get("/api/pipeline/status").json()["minutes"]
        return sorted((row for row in minutes if row["from"] >= since), key=lambda row: row["from"])

    def quiet():
        return [row["to"] for row in rows()[-1:] if row["accepted"] == row["in_flight"] == 0]
    [since] = eventually(quiet, 10, "a row without others' events to count from")
    send((7, impression(new_id())))

    def told():  # they may lie in two rows
        return sum(row["counted"] for row in rows(since)) == 7 and rows(since)
    ours = eventually(told, 10, "their row")
    assert sum(row["accepted"] for row in ours) == sum(row["appended"] for row in ours) == 7
    assert ours[-1]["difference"] == ours[-1]["in_flight"] == 0
    assert all(row["from"] < row["to"] for row in ours)

    def incident(state):
        found = get("/api/anomalies", state=state).json()["anomalies"]
        return [each for each in found if each["rule"] == "reconciliation"]
    adtally.redis.hincrby("adtally:books:ad-events:0", "counted", 1)
    [opened] = eventually(lambda: incident("OPEN"), 10, "an incident")
    assert (opened["entity"], opened["entity_id"], opened["observed"]) == (
        "pipeline", "ad-events", "1")
    assert get("/api/pipeline/status").json()["balanced"] is False
    adtally.redis.hincrby("adtally:books:ad-events:0", "counted", -1)
    [resolved] = eventually(lambda: incident("RESOLVED"), 10, "its end")
    assert resolved["id"] == opened["id"] and incident("OPEN") == []
    eventually(lambda: [each for each in webhook.taken if each.json["id"] == opened["id"]], 30,
               "the webhook is told")


def test_other_methods_and_addresses_are_told(adtally):
    answer = requests.post(adtally.processor_url + "/api/metrics/top", timeout=10)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert requests.get(adtally.processor_url + "/api/metrics", timeout=10).status_code == 404
    head = requests.head(adtally.processor_url + "/api/pipeline/status", timeout=10)
    assert (head.status_code, head.content) == (200, b"")


# ---- the stream


class Listener:
    """Collects the events of /api/metrics/stream, on a thread of its own."""

    def __init__(self, url):
        self.answer, self.events = None, []
        self._url = url + "/api/metrics/stream"
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))

    def __enter__(self):
        self._thread.start()
        eventually(lambda: self.answer, 10, "the head of the stream")
        return self

    async def _listen(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        reading = asyncio.create_task(self._read())
        await self._stop.wait()
        reading.cancel()

    async def _read(self):
        kind = None
        async with aiohttp.ClientSession() as session, session.get(self._url) as answer:
            self.answer = answer
            async for line in answer.content:
                line = line.decode().rstrip("\n")
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.events.append((kind, json.loads(line.removeprefix("data: "))))

    def of(self, kind, entity_id):
        return [data for name, data in self.events if name == kind
                and str(entity_id) in (data.get("id"), data.get("entity_id"))]

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def test_the_stream_tells_changes_and_incidents_as_they_happen(adtally, send, new_id):
    ad = new_id()
    with Listener(adtally.processor_url) as listener:
        assert listener.answer.status == 200
        assert listener.answer.headers["content-type"].startswith("text/event-stream")
        assert listener.answer.headers["cache-control"] == "no-store"
        send((3, impression(ad, cost_micros=500)), (2, click(ad)))

        def newest():
            told = [entry for entry in listener.of("metric", ad) if entry["entity"] == "ad"]
            return told and (told[-1]["impressions"], told[-1]["clicks"]) == (3, 2)
        eventually(newest, 10, "the newest values of the ad")
        assert {entry["entity"] for entry in listener.of("metric", ad)} == {"ad", "campaign"}

        send((11, click(new_id(), session_id=f"stream-{ad}")))
        [incident] = eventually(
            lambda: listener.of("anomaly", f"stream-{ad}"), 10, "the incident on the stream")
        assert (incident["rule"], incident["state"]) == ("session_clicks", "OPEN")

        # At most one event a second of an entity, however many changes there are.
        seen = len(listener.of("metric", ad))
        began = time.monotonic()
        for _ in range(10):
            send((1, impression(ad)))
        eventually(lambda: len(listener.of("metric", ad)) > seen, 10, "another metric event")
        seconds = time.monotonic() - began
        assert len(listener.of("metric", ad)) - seen <= 2 * (seconds + 1)


# ---- incidents


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
