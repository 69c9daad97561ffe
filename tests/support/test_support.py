"""The harness's own tests: waiting, ports, the oracle, and a stand-in for adtally."""

import socket
import sys
import textwrap

import pytest

from support import Adtally, EventFactory, Oracle, eventually
from support.ports import PortOffset


class Books:
    """What the oracle reads of an adtally: its Redis, here a dictionary."""

    def __init__(self, values):
        self.redis = self
        self._values = values

    def mget(self, keys):
        return [self._values.get(key) for key in keys]


def impression(event_id, **members):
    return {"event_id": event_id, "type": "impression", "ad_id": 1, "campaign_id": 2, **members}


def test_eventually_returns_what_came_about():
    answers = iter([None, 0, "ready"])
    assert eventually(lambda: next(answers), 5) == "ready"


def test_eventually_says_what_did_not_come_about_and_what_it_saw_last():
    with pytest.raises(AssertionError, match="the moon did not come about in 0.05 s; last: 0"):
        eventually(lambda: 0, 0.05, "the moon")


def test_eventually_takes_a_broken_connection_for_not_yet_and_a_bug_for_a_bug():
    answers = iter([ConnectionRefusedError(), AssertionError("not yet"), KeyError("bug")])

    def raising():
        raise next(answers)

    with pytest.raises(KeyError):
        eventually(raising, 5)


def test_two_offsets_are_never_the_same_and_a_listener_is_avoided():
    first = PortOffset()
    second = PortOffset()
    assert first.value != second.value
    with socket.create_server(("127.0.0.1", 8085 + first.value)):
        first.release()
        third = PortOffset()
        assert third.value != first.value
        third.release()
    second.release()


def test_the_oracle_expects_each_acknowledged_event_once_however_often_it_was_sent():
    oracle = Oracle()
    for _ in range(3):
        oracle.sent(impression("a", cost_micros=7))
        oracle.acknowledged(impression("a", cost_micros=7))
    right = {"ad:metrics:1:impressions": "1", "ad:metrics:1:cost_nanos": "7000"}
    assert oracle.differences(Books(right)) == []
    twice = {**right, "ad:metrics:1:impressions": "2"}
    assert oracle.differences(Books(twice)) == ["ad 1 impressions: 2, expected 1"]
    assert oracle.differences(Books({})) == [
        "ad 1 impressions: 0, expected 1", "ad 1 cost_nanos: 0, expected 7000"]


def test_the_oracle_allows_an_unanswered_event_once_or_not_and_a_refused_one_never():
    oracle = Oracle()
    oracle.sent(impression("unanswered"))
    oracle.sent(impression("refused"))
    oracle.refused(impression("refused"))
    counted = "campaign:metrics:2:impressions"
    assert oracle.differences(Books({}), "campaign") == []
    assert oracle.differences(Books({counted: "1"}), "campaign") == []
    assert oracle.differences(Books({counted: "2"}), "campaign") == [
        "campaign 2 impressions: 2, expected 0 to 1"]


def test_the_same_seed_makes_the_same_events():
    first = EventFactory(7).events(50, timestamp=None)
    assert first == EventFactory(7).events(50, timestamp=None)
    assert len({event["event_id"] for event in first}) == 50


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """An executable that answers as adtally does and has a child that outlives it."""
    executable = tmp_path / "adtally"
    executable.write_text(textwrap.dedent(f"""\
        #!{sys.executable}
        import http.server, os, subprocess, sys, threading
        offset, data = int(sys.argv[3]), sys.argv[5]
        if "--broken" in sys.argv:
            sys.exit("adtally: the data directory is locked; choose another")
        subprocess.Popen(
            ["redis-server", "--port", str(6379 + offset), "--dir", data, "--save", ""])
        class Ready(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
        for port in (8085, 8086):
            server = http.server.HTTPServer(("127.0.0.1", port + offset), Ready)
            threading.Thread(target=server.serve_forever).start()
        """), encoding="utf-8")
    executable.chmod(0o755)
    monkeypatch.setenv("ADTALLY_BINARY", str(executable))
    return executable


def test_the_harness_starts_kills_starts_again_and_leaves_nothing(stand_in, tmp_path):
    with Adtally(tmp_path) as adtally:
        assert eventually(adtally.redis.ping)
        assert adtally.kill9() == -9
        orphan = adtally.redis_pid()
        adtally.kill9_redis()
        adtally.start()
        eventually(lambda: adtally.redis_pid() != orphan)
        assert adtally.stop() == -15
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", adtally.redis_port))


def test_the_harness_tells_why_a_start_failed(stand_in, tmp_path):
    with pytest.raises(RuntimeError, match="ended with 1:(.|\n)*the data directory is locked"):
        Adtally(tmp_path, "--broken").__enter__()
