"""What ./dev test says at its end: nothing that broke may add up to `0 failed`."""

import importlib.util
from pathlib import Path

import pytest

_SOURCE = Path(__file__).resolve().parents[2] / "tools/dev/count_tests.py"
_SPEC = importlib.util.spec_from_file_location("count_tests", _SOURCE)
count_tests = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(count_tests)

GTEST = """<testsuites><testsuite name="S">
  <testcase name="passes" classname="S" status="run" result="completed"/>
  <testcase name="off" classname="S" status="notrun" result="suppressed"/>
  <testcase name="skips" classname="S" status="run" result="skipped"><skipped/></testcase>
  {more}
</testsuite></testsuites>"""
FAILING = '<testcase name="fails" classname="S" status="run"><failure message="x"/></testcase>'


def ctest(*failed):
    cases = "".join(f'<testcase name="{name}"><failure message=""/></testcase>' for name in failed)
    return f'<testsuite><testcase name="fine" status="run"/>{cases}</testsuite>'


@pytest.fixture
def stage(tmp_path, capsys):
    def run(name="unit", code=0, **files):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "outcome").write_text(f"{code} 7\n", encoding="utf-8")
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text, encoding="utf-8")
        exit_code = count_tests.main(tmp_path)
        lines = capsys.readouterr().out.splitlines()
        return exit_code, lines[-1], [line for line in lines if line.startswith("failed: ")]

    return run


def test_cases_are_counted_not_executables(stage):
    assert stage(a_test__xml=GTEST.format(more=""), ctest__junit=ctest()) == (
        0, "1 passed, 0 failed, 1 skipped", [])


def test_a_failed_case_is_named_and_its_executable_not_counted_again(stage):
    assert stage(code=8, a_test__xml=GTEST.format(more=FAILING), ctest__junit=ctest("a")) == (
        1, "1 passed, 1 failed, 1 skipped", ["failed: unit: S.fails"])


def test_a_leak_at_exit_fails_though_all_cases_passed(stage):
    code, line, failures = stage(
        code=8, a_test__xml=GTEST.format(more=""), ctest__junit=ctest("a"))
    assert (code, line) == (1, "1 passed, 1 failed, 1 skipped")
    assert failures == ["failed: unit: a_test did not end well (its output is above)"]


def test_a_crash_that_wrote_nothing_fails(stage):
    assert stage(code=8, ctest__junit=ctest("a"))[:2] == (1, "0 passed, 1 failed")


def test_a_report_cut_in_the_middle_fails(stage):
    assert stage(code=8, pytest__xml="<testsuites><testsu")[:2] == (1, "0 passed, 1 failed")


def test_a_stage_that_ended_before_its_tests_fails(stage):
    assert stage("build-release", code=1) == (
        1, "0 passed, 1 failed",
        ["failed: build-release: failed as a whole (its output is above)"])


def test_the_format_is_one_check(stage):
    assert stage("format")[:2] == (0, "1 passed, 0 failed")
