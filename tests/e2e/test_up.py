"""`./dev up` and `./dev down`: what somebody at a keyboard is told, and that a second start is
refused without harm to the first. Building and installing are left out of it."""

import os
import signal
import subprocess

import pytest
import requests

from support.harness import ROOT, binary, clean_environment
from support.ports import PortOffset
from support.wait import eventually

# The commands themselves, on a root of the test's own: its notes of what runs are nobody else's.
SCRIPT = """
set -euo pipefail
ROOT="$1" CALLER="$1" sources="$2"
shift 2
cd "$ROOT"
source "$sources/tools/dev/common.sh"
source "$sources/tools/dev/up.sh"
need() { :; }
need_for_build() { :; }
build() { :; }
PACKAGES_RUN=''
"command_$@"
"""
START_SECONDS = 60


class Checkout:
    def __init__(self, folder):
        self.root = folder / "root"
        (self.root / "build/release/bin").mkdir(parents=True)
        (self.root / "build/release/bin/adtally").symlink_to(binary())
        self._ports = PortOffset()
        self.offset = self._ports.value
        self.log = self.root / "data/adtally.log"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.dev("down")
        self._ports.release()

    def command(self, *words):
        return ["bash", "-c", SCRIPT, "dev", str(self.root), str(ROOT), *map(str, words)]

    def dev(self, *words):
        # To a file: what is detached keeps its own output, and a pipe would wait for it.
        said = self.root / "said"
        with open(said, "wb") as output:
            code = subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=output, timeout=150, check=False,
                                  env=clean_environment()).returncode
        return code, said.read_text(encoding="utf-8")

    def running(self):
        return [int(note.name) for note in (self.root / ".cache/run").glob("*")]

    def is_ready(self):
        try:
            return all(requests.get(f"http://127.0.0.1:{port + self.offset}/actuator/health"
                                    "/readiness", timeout=5).ok for port in (8085, 8086))
        except requests.RequestException:
            return False


@pytest.fixture(name="checkout")
def checkout_fixture(tmp_path):
    with Checkout(tmp_path) as checkout:
        yield checkout


def test_a_second_detached_start_is_refused_and_the_first_goes_on(checkout):
    code, said = checkout.dev("up", "--detach", "--port-offset", checkout.offset)
    assert code == 0, said
    [pid] = checkout.running()
    assert f"process {pid}" in said
    assert f"curl http://localhost:{8086 + checkout.offset}/api/pipeline/status" in said
    log = checkout.log.read_bytes()
    assert b"adtally is ready" in log
    # The first connection to Redis is no reconnection.
    assert b"held up" not in log and b"anew" not in log

    other = checkout.offset + 7
    for words in (["--port-offset", checkout.offset],
                  ["--port-offset", other],
                  ["--port-offset", checkout.offset, "--data-dir", "elsewhere"],
                  ["--port-offset", other, "--data-dir", "./data/", "--stack", "full"]):
        for detach in (["--detach"], []):
            code, said = checkout.dev("up", *detach, *words)
            assert code == 1, said
            assert said.count("\n") == 1 and f"process {pid}" in said and "./dev down" in said
    assert checkout.log.read_bytes().startswith(log)
    assert checkout.running() == [pid]
    assert checkout.is_ready()

    code, said = checkout.dev("down")
    assert code == 0 and "stopped 1" in said
    assert checkout.running() == []


def test_ports_of_somebody_else_are_no_success(checkout):
    """Whose readiness was taken for that of the one that was started."""
    code, said = checkout.dev("up", "--detach", "--port-offset", checkout.offset)
    assert code == 0, said
    (first,) = (checkout.root / ".cache/run").iterdir()
    hidden = checkout.root / "of another checkout"
    first.rename(hidden)
    log = checkout.log.read_bytes()
    code, said = checkout.dev("up", "--detach", "--port-offset", checkout.offset)
    assert code == 1 and f"port {8085 + checkout.offset} is in use" in said
    assert checkout.log.read_bytes().startswith(log)
    hidden.rename(first)


def test_in_the_foreground_one_line_says_when_it_is_ready(checkout):
    said = checkout.root / "foreground"
    with open(said, "wb") as output:
        process = subprocess.Popen(checkout.command("up", "--port-offset", checkout.offset),
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=clean_environment(), start_new_session=True)
    try:
        eventually(lambda: "dev: ready: " in said.read_text(), START_SECONDS, "the line")
        [line] = [each for each in said.read_text().splitlines() if "dev: ready: " in each]
        for port in (8085, 8086):
            assert f"http://localhost:{port + checkout.offset}" in line
        assert "curl " in line
        assert checkout.running() == [process.pid]
    finally:
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(START_SECONDS) == 0
