"""What the tests that cross a process share: a running adtally, an oracle, waiting, real data."""

from support.client import Collector
from support.events import EventFactory
from support.harness import Adtally
from support.oracle import Oracle
from support.wait import eventually

__all__ = ["Adtally", "Collector", "EventFactory", "Oracle", "eventually"]
