"""The first minute with adtally: events by every way in, and the numbers they make."""

import json
import subprocess
from urllib.parse import parse_qs

import pytest
import requests

from support.books import get, wait_counted
from support.harness import binary
from support.wait import eventually

pytestmark = pytest.mark.smoke

SECRET = "a-secret-of-this-test"
LANDING_PAGE = "https://shop.example/boots?colour=red&size=42"
PIXEL_BYTES = 43


@pytest.fixture
def adtally(make_adtally):
    return make_adtally("--set", f"collector.click-secret={SECRET}")


def impressions_of(adtally, ad):
    return int(adtally.redis.get(f"ad:metrics:{ad}:impressions") or 0)


def test_the_curl_of_the_readme_is_visible_in_redis_at_once(adtally):
    said = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", "-H", "content-type: application/json", "-d",
         '{"type":"impression","ad_id":1,"campaign_id":1}', f"{adtally.collector_url}/api/events"],
        check=True, capture_output=True, text=True, timeout=30).stdout
    body, status = said.rsplit("\n", 1)
    assert status == "202"
    assert len(json.loads(body)["event_id"]) == 36
    eventually(lambda: impressions_of(adtally, 1) == 1, 10, "the impression in Redis")

    status = wait_counted(adtally)
    assert status["accepted"] == status["appended"] == status["counted"] == 1
    assert get(f"{adtally.processor_url}/api/metrics/ads/1")["impressions"] == 1


def test_an_event_that_is_sent_twice_counts_once(adtally):
    event = {"event_id": "once", "type": "impression", "ad_id": 1, "campaign_id": 1}
    for _ in range(2):
        answer = requests.post(f"{adtally.collector_url}/api/events", json=event, timeout=10)
        assert (answer.status_code, answer.json()) == (202, {"event_id": "once"})
    status = wait_counted(adtally)
    assert (status["accepted"], status["counted"], status["duplicates"]) == (2, 1, 1)
    assert impressions_of(adtally, 1) == 1


def test_the_pixel_is_an_impression(adtally):
    answer = requests.get(
        f"{adtally.collector_url}/api/events/pixel.gif?ad_id=2&campaign_id=1&cb=93", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"GIF89a") and len(answer.content) == PIXEL_BYTES
    eventually(lambda: impressions_of(adtally, 2) == 1, 10, "the pixel's impression")


def test_a_signed_click_is_counted_and_redirected_and_a_forged_one_is_neither(adtally):
    signed = subprocess.run(
        [binary(), "sign-click", "--secret", SECRET, "--to", LANDING_PAGE, "--ad", "3"],
        check=True, capture_output=True, text=True, timeout=30).stdout.strip()
    query = {name: values[0] for name, values in parse_qs(signed).items()}
    url = f"{adtally.collector_url}/api/events/click"

    answer = requests.get(url, {**query, "campaign_id": "1", "to": LANDING_PAGE},
                          allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(LANDING_PAGE)
    eventually(lambda: adtally.counts(3)["clicks"] == 1, 10, "the click")

    forged = requests.get(url, {**query, "campaign_id": "1", "to": "https://evil.example/"},
                          allow_redirects=False, timeout=10)
    assert forged.status_code == 400
    assert "location" not in forged.headers
    assert forged.json()["code"] == "target_refused"
    assert wait_counted(adtally)["counted"] == 1


def test_a_postback_is_a_conversion_with_its_value(adtally):
    answer = requests.get(
        f"{adtally.collector_url}/api/events/postback",
        {"ad_id": "4", "campaign_id": "1", "event_id": "order-17", "value_micros": "12500000"},
        timeout=10)
    assert answer.status_code == 200
    assert answer.json()["event_id"] == "order-17"
    eventually(lambda: adtally.counts(4)["conversions"] == 1, 10, "the conversion")
    assert adtally.redis.get("ad:metrics:4:value_nanos") == "12500000000"


def test_of_a_batch_the_valid_events_are_taken_and_the_others_named(adtally):
    lines = [
        {"type": "impression", "ad_id": 5, "campaign_id": 2, "cost_micros": 2500},
        {"type": "impression", "ad_id": "5", "campaign_id": 2, "cost_micros": 2500},
        {"type": "view", "ad_id": 5, "campaign_id": 2},
        {"type": "click", "ad_id": 5, "campaign_id": 2}]
    answer = requests.post(
        f"{adtally.collector_url}/api/events/batch", timeout=10,
        headers={"content-type": "application/x-ndjson"},
        data="\n".join(json.dumps(line) for line in lines))
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert said["accepted"] == 3 and len(said["event_ids"]) == 3
    assert [entry["index"] for entry in said["rejected"]] == [2]

    status = wait_counted(adtally)
    assert (status["accepted"], status["rejected"], status["counted"]) == (3, 1, 3)
    numbers = get(f"{adtally.processor_url}/api/metrics/ads/5")
    assert (numbers["impressions"], numbers["clicks"]) == (2, 1)
    # Two impressions of 2,500 micros and one click: CTR 1/2, CPC 0.005, CPM 2.5.
    assert (numbers["ctr"], numbers["cpc"], numbers["cpm"]) == (0.5, 0.005, 2.5)
    assert numbers["cost_nanos"] == "5000000"
    stored = adtally.redis.mget(f"ad:metrics:5:{name}" for name in ("ctr", "cpc", "cpm"))
    assert [float(text) for text in stored] == [0.5, 0.005, 2.5]
    campaign = get(f"{adtally.processor_url}/api/metrics/campaigns/2")
    assert {**numbers, "campaign_id": "2"} == {**campaign, "ad_id": "5"}


def test_an_ad_without_events_is_not_found(adtally):
    problem = get(f"{adtally.processor_url}/api/metrics/ads/999", expected=404)
    assert problem["status"] == 404
