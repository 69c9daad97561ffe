"""The metrics API, the books and the live stream.

Ids of ads are the test's own, so that all share one adtally.
"""

import asyncio
import datetime
import json
import threading
import time
from decimal import Decimal

import aiohttp
import pytest
import requests

from support import eventually
from support.events import click, impression


@pytest.fixture(scope="module")
def adtally(shared):
    return shared()


def exact(answer):
    """The document with its decimals as they are written."""
    return json.loads(answer.text, parse_float=Decimal)


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
