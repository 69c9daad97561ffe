"""What clients that are not ours make of our topics: kcat, and the JVM's producer and consumer."""

import json
import subprocess
from random import Random

import pytest
import requests

from support import Collector
from support.books import wait_counted
from support.cluster import Cluster
from support.wait import eventually

PARTITIONS = 12
LOUD_AD = 77
TRANSACTED = 400


@pytest.fixture(name="cluster", scope="module")
def cluster_fixture(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def kcat_prints(cluster, topic, *columns):
    """All records of the topic, each a list of what kcat prints for the columns."""
    done = subprocess.run(
        ["kcat", "-b", cluster.broker.address, "-C", "-t", topic, "-e", "-q", "-o", "beginning",
         "-f", "\\t".join(columns) + "\\n"],
        capture_output=True, text=True, timeout=60, check=True)
    return [line.split("\t", len(columns) - 1) for line in done.stdout.splitlines()]


def kcat(cluster, topic):
    """[(partition, key, value)] of all records, as kcat prints them."""
    return [(int(partition), key, value)
            for partition, key, value in kcat_prints(cluster, topic, "%p", "%k", "%s")]


def headers_of(text, between="="):
    """As kcat prints them (=), or the JVM (:)."""
    return dict(each.split(between, 1) for each in text.split(","))


def test_kcat_reads_json_with_keys(cluster, events):
    client, sent = Collector(cluster), {}
    for kind, count in (("impression", 300), ("click", 90)):
        batch = [events.event(type=kind, ad_id=LOUD_AD, campaign_id=1) for _ in range(count)]
        client.deliver(batch)
        sent.update({event["event_id"]: event for event in batch})
    wait_counted(cluster)

    records = kcat(cluster, "ad-events")
    read = {value["event_id"]: (key, value) for _, key, value in
            ((p, k, json.loads(v)) for p, k, v in records)}
    assert set(read) >= set(sent)
    for event_id, event in sent.items():
        key, value = read[event_id]
        assert key == str(event["ad_id"])
        assert (value["type"], value["ad_id"]) == (event["type"], event["ad_id"])

    metrics = [(key, json.loads(value)) for _, key, value in
               eventually(lambda: kcat(cluster, "ad-metrics"), 30, "metric events")]
    assert any(key == f"ad:{LOUD_AD}" for key, _ in metrics)
    anomalies = [(key, json.loads(value)) for _, key, value in
                 eventually(lambda: kcat(cluster, "ad-anomalies"), 30, "an anomaly")]
    assert f"ad:{LOUD_AD}" in {key for key, _ in anomalies}
    assert all(isinstance(value, dict) for _, value in anomalies)
    for topic in ("ad-metrics", "ad-anomalies"):
        told = [headers_of(headers) for headers, _ in kcat_prints(cluster, topic, "%h", "%s")]
        assert {each["content-type"] for each in told} == {"application/json"}


def test_kcat_and_the_jvm_read_headers_and_keys(cluster, events):
    traced, plain = (events.event(event_id=f"headers-{ad}", ad_id=ad) for ad in (61, 62))
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    for event, headers in ((traced, {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}),
                           (plain, {})):
        answer = requests.post(f"{cluster.collector_url}/api/events", json=event, timeout=10,
                               headers=headers)
        assert answer.status_code == 202

    records = {json.loads(value)["event_id"]: (key, headers_of(headers)) for key, headers, value
               in kcat_prints(cluster, "ad-events", "%k", "%h", "%s")}
    printed = cluster.broker.tool(
        "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "ad-events",
        "--from-beginning", "--max-messages", str(len(records)), "--timeout-ms", "30000",
        "--property", "print.key=true", "--property", "print.headers=true")
    # Headers, key, value.
    lines = [line.split("\t", 2) for line in printed.splitlines() if line.count("\t") >= 2]
    by_the_jvm = {json.loads(value)["event_id"]: (key, headers_of(headers, ":"))
                  for headers, key, value in lines}
    assert by_the_jvm == records

    for key, headers in records.values():
        assert headers["content-type"] == "application/json"
        assert key.isdecimal()
    collector = cluster.collectors[0].port
    for event in (traced, plain):
        key, headers = records[event["event_id"]]
        assert key == str(event["ad_id"])
        assert headers["adtally-collector"].endswith(f":{collector}"), headers
    version, trace, span, flags = records[traced["event_id"]][1]["traceparent"].split("-")
    assert (version, trace, flags) == ("00", trace_id, "01") and len(span) == 16


def test_the_jvm_puts_every_key_where_we_do(cluster, events, seed):
    chance, client = Random(seed), Collector(cluster)
    keys = sorted({chance.randrange(1, 2**53) for _ in range(400)} | set(range(1, 101)))
    client.deliver([events.event(ad_id=key, campaign_id=1) for key in keys])
    ours = {key: partition for partition, key, _ in kcat(cluster, "ad-events")}

    cluster.broker.tool("TopicCommand", "--create", "--topic", "by-the-jvm", "--partitions",
                        str(PARTITIONS))
    cluster.broker.tool(
        "ConsoleProducer", "--topic", "by-the-jvm", "--property", "parse.key=true", "--property",
        "key.separator=:", stdin="".join(f"{key}:x\n" for key in keys))
    theirs = {key: partition for partition, key, _ in kcat(cluster, "by-the-jvm")}
    assert len(theirs) == len(keys)
    assert {key: ours[key] for key in theirs} == theirs
    assert len(set(theirs.values())) == PARTITIONS


def test_a_transactional_writer_leaves_offsets_without_records(cluster, events, tmp_path):
    """Its markers take offsets. Nothing stops at them, here or after a restart, and the books say
    where they are."""
    before = wait_counted(cluster)
    payloads = tmp_path / "payloads"
    payloads.write_text("written in a transaction\n", encoding="utf-8")
    cluster.broker.tool(
        "ProducerPerformance", "--topic", "ad-events",
        "--num-records", str(TRANSACTED), "--throughput", "200", "--payload-file", str(payloads),
        "--transactional-id", "foreign", "--transaction-duration-ms", "200",
        "--producer-props", f"bootstrap.servers={cluster.broker.address}", told_where=False)

    def all_booked():
        status = cluster.pipeline_status()
        assert status["balanced"], status
        return status if status["in_flight"] == 0 else None

    status = eventually(all_booked, 60, "an empty pipeline, also behind the last marker")
    assert status["dead_lettered"] == TRANSACTED, "each record, once"
    assert status["expired"] >= 2, "markers of several transactions"

    for processor in cluster.processors:
        assert processor.stop() == 0
        processor.start()
    cluster.wait_ready()
    # Ids of their own: the other tests' events are still in the window.
    Collector(cluster).deliver([events.event(ad_id=ad, event_id=f"after-{ad}")
                                for ad in range(1, 201)])
    eventually(lambda: cluster.spooled() == 0, 60, "empty spools")
    after = eventually(all_booked, 60, "an empty pipeline after a restart")
    assert after["counted"] == before["counted"] + 200
    assert (after["dead_lettered"], after["expired"]) == (TRANSACTED, status["expired"])
    assert all(each.health()["status"] == "UP" for each in cluster.services)
