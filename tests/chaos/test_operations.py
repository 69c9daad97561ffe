"""What operators do on the full stack: dead letters listed, shown and redriven; an event traced."""

import json
import subprocess

import pytest
import requests

from support import Collector
from support.books import assert_exact, get
from support.cluster import Cluster
from support.command import run_adtally
from support.events import now
from support.load import Load
from support.wait import eventually

AD = 41


@pytest.fixture(name="cluster", scope="module")
def cluster_fixture(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster"), collectors=1, processors=2) as cluster:
        yield cluster


def produce(cluster, topic, value, key=str(AD), headers=()):
    """As any Kafka client may: past the collector."""
    words = [word for name, text in headers for word in ("-H", f"{name}={text}")]
    subprocess.run(["kcat", "-b", cluster.broker.address, "-P", "-t", topic, "-k", key,
                    "-X", "partitioner=murmur2_random", "-D", "\x01", *words],
                   input=value.encode(), timeout=30, check=True)


def dlt(cluster, *words, code=0):
    done = run_adtally("dlt", *words, "--url", cluster.processor_url)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def letters(cluster, *words):
    return [json.loads(line) for line in dlt(cluster, "list", "--json", *words).splitlines()]


def stored(event_id, **more):
    return json.dumps({
        "event_id": event_id, "type": "click", "ad_id": AD, "campaign_id": 3,
        "timestamp": "2024-01-15T14:03:22.123Z", "received_at": "2024-01-15T14:03:22.500Z",
        "schema": 1, **more})


def test_a_poison_record_is_listed_shown_and_redriven_as_it_is(cluster):
    produce(cluster, "ad-events", '{"event_id":"poison-1","type":"cl')
    produce(cluster, "ad-events", stored("poison-2", ad_id="none"))
    found = eventually(lambda: len(letters(cluster)) == 2 and letters(cluster), 30, "two letters")
    by_reason = {letter["reason"]: letter for letter in found}
    assert set(by_reason) == {"malformed_json", "invalid_value"}, found
    assert by_reason["malformed_json"]["value"] == '{"event_id":"poison-1","type":"cl'
    assert by_reason["invalid_value"]["origin"]["topic"] == "ad-events"
    assert letters(cluster, "--reason", "invalid_value") == [by_reason["invalid_value"]]
    assert letters(cluster, "--from", "2100-01-01T00:00:00Z") == []

    place = by_reason["malformed_json"]["id"]
    assert '{"event_id":"poison-1","type":"cl' in dlt(cluster, "show", place)
    assert "malformed_json" in dlt(cluster, "list")
    dlt(cluster, "show", "0-999999", code=1)
    dlt(cluster, "show", "nonsense", code=2)
    dlt(cluster, "redrive", code=2)  # which?
    dlt(cluster, "redrive", place, "--reason", "malformed_json", code=2)
    dlt(cluster, "redrive", "--from", "2", "--to", "1", code=2)

    # It is still wrong: it comes back as a letter of its own, and the first is done with.
    assert dlt(cluster, "redrive", place).startswith("1 redriven")
    eventually(lambda: len(letters(cluster, "--reason", "malformed_json")) == 2, 30, "it is back")
    assert dlt(cluster, "redrive", place).startswith("0 redriven, 1 were before")


def test_a_letter_that_can_be_counted_now_is_counted_once(cluster):
    """As an older version would have left it: refused then, valid for this one."""
    produce(cluster, "ad-events-dlt", stored("mended-1"), headers=[
        ("kafka_dlt-original-topic", "ad-events"), ("kafka_dlt-original-partition", 0),
        ("kafka_dlt-original-offset", 123456), ("kafka_dlt-original-timestamp", 1705327402123),
        ("kafka_dlt-exception-fqcn", "unknown_field"),
        ("kafka_dlt-exception-message", "x: too new")])
    wanted = ("--reason", "unknown_field")
    assert [each["origin"]["offset"] for each in letters(cluster, *wanted)] == [123456]
    assert dlt(cluster, "redrive", *wanted, "--dry-run").startswith("1 would be redriven")
    assert cluster.redis.get(f"ad:metrics:{AD}:clicks") is None
    assert dlt(cluster, "redrive", *wanted).startswith("1 redriven")
    eventually(lambda: cluster.redis.get(f"ad:metrics:{AD}:clicks") == "1", 30, "it is counted")
    assert dlt(cluster, "redrive", *wanted, "--force").startswith("0 redriven, 1 were before")
    trace = get(f"{cluster.processor_url}/api/events/mended-1/trace")
    assert [record["state"] for record in trace["records"]] == ["counted"]
    assert trace["records"][0]["redriven_from"].startswith("ad-events-dlt/")


def place_of(cluster, event_id):
    """(partition, offset) in ad-events"""
    read = subprocess.run(
        ["kcat", "-b", cluster.broker.address, "-C", "-t", "ad-events", "-e", "-q",
         "-f", "%p %o %s\\n"], capture_output=True, text=True, timeout=60, check=True)
    line = next(line for line in read.stdout.splitlines() if f'"{event_id}"' in line)
    return [int(word) for word in line.split()[:2]]


def test_a_record_that_an_older_version_refused_counts_by_its_copy_alone(cluster):
    """It stands in the log, and today's version would take it: for the window that is restored, the
    trace and a rebuild it is no event all the same."""
    at = now()
    fresh = {"ad_id": 43, "timestamp": at, "received_at": at}
    clicks = "ad:metrics:43:clicks"
    produce(cluster, "ad-events", stored("before", **fresh), key="43")
    eventually(lambda: cluster.redis.get(clicks) == "1", 30, "the partition is counted")
    for processor in cluster.processors:
        processor.stop()
    produce(cluster, "ad-events", stored("older", **fresh), key="43")
    partition, offset = place_of(cluster, "older")
    # What the older version left: its place in the books, and its letter.
    assert cluster.redis.get(f"adtally:offset:ad-events:{partition}") == str(offset)
    cluster.redis.set(f"adtally:offset:ad-events:{partition}", offset + 1)
    cluster.redis.hincrby(f"adtally:books:ad-events:{partition}", "dead_lettered", 1)
    cluster.redis.zadd(f"adtally:dead-lettered:ad-events:{partition}",
                       {f"{offset}-{offset}": offset})
    produce(cluster, "ad-events-dlt", stored("older", **fresh), key="43", headers=[
        ("kafka_dlt-original-topic", "ad-events"), ("kafka_dlt-original-partition", partition),
        ("kafka_dlt-original-offset", offset), ("kafka_dlt-original-timestamp", 1),
        ("kafka_dlt-exception-fqcn", "too_new")])
    for processor in cluster.processors:
        processor.start()
    cluster.wait_ready()
    assert cluster.redis.get(clicks) == "1"

    def states():
        records = get(f"{cluster.processor_url}/api/events/older/trace")["records"]
        return [record["state"] for record in records]

    assert states() == ["dead_lettered"]
    assert dlt(cluster, "redrive", "--reason", "too_new").startswith("1 redriven")
    eventually(lambda: cluster.redis.get(clicks) == "2", 30, "the copy is counted")
    assert states() == ["dead_lettered", "counted"]
    assert dlt(cluster, "redrive", "--reason", "too_new").startswith("0 redriven, 1 were before")
    recounted = run_adtally("rebuild", "--kafka", cluster.broker.address, "--redis-url",
                            f"redis://127.0.0.1:{cluster.redis_port}")
    assert recounted.returncode == 0 and ", 0 differ\n" in recounted.stdout, recounted.stdout
    eventually(lambda: get(f"{cluster.processor_url}/api/pipeline/status")["balanced"], 30,
               "the books add up")


def test_an_event_is_found_with_all_that_became_of_it(cluster, events):
    event = events.event(type="click", ad_id=42, campaign_id=7, session_id="s-trace")
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    for _ in range(2):
        answer = requests.post(
            f"{cluster.collector_url}/api/events", json=event, timeout=10,
            headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"})
        assert answer.status_code == 202
    Collector(cluster).deliver([events.event(ad_id=42) for _ in range(100)])

    def settled(query=""):
        url = f"{cluster.processor_url}/api/events/{event['event_id']}/trace{query}"
        trace = get(url)
        return trace if {"in_flight"} & {each["state"] for each in trace["records"]} == set() \
            and len(trace["records"]) == 2 else None

    trace = eventually(settled, 30, "both records are processed")
    first, second = trace["records"]
    assert (first["state"], second["state"]) == ("counted", "duplicate")
    assert first["partition"] == second["partition"] and first["offset"] < second["offset"]
    assert first["collector"].endswith(f":{cluster.collectors[0].port}")
    assert first["traceparent"].split("-")[1] == trace_id
    assert trace["complete"] and not trace["retention_may_hide_records"]
    for key in first["keys"]:
        # A ratio has no value while its denominator is 0; a click without cost adds none.
        absent = key.endswith((":cost_nanos", ":ctr", ":cpc", ":cpm"))
        assert cluster.redis.exists(key) or absent, key
    assert "session:clicks:s-trace" in first["keys"]
    assert second["keys"] == []
    narrow = settled("?ad_id=42")
    assert narrow["records"] == trace["records"]
    assert narrow["searched_records"] <= trace["searched_records"]
    nobody = get(f"{cluster.processor_url}/api/events/nobody/trace")
    assert not nobody["found"] and "not in the log" in nobody["note"]
    get(f"{cluster.processor_url}/api/events/{'x' * 65}/trace", expected=400)
    get(f"{cluster.processor_url}/api/events/a/trace?ad_id=0", expected=400)
    get(f"{cluster.processor_url}/api/events/a/trace?from=noon", expected=400)


def test_counts_are_mended_from_the_log_under_load(tmp_path, oracle, seed):
    """Somebody writes into our keys while three processors count; nobody stops for the repair."""
    with Cluster(tmp_path, collectors=2, processors=3) as cluster:
        with Load(cluster, oracle, seed) as load:
            load.wait_for(2000)
            key, campaign = (  # acknowledged is not yet counted
                eventually(lambda: next(cluster.redis.scan_iter(pattern), None), 30, pattern)
                for pattern in ("ad:metrics:*:impressions", "campaign:metrics:*:clicks"))
            cluster.redis.incrby(key, 1000)
            cluster.redis.decrby(campaign, 3)
            words = ("rebuild", "--kafka", cluster.broker.address, "--redis-url",
                     f"redis://127.0.0.1:{cluster.redis_port}")
            found = run_adtally(*words)
            assert found.returncode == 1, found.stderr
            assert f"{key} " in found.stdout and f"{campaign} " in found.stdout
            assert ", 2 differ\n" in found.stdout, found.stdout
            mended = run_adtally(*words, "--apply")
            assert mended.returncode == 0, f"{mended.stdout}\n{mended.stderr}"
            assert ", 2 differ, 2 corrected" in mended.stdout
            again = run_adtally(*words)
            assert again.returncode == 0 and ", 0 differ\n" in again.stdout, again.stdout
            load.wait_for(1000)
            load.finish()
        assert_exact(cluster, oracle)
