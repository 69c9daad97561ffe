"""Fixtures of all tests that cross a process."""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

pytest.register_assert_rewrite("support")  # so that its assertions say what they saw

from support import Adtally, Collector, EventFactory, Oracle  # noqa: E402

_SEED = int(os.environ.get("ADTALLY_SEED") or random.randrange(1_000_000))


def pytest_report_header():
    return f"seed {_SEED} (run again with ADTALLY_SEED={_SEED})"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Puts the log of every adtally of a failed test into its report."""
    report = (yield).get_result()
    if report.failed and report.when in ("setup", "call"):
        for running in item.stash.get(_STARTED, []):
            report.sections.append((f"log of {running.data_dir}", running.log_tail()))


_STARTED = pytest.StashKey()


@pytest.fixture
def seed():
    return _SEED


@pytest.fixture
def make_adtally(request, tmp_path):
    """Starts as many as a test wants: make_adtally("--crash-at", "log-after-commit:3")."""
    started = request.node.stash.setdefault(_STARTED, [])

    def make(*arguments, start=True, **options):
        folder = tmp_path / f"adtally-{len(started)}"
        folder.mkdir()
        made = Adtally(folder, *arguments, **options)
        started.append(made)
        return made.start() if start else made

    yield make
    for running in reversed(started):
        running.close()


@pytest.fixture
def adtally(make_adtally):
    """One adtally of the test's own, ready."""
    return make_adtally()


@pytest.fixture
def oracle():
    return Oracle()


@pytest.fixture
def collector(adtally, oracle):
    client = Collector(adtally, oracle)
    yield client
    client.close()


@pytest.fixture
def events(seed):
    return EventFactory(seed)
