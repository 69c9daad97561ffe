"""Counts that were damaged are found and mended by counting the log again."""

from support import Adtally, Collector
from support.books import wait_counted
from support.command import run_adtally


def rebuild(adtally, *words, code):
    done = run_adtally("rebuild", "--data-dir", adtally.data_dir, "--port-offset", adtally.offset,
                       *words)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done.stdout if code != 1 or done.stdout else done.stderr


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
        assert f"ad:metrics:{ad}:impressions" in said and "1 differ" in said, said
        assert "1 differ, 1 corrected" in rebuild(adtally, "--apply", code=0)
        assert "0 differ" in rebuild(adtally, code=0)
        assert "0 differ" in rebuild(adtally, "--ad", ad, code=0)
        assert "0 differ" in rebuild(adtally, "--day", "2024-01-15", code=0)

        adtally.start()
        assert right == adtally.redis.mget(f"ad:metrics:{ad}:impressions", f"ad:metrics:{ad}:ctr")
        wait_counted(adtally)


def test_a_directory_that_is_not_there_is_an_error(tmp_path):
    done = run_adtally("rebuild", "--data-dir", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no data directory" in done.stderr
    assert not (tmp_path / "nowhere").exists()
