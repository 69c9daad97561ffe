"""adtally-sim as it is called: what it prints, how it ends, and that a failing seed replays."""

import re
import subprocess

import pytest
from support.harness import binary


def run(*arguments):
    return subprocess.run([str(binary().with_name("adtally-sim")), *arguments],
                          capture_output=True, text=True, timeout=120, check=False)


def findings(output):
    """The lines from the seed's to the one that says how to replay it."""
    return re.search(r"^seed \d+ FAILED\n(.*\n)*?again: .*", output, re.MULTILINE).group()


def test_clean_seeds_end_with_one_line_that_says_so():
    ended = run("--first-seed", "1000", "--seeds", "200")
    assert ended.returncode == 0, ended.stdout
    last = ended.stdout.splitlines()[-1]
    assert re.fullmatch(r"200 seeds, \d+ faults, [\d.]+ s: "
                        r"every acknowledged event counted exactly once", last)


@pytest.mark.parametrize("bug", ["less-than", "forgotten-window", "early-answer"])
def test_a_planted_bug_is_found_and_replays_by_its_seed(bug):
    ended = run("--seeds", "200", "--planted-bug", bug)
    assert ended.returncode == 1
    command = re.search(r"^again: adtally-sim (.*)$", ended.stdout, re.MULTILINE).group(1).split()
    assert command[0] == "--seed" and command[2:] == ["--planted-bug", bug]

    again, once_more = run(*command), run(*command)
    assert again.returncode == 1
    assert findings(again.stdout) == findings(ended.stdout)
    assert len(again.stdout.splitlines()) > 100, "every step is told"
    without_time = [re.sub(r"[\d.]+ s:", "", each.stdout) for each in (again, once_more)]
    assert without_time[0] == without_time[1]

    assert run(*command[:2]).returncode == 0, "without the bug the seed is clean"


@pytest.mark.parametrize("arguments", [["--planted-bug", "none-such"], ["--threads", "0"],
                                       ["--seeds", "many"], ["--unknown"]])
def test_wrong_usage_is_told_and_ends_with_2(arguments):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stderr
