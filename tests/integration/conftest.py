"""Fixtures of the tests of one running adtally from outside."""

import contextlib
import itertools

import pytest
import requests

from support import Adtally, EventFactory, eventually

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Starts what all tests of a module share: shared("--set", "collector.port=8085")."""
    with contextlib.ExitStack() as ends:
        def start(*arguments):
            made = Adtally(tmp_path_factory.mktemp("adtally"), *arguments)
            return ends.enter_context(made)
        yield start


@pytest.fixture
def events(seed):
    """Events with ids that no other test uses, since they may share an adtally."""
    return EventFactory(f"{seed}-{next(_numbers)}")


@pytest.fixture
def new_id():
    """Gives the id of an ad or a campaign that no other test uses."""
    return lambda: 1_000_000 + next(_numbers)


@pytest.fixture
def get(adtally):
    """Asks the processor of the module's adtally."""
    def ask(path, **parameters):
        return requests.get(adtally.processor_url + path, params=parameters, timeout=10)
    return ask


@pytest.fixture
def send(adtally):
    """Sends events, given as (how many, members), and returns when they are counted."""
    def deliver(*groups):
        made = [dict(members) for count, members in groups for _ in range(count)]
        answer = requests.post(
            adtally.collector_url + "/api/events/batch", json=made, timeout=10)
        assert (answer.status_code, answer.json()["rejected"]) == (202, []), answer.text
        eventually(lambda: adtally.pipeline_status()["in_flight"] == 0, 10, "all events counted")
    return deliver


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Puts the log of a shared adtally into the report of each test that failed with it."""
    report = (yield).get_result()
    if report.failed and report.when == "call":
        told = {title for title, _ in report.sections}
        for running in item.funcargs.values():
            title = f"log of {running.data_dir}" if isinstance(running, Adtally) else None
            if title and title not in told:
                report.sections.append((title, running.log_tail()))
