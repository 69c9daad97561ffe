"""What no decent client sends gets its answer, and the process neither grows nor dies.

Bodies first, then the framing of HTTP, then clients that are slow or go away. The last test sends
all of it many times over and looks at the process.
"""

import json
import os
import socket
from pathlib import Path

import pytest
import requests

from support import eventually
from support.wire import Wire, request

GROWTH_LIMIT = 32 << 20  # bytes of resident memory that all of this together may cost
OWN_FILES = 4  # that it may open meanwhile for itself: to Redis, of the log
EVENT = '{"type":"impression","ad_id":1,"campaign_id":1}'
JSON = {"Content-Type": "application/json"}
NESTED = 100_000


@pytest.fixture(scope="module")
def adtally(shared):
    return shared(
        "--set", "collector.header-timeout-ms=1000", "--set", "collector.body-timeout-ms=2000")


def with_field(name, text):
    return f'{{"type":"click","ad_id":1,"campaign_id":1,"{name}":{text}}}'


# What is sent, and the code and field of the answer 400. Bytes where it is no text.
BODIES = {
    "nothing": ("", "malformed_json", None),
    "blanks": (" \r\n\t ", "malformed_json", None),
    "half an object": (EVENT[:-1], "malformed_json", None),
    "half a text": ('{"type":"impress', "malformed_json", None),
    "no JSON": ("impression of ad 1", "malformed_json", None),
    "single quotes": (EVENT.replace('"', "'"), "malformed_json", None),
    "a comma too many": (EVENT[:-1] + ",}", "malformed_json", None),
    "something behind": (EVENT + "x", "malformed_json", None),
    "two objects": (EVENT + EVENT, "malformed_json", None),
    "a comment": ("/* */" + EVENT, "malformed_json", None),
    # Its first letter could be that of `true`.
    "a form": ("type=impression&ad_id=1&campaign_id=1", "wrong_type", None),
    "UTF-16": (EVENT.encode("utf-16"), "malformed_json", None),
    "NUL between": (EVENT.replace(",", ",\0"), "malformed_json", None),
    "array": ("[]", "wrong_type", None),
    "text": ('"impression"', "wrong_type", None),
    "number": ("1", "wrong_type", None),
    "null": ("null", "wrong_type", None),
    "no field": ("{}", "missing_field", "type"),
    "no type": ('{"ad_id":1,"campaign_id":1}', "missing_field", "type"),
    "no ad": ('{"type":"click","campaign_id":1}', "missing_field", "ad_id"),
    "no campaign": ('{"type":"click","ad_id":1}', "missing_field", "campaign_id"),
    "unknown type": (EVENT.replace("impression", "view"), "invalid_value", "type"),
    "type is null": ('{"type":null,"ad_id":1,"campaign_id":1}', "wrong_type", "type"),
    "type is a number": ('{"type":1,"ad_id":1,"campaign_id":1}', "wrong_type", "type"),
    "ad is 0": ('{"type":"click","ad_id":0,"campaign_id":1}', "out_of_range", "ad_id"),
    "ad is negative": ('{"type":"click","ad_id":-1,"campaign_id":1}', "out_of_range", "ad_id"),
    "ad is 2^63": (
        '{"type":"click","ad_id":9223372036854775808,"campaign_id":1}', "out_of_range", "ad_id"),
    "ad is 2^64 + 1": (
        '{"type":"click","ad_id":18446744073709551617,"campaign_id":1}', "out_of_range", "ad_id"),
    "ad is 10^30": (
        f'{{"type":"click","ad_id":1{"0" * 30},"campaign_id":1}}', "out_of_range", "ad_id"),
    "ad has 100,000 digits": (
        f'{{"type":"click","ad_id":{"9" * 100_000},"campaign_id":1}}', "out_of_range", "ad_id"),
    "ad is 1e400": ('{"type":"click","ad_id":1e400,"campaign_id":1}', "wrong_type", "ad_id"),
    "ad is 1e0": ('{"type":"click","ad_id":1e0,"campaign_id":1}', "wrong_type", "ad_id"),
    "ad is 1.5": ('{"type":"click","ad_id":1.5,"campaign_id":1}', "wrong_type", "ad_id"),
    "ad is 01": ('{"type":"click","ad_id":01,"campaign_id":1}', "malformed_json", "ad_id"),
    "ad is +1": ('{"type":"click","ad_id":+1,"campaign_id":1}', "malformed_json", None),
    "ad is NaN": ('{"type":"click","ad_id":NaN,"campaign_id":1}', "malformed_json", None),
    "ad is 2^63 as text": (
        '{"type":"click","ad_id":"9223372036854775808","campaign_id":1}', "out_of_range", "ad_id"),
    "ad is no number": ('{"type":"click","ad_id":"one","campaign_id":1}', "invalid_value", "ad_id"),
    "ad is a list": ('{"type":"click","ad_id":[1],"campaign_id":1}', "wrong_type", "ad_id"),
    "ad is true": ('{"type":"click","ad_id":true,"campaign_id":1}', "wrong_type", "ad_id"),
    "negative cost": (with_field("cost_micros", "-1"), "out_of_range", "cost_micros"),
    "cost above 10^12": (
        with_field("cost_micros", "1000000000001"), "out_of_range", "cost_micros"),
    "cost is a fraction": (with_field("cost_micros", "0.5"), "wrong_type", "cost_micros"),
    "no currency": (with_field("currency", '"EURO"'), "invalid_value", "currency"),
    "id too long": (with_field("event_id", f'"{"x" * 65}"'), "too_long", "event_id"),
    "id is empty": (with_field("event_id", '""'), "invalid_value", "event_id"),
    "id with a blank": (with_field("event_id", '"a b"'), "invalid_value", "event_id"),
    "session too long": (with_field("session_id", f'"{"s" * 129}"'), "too_long", "session_id"),
    "URL too long": (with_field("page_url", f'"{"u" * 2049}"'), "too_long", "page_url"),
    "agent too long": (with_field("user_agent", f'"{"u" * 1025}"'), "too_long", "user_agent"),
    "ip is none": (with_field("ip", '"300.1.1.1"'), "invalid_value", "ip"),
    "control character": (with_field("session_id", '"a\\u0007"'), "invalid_value", "session_id"),
    "escaped NUL": (with_field("session_id", '"a\\u0000b"'), "invalid_value", "session_id"),
    "lone surrogate": (
        with_field("session_id", '"\\ud800"'), "malformed_json", "session_id"),
    "raw NUL": (with_field("session_id", '"a\0b"'), "malformed_json", None),
    "raw line feed": (with_field("session_id", '"a\nb"'), "malformed_json", None),
    "invalid UTF-8": (
        with_field("session_id", '"?"').encode().replace(b"?", b"\xff"), "malformed_json", None),
    "overlong UTF-8": (
        with_field("user_id", '"?"').encode().replace(b"?", b"\xc0\xaf"), "malformed_json", None),
    "surrogate in UTF-8": (
        with_field("user_id", '"?"').encode().replace(b"?", b"\xed\xa0\x80"), "malformed_json",
        None),
    "no offset": (with_field("timestamp", '"2024-01-15T14:03:22"'), "invalid_value", "timestamp"),
    "no such day": (
        with_field("timestamp", '"2024-02-30T14:03:22Z"'), "invalid_value", "timestamp"),
    "seconds": (with_field("timestamp", "1705327402"), "out_of_range", "timestamp"),
    "the year 10000": (with_field("timestamp", "253402300800000"), "out_of_range", "timestamp"),
    "a field twice": (
        '{"type":"click","ad_id":1,"ad_id":2,"campaign_id":1}', "duplicate_field", "ad_id"),
    "an escaped field twice": (
        '{"type":"click","ad_id":1,"\\u0061d_id":2,"campaign_id":1}', "duplicate_field", "ad_id"),
    "unknown field": (with_field("adId", "7"), "unknown_field", "adId"),
    "field of the log": (with_field("received_at", "1705327402000"), "unknown_field",
                         "received_at"),
    "attributes as text": (with_field("attributes", '"k=v"'), "wrong_type", "attributes"),
    "attribute is a number": (with_field("attributes", '{"k":1}'), "wrong_type", "attributes"),
    "attribute is an object": (
        with_field("attributes", '{"k":{"l":"m"}}'), "wrong_type", "attributes"),
    "attribute twice": (
        with_field("attributes", '{"k":"1","k":"2"}'), "duplicate_field", "attributes"),
    "too many attributes": (
        with_field("attributes", json.dumps({str(n): "v" for n in range(33)})), "too_long",
        "attributes"),
    "attributes too large": (
        with_field("attributes", json.dumps({"k": "v" * 4096})), "too_long", "attributes"),
    "nested deeply": (
        with_field("attributes", '{"k":' * NESTED + "1" + "}" * NESTED), "wrong_type",
        "attributes"),
    "lists nested deeply": (
        with_field("session_id", "[" * NESTED + "]" * NESTED), "wrong_type", "session_id"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_malformed_event_is_refused_by_name(adtally, name):
    body, code, field = BODIES[name]
    answer = post(adtally, body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (400, code), problem
    assert problem["detail"] and problem["path"] == "/api/events"
    if field:
        assert problem["errors"][0]["pointer"] == f"/{field}"
        assert field in problem["detail"]


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("path", ["/api/events", "/api/events/batch"])
def test_what_is_opened_100_000_times_and_never_closed_is_refused(adtally, path, opening):
    answer = post(adtally, opening * NESTED, path)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("malformed_json", "wrong_type", "no_valid_event",
                                     "unknown_field")


@pytest.mark.parametrize("body", ["", "[]", "[", "{", "[,]", "[1,2]", "null", "\n\n", "\xff"])
def test_a_batch_without_a_valid_event_is_refused_with_reasons(adtally, body):
    answer = post(adtally, body.encode("latin-1"), "/api/events/batch")
    assert answer.status_code == 400
    problem = answer.json()
    assert (problem["code"], problem["accepted"]) == ("no_valid_event", 0)
    assert problem["rejected"] and all(
        {"index", "code", "message"} <= set(entry) for entry in problem["rejected"])


@pytest.mark.parametrize("kind", [
    "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/jsonp", "json", "image/gif"])
@pytest.mark.parametrize("path", ["/api/events", "/api/events/batch"])
def test_another_content_type_is_refused(adtally, path, kind):
    answer = post(adtally, EVENT, path, {"Content-Type": kind})
    assert answer.status_code == 415
    assert "application/json" in answer.headers["accept-post"]


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_refused(adtally, coding):
    answer = post(adtally, EVENT, headers={**JSON, "Content-Encoding": coding})
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/api/events", "/api/events/batch"])
def test_a_body_of_5_mb_is_refused_before_it_is_read(adtally, path):
    assert post(adtally, b" " * 5_000_000, path).status_code == 413
    with Wire(adtally.collector_url) as wire:
        wire.send(head(f"POST {path}", "Content-Length: 5000000", "Expect: 100-continue"))
        assert wire.only_answer().status == 413


def test_a_chunked_body_of_5_mb_is_refused_when_it_gets_too_large(adtally):
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with Wire(adtally.collector_url) as wire:
        wire.send(head("POST /api/events/batch", "Transfer-Encoding: chunked"))
        wire.send(chunk * 77)
        assert wire.only_answer().status == 413


def test_5001_events_are_refused_as_a_whole_and_5000_are_taken(adtally, new_id):
    ad = new_id()
    line = f'{{"type":"impression","ad_id":{ad},"campaign_id":1}}'
    for body in ("[" + ",".join([line] * 5001) + "]", "\n".join([line] * 5001)):
        assert post(adtally, body, "/api/events/batch").status_code == 413
    answer = post(adtally, "\n".join([line] * 5000), "/api/events/batch")
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 5000
    eventually(lambda: adtally.counts(ad)["impressions"] == 5000, what="5,000 events counted")


def head(request_line, *fields, version="1.1", host="Host: adtally.test"):
    lines = [f"{request_line} HTTP/{version}", *([host] if host else []), *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


TAKEN = f"Content-Length: {len(EVENT)}"
CHUNKED = f"{len(EVENT):x}\r\n{EVENT}\r\n0\r\n\r\n"
POST = "POST /api/events"
# Behind each stands a good request: one that was smuggled in would be answered.
SMUGGLED = head(POST, TAKEN) + EVENT
FRAMING = {
    "TE and CL": (400, head(POST, TAKEN, "Transfer-Encoding: chunked") + CHUNKED),
    "CL and TE": (400, head(POST, "Transfer-Encoding: chunked", TAKEN) + CHUNKED),
    "two CLs": (400, head(POST, TAKEN, "Content-Length: 3") + EVENT),
    "the same CL twice": (400, head(POST, TAKEN, TAKEN) + EVENT),
    "CL as a list": (400, head(POST, TAKEN + f", {len(EVENT)}") + EVENT),
    "CL +3": (400, head(POST, "Content-Length: +3") + EVENT),
    "CL -1": (400, head(POST, "Content-Length: -1") + EVENT),
    "CL 0x10": (400, head(POST, "Content-Length: 0x10") + EVENT),
    "CL is empty": (400, head(POST, "Content-Length:") + EVENT),
    "CL above 2^64": (400, head(POST, "Content-Length: 99999999999999999999") + EVENT),
    "CL of 2^62": (413, head(POST, "Content-Length: 4611686018427387904") + EVENT),
    "TE gzip": (400, head(POST, "Transfer-Encoding: gzip") + CHUNKED),
    "TE xchunked": (400, head(POST, "Transfer-Encoding: xchunked") + CHUNKED),
    "TE chunked, identity": (400, head(POST, "Transfer-Encoding: chunked, identity") + CHUNKED),
    "TE gzip, chunked": (400, head(POST, "Transfer-Encoding: gzip, chunked") + CHUNKED),
    "TE twice": (
        400, head(POST, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + CHUNKED),
    "TE with a vertical tab": (400, head(POST, "Transfer-Encoding: \x0bchunked") + CHUNKED),
    "TE is empty": (400, head(POST, "Transfer-Encoding:") + CHUNKED),
    "TE on HTTP/1.0": (400, head(POST, "Transfer-Encoding: chunked", version="1.0") + CHUNKED),
    "folded field": (400, head(POST, "X-Note: a\r\n b", TAKEN) + EVENT),
    "folded with a tab": (400, head(POST, "Transfer-Encoding:\r\n\tchunked") + CHUNKED),
    "blank before the colon": (400, head(POST, f"Content-Length : {len(EVENT)}") + EVENT),
    "field without a name": (400, head(POST, ": a", TAKEN) + EVENT),
    "field without a colon": (400, head(POST, "Content-Length", TAKEN) + EVENT),
    "NUL in a field": (400, head(POST, "X-Note: a\0b", TAKEN) + EVENT),
    "two hosts": (400, head(POST, "Host: other.test", TAKEN) + EVENT),
    "no host": (400, head(POST, TAKEN, host=None) + EVENT),
    "a host that is none": (400, head(POST, TAKEN, host="Host: a b/c@d") + EVENT),
    "bare line feeds": (400, (head(POST, TAKEN) + EVENT).replace("\r\n", "\n")),
    "one bare line feed": (400, head(POST, "X-Note: a\nX-Other: b", TAKEN) + EVENT),
    "bare carriage return": (400, head(POST, "X-Note: a\rContent-Length: 3", TAKEN) + EVENT),
    "huge chunk extension": (
        400, head(POST, "Transfer-Encoding: chunked") + f"1;{'e' * 100_000}\r\n \r\n0\r\n\r\n"),
    "many chunk extensions": (
        400, head(POST, "Transfer-Encoding: chunked") + f"1;{'e' * 200}\r\n \r\n" * 1000),
    "1 MB of trailers": (
        400, head(POST, "Transfer-Encoding: chunked") + "0\r\n" + f"T: {'t' * 1000}\r\n" * 1000),
    "chunk size is none": (400, head(POST, "Transfer-Encoding: chunked") + f"xyz\r\n{EVENT}"),
    "chunk size is empty": (400, head(POST, "Transfer-Encoding: chunked") + "\r\n\r\n"),
    "chunk size 0x10": (400, head(POST, "Transfer-Encoding: chunked") + f"0x10\r\n{EVENT}"),
    "chunk size -1": (400, head(POST, "Transfer-Encoding: chunked") + f"-1\r\n{EVENT}"),
    "chunk size with a blank": (400, head(POST, "Transfer-Encoding: chunked") + f"2f \n{EVENT}"),
    "chunk size above 2^64": (
        413, head(POST, "Transfer-Encoding: chunked") + f"1{'0' * 16}\r\n{EVENT}"),
    "chunk without its end": (
        400, head(POST, "Transfer-Encoding: chunked") + f"{len(EVENT):x}\r\n{EVENT}0\r\n\r\n"),
    "chunks with line feeds": (
        400, head(POST, "Transfer-Encoding: chunked") + CHUNKED.replace("\r\n", "\n")),
    "a header of 20 KB": (431, head(POST, f"X-Note: {'n' * 20_000}", TAKEN) + EVENT),
    "101 fields": (431, head(POST, *["X-Note: n"] * 100, TAKEN) + EVENT),
    "a target of 10 KB": (414, head(f"POST /{'t' * 10_000}", TAKEN) + EVENT),
    "a target without a slash": (400, head("POST api/events", TAKEN) + EVENT),
    "a target with a fragment": (400, head("POST /api/events#a", TAKEN) + EVENT),
    "a target with a blank": (400, head("POST /api /events", TAKEN) + EVENT),
    "no target": (400, head("POST", TAKEN) + EVENT),
    "two empty lines": (400, "\r\n\r\n" + head(POST, TAKEN) + EVENT),
    "HTTP/0.9": (400, "GET /actuator/health\r\n\r\n"),
    "HTTP/3.0": (505, head(POST, TAKEN, version="3.0") + EVENT),
    "HTTP/1.10": (400, head(POST, TAKEN, version="1.10") + EVENT),
    "http/1.1": (400, head(POST, TAKEN).replace("HTTP", "http") + EVENT),
    "unknown method": (501, head("BREW /api/events", TAKEN) + EVENT),
    "CONNECT": (501, head("CONNECT example.org:443")),
    "another expectation": (417, head(POST, TAKEN, "Expect: 200-ok") + EVENT),
    "HTTP/2 preface": (400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"),
    "TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2),
    "random bytes": (400, bytes((n * 167 + 128) % 256 for n in range(4096))),
    "Redis' PING": (400, "*1\r\n$4\r\nPING\r\n"),
}


@pytest.mark.parametrize("name", FRAMING)
def test_ambiguous_framing_is_refused_and_the_connection_closed(adtally, name):
    status, data = FRAMING[name]
    with Wire(adtally.collector_url) as wire:
        wire.send(data if isinstance(data, bytes) else data.encode("latin-1"))
        wire.send(SMUGGLED)
        answer = wire.only_answer()
    assert answer.status == status, answer.body
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status


GOOD_FRAMING = {
    "one empty line before": "\r\n" + head(POST, TAKEN) + EVENT,
    "chunks": head(POST, "Transfer-Encoding: chunked") + CHUNKED,
    "CHUNKED in capitals": head(POST, "TRANSFER-ENCODING: CHUNKED") + CHUNKED.upper().replace(
        EVENT.upper(), EVENT),
    "a small extension and a trailer": (
        head(POST, "Transfer-Encoding: chunked")
        + f"{len(EVENT):x};note=1\r\n{EVENT}\r\n0\r\nX-Sum: 1\r\n\r\n"),
    "chunks of one byte": (
        head(POST, "Transfer-Encoding: chunked")
        + "".join(f"1\r\n{byte}\r\n" for byte in EVENT) + "0\r\n\r\n"),
    "absolute target": head("POST http://adtally.test/api/events", TAKEN) + EVENT,
    "blanks around a value": head(POST, f"Content-Length: \t{len(EVENT)} \t") + EVENT,
    "16 KB of header": head(POST, *[f"X-{n}: {'n' * 150}" for n in range(90)], TAKEN) + EVENT,
}


@pytest.mark.parametrize("name", GOOD_FRAMING)
def test_unusual_but_clear_framing_is_taken_and_the_connection_goes_on(adtally, name):
    with Wire(adtally.collector_url) as wire:
        for _ in range(2):
            wire.send(GOOD_FRAMING[name])
            assert wire.answer().status == 202


def test_http_1_0_is_answered_and_closed(adtally):
    with Wire(adtally.collector_url) as wire:
        wire.send(head(POST, TAKEN, version="1.0", host=None) + EVENT)
        assert wire.only_answer().status == 202


def test_pipelined_requests_are_answered_in_their_order(adtally):
    with Wire(adtally.collector_url) as wire:
        wire.send(b"".join(
            request("POST", "/api/events", with_field("event_id", f'"pipe-{n}"'))
            for n in range(50)))
        assert [wire.answer().json["event_id"] for _ in range(50)] == [
            f"pipe-{n}" for n in range(50)]


def test_slow_clients_are_told_408_at_an_absolute_deadline(adtally):
    half_head = Wire(adtally.collector_url).send("POST /api/events HTTP/1.1\r\nHost: a\r\nX-No")
    half_body = Wire(adtally.collector_url).send(head(POST, TAKEN) + EVENT[:10])
    half_chunk = Wire(adtally.collector_url).send(
        head(POST, "Transfer-Encoding: chunked") + "ff\r\n{")
    no_line_end = Wire(adtally.collector_url).send("hello")
    silent = Wire(adtally.collector_url)
    with half_head, half_body, half_chunk, no_line_end, silent:
        # A byte now and then does not buy more time.
        dripping = Wire(adtally.collector_url).send("POST /api/events HTTP/1.1\r\nX: ")
        bytes_sent = 0
        while bytes_sent < 200 and not dripping.wait_for_anything(0.05):
            dripping.send("x")
            bytes_sent += 1
        assert 5 < bytes_sent < 200
        assert dripping.answer().status == 408
        dripping.close()

        assert half_head.only_answer().json["code"] == "header_timeout"
        assert no_line_end.only_answer().json["code"] == "header_timeout"
        assert half_body.only_answer().json["code"] == "body_timeout"
        assert half_chunk.only_answer().status == 408
        assert silent.rest() == b"", "who said nothing gets no answer"


def test_a_client_that_ends_its_side_gets_an_answer(adtally):
    with Wire(adtally.collector_url) as wire:
        wire.send(head(POST, TAKEN) + EVENT).finish_sending()
        assert wire.only_answer().status == 202
    for incomplete in (head(POST, TAKEN) + EVENT[:-1], head(POST)[:-2], "P",
                       head(POST, "Transfer-Encoding: chunked") + CHUNKED[:-2]):
        with Wire(adtally.collector_url) as wire:
            wire.send(incomplete).finish_sending()
            assert wire.only_answer().json["code"] == "request_incomplete"
    with Wire(adtally.collector_url) as wire:
        assert wire.finish_sending().rest() == b""


def test_100_continue_is_said_before_the_body_is_waited_for(adtally):
    with Wire(adtally.collector_url) as wire:
        wire.send(head(POST, TAKEN, "Expect: 100-continue"))
        assert wire.answer().status == 100
        assert wire.send(EVENT).answer().status == 202


def test_the_process_stays_as_it_was_after_all_of_it(adtally, new_id):
    everything(adtally)  # what is allocated once and kept
    files_before = open_files(adtally)
    resident_before = resident_bytes(adtally)
    for _ in range(8):
        everything(adtally)
    many = [Wire(adtally.collector_url) for _ in range(300)]
    for wire in many:  # a body that is announced and does not come costs nothing
        wire.send(head("POST /api/events/batch", "Content-Length: 4000000") + "[")
    for wire in many:
        wire.close()
    eventually(
        lambda: open_files(adtally) <= files_before + OWN_FILES, 15,
        f"{files_before} open files as before")
    grown = resident_bytes(adtally) - resident_before
    assert grown < GROWTH_LIMIT, f"grew by {grown >> 20} MiB"

    ad = new_id()
    assert post(adtally, EVENT.replace('"ad_id":1', f'"ad_id":{ad}')).status_code == 202
    eventually(lambda: adtally.counts(ad)["impressions"] == 1, what="the good event counted")
    assert adtally.is_ready("collector") and adtally.is_ready("processor")
    assert adtally.pipeline_status()["balanced"]


def everything(adtally):
    """All of the above that needs no waiting, and clients that go away in the middle."""
    with requests.Session() as session:
        for body, _, _ in BODIES.values():
            answer = session.post(
                adtally.collector_url + "/api/events", data=encoded(body), headers=JSON, timeout=30)
            assert answer.status_code == 400
    for status, data in FRAMING.values():
        with Wire(adtally.collector_url) as wire:
            wire.send(data if isinstance(data, bytes) else data.encode("latin-1"))
            wire.finish_sending()
            assert wire.answer().status == status
    for part in (EVENT[:5], EVENT + EVENT, ""):
        for _ in range(10):
            Wire(adtally.collector_url).send(head(POST, TAKEN) + part).close()
            reset(adtally.collector_url, head("POST /api/events/batch", TAKEN) + part)


def reset(url, data):
    """Sends and goes away with a reset instead of an orderly end."""
    wire = Wire(url).send(data)
    wire._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wire.close()


def post(adtally, body, path="/api/events", headers=None):
    return requests.post(
        adtally.collector_url + path, data=encoded(body), headers=headers or JSON, timeout=30)


def encoded(body):
    return body if isinstance(body, bytes) else body.encode()


def open_files(adtally):
    return len(os.listdir(f"/proc/{adtally.pid}/fd"))


def resident_bytes(adtally):
    pages = int(Path(f"/proc/{adtally.pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
