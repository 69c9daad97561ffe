"""What each service tells of itself: health, metrics, levels, logs; and how it stops."""

import json
import re

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from support import eventually

V3 = "application/vnd.spring-boot.actuator.v3+json"
SERVICES = {"collector": "data-collector", "processor": "data-processor"}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def adtally(shared):
    return shared()


@pytest.fixture(params=SERVICES)
def service(request):
    return request.param


@pytest.fixture
def url(adtally, service):
    return getattr(adtally, f"{service}_url") + "/actuator"


def get(url, accept=None):
    return requests.get(url, headers={"Accept": accept} if accept else None, timeout=10)


def test_the_index_links_to_what_there_is(url):
    links = get(url).json()["_links"]
    assert links["self"] == {"href": url, "templated": False}
    for name, link in links.items():
        assert link["templated"] == ("{" in link["href"])
        if not link["templated"] and name != "refresh":
            assert get(link["href"]).status_code == 200
    assert {"health", "health-path", "info", "prometheus", "loggers", "refresh"} <= set(links)


def test_health_names_its_components(adtally, url, service):
    answer = get(url + "/health")
    told = answer.json()
    assert (answer.status_code, told["status"]) == (200, "UP")
    own = {"collector": {"eventLog"}, "processor": {"processor", "redis"}}[service]
    assert set(told["components"]) == own | {"livenessState", "ping", "readinessState"}
    assert list(told["components"]) == sorted(told["components"])
    assert all(part["status"] == "UP" for part in told["components"].values())
    assert sorted(told["groups"]) == ["liveness", "readiness"]
    for name, part in told["components"].items():
        one = get(f"{url}/health/{name}")
        assert (one.status_code, one.json()["status"]) == (200, "UP")
        assert set(one.json()) == set(part)
    if service == "processor":
        redis = told["components"]["redis"]["details"]
        assert redis["pid"] == str(adtally.redis_pid())
        assert redis["address"] == f"redis://127.0.0.1:{adtally.redis_port}"


def test_liveness_depends_on_nothing_and_readiness_on_what_is_needed(url, service):
    assert get(url + "/health/liveness").json() == {
        "status": "UP", "components": {"livenessState": {"status": "UP"}}}
    ready = get(url + "/health/readiness").json()
    own = {"collector": {"eventLog"}, "processor": {"processor", "redis"}}[service]
    assert (ready["status"], set(ready["components"])) == ("UP", own | {"readinessState"})


def test_an_unknown_component_is_404_without_a_body(url):
    for path in ("/health/database", "/health/liveness/x", "/health/"):
        assert get(url + path).status_code == 404
    assert get(url + "/health/database").content == b""


def test_info_tells_name_and_version(url, service):
    build = get(url + "/info").json()["build"]
    assert (build["artifact"], build["name"]) == ("adtally", SERVICES[service])
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", build["version"])


@pytest.mark.parametrize("path", ["", "/health", "/health/liveness", "/info", "/loggers",
                                  "/loggers/ROOT"])
def test_the_type_is_spring_s_unless_plain_json_is_asked_for(url, path):
    assert get(url + path).headers["content-type"] == V3
    assert get(url + path, "application/json").headers["content-type"] == "application/json"
    assert get(url + path, V3 + ", application/json").headers["content-type"] == V3
    assert get(url + path, "text/html,*/*;q=0.8").headers["content-type"] == V3


def test_prometheus_can_read_the_metrics(adtally, url, service):
    assert requests.post(adtally.collector_url + "/api/events", timeout=10, json={
        "type": "impression", "ad_id": 1, "campaign_id": 1}).status_code == 202
    get(url + "/health")
    answer = get(url + "/prometheus")
    assert answer.headers["content-type"].replace(" ", "") == (
        "text/plain;version=0.0.4;charset=utf-8")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    samples = [sample for family in families.values() for sample in family.samples]
    assert {sample.labels.get("application") for sample in samples} == {SERVICES[service]}
    assert all(family.documentation for family in families.values())
    wanted = {
        "collector": {"adtally_collector_events_accepted", "adtally_collector_events_appended",
                      "adtally_collector_events_rejected", "adtally_collector_events_in_flight"},
        "processor": {"adtally_processor_pending_events", "adtally_processor_lag_events"}}[service]
    assert wanted | {"http_server_requests_seconds", "process_cpu_usage"} <= set(families)
    assert_histograms_are_whole(families)


def assert_histograms_are_whole(families):
    histograms = [f for f in families.values() if f.type == "histogram"]
    assert histograms
    for family in histograms:
        series = {}
        for sample in family.samples:
            labels = {**sample.labels}
            bound = labels.pop("le", None)
            one = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
            if sample.name.endswith("_bucket"):
                one["buckets"].append((float(bound), sample.value))
            else:
                one[sample.name.rpartition("_")[2]] = sample.value
        for one in series.values():
            counts = [count for _, count in sorted(one["buckets"])]
            assert counts == sorted(counts)
            assert max(one["buckets"])[0] == float("inf")
            assert counts[-1] == one["count"] and one["sum"] >= 0


def test_levels_are_changed_while_running(url):
    loggers = get(url + "/loggers").json()
    assert loggers["levels"] == ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
    assert loggers["loggers"]["ROOT"] == {"configuredLevel": "INFO", "effectiveLevel": "INFO"}

    def level():
        return get(url + "/loggers/ROOT").json()["effectiveLevel"]

    def set_level(body):
        return requests.post(
            url + "/loggers/ROOT", data=body, headers={"Content-Type": "application/json"},
            timeout=10)
    answer = set_level('{"configuredLevel":"debug"}')
    assert (answer.status_code, answer.content, level()) == (204, b"", "DEBUG")
    for refused in ('{"configuredLevel":"loud"}', '{"configuredLevel":7}', "{", "[]", "7"):
        assert set_level(refused).status_code == 400
    assert level() == "DEBUG"
    assert (set_level('{"configuredLevel":null}').status_code, level()) == (204, "INFO")
    assert get(url + "/loggers/nobody").status_code == 404
    assert requests.post(url + "/loggers/nobody", json={}, timeout=10).status_code == 404


def test_other_methods_are_told(url):
    for method, path, allowed in (
            ("POST", "/health", "GET"), ("DELETE", "/loggers/ROOT", "POST"),
            ("GET", "/refresh", "POST"), ("PUT", "/prometheus", "GET")):
        answer = requests.request(method, url + path, timeout=10)
        assert answer.status_code == 405
        assert allowed in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("given, wanted", [
    (f"00-{TRACE_ID}-00f067aa0ba902b7-01", TRACE_ID), ("00-xyz", None), (None, None),
    ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None)])
def test_a_problem_carries_the_trace_of_its_request(adtally, given, wanted):
    headers = {"traceparent": given} if given else {}
    answer = requests.post(
        adtally.collector_url + "/api/events", data="broken", headers=headers, timeout=10)
    told = answer.json()["traceId"]
    assert re.fullmatch("[0-9a-f]{32}", told) and int(told, 16) > 0
    assert told == wanted or (wanted is None and told not in (given or ""))


def test_it_stops_when_told_and_every_line_of_its_log_is_json(make_adtally, oracle, events):
    adtally = make_adtally()
    answer = requests.post(
        adtally.collector_url + "/api/events/batch", json=events.events(50), timeout=10)
    assert answer.status_code == 202
    # A restart of Redis and a session of many clicks give lines of all components.
    adtally.kill9_redis()
    eventually(lambda: adtally.is_ready("processor"), 20, "readiness with a new Redis")
    requests.post(
        adtally.collector_url + "/api/events/batch", timeout=10,
        json=events.events(11, type="click", session_id='odd "\\\u2028é'))
    eventually(lambda: '"anomaly"' in adtally.log_path.read_text(encoding="utf-8"), 20, "a warning")
    assert adtally.stop() == 0

    lines = adtally.log_path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    assert lines.pop(0).startswith("--- "), "the harness writes how it was started"
    told = [json.loads(line) for line in lines]
    for line in told:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["@timestamp"])
        assert line["message"] and line["service"]["name"]
        assert line["log"]["level"] in ("INFO", "WARN", "ERROR")
        assert line["process"]["pid"] == adtally.pid
    assert {line["service"]["name"] for line in told} >= {
        "adtally", "data-collector", "data-processor", "redis"}
    messages = [line["message"] for line in told]
    order = [messages.index(word) for word in ("adtally is ready", "stopping", "stopped")]
    assert order == sorted(order)
    [incident] = [line for line in told if line["message"] == "anomaly"]
    assert 'odd "\\\u2028é' in incident["summary"]
