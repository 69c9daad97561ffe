"""What clients that are not ours make of our topics: kcat, and the JVM's producer."""

import json
import subprocess
from random import Random

import pytest

from support import Collector
from support.books import wait_counted
from support.cluster import Cluster
from support.wait import eventually

PARTITIONS = 12
LOUD_AD = 77


@pytest.fixture(name="cluster", scope="module")
def cluster_fixture(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def kcat(cluster, topic):
    """[(partition, key, value)] of all records, as kcat prints them."""
    done = subprocess.run(
        ["kcat", "-b", cluster.broker.address, "-C", "-t", topic, "-e", "-q", "-o", "beginning",
         "-f", "%p\\t%k\\t%s\\n"],
        capture_output=True, text=True, timeout=60, check=True)
    lines = [line.split("\t", 2) for line in done.stdout.splitlines()]
    return [(int(partition), key, value) for partition, key, value in lines]


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
