"""What schema/ says of events and answers is what a running adtally takes and gives.

Answers are held against the documents closed: a member that no schema names is a difference, too.
"""

import json
import re
import time
from urllib.parse import urldefrag, urljoin

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate_url
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from support import eventually
from support.records import stored_record
from support.events import now
from support.harness import ROOT

FOLDER = ROOT / "schema"
BASE = "https://schema.test/"  # of references between the documents; nothing is fetched
SERVICES = ("collector", "processor")
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
TOKEN = "partner-token"
V3 = "application/vnd.spring-boot.actuator.v3+json"
FORMATS = FormatChecker(["ipv4", "ipv6", "date"])


# ---- the documents


class Documents:
    """All files of schema/, and validators of what they describe."""

    def __init__(self):
        self.files = {
            path.name: yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
            for path in sorted(FOLDER.iterdir()) if path.suffix in (".json", ".yaml")}
        # These are parts of others, which are closed as a whole.
        parts = [self.files["metric-event.schema.json"]["$defs"]["counts"],
                 self.files["problem.schema.json"],
                 self.files["collector.openapi.yaml"]["components"]["schemas"]["EventMembers"]]
        for document in self.files.values():
            _close(document, {id(part) for part in parts})
        self._registry = Registry().with_resources(
            (BASE + name, DRAFT202012.create_resource(document))
            for name, document in self.files.items())

    def resolve(self, place, *steps):
        """(place, what stands there) after the steps, with references followed on the way."""
        node = self._at(place)
        for step in (*steps, None):
            while "$ref" in node and len(node) == 1:
                place = urljoin(place, node["$ref"])
                node = self._at(place)
            if step is not None:
                node = node[step]
                place += ("" if "#" in place else "#") + "/" + _escaped(step)
        return place, node

    def errors(self, place, value):
        schema = {"$ref": urljoin(BASE, place), "unevaluatedProperties": False}
        validator = Draft202012Validator(schema, registry=self._registry, format_checker=FORMATS)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def operations(self, service):
        """{(method, path)} of a service."""
        name = f"{service}.openapi.yaml"
        found = set()
        for path in self.files[name]["paths"]:
            _, item = self.resolve(BASE + name, "paths", path)
            found |= {(method, path) for method in METHODS & set(item)}
        return found

    def responses(self, service, method, path):
        """{status or "default": (place, response)}."""
        operation = (BASE + f"{service}.openapi.yaml", "paths", path, method, "responses")
        _, responses = self.resolve(*operation)
        return {status: self.resolve(*operation, status) for status in responses}

    def _at(self, place):
        name, pointer = urldefrag(place)
        node = self.files[name.removeprefix(BASE)]
        for step in pointer.split("/")[1:]:
            node = node[step.replace("~1", "/").replace("~0", "~")]
        return node


def _escaped(step):
    return step.replace("~", "~0").replace("/", "~1")


def _close(node, parts):
    if isinstance(node, list):
        for each in node:
            _close(each, parts)
    elif isinstance(node, dict):
        for each in node.values():
            _close(each, parts)
        is_object = node.get("type") == "object" and "properties" in node
        if is_object and id(node) not in parts and "additionalProperties" not in node:
            node["unevaluatedProperties"] = False


@pytest.fixture(scope="module")
def documents():
    return Documents()


@pytest.mark.parametrize("name", ["common", *SERVICES])
def test_the_openapi_documents_are_valid(name):
    validate_url((FOLDER / f"{name}.openapi.yaml").as_uri())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.schema.json")), ids=lambda path: path.name)
def test_the_json_schemas_are_valid_and_so_are_their_examples(documents, path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["examples"]
    for example in schema["examples"]:
        assert documents.errors(path.name, example) == []


def test_the_currencies_are_those_of_the_code(documents):
    source = (ROOT / "src/domain/currency.cpp").read_text(encoding="utf-8")
    table = source.partition("active_codes =")[2].partition(";")[0]
    _, currency = documents.resolve(BASE + "event.schema.json", "$defs", "currency")
    assert currency["enum"] == re.findall(r"\b[A-Z]{3}\b", table)


# ---- routes


def routes_of_the_code(service):
    """{(method, path)}, from the lists in the sources."""
    def text(file):
        return (ROOT / "src" / file).read_text(encoding="utf-8")

    actuator = text("platform/http/actuator.cpp")
    own = "".join(text(path) for path in {
        "collector": ["pipeline/collector/routes.cpp"],
        "processor": ["pipeline/processor/metrics_api/routes.cpp",
                      "pipeline/processor/operations/routes.cpp"]}[service])
    named = re.findall(r'\{Method::(\w+),\s*"(/[^"]*)"', own + actuator)
    got = re.findall(r'\b(?:get|add)\(\s*"(/actuator[^"]*)"', actuator)
    offered = re.findall(r'\bOffer\{"(/[^"]*)"', own)
    return {*named, *(("get", path) for path in got), *(("options", path) for path in offered)}


@pytest.mark.parametrize("service", SERVICES)
def test_the_routes_of_the_code_are_those_of_the_documents(documents, service):
    routes = routes_of_the_code(service)
    assert len(routes) >= 19  # or the lists in the sources are no longer found
    assert routes == documents.operations(service)


@pytest.mark.parametrize("service", SERVICES)
def test_each_address_offers_the_methods_of_the_documents(adtally, documents, service):
    operations = documents.operations(service)
    for path in sorted({path for _, path in operations}):
        url = getattr(adtally, f"{service}_url") + re.sub(r"\{\w+\}", "1", path)
        answer = requests.request("PUT", url, timeout=10)
        documented = {method.upper() for method, each in operations if each == path}
        documented |= {"HEAD"} if "GET" in documented else set()
        assert (answer.status_code, path) == (405, path)
        assert set(answer.headers["allow"].split(", ")) == documented, path
        assert_described(documents, service, sorted(documented)[0].lower(), path, answer)


# ---- answers


@pytest.fixture(scope="module")
def adtally(shared):
    return shared("--set", f"collector.postback-tokens={TOKEN}",
                  "--set", "collector.redirect-hosts=shop.example.org",
                  "--set", "collector.max-batch-events=200",
                  "--set", "eventlog.max-bytes-in-flight=1048576")


@pytest.fixture
def ask(adtally, documents):
    """Sends a request and holds the answer against the documents; `path` is a template."""
    def send(service, method, path, wanted, at=None, **content):
        url = getattr(adtally, f"{service}_url") + (at or path)
        answer = requests.request(
            method.upper(), url, timeout=10, allow_redirects=False, **content)
        assert answer.status_code == wanted, answer.text
        assert_described(documents, service, method, path, answer)
        return answer
    return send


def assert_described(documents, service, method, path, answer):
    responses = documents.responses(service, method, path)
    status = str(answer.status_code)
    assert status in responses or answer.status_code >= 400, f"{method} {path} gives {status}"
    place, response = responses.get(status, responses["default"])
    assert_headers(documents, place, response, answer)
    media = answer.headers.get("content-type", "").partition(";")[0]
    if "content" not in response:
        assert (media, answer.content) == ("", b"")
        return
    assert media in response["content"], f"{method} {path} gives {status} as {media}"
    if media.endswith("json"):
        schema_place, _ = documents.resolve(place, "content", media, "schema")
        assert documents.errors(schema_place, answer.json()) == [], answer.text
    if media == "application/problem+json":
        assert answer.json()["status"] == answer.status_code
        assert_code_is_listed(answer, status in responses, response, responses["default"][1])


def assert_headers(documents, place, response, answer):
    for name in response.get("headers", {}):
        header_place, header = documents.resolve(place, "headers", name)
        value = answer.headers.get(name)
        assert value is not None or not header.get("required"), f"{name} is missing"
        if value is not None:
            schema_place, _ = documents.resolve(header_place, "schema")
            assert documents.errors(schema_place, value) == []


def assert_code_is_listed(answer, is_own, own, default):
    code, status = answer.json()["code"], answer.status_code
    rows = re.findall(rf"\| {status} \| ([\w, ]+) \|", default["description"])
    listed = set(re.findall(r"\w+", rows[0])) if rows else set()
    if is_own:
        listed |= set(re.findall(r"\w+", own["description"].partition("Code")[2]))
        if "Code" not in own["description"]:
            return
    assert code in listed, f"{status} {code} is not among {sorted(listed)}"


def an_event(**members):
    return {"type": "impression", "ad_id": 1, "campaign_id": 1, **members}


PIXEL = {"ad_id": "1", "campaign_id": "2", "attributes.k": "v", "cb": "123", "ip": "::1"}
POSTBACK = {"ad_id": "1", "campaign_id": "2", "txid": "order-1", "payout": "12.30", "goal": "sale"}
TO = {"to": "https://shop.example.org/a"}
EVENTS, BATCH = "/api/events", "/api/events/batch"
CLICK, BACK = "/api/events/click", "/api/events/postback"
COLLECTOR_ANSWERS = [
    ("post", EVENTS, 202, {"json": an_event()}),
    ("post", EVENTS, 202, {
        "data": json.dumps(an_event()), "headers": {"Content-Type": "text/plain"}}),
    ("post", EVENTS, 400, {"data": "{"}),
    ("post", EVENTS, 400, {"json": an_event(ad_id=0)}),
    ("post", EVENTS, 400, {"json": an_event(timestamp=now(600))}),
    ("post", EVENTS, 413, {"data": " " * (5 << 20)}),
    ("post", EVENTS, 415, {"data": "a=b", "headers": {"Content-Type": "text/html"}}),
    ("post", EVENTS, 415, {"data": b"x", "headers": {"Content-Encoding": "gzip"}}),
    ("post", EVENTS, 417, {"data": b"x", "headers": {"Expect": "miracles"}}),
    ("post", EVENTS, 431, {"data": b"x", "headers": {"X-Long": "x" * 40_000}}),
    ("options", EVENTS, 204, {"headers": {"Origin": "https://a.example"}}),
    ("post", BATCH, 202, {"json": [an_event(), an_event(type="view"), 1, an_event()]}),
    ("post", BATCH, 202, {"data": json.dumps(an_event()) + "\n{\n"}),
    ("post", BATCH, 400, {"json": [an_event(type="view"), {}]}),
    ("post", BATCH, 400, {"json": []}),
    ("post", BATCH, 400, {"data": ""}),
    ("post", BATCH, 413, {"json": [an_event()] * 201}),
    ("post", BATCH, 413, {  # more than 1 MiB
        "json": [an_event(page_url="p" * 2048, attributes={"k": "v" * 4000})] * 200}),
    ("post", BATCH, 415, {"data": "a=b", "headers": {"Content-Type": "text/html"}}),
    ("options", BATCH, 204, {}),
    ("get", "/api/events/pixel.gif", 200, {"params": PIXEL}),
    ("get", "/api/events/pixel.gif", 400, {"params": {**PIXEL, "colour": "red"}}),
    ("get", CLICK, 302, {"params": {**PIXEL, **TO}}),
    ("get", CLICK, 400, {"params": PIXEL}),
    ("get", CLICK, 400, {"params": {**PIXEL, "to": "https://elsewhere.example.org"}}),
    ("get", BACK, 200, {"params": {**POSTBACK, "token": TOKEN}}),
    ("get", BACK, 400, {"params": {**POSTBACK, "token": TOKEN, "amount": "1"}}),
    ("get", BACK, 401, {"params": POSTBACK}),
    ("post", BACK, 200, {"data": POSTBACK, "headers": {"Authorization": f"Bearer {TOKEN}"}}),
    ("post", BACK, 400, {"data": {**POSTBACK, "token": TOKEN, "payout": "x"}}),
    ("post", BACK, 401, {"data": POSTBACK}),
    ("post", BACK, 415, {"json": POSTBACK}),
]


@pytest.mark.parametrize("method, path, wanted, content", COLLECTOR_ANSWERS)
def test_the_collector_answers_as_described(ask, method, path, wanted, content):
    ask("collector", method, path, wanted, **content)


def test_events_that_are_not_durable_in_time_are_answered_as_described(make_adtally, documents):
    slow = make_adtally("--set", "collector.ack-deadline-ms=10",
                        "--set", "eventlog.commit-linger-ms=1000")
    for path, content in ((EVENTS, an_event()), (BATCH, [an_event()])):
        answer = requests.post(slow.collector_url + path, json=content, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "log_timed_out")
        assert_described(documents, "collector", "post", path, answer)


def test_a_processor_without_redis_answers_as_described(make_adtally, documents):
    lonely = make_adtally()
    lonely.redis.execute_command("CLIENT", "PAUSE", "60000", "ALL")
    answer = requests.get(lonely.processor_url + AD.format(id=1), timeout=30)
    assert answer.status_code == 503, answer.text
    assert_described(documents, "processor", "get", AD, answer)


def test_parameters_of_links_are_as_described(documents):
    schemas = "collector.openapi.yaml#/components/schemas/"
    assert documents.errors(schemas + "EventParameters", PIXEL) == []
    assert documents.errors(schemas + "PostbackParameters", {**POSTBACK, **PIXEL}) == []
    assert documents.errors(schemas + "EventParameters", {**PIXEL, "colour": "red"}) != []
    assert documents.errors(schemas + "EventParameters", {"ad_id": "1"}) != []
    assert documents.errors(schemas + "PostbackParameters", {**POSTBACK, "payout": "x"}) != []


@pytest.mark.parametrize("accept", [V3, "application/json"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_actuator_answers_as_described(ask, service, accept):
    headers = {"Accept": accept}
    for path in ("", "/health", "/health/liveness", "/health/readiness", "/info", "/prometheus",
                 "/loggers"):
        ask(service, "get", "/actuator" + path, 200, headers=headers)
    component, name = "/actuator/health/{component}", "/actuator/loggers/{name}"
    own = {"collector": "eventLog", "processor": "redis"}[service]
    ask(service, "get", component, 200, f"/actuator/health/{own}", headers=headers)
    ask(service, "get", component, 404, "/actuator/health/nothing", headers=headers)
    ask(service, "get", name, 200, "/actuator/loggers/root", headers=headers)
    ask(service, "get", name, 404, "/actuator/loggers/nothing", headers=headers)
    ask(service, "post", name, 204, "/actuator/loggers/ROOT", json={"configuredLevel": "info"})
    ask(service, "post", name, 400, "/actuator/loggers/ROOT", json={"configuredLevel": "loud"})
    ask(service, "post", name, 404, "/actuator/loggers/nothing", json={})
    ask(service, "post", "/actuator/refresh", 200, headers=headers)


AD, HOURLY = "/api/metrics/ads/{id}", "/api/metrics/ads/{id}/hourly"
DAILY, TOP = "/api/metrics/ads/{id}/daily", "/api/metrics/top"
CAMPAIGN, ANOMALIES = "/api/metrics/campaigns/{id}", "/api/anomalies"


def test_the_metrics_api_answers_as_described(ask, counted):
    ad = counted(an_event(cost_micros=1_500), an_event(type="click"),
                 an_event(type="conversion", value_micros=5))
    for path in (AD, CAMPAIGN, HOURLY, DAILY):
        ask("processor", "get", path, 200, path.format(id=ad))
        ask("processor", "get", path, 400, path.format(id="0"))
    ask("processor", "get", HOURLY, 200, HOURLY.format(id=ad), params={"date": "2024-02-29"})
    ask("processor", "get", HOURLY, 400, HOURLY.format(id=ad), params={"date": "2023-02-29"})
    ask("processor", "get", DAILY, 200, DAILY.format(id=ad),
        params={"from": "2023-01-01", "to": "2024-02-04"})
    ask("processor", "get", DAILY, 400, DAILY.format(id=ad), params={"from": "2023-01-01"})
    for path in (AD, CAMPAIGN):
        ask("processor", "get", path, 404, path.format(id="4711"))
        ask("processor", "get", path, 400, path.format(id="%zz"))
    only_clicks = counted(an_event(type="click"))
    told = ask("processor", "get", AD, 200, AD.format(id=only_clicks)).json()
    assert (told["ctr"], told["cpm"]) == (None, None)  # null is described, too


def test_rankings_and_the_books_are_answered_as_described(ask, counted):
    counted(*[an_event()] * 120, an_event(type="click"))
    for by in ("impressions", "clicks", "ctr", "cost"):
        assert ask("processor", "get", TOP, 200, params={"by": by, "limit": "5"}).json()["ads"]
    ask("processor", "get", TOP, 400, params={"by": "luck"})
    ask("processor", "get", TOP, 400, params={"limit": "1001"})
    ask("processor", "get", ANOMALIES, 400, params={"state": "open"})
    ask("processor", "get", "/api/pipeline/status", 200)


def test_operators_are_answered_as_described(ask, counted):
    """Letters themselves: tests/chaos/test_operations.py, the collector lets none come about."""
    letters, letter = "/api/dead-letters", "/api/dead-letters/{id}"
    redrive, trace = "/api/redrive", "/api/events/{id}/trace"
    for order in ("position", "newest"):
        page = ask("processor", "get", letters, 200, params={"order": order}).json()
        ends = page.pop("ends")
        assert page == {"letters": [], "next": None, "more": False}
        assert set(ends) <= {"0", ","}
    for wrong in ({"limit": "0"}, {"from": "noon"}, {"after": "3"}, {"resaon": "x"},
                  {"reason": ""}, {"from": "2", "to": "1"}, {"ends": "0,"}, {"ends": "0,0,0,0,0"}):
        ask("processor", "get", letters, 400, params=wrong)
        ask("processor", "post", redrive, 400, params={"reason": "x", **wrong})
    ask("processor", "get", letter, 404, letter.format(id="0-0"))
    ask("processor", "get", letter, 400, letter.format(id="0"))
    assert ask("processor", "post", redrive, 200, params={"all": "true"}).json()["redriven"] == 0
    ask("processor", "post", redrive, 404, params={"id": "0-0"})
    for wrong in ({}, {"all": "true", "force": "perhaps"}, {"id": "0-0", "reason": "x"},
                  {"id": "0-0", "dryrun": "true"}, {"all": "true", "reason": "x"}):
        problem = ask("processor", "post", redrive, 400, params=wrong).json()
        assert problem["code"] == "invalid_argument" and problem["detail"]
    ask("processor", "post", redrive, 200, data={"all": "true", "dry_run": "true"})
    ask("processor", "post", redrive, 400, params={"all": "true"}, json={"dry_run": True})
    event = an_event(type="click", session_id="s-trace", cost_micros=5, value_micros=6)
    event["event_id"] = "where-is-it"
    ad = counted(event, event)
    told = ask("processor", "get", trace, 200, trace.format(id="where-is-it"),
               params={"ad_id": ad, "from": "2024-01-15T00:00:00Z"}).json()
    assert [each["state"] for each in told["records"]] == ["counted", "duplicate"]
    assert not ask("processor", "get", trace, 200, trace.format(id="nowhere")).json()["found"]
    ask("processor", "get", trace, 400, trace.format(id="a%20b"))


@pytest.fixture
def send(adtally):
    """Sends events and returns when they are counted."""
    def deliver(events):
        answer = requests.post(adtally.collector_url + BATCH, json=events, timeout=10)
        assert (answer.status_code, answer.json()["rejected"]) == (202, []), answer.text
        eventually(lambda: adtally.pipeline_status()["in_flight"] == 0, 10, "all events counted")
    return deliver


@pytest.fixture
def counted(send, new_id):
    """Gives these events an ad and a campaign of their own, and returns its id."""
    def deliver(*events):
        ad = new_id()
        send([{**event, "ad_id": ad, "campaign_id": ad} for event in events])
        return ad
    return deliver


# ---- what is published


def test_the_stream_and_the_incidents_are_as_described(adtally, ask, documents, send, new_id):
    ad = new_id()
    stream = requests.get(
        adtally.processor_url + "/api/metrics/stream", stream=True, timeout=30)
    try:
        responses = documents.responses("processor", "get", "/api/metrics/stream")
        assert_headers(documents, *responses["200"], stream)
        assert stream.headers["content-type"] in responses["200"][1]["content"]
        click = an_event(ad_id=ad, campaign_id=ad, type="click", session_id=f"busy-{ad}")
        send([an_event(ad_id=ad, campaign_id=ad)] * 100 + [click] * 12)
        send([an_event(ad_id=ad, campaign_id=ad)] * 100)
        told = list(events_of(stream, str(ad), until={
            ("metric", "ad", None), ("metric", "campaign", None), ("anomaly", "session", "OPEN"),
            ("anomaly", "ad", "OPEN"), ("anomaly", "ad", "RESOLVED"),
            ("anomaly", "campaign", "OPEN"), ("anomaly", "campaign", "RESOLVED")}))
    finally:
        stream.close()
    schemas = {"metric": "metric-event.schema.json", "anomaly": "anomaly.schema.json"}
    for kind, data in told:
        assert documents.errors(schemas[kind], data) == [], data
    listed = ask("processor", "get", ANOMALIES, 200).json()["anomalies"]
    assert [data for kind, data in told if kind == "anomaly" and data not in listed] == []
    for state in ("OPEN", "RESOLVED"):
        answer = ask("processor", "get", ANOMALIES, 200, params={"state": state, "limit": "1000"})
        assert {each["state"] for each in answer.json()["anomalies"]} == {state}


def events_of(stream, ad, until):
    """The (kind, data) of a stream that are of the ad, until there was one of each wanted."""
    missing, kind, ends = set(until), None, time.monotonic() + 30
    for line in stream.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            if ad in (data.get("id"), data.get("entity_id")) or ad in data.get("entity_id", ""):
                yield kind, data
                missing.discard((kind, data["entity"], data.get("state")))
        if not missing:
            return
        assert time.monotonic() < ends, f"the stream did not tell of {missing}"
    raise AssertionError(f"the stream ended before it told of {missing}")


# ---- events


FULL = json.loads((FOLDER / "event.schema.json").read_text(encoding="utf-8"))["examples"][-1]
NULLS = dict.fromkeys(set(FULL) - {"type", "ad_id", "campaign_id"})
GOOD = {
    "a click": an_event(type="click"), "a conversion": an_event(type="conversion"),
    "all members": FULL, "nulls": an_event(**NULLS),
    "empty texts": an_event(session_id="", user_id="", page_url="", user_agent="", ip=""),
    "ids as text": an_event(ad_id="1", campaign_id="9223372036854775807", slot_id="3"),
    "the largest": an_event(ad_id=2**63 - 1, cost_micros=10**12, value_micros="1000000000000"),
    "no money": an_event(cost_micros=0, value_micros="0"),
    "the longest texts": an_event(
        event_id="Az09._:-" * 8, session_id="s" * 128, user_id="u" * 128, page_url="p" * 2048,
        user_agent="a" * 1024),
    "more than ASCII": an_event(user_id="Zoë 🦊", page_url="https://example.org/ü?q=\"x\\\""),
    "milliseconds": an_event(timestamp=1705327402123),
    "milliseconds as text": an_event(timestamp="1705327402123"),
    "the first moment": an_event(timestamp=946684800000),
    "an offset": an_event(timestamp="2024-01-15T14:03:22+05:30"),
    "small letters": an_event(timestamp="2024-01-15t14:03:22.5z"),
    "many digits": an_event(timestamp="2024-01-15T14:03:22.123456789-00:00"),
    "a leap second": an_event(timestamp="2016-12-31T23:59:60Z"),
    "a yen": an_event(currency="JPY"), "IPv6": an_event(ip="2001:db8::1"),
    "IPv4 in IPv6": an_event(ip="::ffff:203.0.113.7"),
    "32 attributes": an_event(attributes={f"k{i}": "" for i in range(32)}),
    "no attributes": an_event(attributes={}),
}
BAD = {
    "no type": {"ad_id": 1, "campaign_id": 1}, "no ad": {"type": "click", "campaign_id": 1},
    "no campaign": {"type": "click", "ad_id": 1}, "an array": [], "a text": "x", "a null": None,
    "another type": an_event(type="view"), "type in capitals": an_event(type="CLICK"),
    "type null": an_event(type=None), "ad null": an_event(ad_id=None), "ad 0": an_event(ad_id=0),
    "ad negative": an_event(ad_id=-1), "ad too large": an_event(ad_id=2**63),
    "ad a fraction": an_event(ad_id=1.5), "ad true": an_event(ad_id=True),
    "ad with a zero": an_event(ad_id="01"), "ad with a sign": an_event(ad_id="+1"),
    "ad empty": an_event(ad_id=""), "ad in a list": an_event(ad_id=[1]),
    "slot 0": an_event(slot_id=0), "publisher empty": an_event(publisher_id=""),
    "id empty": an_event(event_id=""), "id too long": an_event(event_id="x" * 65),
    "id with a space": an_event(event_id="a b"), "id a number": an_event(event_id=7),
    "session too long": an_event(session_id="s" * 129),
    "session with a control": an_event(session_id="a\u0000"),
    "user with a DEL": an_event(user_id="a\u007f"), "user a number": an_event(user_id=7),
    "URL too long": an_event(page_url="p" * 2049), "URL in two lines": an_event(page_url="a\n"),
    "agent too long": an_event(user_agent="a" * 1025),
    "time without offset": an_event(timestamp="2024-01-15T14:03:22"),
    "time with a space": an_event(timestamp="2024-01-15 14:03:22Z"),
    "a day": an_event(timestamp="2024-01-15"),
    "month 13": an_event(timestamp="2024-13-01T00:00:00Z"),
    "hour 24": an_event(timestamp="2024-01-15T24:00:00Z"),
    "1999": an_event(timestamp="1999-12-30T00:00:00Z"), "seconds": an_event(timestamp=1705327402),
    "seconds as text": an_event(timestamp="1705327402"), "time empty": an_event(timestamp=""),
    "time a fraction": an_event(timestamp=1705327402123.5),
    "too much money": an_event(cost_micros=10**12 + 1), "debts": an_event(value_micros=-1),
    "money a fraction": an_event(cost_micros=0.5), "money as text": an_event(cost_micros="1.5"),
    "too much as text": an_event(cost_micros="1000000000001"),
    "no currency": an_event(currency="XTS"), "currency small": an_event(currency="usd"),
    "currency empty": an_event(currency=""), "no address": an_event(ip="localhost"),
    "address out of range": an_event(ip="256.0.0.1"), "a zone": an_event(ip="fe80::1%eth0"),
    "half an address": an_event(ip="1.2.3"), "33 attributes": an_event(
        attributes={f"k{i}": "" for i in range(33)}),
    "attribute a number": an_event(attributes={"k": 1}),
    "attribute null": an_event(attributes={"k": None}),
    "attributes nested": an_event(attributes={"k": {}}),
    "attributes a list": an_event(attributes=[]),
    "attribute unnamed": an_event(attributes={"": "v"}),
    "attribute too long": an_event(attributes={"k": "v" * 4097}),
    "attribute with a control": an_event(attributes={"k": "\t"}),
    "attribute's name with a control": an_event(attributes={"\u001f": "v"}),
    "unknown": an_event(colour="red"), "unknown null": an_event(colour=None),
    "received_at": an_event(received_at="2024-01-15T14:03:22.123Z"), "schema": an_event(schema=1),
}
# README.md lists these.
BEYOND_JSON_SCHEMA = {
    "bytes": an_event(session_id="ë" * 65),
    "attributes' bytes": an_event(attributes={"a": "v" * 4000, "b": "v" * 95}),
    "the clock": an_event(timestamp=now(600)),
    "the calendar": an_event(timestamp="2023-02-29T00:00:00Z"),
    "an integer's notation": an_event(ad_id=1.0),
    "the size of a number in text": an_event(ad_id="9223372036854775808"),
}


def post(adtally, event):
    return requests.post(adtally.collector_url + EVENTS, json=event, timeout=10).status_code


@pytest.mark.parametrize("name", GOOD)
def test_what_the_schema_takes_the_collector_takes(adtally, documents, name):
    assert post(adtally, GOOD[name]) == 202
    assert documents.errors("event.schema.json", GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_the_schema_refuses_the_collector_refuses(adtally, documents, name):
    assert post(adtally, BAD[name]) == 400
    assert documents.errors("event.schema.json", BAD[name]) != []


@pytest.mark.parametrize("name", BEYOND_JSON_SCHEMA)
def test_rules_that_the_schema_cannot_tell_are_the_listed_ones(adtally, documents, name):
    assert post(adtally, BEYOND_JSON_SCHEMA[name]) == 400
    assert documents.errors("event.schema.json", BEYOND_JSON_SCHEMA[name]) == []


@pytest.mark.parametrize("name", GOOD)
def test_what_is_stored_is_as_described(adtally, documents, new_id, name):
    record = eventually(lambda: stored(adtally, {**GOOD[name], "event_id": f"stored-{new_id()}"}),
                        10, "a record that can be read")
    assert documents.errors("stored-event.schema.json", record) == []
    order = list(documents.files["stored-event.schema.json"]["properties"])
    assert list(record) == [member for member in order if member in record]


def stored(adtally, event):
    """The record of an event that is sent now, or None: see records."""
    assert post(adtally, event) == 202
    begin = f'{{"event_id":"{event["event_id"]}"'.encode()
    return stored_record(adtally.data_dir, begin, b',"schema":1}')
    return None
