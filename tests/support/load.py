"""Clients that keep a collector busy while a test breaks things under it.

    with Load(adtally, oracle, seed) as load:
        load.wait_for(500)
        adtally.kill9()
        adtally.start()
        load.finish()

Each client is a thread with a connection and a stream of its own; single events and batches take
turns. A patient client sends again with the same ids until it is answered 2xx, so that after
finish() the oracle is certain of every event, and now and then repeats what was acknowledged. A
hasty one never repeats: what it got no answer for may be counted or not. It has ads of its own
(HASTY_ADS), so that all other ads have exact numbers.
"""

import random
import threading
from collections import Counter

from support.client import Collector
from support.events import EventFactory
from support.wait import eventually

HASTY_ADS = range(101, 104)
_SIZES = (1, 1, 1, 1, 1, 7, 40, 120)
_REPEATED = 0.05
_ANSWER_SECONDS = 120.0
_PAUSE_SECONDS = 0.05  # of a hasty client that was not served


class Load:
    def __init__(self, adtally, oracle, seed, patient=3, hasty=1):
        self._adtally, self._oracle = adtally, oracle
        self._finishing, self._abandoned = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self.answers = Counter()  # status → number; None: the connection broke
        self._failures = []
        self._threads = [
            threading.Thread(target=self._run, args=(seed * 100 + index, index < patient))
            for index in range(patient + hasty)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.abandon()

    def wait_for(self, events, deadline=60.0):
        """Until `events` more than now are acknowledged."""
        wanted = self._oracle.acknowledged_count + events
        eventually(lambda: self._oracle.acknowledged_count >= wanted or self._failures, deadline,
                   f"acknowledgement of {events} events more")
        assert not self._failures, self._failures

    def finish(self):
        """No new events; returns when the patient clients have an answer for all of theirs."""
        self._finishing.set()
        self._join()
        assert not self._failures, self._failures

    def abandon(self):
        """Everybody goes, answered or not."""
        self._finishing.set()
        self._abandoned.set()
        self._join()

    def _join(self):
        for thread in self._threads:
            thread.join(_ANSWER_SECONDS + 30)
            assert not thread.is_alive(), "a client of the load does not end"

    def _run(self, seed, patient):
        chance, factory = random.Random(seed), EventFactory(seed)
        client = Collector(self._adtally, self._oracle)
        try:
            while not self._finishing.is_set():
                members = {} if patient else {"ad_id": chance.choice(HASTY_ADS), "campaign_id": 100}
                events = factory.events(chance.choice(_SIZES), **members)
                if not patient:
                    if not self._send(client, events):
                        self._finishing.wait(_PAUSE_SECONDS)
                elif self._deliver(client, events) and chance.random() < _REPEATED:
                    self._deliver(client, events)
        except Exception as error:  # pylint: disable=broad-except
            self._failures.append(repr(error))
        finally:
            client.close()

    def _deliver(self, client, events):
        eventually(lambda: self._send(client, events) or self._abandoned.is_set(), _ANSWER_SECONDS,
                   "an acknowledgement")
        return not self._abandoned.is_set()

    def _send(self, client, events):
        answer = client.post(events[0]) if len(events) == 1 else client.post_batch(events)
        status = None if answer is None else answer.status_code
        with self._lock:
            self.answers[status] += 1
        taken = status == 202 and not answer.json().get("rejected")
        if not taken and status not in (None, 503):
            raise ValueError(f"answered {status}: {answer.text}")
        return taken
