"""Real logs, where they are: `../shared/data` beside the checkout, or the folder in ADTALLY_DATA.

They are not part of the repository. A test that needs them is skipped without them.
"""

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IPINYOU_IMPRESSIONS = "ipinyou_imp.20131021.adv2821.limit1000.txt"
IPINYOU_CLICKS = "ipinyou_clk.20131021.adv2821.txt"
OPEN_BANDIT = "obd_bts_women.csv"


def folder():
    return Path(os.environ.get("ADTALLY_DATA", ROOT.parent / "shared" / "data"))


def file(name):
    """The path of one of the files; skips the test that asks if it is not there."""
    path = folder() / name
    if not path.exists():
        pytest.skip(f"{name} is not in {folder()} (set ADTALLY_DATA)")
    return path


def ground_truth():
    return json.loads(file("ground_truth.json").read_text(encoding="utf-8"))
