"""What no text of the project contains."""

import re

from tree import Finding

# Written in pieces, so that this file does not contain what it forbids.
_HOMES = "|".join(["ro" "ot", "ho" "me", "wo" "rk"])
_DEVELOPER_PATH = re.compile(r"(?<![\w.~$}*-])/(?:" + _HOMES + r")/")
_LATER = re.compile(r"\b(" + "|".join(["TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK"]) + r")\b")
_ALLOWANCE = re.compile(r"tidy: allow\(([\w-]+)\)(:?)\s*(.*)")


class DeveloperPath:
    name = "developer-path"
    sentence = "no file names a path of somebody's machine"

    def check(self, tree):
        for file in tree.files:
            for match in _DEVELOPER_PATH.finditer(file.text):
                yield Finding(file.path, file.line_of(match.start()), self.name,
                              f"names {match.group()}",
                              "a path relative to the repository, or an option")


class LaterMarks:
    name = "later-marks"
    sentence = "no mark that puts work off"

    def check(self, tree):
        for file in tree.files:
            for match in _LATER.finditer(file.comments if file.is_cpp else file.text):
                yield Finding(file.path, file.line_of(match.start()), self.name,
                              f"{match.group()} in the text",
                              "do it, or open an issue and say in the README what is left out")


class AllowanceReason:
    name = "allowance-reason"
    sentence = "`tidy: allow(rule): reason` names a rule that exists and gives a reason"

    def check(self, tree):
        import rules

        known = {rule.name for rule in rules.ALL}
        for file in tree.files:
            if not (file.is_cpp or file.suffix == ".py") or file.path.startswith("tests/tidy/"):
                continue
            for match in _ALLOWANCE.finditer(file.text):
                if match.group(1) not in known or not match.group(2) or len(match.group(3)) < 10:
                    yield Finding(file.path, file.line_of(match.start()), self.name,
                                  f"allows {match.group(1)} without a known rule and a reason",
                                  "tidy: allow(rule): why it is right here")
