"""Waiting for a condition: the only place in the tests that lets time pass."""

import threading
import time

import redis

_POLL_SECONDS = 0.02


def eventually(condition, deadline=10.0, what="the condition"):
    """Calls `condition` until it returns something true, and returns that.

    An AssertionError or a broken connection (of requests or redis too) is a "not yet". After
    `deadline` seconds it fails with what was waited for, and the last value or error.
    """
    ends, last = time.monotonic() + deadline, None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, OSError, redis.RedisError) as error:
            last = error
        if time.monotonic() >= ends:
            raise AssertionError(f"{what} did not come about in {deadline:g} s; last: {last!r}")
        threading.Event().wait(_POLL_SECONDS)


def let_pass(seconds):
    """The one wait for nothing but time: a random moment, or a span that is itself the test."""
    ends = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= ends, seconds + 10, "the end of a span of time")
