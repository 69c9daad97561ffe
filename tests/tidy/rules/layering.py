"""Who may include whom: the arrows of the architecture, read from the #include lines.

    app -> {gateway, business, pipeline, control} -> {domain, platform} -> base

The four in the braces are siblings and never include one another. Within platform the order of
add_subdirectory in its CMakeLists.txt is that of the layers: a folder may use what stands above it.
The collector and the processor share no code, only the event log.
"""

import re

from tree import Finding

_BELOW = {
    "base": {"base"},
    "domain": {"domain", "base"},
    "platform": {"platform", "base"},
    "gateway": {"gateway", "domain", "platform", "base"},
    "business": {"business", "domain", "platform", "base"},
    "pipeline": {"pipeline", "domain", "platform", "base"},
    "control": {"control", "domain", "platform", "base"},
    "app": {"app", "gateway", "business", "pipeline", "control", "domain", "platform", "base"},
}
_SIBLINGS = {"gateway", "business", "pipeline", "control"}
# What redis_sink implements or speaks about; the processor's core knows it only through these. What
# reads back from Redis (metrics API, alerts) may use redis_sink: the keys are built in one file.
_PROCESSOR = "pipeline/processor"
_SINK = f"{_PROCESSOR}/redis_sink/"
_SINK_MAY_USE = {f"{_PROCESSOR}/{name}.hpp" for name in ("ports", "deltas", "options")}


class Layering:
    name = "layering"
    sentence = "includes point downwards, and never from sibling to sibling"

    def check(self, tree):
        for file in tree.sources():
            source = file.path.removeprefix("src/")
            for include in file.includes:
                if not include.quoted or f"src/{include.path}" not in tree.paths:
                    continue
                problem = self._problem(tree, file, source, include.path)
                if problem:
                    yield Finding(file.path, include.line, self.name, *problem)

    def _problem(self, tree, file, source, target):
        if source == "main.cpp":
            if target.startswith("app/"):
                return None
            return f'main includes "{target}"', "main knows only app/; move the code there"
        above, below = source.split("/")[0], target.split("/")[0]
        if above not in _BELOW:
            return f"unknown folder src/{above}", "name it in tests/tidy/rules/layering.py"
        if below not in _BELOW[above]:
            if above in _SIBLINGS and below in _SIBLINGS:
                remedy = "share a word in domain/ or a tool in platform/, or wire both in app/"
            else:
                remedy = "declare a port in the lower folder and implement it in the upper one"
            return f'{above} includes "{target}" of {below}', remedy
        if above != below:
            return None
        return self._within(tree, file, source, target)

    def _within(self, tree, file, source, target):
        if source.startswith(_SINK) and not target.startswith(_SINK):
            return self._from_sink(file, target)
        if target.startswith(_SINK) and source.rpartition("/")[0] == _PROCESSOR:
            return (f'"{target}" is a detail of redis_sink',
                    "speak to the store through pipeline/processor/ports.hpp")
        ours, theirs = source.split("/"), target.split("/")
        if len(ours) < 3 or len(theirs) < 3 or ours[1] == theirs[1]:
            return None
        if ours[0] in ("pipeline", "business", "control"):
            return (f'{ours[1]} includes "{target}" of {theirs[1]}',
                    "they meet only in the event log; move what both need to domain/ or platform/")
        order = _order(tree, ours[0])
        listed = ours[1] in order and theirs[1] in order
        if listed and order.index(theirs[1]) > order.index(ours[1]):
            return (f'{ours[1]} includes "{target}" of {theirs[1]}, which stands below it in '
                    f"src/{ours[0]}/CMakeLists.txt", "declare a port here and implement it there")
        return None

    def _from_sink(self, file, target):
        if target in _SINK_MAY_USE or (file.is_test and target.startswith(_PROCESSOR)):
            return None
        return (f'redis_sink includes "{target}"',
                "use only " + ", ".join(sorted(_SINK_MAY_USE)))


def _order(tree, folder):
    file = tree.get(f"src/{folder}/CMakeLists.txt")
    return re.findall(r"add_subdirectory\(\s*(\w+)", file.text) if file else []


class IncludePath:
    name = "include-path"
    sentence = 'a quoted include is a path from src/ (or bench/) to a file that exists'

    def check(self, tree):
        for file in tree.cpp():
            top = file.path.split("/")[0]
            if top not in ("src", "bench"):
                continue
            for include in file.includes:
                if include.quoted and not self._exists(tree, include.path):
                    yield Finding(file.path, include.line, self.name,
                                  f'"{include.path}" is not a file below src/',
                                  "write the whole path from src/; third-party headers in <…>")

    @staticmethod
    def _exists(tree, path):
        return any(found in tree.paths for found in (f"src/{path}", f"bench/{path}", path))
