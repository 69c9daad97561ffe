"""Generated events: the same seed gives the same stream, so that a failure can be run again."""

import datetime
import random

_SHARES = (("impression", 0.90), ("click", 0.08), ("conversion", 0.02))


class EventFactory:
    def __init__(self, seed, ads=5, campaigns=2, sessions=1000):
        self.seed = seed
        self._random = random.Random(seed)
        self._ads, self._campaigns, self._sessions = ads, campaigns, sessions
        self._made = 0

    def event(self, **members):
        """A valid event with an id of its own; `members` replace what would be chosen, and a member
        given as None is left out."""
        self._made += 1
        ad = self._random.randint(1, self._ads)
        kind = self._random.choices(*zip(*_SHARES))[0]
        made = {
            "event_id": f"s{self.seed}-{self._made}",
            "type": kind,
            "ad_id": ad,
            "campaign_id": 1 + ad % self._campaigns,
            "session_id": f"session-{self._random.randrange(self._sessions)}",
            "timestamp": now(),
            "cost_micros": self._random.randrange(0, 5000) if kind == "impression" else 0,
            "value_micros": self._random.randrange(0, 90_000_000) if kind == "conversion" else 0,
        }
        made.update(members)
        return {name: value for name, value in made.items() if value is not None}

    def events(self, count, **members):
        return [self.event(**members) for _ in range(count)]


def impression(ad, **members):
    """Without an id; the ad's campaign has its number."""
    return {"type": "impression", "ad_id": ad, "campaign_id": ad, **members}


def click(ad, **members):
    return {"type": "click", "ad_id": ad, "campaign_id": ad, **members}


def now(shift_seconds=0):
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=shift_seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
