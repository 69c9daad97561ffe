"""Counts that were damaged are found and mended by counting the log again."""

import re

from support import Adtally, Collector
from support.books import wait_counted
from support.command import run_adtally


def rebuild(adtally, *words, code):
    done = run_adtally("rebuild", "--data-dir", adtally.data_dir, "--port-offset", adtally.offset,
                       *words)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout if code != 1 or done.stdout else done.stderr


def compared(said):
    """How many counters were compared, and how many differ."""
    return tuple(map(int, re.search(r"(\d+) counters compared, (\d+) differ", said).groups()))


def test_a_stopped_adtally_is_counted_again(tmp_path, events):
    with Adtally(tmp_path) as adtally:
        sent = events.events(500)
        Collector(adtally).deliver(sent)
        Collector(adtally).deliver(sent)  # as a client that repeats everything
        wait_counted(adtally)
        ad = sent[0]["ad_id"]
        right = adtally.redis.mget(f"ad:metrics:{ad}:impressions", f"ad:metrics:{ad}:ctr")
        adtally.redis.incrby(f"ad:metrics:{ad}:impressions", 7)
        adtally.redis.set(f"ad:metrics:{ad}:ctr", "0.5")
        said = rebuild(adtally, code=1)
        assert said.startswith("adtally: ") and len(said.splitlines()) == 1, said  # it runs
        assert adtally.stop() == 0

        said = rebuild(adtally, code=1)
        assert f"ad:metrics:{ad}:impressions" in said and compared(said)[1] == 1, said
        assert ", 1 differ, 1 corrected" in rebuild(adtally, "--apply", code=0)
        day = sent[0]["timestamp"][:10]
        whole = compared(rebuild(adtally, code=0))
        of_ad = compared(rebuild(adtally, "--ad", ad, code=0))
        of_day = compared(rebuild(adtally, "--day", day, code=0))
        assert {whole[1], of_ad[1], of_day[1]} == {0}
        assert 0 < of_ad[0] < whole[0] and 0 < of_day[0] < whole[0]
        # A day without events: its keys are looked at all the same.
        assert compared(rebuild(adtally, "--ad", ad, "--day", "2100-01-01", code=0)) == (125, 0)

        # By other rules than those that counted, right counts would look wrong.
        for setting in ("processor.reporting-zone=+08:00", "processor.dedup-window-s=60"):
            said = rebuild(adtally, "--apply", "--set", setting, code=1)
            assert said.startswith("adtally: the processors ") and "--set " in said, said

        adtally.start()
        assert right == adtally.redis.mget(f"ad:metrics:{ad}:impressions", f"ad:metrics:{ad}:ctr")
        wait_counted(adtally)


def test_a_directory_that_is_not_there_is_an_error(tmp_path):
    done = run_adtally("rebuild", "--data-dir", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no data directory" in done.stderr
    assert not (tmp_path / "nowhere").exists()
