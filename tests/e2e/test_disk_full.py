"""No room on the disk: 503 with the reason instead of a loss, and recovery when there is room.

The disk is a small tmpfs, which takes root to mount; without, these tests are skipped.
"""

import errno
import os
import random
import subprocess

import pytest

from support.books import assert_exact, figures
from support.load import Load
from support.wait import eventually

MIB = 1 << 20
DISK_MIB = 64
KEPT_FREE_MIB = 8


@pytest.fixture(name="disk")
def disk_fixture(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder],
        capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


# `disk` before make_adtally: it is taken away after the last adtally has ended.
@pytest.fixture
def adtally(disk, make_adtally):
    return make_adtally(
        "--set", f"eventlog.min-free-disk-bytes={KEPT_FREE_MIB * MIB}", data_dir=disk / "data")


def free_bytes(folder):
    answer = os.statvfs(folder)
    return answer.f_bavail * answer.f_frsize


def take_room(disk, leaving):
    """A file, as another program's, that leaves so many bytes free."""
    ballast = disk / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - leaving)
    return ballast


def take_all_room(disk):
    """A file that grows, while others write too, until not a byte is left."""
    ballast, step = disk / "ballast", bytes(64 << 10)
    with open(ballast, "wb", buffering=0) as file:
        while True:
            try:
                file.write(step)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                return ballast


def assert_full(adtally, collector, events):
    """503 with the reason, for events and for whoever asks how the collector is."""
    def says_why():
        return "make room" in (adtally.not_ready_reasons("collector") or {}).get("eventLog", "")

    eventually(says_why, 15, "503 and the reason with its remedy")
    status, health = adtally.health("collector")
    assert (status, health["status"]) == (503, "DOWN")
    refused = collector.post(events.event())
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert "disk" in refused.json()["detail"]


def test_events_fill_the_disk_until_there_is_room_again(
        adtally, disk, collector, oracle, events, seed, record_property):
    collector.deliver(events.events(50))
    ballast = take_room(disk, leaving=(KEPT_FREE_MIB + 3) * MIB)
    batches = refused = 0
    noise = random.Random(seed)  # the log compresses what repeats
    while not refused:
        batch = [events.event(page_url=f"https://example.org/{noise.randbytes(1000).hex()}")
                 for _ in range(200)]
        answer = collector.post_batch(batch)
        assert answer is not None and answer.status_code in (202, 503)
        batches, refused = batches + 1, answer.status_code == 503
        assert batches < 100, "the disk does not fill up"
    assert batches > 2, "refused although there was room"
    assert_full(adtally, collector, events)

    ballast.unlink()
    collector.deliver(batch)
    assert collector.post(events.event()).status_code == 202
    adtally.wait_ready()
    status = assert_exact(adtally, oracle)
    figures(record_property, oracle, status, batches=batches)


def test_another_program_takes_the_last_byte_under_load(
        adtally, disk, collector, oracle, events, seed, record_property):
    """The log's writes, and Redis', fail half-way."""
    with Load(adtally, oracle, seed) as load:
        load.wait_for(200)
        ballast = take_all_room(disk)
        assert_full(adtally, collector, events)
        ballast.unlink()
        adtally.wait_ready()
        load.wait_for(200)
        load.finish()
    assert set(load.answers) <= {202, 503}
    status = assert_exact(adtally, oracle)
    adtally.restart()
    assert assert_exact(adtally, oracle)["counted"] == status["counted"]
    figures(record_property, oracle, status, answers=dict(load.answers))
