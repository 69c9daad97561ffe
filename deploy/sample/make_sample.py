#!/usr/bin/env python3
"""Writes the sample data in this folder: made up, seeded, the same in every run.

events.ndjson    a day of a small ad business, 1,489 events, for the demonstration
ipinyou.txt      a few rows in the layout of the iPinYou logs
openbandit.csv   a few rows in the layout of the Open Bandit Dataset
"""

import datetime
import json
import pathlib
import random

FOLDER = pathlib.Path(__file__).resolve().parent
DAY = datetime.datetime(2024, 1, 15, tzinfo=datetime.timezone.utc)
MORNING = datetime.datetime(2024, 1, 15, 9)
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15",
]
# ad, campaign, share of impressions, click rate, pricing, price in micros
ADS = [
    (101, 11, 0.22, 0.012, "cpm", 2_400),
    (102, 11, 0.16, 0.021, "cpm", 3_100),
    (103, 11, 0.08, 0.007, "cpm", 1_800),
    (104, 12, 0.18, 0.034, "cpc", 420_000),
    (105, 12, 0.12, 0.018, "cpc", 310_000),
    (106, 12, 0.09, 0.045, "cpc", 560_000),
    (107, 13, 0.06, 0.009, "cpm", 5_200),
    (108, 13, 0.09, 0.015, "cpm", 4_000),
]
BY_HOUR = [0.55, 0.45, 0.38, 0.35, 0.36, 0.42, 0.55, 0.70, 0.85, 0.95, 1.00, 1.05,
           1.10, 1.05, 1.00, 1.00, 1.05, 1.12, 1.20, 1.28, 1.30, 1.20, 0.95, 0.72]


def text_of(moment, layout):
    """With milliseconds: strftime writes six digits."""
    return moment.strftime(layout)[:-3]


def event(kind, ad, session, at):
    number, campaign, _, _, pricing, price = ad
    made = {
        "type": kind,
        "ad_id": number,
        "campaign_id": campaign,
        "publisher_id": 12 + number % 3,
        "slot_id": 340 + number % 7,
        "session_id": session,
        "timestamp": text_of(DAY + datetime.timedelta(seconds=at), "%Y-%m-%dT%H:%M:%S.%f") + "Z",
    }
    charged = kind == ("impression" if pricing == "cpm" else "click")
    if kind == "conversion":
        made["value_micros"] = 19_000_000 + number % 10 * 7_000_000
    else:
        made["cost_micros"] = price if charged else 0
    return at, made


def events(chance):
    made = []
    for index in range(1_455):
        hour = chance.choices(range(24), weights=BY_HOUR)[0]
        at = hour * 3600 + chance.random() * 3600
        ad = chance.choices(ADS, weights=[ad[2] for ad in ADS])[0]
        session = f"s-{chance.randrange(600):03d}"
        made.append(event("impression", ad, session, at))
        if chance.random() < ad[3]:
            made.append(event("click", ad, session, at + 0.5 + chance.random() * 6))
            if chance.random() < 0.3:
                made.append(event("conversion", ad, session, at + 20 + chance.random() * 90))
    made.sort(key=lambda one: one[0])
    for number, (_, one) in enumerate(made[:1_500], start=1):
        yield {"event_id": f"sample-{number:04d}", **one}


def ipinyou_row(chance, number):
    at = MORNING + datetime.timedelta(seconds=number * 7 + chance.random())
    kind = "2" if number % 10 == 9 else "1"
    return "\t".join([
        f"sample{number:026d}", text_of(at, "%Y%m%d%H%M%S%f"), kind, f"V{chance.randrange(10):03d}",
        AGENTS[number % 2], "198.51.100.*", "1", "2", "1", "domain", "url", "null", "slot1", "300",
        "250", "FirstView", "Na", "0", str(20001 + number % 3), "294",
        str(20 + chance.randrange(180)), "null", "3001", "10063"])


def openbandit_row(chance, number):
    at = MORNING + datetime.timedelta(minutes=number * 31, microseconds=number)
    return (f"{at.strftime('%Y-%m-%d %H:%M:%S.%f')}+00:00,{chance.randrange(46)},{1 + number % 3},"
            f"{1 if number % 10 == 4 else 0},0.0217")


def main():
    chance = random.Random(20240115)
    with open(FOLDER / "events.ndjson", "w", encoding="utf-8") as file:
        for one in events(chance):
            file.write(json.dumps(one, separators=(",", ":")) + "\n")
    with open(FOLDER / "ipinyou.txt", "w", encoding="utf-8") as file:
        file.writelines(ipinyou_row(chance, number) + "\n" for number in range(20))
    with open(FOLDER / "openbandit.csv", "w", encoding="utf-8") as file:
        file.write("timestamp,item_id,position,click,propensity_score\n")
        file.writelines(openbandit_row(chance, number) + "\n" for number in range(20))


if __name__ == "__main__":
    main()
