"""A client of the collector that keeps an oracle informed.

One Collector belongs to one thread (it holds one keep-alive connection); the oracle is shared.
"""

import requests

from support.oracle import Oracle
from support.wait import eventually

# Answers that would be the same every time. 408, 429 and 503 say nothing about an earlier attempt.
_REFUSALS = {400, 401, 403, 404, 405, 413, 414, 415, 422, 431}


class Collector:
    def __init__(self, adtally, oracle=None, timeout=10.0):
        self.url = adtally.collector_url
        self.oracle = oracle or Oracle()
        self.timeout = timeout
        self._session = requests.Session()

    def post(self, event):
        """One event. Returns the answer, or None if the connection broke before one came."""
        self.oracle.sent(event)
        answer = self._request("/api/events", json=event)
        if answer is not None:
            if answer.ok:
                self.oracle.acknowledged(event)
            elif answer.status_code in _REFUSALS:
                self.oracle.refused(event)
        return answer

    def post_batch(self, events):
        """A JSON array. Returns the answer or None."""
        for event in events:
            self.oracle.sent(event)
        answer = self._request("/api/events/batch", json=events)
        if answer is not None and answer.ok:
            rejected = {entry["index"] for entry in answer.json()["rejected"]}
            for index, event in enumerate(events):
                (self.oracle.refused if index in rejected else self.oracle.acknowledged)(event)
        elif answer is not None and answer.status_code in _REFUSALS:
            for event in events:
                self.oracle.refused(event)
        return answer

    def deliver(self, events, deadline=60.0):
        """Sends a batch, with the same ids, until it is acknowledged: what a good client does."""
        return eventually(
            lambda: self._accepted(events), deadline, f"acknowledgement of {len(events)} events")

    def _accepted(self, events):
        answer = self.post_batch(events)
        if answer is not None and answer.status_code in _REFUSALS:
            raise ValueError(f"refused with {answer.status_code}: {answer.text}")
        return answer if answer is not None and answer.ok else None

    def _request(self, path, **content):
        try:
            return self._session.post(self.url + path, timeout=self.timeout, **content)
        except requests.RequestException:
            # The connection may be half dead: begin anew, as after any broken exchange.
            self._session.close()
            self._session = requests.Session()
            return None

    def close(self):
        self._session.close()
