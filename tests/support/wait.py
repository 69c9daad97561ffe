"""Waiting for a condition: the only place in the tests that lets time pass."""

import threading
import time

_POLL_SECONDS = 0.02


def eventually(condition, deadline=10.0, what="the condition"):
    """Calls `condition` until it returns something true, and returns that.

    An AssertionError or an error of a connection counts as "not yet". After `deadline` seconds it
    fails with what was waited for, and the last value or error.
    """
    ends, last = time.monotonic() + deadline, None
    while True:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, OSError) as error:  # requests and redis errors: see below
            last = error
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("redis", "requests", "urllib3"):
                raise
            last = error
        if time.monotonic() >= ends:
            raise AssertionError(f"{what} did not come about in {deadline:g} s; last: {last!r}")
        threading.Event().wait(_POLL_SECONDS)
