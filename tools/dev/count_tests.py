"""Adds up what the stages of `./dev test` left in their folders and prints the closing line.

A stage's folder holds `outcome` (exit code, seconds), JUnit files of pytest and tidy, one XML file
of each GoogleTest executable, and `ctest.junit`, which knows how each executable ended. Counted are
cases. An executable that broke without naming a failed case (a crash, a leak at exit), and a stage
that failed without one (a build), count as one failure, so that nothing that broke adds up to 0.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

# Stages that are one check by themselves.
CHECKS = {"format", "sim"}


@dataclass
class Count:
    passed: int = 0
    skipped: int = 0
    failed: list = field(default_factory=list)

    def add_cases(self, path):
        for case in ElementTree.parse(path).iter("testcase"):
            if case.get("status") == "notrun":
                continue  # GoogleTest's DISABLED_
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed.append(f"{case.get('classname')}.{case.get('name')}")
            elif case.find("skipped") is not None:
                self.skipped += 1
            else:
                self.passed += 1


def count_stage(folder):
    count = Count()
    for path in sorted(folder.glob("*.xml")):
        try:
            count.add_cases(path)
        except ElementTree.ParseError:
            count.failed.append(f"{path.name} was not written to its end")
    ctest = folder / "ctest.junit"
    if ctest.exists():
        for case in ElementTree.parse(ctest).iter("testcase"):
            name = case.get("name")
            if case.find("failure") is not None and not _names_a_failure(folder, name):
                count.failed.append(f"{name}_test did not end well (its output is above)")
    code, seconds = map(int, (folder / "outcome").read_text(encoding="utf-8").split())
    if code != 0 and not count.failed:
        count.failed.append("failed as a whole (its output is above)")
    if code == 0 and folder.name in CHECKS:
        count.passed += 1
    return count, seconds


def _names_a_failure(folder, name):
    path = folder / f"{name}_test.xml"
    if not path.exists():
        return False
    one = Count()
    one.add_cases(path)
    return bool(one.failed)


def main(results):
    folders = [path.parent for path in Path(results).glob("*/outcome")]
    folders.sort(key=lambda folder: (folder / "outcome").stat().st_mtime)
    total, failures = Count(), []
    print("\nstage             passed  failed  skipped  seconds")
    for folder in folders:
        count, seconds = count_stage(folder)
        figures = f"{count.passed:7} {len(count.failed):7} {count.skipped:8} {seconds:8}"
        print(f"{folder.name:16} {figures}")
        total.passed += count.passed
        total.skipped += count.skipped
        failures += [f"{folder.name}: {name}" for name in count.failed]
    for failure in failures:
        print(f"failed: {failure}")
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"\n{total.passed} passed, {len(failures)} failed{skipped}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
