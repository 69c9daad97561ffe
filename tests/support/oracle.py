"""Remembers what was acknowledged and says what must therefore be counted.

The guarantee under test: every event that was answered 2xx is counted exactly once, whatever was
killed in between; one that was sent but never answered may be counted once or not at all.

    oracle.sent(event)            before the request leaves
    oracle.acknowledged(event)    after a 2xx
    oracle.refused(event)         after an answer that says the event was not taken (4xx)
    oracle.differences(adtally)   empty when the books add up

An event is known by (type, event_id), the key of deduplication: sending it ten times changes
nothing. Safe to use from many threads.
"""

import threading
from collections import Counter
from dataclasses import dataclass

_MEMBERS = {"impression": "impressions", "click": "clicks", "conversion": "conversions"}


@dataclass(frozen=True)
class Known:
    """What is counted of an event."""

    ad: int
    campaign: int
    type: str
    cost_micros: int
    value_micros: int


class Oracle:
    def __init__(self):
        self._lock = threading.Lock()
        self._acknowledged = {}
        self._uncertain = {}

    def sent(self, event):
        key, known = _key(event), _known(event)
        with self._lock:
            if key not in self._acknowledged:
                self._uncertain.setdefault(key, known)

    def acknowledged(self, event):
        key, known = _key(event), _known(event)
        with self._lock:
            self._uncertain.pop(key, None)
            self._acknowledged.setdefault(key, known)

    def refused(self, event):
        with self._lock:
            self._uncertain.pop(_key(event), None)

    @property
    def acknowledged_count(self):
        with self._lock:
            return len(self._acknowledged)

    @property
    def uncertain_count(self):
        with self._lock:
            return len(self._uncertain)

    def expected(self, entity="ad"):
        """{ad or campaign: Counter of impressions, clicks, conversions, cost_nanos, value_nanos} of
        what was acknowledged."""
        with self._lock:
            return _totals(self._acknowledged.values(), entity)

    def possible(self, entity="ad"):
        """The same of what may have been taken without an answer having come."""
        with self._lock:
            return _totals(self._uncertain.values(), entity)

    def differences(self, adtally, entity="ad"):
        """Lines that say where Redis has less than was acknowledged, or more than was ever sent."""
        least, extra = self.expected(entity), self.possible(entity)
        lines = []
        for which in sorted(set(least) | set(extra)):
            names = sorted(_MEMBERS.values()) + ["cost_nanos", "value_nanos"]
            keys = [f"{entity}:metrics:{which}:{name}" for name in names]
            for name, value in zip(names, adtally.redis.mget(keys)):
                low = least[which][name] if which in least else 0
                high = low + (extra[which][name] if which in extra else 0)
                if not low <= int(value or 0) <= high:
                    wanted = str(low) if low == high else f"{low} to {high}"
                    lines.append(f"{entity} {which} {name}: {value or 0}, expected {wanted}")
        return lines


def _key(event):
    return event["type"], event["event_id"]


def _known(event):
    return Known(
        int(event["ad_id"]), int(event["campaign_id"]), event["type"],
        event.get("cost_micros", 0), event.get("value_micros", 0))


def _totals(events, entity):
    totals = {}
    for known in events:
        total = totals.setdefault(getattr(known, entity), Counter())
        total[_MEMBERS[known.type]] += 1
        total["cost_nanos"] += known.cost_micros * 1000
        total["value_nanos"] += known.value_micros * 1000
    return totals
