"""Limits of one client address, the addresses that proxies tell, and settings that restrict.

All of 127.0.0.0/8 is this machine: each test comes from addresses of its own. 127.9.9.9 is the one
proxy that is trusted.
"""

import json

import pytest
import requests
from requests.adapters import HTTPAdapter

from support import eventually
from support.wire import Wire, request

PROXY = "127.9.9.9"
BURST = 15
PER_ADDRESS = 6
CONNECTIONS = 40


@pytest.fixture(scope="module")
def adtally(shared):
    return shared(
        "--set", "collector.rate-limit-per-ip=1", "--set", f"collector.rate-limit-burst={BURST}",
        "--set", f"collector.max-connections-per-ip={PER_ADDRESS}",
        "--set", f"collector.max-connections={CONNECTIONS}",
        "--set", f"collector.trusted-proxies={PROXY}/32,10.0.0.0/8",
        "--set", "collector.cors-origins=https://site.example,https://other.example",
        "--set", "collector.unknown-fields=keep",
        "--set", "collector.max-batch-events=10", "--set", "collector.max-body-bytes=4096")


class From(HTTPAdapter):
    """Requests that come from one address."""

    def __init__(self, address):
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=(self._address, 0), **options)


@pytest.fixture
def client(adtally):
    """client("127.0.1.1") posts from there: client(...)(json=…, headers=…)."""
    sessions = []

    def come_from(address):
        session = requests.Session()
        session.mount("http://", From(address))
        sessions.append(session)

        def post(path="/api/events", **content):
            return session.post(adtally.collector_url + path, timeout=10, **content)
        return post
    yield come_from
    for session in sessions:
        session.close()


def event(**members):
    return {"type": "impression", "ad_id": 1, "campaign_id": 1, **members}


def refused_after(post, most=60, **content):
    """How many requests are taken until one is refused with 429, and the refusal."""
    for taken in range(most):
        answer = post(json=event(), **content)
        if answer.status_code == 429:
            return taken, answer
        assert answer.status_code == 202
    raise AssertionError(f"{most} requests and no limit")


def test_too_many_requests_of_one_address_are_told_when_to_come_again(client):
    taken, refusal = refused_after(client("127.0.1.1"))
    assert taken >= BURST
    assert refusal.json()["code"] == "rate_limited"
    assert 1 <= int(refusal.headers["retry-after"]) <= 2
    assert client("127.0.1.2")(json=event()).status_code == 202, "another address is not concerned"
    again = client("127.0.1.1")
    eventually(lambda: again(json=event()).status_code == 202, 10, "the first one taken again")


def test_a_trusted_proxy_tells_the_address_that_is_limited(client):
    proxy = client(PROXY)
    taken, _ = refused_after(proxy, headers={"X-Forwarded-For": "198.51.100.1"})
    assert taken >= BURST
    # What stands further left was written by the client; our own proxies (10/8) are stepped over.
    for forged in ("198.51.100.2, 198.51.100.1", "198.51.100.3, 198.51.100.1, 10.1.2.3"):
        answer = proxy(json=event(), headers={"X-Forwarded-For": forged})
        assert answer.status_code == 429
    answer = proxy(json=event(), headers={"X-Forwarded-For": "198.51.100.1, 198.51.100.4"})
    assert answer.status_code == 202


def test_whom_nobody_trusts_cannot_choose_an_address(client):
    stranger = client("127.0.1.3")
    counter = iter(range(1, 255))

    def forging(**content):
        return stranger(headers={"X-Forwarded-For": f"198.51.100.{next(counter)}"}, **content)
    taken, _ = refused_after(forging)
    assert taken >= BURST


def test_too_many_connections_of_one_address_get_429_and_leave_room_when_they_go(adtally):
    def come():
        return Wire(adtally.collector_url, source="127.0.1.4")
    held = [come() for _ in range(PER_ADDRESS)]
    with come() as one_too_many:
        refusal = one_too_many.only_answer()
        assert (refusal.status, refusal.json["code"]) == (429, "too_many_connections")
        assert int(refusal.headers["retry-after"]) >= 1
    held.pop().close()

    def taken():
        with come() as wire:
            return wire.send(health()).answer().status == 200
    eventually(taken, 10, "a connection in the place of the closed one")
    for wire in held:
        assert wire.send(health()).answer().status == 200, "the others are not concerned"
        wire.close()


def test_too_many_connections_in_all_get_503(adtally):
    held = []
    for number in range(CONNECTIONS):
        held.append(Wire(adtally.collector_url, source=f"127.0.2.{number // 5 + 1}"))
    with Wire(adtally.collector_url, source="127.0.1.5") as one_too_many:
        refusal = one_too_many.only_answer()
    assert (refusal.status, refusal.json["code"]) == (503, "too_many_connections")
    assert int(refusal.headers["retry-after"]) >= 1
    for wire in held:
        wire.close()
    eventually(lambda: adtally.is_ready("collector"), 20, "readiness when they are gone")


def health():
    return request("GET", "/actuator/health/liveness")


def test_only_listed_origins_are_echoed(adtally, client):
    post = client("127.0.3.1")
    listed = post(json=event(), headers={"Origin": "https://other.example"})
    assert listed.headers["access-control-allow-origin"] == "https://other.example"
    for origin in ("https://evil.example", "null", "https://other.example.evil", "*"):
        answer = client(f"127.0.3.{len(origin)}")(json=event(), headers={"Origin": origin})
        assert answer.status_code == 202
        assert "access-control-allow-origin" not in answer.headers


def test_unknown_fields_are_kept_as_attributes_where_that_is_set(client):
    post = client("127.0.4.1")
    assert post(json=event(colour="red", size=3, big=True, none=None)).status_code == 202
    refused = post(json=event(nested={"a": "b"}))
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_field")
    assert post(json=event(received_at=1)).json()["code"] == "unknown_field"


def test_own_limits_of_body_and_batch_hold(client):
    post = client("127.0.4.2")
    assert post("/api/events/batch", json=[event()] * 10).status_code == 202
    assert post("/api/events/batch", json=[event()] * 11).status_code == 413
    padded = json.dumps(event()).ljust(4097).encode()
    assert post(data=padded[:4096]).status_code == 202
    assert post(data=padded).status_code == 413
