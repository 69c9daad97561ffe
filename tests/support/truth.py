"""Real logs of ad exchanges and the numbers that adtally must make of them, which were computed
without it. `adtally` is anything with collector_url, processor_url and redis.
"""

import subprocess
from collections import Counter

import pytest

from support import real_data
from support.books import get
from support.harness import binary, clean_environment

CAMPAIGN = 2821
DAY = "2013-10-21"
NANOS_PER_MICRO = 1000


def replay(adtally, name_of_format, *words):
    """Runs `adtally replay` to its end and returns its closing summary."""
    done = subprocess.run(
        [binary(), "replay", "--format", name_of_format, "--url", adtally.collector_url,
         *map(str, words)],
        capture_output=True, text=True, timeout=120, env=clean_environment(), check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def replay_ipinyou(adtally, *options):
    summary = replay(adtally, "ipinyou", *options, real_data.file(real_data.IPINYOU_IMPRESSIONS),
                     real_data.file(real_data.IPINYOU_CLICKS))
    assert "accepted        10442" in summary, summary


def counted(adtally, prefix):
    """{impressions, clicks, payprice_sum} of the counters under `prefix`."""
    values = adtally.redis.mget(
        f"{prefix}:{name}" for name in ("impressions", "clicks", "cost_nanos"))
    impressions, clicks, nanos = (int(value or 0) for value in values)
    assert nanos % NANOS_PER_MICRO == 0
    return Counter(
        impressions=impressions, clicks=clicks, payprice_sum=nanos // NANOS_PER_MICRO)


def expected(entry):
    return Counter({name: entry[name] for name in ("impressions", "clicks", "payprice_sum")})


def assert_ipinyou(adtally, truth):
    total = expected(truth["dedup_by_type_and_bidid_first_in_file_order"])
    assert total == {"impressions": 9960, "clicks": 433, "payprice_sum": 873_434}
    ads = sorted(truth["per_creative_dedup"])

    per_ad = {ad: counted(adtally, f"ad:metrics:{ad}") for ad in ads}
    assert per_ad == {ad: expected(truth["per_creative_dedup"][ad]) for ad in ads}
    assert sum(per_ad.values(), Counter()) == total
    assert counted(adtally, f"campaign:metrics:{CAMPAIGN}") == total
    # No ad beside those.
    assert len(adtally.redis.keys("ad:metrics:*:impressions")) == len(ads)

    for hour, entry in truth["per_hour_dedup"].items():
        keys = [f"hourly:metrics:{ad}:{DAY}T{hour[-2:]}" for ad in ads]
        assert sum((counted(adtally, key) for key in keys), Counter()) == expected(entry), hour
    days = [counted(adtally, f"daily:metrics:{ad}:{DAY}") for ad in ads]
    assert sum(days, Counter()) == total


def assert_ipinyou_by_api(adtally, truth):
    api = f"{adtally.processor_url}/api/metrics"
    hours, days = {}, Counter()
    for ad, entry in truth["per_creative_dedup"].items():
        numbers = get(f"{api}/ads/{ad}")
        assert of_api(numbers) == expected(entry)
        ctr = entry["clicks"] / entry["impressions"]
        assert numbers["ctr"] == pytest.approx(ctr, abs=5.1e-7)
        for hour in get(f"{api}/ads/{ad}/hourly?date={DAY}")["hours"]:
            hours.setdefault(hour["hour"], Counter()).update(of_api(hour))
        for day in get(f"{api}/ads/{ad}/daily?from={DAY}&to={DAY}")["days"]:
            days += of_api(day)
    truth_of_hours = {
        int(hour[-2:]): expected(entry) for hour, entry in truth["per_hour_dedup"].items()}
    nothing = Counter(impressions=0, clicks=0, payprice_sum=0)
    assert hours == {hour: truth_of_hours.get(hour, nothing) for hour in range(24)}

    total = expected(truth["dedup_by_type_and_bidid_first_in_file_order"])
    assert days == total
    assert of_api(get(f"{api}/campaigns/{CAMPAIGN}")) == total
    ranked = sorted(truth["per_creative_dedup"].items(), key=lambda item: -item[1]["impressions"])
    top = get(f"{api}/top?by=impressions&limit=3")["ads"]
    assert [entry["ad_id"] for entry in top] == [ad for ad, _ in ranked[:3]]


def of_api(numbers):
    return Counter(impressions=numbers["impressions"], clicks=numbers["clicks"],
                   payprice_sum=int(numbers["cost_nanos"]) // NANOS_PER_MICRO)


def replay_open_bandit(adtally):
    replay(adtally, "openbandit", real_data.file(real_data.OPEN_BANDIT))


def assert_open_bandit(adtally, bandit):
    campaign = counted(adtally, "campaign:metrics:1")
    assert (campaign["impressions"], campaign["clicks"]) == (10_000, 46)
    ads = [key.split(":")[2] for key in adtally.redis.keys("ad:metrics:*:impressions")]
    for day, (impressions, clicks) in bandit["per_day"].items():
        of_ads = sum((counted(adtally, f"daily:metrics:{ad}:{day}") for ad in ads), Counter())
        assert (of_ads["impressions"], of_ads["clicks"]) == (impressions, clicks), day

    days, (first, last) = Counter(), (min(bandit["per_day"]), max(bandit["per_day"]))
    for ad in ads:
        url = f"{adtally.processor_url}/api/metrics/ads/{ad}/daily?from={first}&to={last}"
        for entry in get(url)["days"]:
            days[entry["date"], "impressions"] += entry["impressions"]
            days[entry["date"], "clicks"] += entry["clicks"]
    assert days == Counter({
        (day, name): number for day, numbers in bandit["per_day"].items()
        for name, number in zip(("impressions", "clicks"), numbers)})
