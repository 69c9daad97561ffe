"""Every address of the collector, as clients of all kinds use it: what is answered, and what is
counted because of it.

The rest (limits of one address, restricted origins, kept fields) is in test_collector_limits.py.
"""

import datetime
import json
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from support import eventually
from support.command import run_adtally
from support.events import now
from support.wire import Wire, request

CLICK_SECRET = "the key of click links"
TOKEN = "partner-token"
SHOP = "https://shop.example.org/a?b=c"
UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def adtally(shared):
    return shared(
        "--set", "collector.redirect-hosts=shop.example.org,shop.example.org:8443",
        "--set", f"collector.click-secret={CLICK_SECRET}",
        "--set", f"collector.postback-tokens={TOKEN},other-token")


@pytest.fixture(scope="module")
def url(adtally):
    return adtally.collector_url + "/api/events"


@pytest.fixture
def event(new_id):
    """Makes events of an ad of the test's own."""
    ad = new_id()
    return lambda **members: {"type": "impression", "ad_id": ad, "campaign_id": ad, **members}


@pytest.fixture
def own(new_id):
    """Makes ids of events of the test's own: ads may share a partition, and with it its ids."""
    prefix = new_id()
    return lambda name: f"{prefix}-{name}"


def counted(adtally, ad, impressions=0, clicks=0, conversions=0):
    """Waits until the ad has exactly these counts and everything that was taken is counted."""
    wanted = {"impressions": impressions, "clicks": clicks, "conversions": conversions}

    def same():
        assert adtally.pipeline_status()["in_flight"] == 0
        assert adtally.counts(ad) == wanted
        return True
    return eventually(same, 10, f"{wanted} of ad {ad}")


def value_of(adtally, key):
    return eventually(lambda: adtally.redis.get(key), 10, key)


# ---- POST /api/events


def test_one_event_is_acknowledged_and_visible_at_once(adtally, url, event, own):
    sent = event(event_id=own("a"), cost_micros=2500)
    answer = requests.post(url, json=sent, timeout=10)
    assert (answer.status_code, answer.json()) == (202, {"event_id": own("a")})
    assert answer.headers["content-type"] == "application/json"
    counted(adtally, sent["ad_id"], impressions=1)
    assert value_of(adtally, f"ad:metrics:{sent['ad_id']}:cost_nanos") == "2500000"
    assert value_of(adtally, f"ad:metrics:{sent['ad_id']}:cpm") == "2.500000"
    assert adtally.counts(sent["ad_id"], "campaign")["impressions"] == 1


def test_all_fields_are_taken(adtally, url, event):
    sent = event(
        event_id="A.z_0:9-all", type="conversion", publisher_id="12", slot_id=345, user_id="u-77",
        session_id="s-8f14e45f", timestamp=now(), cost_micros="0", value_micros=10**12,
        currency="EUR", page_url="https://example.org/ä", user_agent="Mozilla/5.0 \"x\"",
        ip="2001:db8::7", attributes={str(n): "v" for n in range(32)})
    assert requests.post(url, json=sent, timeout=10).status_code == 202
    counted(adtally, sent["ad_id"], conversions=1)
    assert value_of(adtally, f"ad:metrics:{sent['ad_id']}:value_nanos") == str(10**15)


def test_the_largest_ids_are_taken(adtally, url):
    largest = 2**63 - 1
    sent = {"type": "click", "ad_id": largest, "campaign_id": str(largest - 1)}
    assert requests.post(url, json=sent, timeout=10).status_code == 202
    counted(adtally, largest, clicks=1)
    assert adtally.counts(largest - 1, "campaign")["clicks"] == 1


def test_an_event_without_an_id_gets_a_uuid_of_version_7(adtally, url, event):
    before = int(time.time() * 1000)
    ids = [requests.post(url, json=event(), timeout=10).json()["event_id"] for _ in range(5)]
    assert len(set(ids)) == 5 and ids == sorted(ids)
    for assigned in ids:
        assert UUID_V7.fullmatch(assigned)
        made_at = int(assigned.replace("-", "")[:12], 16)
        assert before - 1 <= made_at <= time.time() * 1000 + 1
    counted(adtally, event()["ad_id"], impressions=5)


def test_a_duplicate_is_acknowledged_and_counted_once(adtally, url, event, own):
    again = own("again")
    duplicates = adtally.pipeline_status()["duplicates"]
    for _ in range(3):
        answer = requests.post(url, json=event(event_id=again), timeout=10)
        assert (answer.status_code, answer.json()) == (202, {"event_id": again})
    # The key is type and id: the click of the same id is another event.
    assert requests.post(url, json=event(event_id=again, type="click"), timeout=10).ok
    counted(adtally, event()["ad_id"], impressions=1, clicks=1)
    assert adtally.pipeline_status()["duplicates"] == duplicates + 2


@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "Application/JSON; charset=utf-8",
                                  None])
def test_browsers_send_text_plain_and_some_send_no_type(adtally, url, event, kind):
    headers = {"Content-Type": kind} if kind else {}
    body = json.dumps(event()).encode()
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 202
    assert requests.post(
        url + "/batch", data=b"[" + body + b"]", headers=headers, timeout=10).status_code == 202
    counted(adtally, event()["ad_id"], impressions=2)


def test_the_future_is_refused_beyond_five_minutes(adtally, url, event):
    answer = requests.post(url, json=event(timestamp=now(330)), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "future_timestamp")
    assert answer.json()["errors"][0]["pointer"] == "/timestamp"
    assert requests.post(url, json=event(timestamp=now(270)), timeout=10).status_code == 202
    counted(adtally, event()["ad_id"], impressions=1)


def test_late_events_land_in_their_own_hour_and_day(adtally, url, event):
    ad = event()["ad_id"]
    late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=50)
    as_milliseconds = int(late.timestamp() * 1000)
    as_local_time = late.astimezone(
        datetime.timezone(datetime.timedelta(hours=5, minutes=30))).isoformat("T", "milliseconds")
    batch = [event(timestamp=as_milliseconds), event(timestamp=as_local_time), event()]
    assert requests.post(url + "/batch", json=batch, timeout=10).status_code == 202
    counted(adtally, ad, impressions=3)
    day, hour = late.strftime("%Y-%m-%d"), late.strftime("%H")
    assert adtally.redis.get(f"hourly:metrics:{ad}:{day}T{hour}:impressions") == "2"
    assert adtally.redis.get(f"daily:metrics:{ad}:{day}:impressions") == "2"
    today = datetime.datetime.now(datetime.UTC)
    # The undated hours are those of the newest day that had events in them.
    if hour != today.strftime("%H"):
        assert adtally.redis.get(f"hourly:metrics:{ad}:{hour}:impressions") == "2"
    assert 34 * 86_400 < adtally.redis.ttl(
        f"hourly:metrics:{ad}:{day}T{hour}:impressions") <= 35 * 86_400
    assert 399 * 86_400 < adtally.redis.ttl(f"daily:metrics:{ad}:{day}:impressions") <= 400 * 86_400


# ---- POST /api/events/batch


def test_of_a_batch_the_valid_are_taken_and_the_others_named(adtally, url, event, own):
    batch = [event(event_id=own(0)), event(ad_id=-1), "text", event(event_id=own(3)),
             event(event_id=own(4), colour="red"), event()]
    answer = requests.post(url + "/batch", json=batch, timeout=10)
    assert answer.status_code == 202
    told = answer.json()
    assert told["accepted"] == 3
    assert [(e["index"], e["code"], e.get("field")) for e in told["rejected"]] == [
        (1, "out_of_range", "ad_id"), (2, "wrong_type", None), (4, "unknown_field", "colour")]
    assert all(entry["message"] for entry in told["rejected"])
    assert told["event_ids"][:2] == [own(0), own(3)]
    assert UUID_V7.fullmatch(told["event_ids"][2])
    counted(adtally, event()["ad_id"], impressions=3)


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json", "text/plain"])
def test_lines_of_json_are_a_batch(adtally, url, event, own, kind):
    lines = [json.dumps(event(event_id=own(0))), "", "{broken", json.dumps(event(event_id=own(3)))]
    answer = requests.post(
        url + "/batch", data="\r\n".join(lines) + "\n", headers={"Content-Type": kind}, timeout=10)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], told["event_ids"]) == (2, [own(0), own(3)])
    assert [(e["index"], e["code"]) for e in told["rejected"]] == [(1, "malformed_json")]
    counted(adtally, event()["ad_id"], impressions=2)


def test_of_an_array_with_a_broken_place_what_came_before_it_is_taken(adtally, url, event):
    good = json.dumps(event())
    answer = post_json(url + "/batch", f'[{good}, {good}, {{"type": }}, {good}]')
    assert answer.status_code == 202
    told = answer.json()
    assert told["accepted"] == len(told["event_ids"]) == 2
    assert [(e["index"], e["code"]) for e in told["rejected"]] == [(2, "malformed_json")]
    counted(adtally, event()["ad_id"], impressions=2)


def test_an_array_without_its_end_is_refused_as_a_whole(adtally, url, event):
    answer = post_json(url + "/batch", json.dumps([event(), event()])[:-1])
    assert (answer.status_code, answer.json()["accepted"]) == (400, 0)
    counted(adtally, event()["ad_id"])


def test_duplicates_within_one_batch_count_once(adtally, url, event, own):
    batch = [event(event_id=own("same"))] * 10 + [event(event_id=own("other"))]
    answer = requests.post(url + "/batch", json=batch, timeout=10)
    assert answer.json()["accepted"] == 11
    counted(adtally, event()["ad_id"], impressions=2)


def post_json(where, body):
    return requests.post(
        where, data=body, headers={"Content-Type": "application/json"}, timeout=10)


# ---- GET /api/events/pixel.gif


def pixel_parameters(sent, **more):
    return {"ad_id": sent["ad_id"], "campaign_id": sent["campaign_id"], **more}


def test_the_pixel_is_a_gif_and_an_impression(adtally, url, event, own):
    answer = requests.get(
        url + "/pixel.gif", timeout=10, params=pixel_parameters(
            event(), event_id=own("a"), cost_micros=1000, session_id="s", cb="123456", ord="7",
            **{"attributes.placement": "top", "attr.size": "300x250"}))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) == 43 and answer.content[:6] == b"GIF89a"
    assert answer.content[6:10] == b"\1\0\1\0" and answer.content[-1:] == b";"
    counted(adtally, event()["ad_id"], impressions=1)
    assert adtally.redis.get(f"ad:metrics:{event()['ad_id']}:cost_nanos") == "1000000"


def test_who_only_looks_at_the_pixel_is_not_counted(adtally, url, event):
    parameters = pixel_parameters(event())
    head = requests.head(url + "/pixel.gif", params=parameters, timeout=10)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "43")
    for headers in ({"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
        answer = requests.get(
            url + "/pixel.gif", params=parameters, headers=headers, timeout=10)
        assert (answer.status_code, len(answer.content)) == (200, 43)
    assert requests.get(url + "/pixel.gif", params=parameters, timeout=10).ok
    counted(adtally, event()["ad_id"], impressions=1)


@pytest.mark.parametrize("query, code", [
    ("campaign_id=1", "missing_field"), ("ad_id=x&campaign_id=1", "invalid_value"),
    ("ad_id=1&campaign_id=1&ad_id=2", "duplicate_field"), ("ad_id=%zz", "malformed_query"),
    ("ad_id=1&campaign_id=1&type=click", "invalid_value"),
    ("ad_id=1&campaign_id=1&colour=red", "unknown_field"),
    ("ad_id=1&campaign_id=1&session_id=%ff", "invalid_value"),
    ("ad_id=1&campaign_id=1&session_id=%00", "invalid_value")])
def test_a_malformed_pixel_is_refused(adtally, query, code):
    with Wire(adtally.collector_url) as wire:  # requests would mend the query
        answer = wire.send(request("GET", f"/api/events/pixel.gif?{query}")).answer()
    assert (answer.status, answer.json["code"]) == (400, code)


# ---- GET /api/events/click


def click(url, sent, to, headers=None, method="GET", **more):
    return requests.request(
        method, url + "/click", params={**pixel_parameters(sent), "to": to, **more},
        headers=headers, allow_redirects=False, timeout=10)


@pytest.mark.parametrize("to, location", [
    (SHOP, "https://shop.example.org/a?b=c&cid=ID"),
    ("http://shop.example.org", "http://shop.example.org/?cid=ID"),
    ("https://shop.example.org?b=c", "https://shop.example.org/?b=c&cid=ID"),
    ("https://SHOP.example.org:8443/x#part", "https://shop.example.org:8443/x?cid=ID#part"),
    ("https://shop.example.org/?cid=own", "https://shop.example.org/?cid=own")])
def test_a_click_on_a_listed_host_is_counted_and_redirected(
        adtally, url, event, own, to, location):
    answer = click(url, event(), to, event_id=own("c"))
    assert answer.status_code == 302
    assert answer.headers["location"] == location.replace("ID", own("c"))
    assert answer.headers["cache-control"] == "no-store"
    counted(adtally, event()["ad_id"], clicks=1)


def test_a_click_without_an_id_passes_its_own_on(adtally, url, event):
    location = click(url, event(), SHOP).headers["location"]
    assert UUID_V7.fullmatch(parse_qs(urlsplit(location).query)["cid"][0])
    counted(adtally, event()["ad_id"], clicks=1)


@pytest.mark.parametrize("to", [
    "https://evil.example/", "//evil.example/", "/relative", "evil.example", "",
    "javascript:alert(1)", "data:text/html,x", "ftp://shop.example.org/",
    "https://shop.example.org@evil.example/", "https://user:pw@shop.example.org/",
    "https://shop.example.org.evil.example/", "https://evilshop.example.org/",
    "https://shop.example.org:8444/", "https://shop.example.org\\@evil.example/",
    "https:/\\evil.example/", "https://evil.example#shop.example.org",
    "https://evil.example/?shop.example.org", "https://shop.example.org%2eevil.example/",
    "https://shop.example.org\r\nLocation: https://evil.example/", "https://shop.example.org/\0",
    " https://shop.example.org/", "https://[::1]/", "https://shop。example.org/",
    "https://shop.example.org/" + "a" * 2048])
def test_there_is_no_open_redirect_and_a_refused_click_is_not_counted(adtally, url, event, to):
    answer = click(url, event(), to)
    assert (answer.status_code, answer.json()["code"]) == (400, "target_refused")
    assert "location" not in answer.headers
    counted(adtally, event()["ad_id"])


def test_a_click_that_leads_nowhere_is_refused(url, event):
    answer = requests.get(
        url + "/click", params=pixel_parameters(event()), allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "missing_target")


def signed(to, ad, *arguments, secret=CLICK_SECRET):
    """The parameters that `adtally sign-click` prints, as a dictionary."""
    made = run_adtally("sign-click", "--secret", secret, "--to", to, "--ad", ad, *arguments)
    assert (made.returncode, made.stderr) == (0, "")
    return {name: values[0] for name, values in parse_qs(made.stdout.strip()).items()}


def test_a_signed_click_may_lead_anywhere_until_it_expires(adtally, url, event, own):
    to, ad = "https://anywhere.example:444/a b?c=ä", event()["ad_id"]
    link = signed(to, ad, "--hours", 1)
    assert abs(int(link["exp"]) - time.time() - 3600) < 60
    answer = click(url, event(), to, exp=link["exp"], sig=link["sig"], event_id=own("s"))
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://anywhere.example:444/a%20b?c=%C3%A4")
    counted(adtally, ad, clicks=1)

    later, other = str(int(link["exp"]) + 1), {**event(), "ad_id": ad + 1}
    expired, foreign = signed(to, ad, "--hours", 0), signed(to, ad, secret="another")
    for sent, target, exp, sig in [
            (event(), to + "x", link["exp"], link["sig"]),
            (event(), to, later, link["sig"]),
            (event(), to, None, link["sig"]),
            (event(), to, link["exp"], link["sig"][:-1] + "0" * (link["sig"][-1] != "0") or "1"),
            (event(), to, link["exp"], ""),
            (event(), to, foreign["exp"], foreign["sig"]),
            (event(), to, expired["exp"], expired["sig"]),
            (other, to, link["exp"], link["sig"])]:
        answer = click(url, sent, target, exp=exp, sig=sig)
        assert (answer.status_code, answer.json()["code"]) == (400, "target_refused")
    counted(adtally, ad, clicks=1)
    counted(adtally, ad + 1)


def test_who_only_looks_at_a_click_is_led_on_and_not_counted(adtally, url, event):
    for method, headers in (("HEAD", {}), ("GET", {"Sec-Purpose": "prefetch"}),
                            ("GET", {"Purpose": "prefetch"})):
        answer = click(url, event(), SHOP, headers, method)
        assert (answer.status_code, answer.headers["location"]) == (302, SHOP)
    counted(adtally, event()["ad_id"])


# ---- GET and POST /api/events/postback


def postback(url, sent, method="GET", headers=None, **more):
    fields = {**pixel_parameters(sent), **more}
    where = {"params": fields} if method != "POST" else {"data": fields}
    return requests.request(method, url + "/postback", headers=headers, timeout=10, **where)


def test_a_postback_needs_a_token(adtally, url, event):
    for headers, more in (({}, {}), ({}, {"token": "guess"}),
                          ({"Authorization": "Bearer guess"}, {"token": TOKEN}),
                          ({"Authorization": f"Basic {TOKEN}"}, {})):
        answer = postback(url, event(), headers=headers, **more)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text
    counted(adtally, event()["ad_id"])


def test_a_postback_is_a_conversion_with_its_partner_s_names(adtally, url, event):
    ad = event()["ad_id"]
    answer = postback(url, event(), token=TOKEN, value="12.30", txid="T-1", click_id="c-1",
                      event="purchase", ts=int(time.time()), currency="EUR")
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    assert answer.json()["event_id"] == f"txid:{ad}:purchase:T-1"
    answer = postback(
        url, event(), "POST", {"Authorization": "Bearer other-token"}, payout="0.70",
        order_id="T-2")
    assert (answer.status_code, answer.json()["event_id"]) == (200, f"txid:{ad}:T-2")
    # Partners repeat: a transaction counts once.
    assert postback(url, event(), token=TOKEN, amount="0.70", transaction_id="T-2").ok
    counted(adtally, ad, conversions=2)
    assert adtally.redis.get(f"ad:metrics:{ad}:value_nanos") == str(13 * 10**9)


def test_who_only_looks_at_a_postback_is_not_counted(adtally, url, event):
    assert postback(url, event(), "HEAD", token=TOKEN).status_code == 200
    counted(adtally, event()["ad_id"])


def test_a_postback_that_is_no_form_or_has_no_amount_is_refused(url, event):
    answer = requests.post(url + "/postback", json=event(), timeout=10)
    assert answer.status_code == 415
    for amount in ("12,30", "1e3", "-1", "", "1.1234567", "1000001"):
        answer = postback(url, event(), token=TOKEN, value=amount)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_value"), amount


# ---- CORS, methods, counters


@pytest.mark.parametrize("path, methods", [
    ("", "POST, OPTIONS"), ("/batch", "POST, OPTIONS"), ("/pixel.gif", "GET, HEAD, OPTIONS"),
    ("/click", "GET, HEAD, OPTIONS"), ("/postback", "GET, HEAD, POST, OPTIONS")])
def test_a_preflight_is_answered_for_each_address(url, path, methods):
    answer = requests.options(url + path, timeout=10, headers={
        "Origin": "https://site.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://site.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-methods"] == methods
    assert "content-type" in answer.headers["access-control-allow-headers"]
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Origin"


def test_an_origin_is_echoed_in_every_answer_also_of_errors(adtally, url, event):
    origin = {"Origin": "https://site.example"}
    for answer in (
            requests.post(url, json=event(), headers=origin, timeout=10),
            requests.post(url, data="broken", headers=origin, timeout=10),
            requests.get(url + "/pixel.gif", headers=origin, timeout=10),
            requests.get(url + "/nowhere", headers=origin, timeout=10)):
        assert answer.headers["access-control-allow-origin"] == "https://site.example"
        assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-origin" not in requests.post(
        url, json=event(), timeout=10).headers
    assert "access-control-allow-origin" not in requests.get(
        adtally.collector_url + "/actuator/health", headers=origin, timeout=10).headers


def test_other_methods_and_addresses_are_told(url):
    for method, path, allowed in (
            ("GET", "", "POST"), ("DELETE", "/batch", "POST"), ("POST", "/pixel.gif", "GET"),
            ("PUT", "/postback", "POST")):
        answer = requests.request(method, url + path, timeout=10)
        assert answer.status_code == 405
        assert allowed in answer.headers["allow"].split(", ")
    for path in ("/", "/nowhere", "/pixel.gif/"):
        assert requests.get(url + path, timeout=10).status_code == 404


def test_realtime_counters_hold_what_was_made_durable_and_expire(adtally, url, event):
    batch = [event(type=kind) for kind in ("impression", "click", "click", "conversion")]
    assert requests.post(url + "/batch", json=batch, timeout=10).status_code == 202

    def realtime():
        keys = list(adtally.redis.scan_iter("realtime:*"))
        assert all(0 < adtally.redis.ttl(key) <= 900 for key in keys)
        assert all(abs(int(key.split(":")[2]) - time.time()) < 300 for key in keys)
        assert {key.split(":")[1] for key in keys} == {"impression", "click", "conversion"}
        return sum(map(int, adtally.redis.mget(keys)))

    def appended():
        text = requests.get(adtally.collector_url + "/actuator/prometheus", timeout=10).text
        found = re.search(r"^adtally_collector_events_appended_total{.*} (\S+)$", text, re.M)
        return float(found[1])
    eventually(lambda: realtime() == appended() > 0, 10, "realtime counters of all events")
