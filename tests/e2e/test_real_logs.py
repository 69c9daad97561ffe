"""Real logs of ad exchanges: adtally's numbers against totals that were computed without it.

iPinYou repeats 40 impressions and 9 clicks under other timestamps (within the same hour, at the
same price), so that forwards and backwards have the same truth, and holds neighbours out of order.
"""

import pytest

from support import real_data
from support.books import wait_counted
from support.truth import (
    assert_ipinyou, assert_ipinyou_by_api, assert_open_bandit, replay_ipinyou, replay_open_bandit)


@pytest.fixture(name="truth")
def truth_fixture():
    return real_data.ground_truth()


def test_ipinyou_twice_over_is_counted_once(make_adtally, truth):
    adtally = make_adtally("--set", "processor.reporting-zone=+08:00")
    for _ in range(2):
        replay_ipinyou(adtally)
    status = wait_counted(adtally)
    assert (status["accepted"], status["counted"]) == (2 * 10_442, 9960 + 433)
    assert_ipinyou(adtally, truth["ipinyou"])
    assert_ipinyou_by_api(adtally, truth["ipinyou"])


def test_ipinyou_from_its_end_makes_the_same_numbers(make_adtally, truth):
    adtally = make_adtally("--set", "processor.reporting-zone=+08:00")
    replay_ipinyou(adtally, "--reverse")
    assert wait_counted(adtally)["counted"] == 9960 + 433
    assert_ipinyou(adtally, truth["ipinyou"])


def test_open_bandit_by_day(make_adtally, truth):
    adtally = make_adtally()
    for _ in range(2):
        replay_open_bandit(adtally)
    status = wait_counted(adtally)
    assert status["counted"] == 10_046
    assert status["duplicates"] == 10_046
    assert_open_bandit(adtally, truth["open_bandit_bts_women"])
