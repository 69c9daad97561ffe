"""Rules of the repository that a machine can check. Run: python3 tests/tidy [--junit FILE] [ROOT]

Prints `file:line: rule: what; instead: …` for each breach; exits 1 if there is one.
"""

import argparse
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import rules
import tree as trees


def check(tree):
    """The findings of each rule, by the rule's name."""
    return {rule.name: sorted(rule.check(tree)) for rule in rules.ALL}


def write_junit(path, findings, seconds):
    failed = sum(1 for found in findings.values() if found)
    suite = ElementTree.Element(
        "testsuite", name="tidy", tests=str(len(findings)), failures=str(failed), errors="0",
        skipped="0", time=f"{seconds:.3f}")
    for name, found in findings.items():
        case = ElementTree.SubElement(suite, "testcase", classname="tidy", name=name)
        if found:
            failure = ElementTree.SubElement(case, "failure", message=f"{len(found)} breaches")
            failure.text = "\n".join(map(str, found))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main():
    parser = argparse.ArgumentParser(prog="tests/tidy", description=__doc__)
    parser.add_argument("root", nargs="?", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--junit", metavar="FILE", help="also write the result as JUnit XML")
    parser.add_argument("--list", action="store_true", help="print the rules and end")
    arguments = parser.parse_args()
    if arguments.list:
        for rule in rules.ALL:
            print(f"{rule.name:22} {rule.sentence}")
        return 0
    started = time.monotonic()
    tree = trees.read_tree(arguments.root)
    findings = check(tree)
    for found in findings.values():
        for finding in found:
            print(finding)
    if arguments.junit:
        write_junit(arguments.junit, findings, time.monotonic() - started)
    broken = sum(1 for found in findings.values() if found)
    print(f"tidy: {len(findings)} rules over {len(tree.files)} files, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
