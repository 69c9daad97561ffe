"""Calls and words that are banned, each with what to write in their place.

A ban is lifted on one line by `// tidy: allow(rule): reason` on it or on the line above.
"""

import re
from dataclasses import dataclass

from tree import Finding


@dataclass(frozen=True)
class Ban:
    """`pattern` is searched in code without comments and literals. `where` are the beginnings of
    the paths it holds for, `but` those that it leaves out; `tests`: are tests bound too?"""

    name: str
    pattern: str
    what: str
    instead: str
    where: tuple = ("src/", "bench/", "tests/")
    but: tuple = ()
    tests: bool = True
    suffixes: tuple = (".cpp", ".hpp")
    pattern_in_tests: str = None  # where tests may do more

    @property
    def sentence(self):
        return f"no {self.what}"

    def check(self, tree):
        for file in tree.files:
            if file.suffix not in self.suffixes or not file.path.startswith(self.where):
                continue
            if (self.but and file.path.startswith(self.but)) or (file.is_test and not self.tests):
                continue
            code = file.code if file.is_cpp else python_code(file.text)
            pattern = (file.is_test and self.pattern_in_tests) or self.pattern
            for match in re.finditer(pattern, code, re.DOTALL | re.MULTILINE):
                line = file.line_of(match.start())
                if not allowed(file, line, self.name):
                    yield Finding(file.path, line, self.name, self.what, self.instead)


def allowed(file, line, rule):
    lines = file.text.split("\n")
    return any(f"tidy: allow({rule})" in text for text in lines[max(0, line - 2) : line])


_PYTHON = re.compile(r'""".*?"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|\#[^\n]*', re.DOTALL)


def python_code(text):
    return _PYTHON.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


class SwallowedException:
    name = "swallowed-exception"
    sentence = "no catch (...) whose body neither acts nor says why"

    def check(self, tree):
        for file in tree.cpp():
            for match in re.finditer(r"catch\s*\(\s*\.\.\.\s*\)\s*\{(\s*)\}", file.code):
                if not file.comments[match.start() : match.end()].strip():
                    yield Finding(file.path, file.line_of(match.start()), self.name,
                                  "catch (...) with an empty body",
                                  "handle it, or say in the body why nothing is to be done")


class CapturingCoroutine:
    name = "capturing-coroutine"
    sentence = "no lambda with captures that is a coroutine"
    _pattern = re.compile(
        r"\[[^\]\[\n]*[\w&=][^\]\[\n]*\]\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*(?:mutable\s*)?"
        r"(?:noexcept\s*)?->\s*(?:\w+::)*awaitable\b")

    def check(self, tree):
        for file in tree.cpp():
            for match in self._pattern.finditer(file.code):
                yield Finding(file.path, file.line_of(match.start()), self.name,
                              "a coroutine lambda's captures die with the lambda",
                              "a named coroutine that takes its parameters by value")


_OPENED = r"\busing\s+namespace\s+(?!(?:\w+::)*\w*literals\w*\s*;)(?!std::chrono\s*;)"
_CHRONO = r"|^using\s+namespace\s+std::chrono\s*;"

RULES = [
    Ban("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\b"
        r"|(?<![\w.>])(?:::)?sleep\s*\(",
        "sleeping thread", "a wait with a deadline (condition_variable, steady_timer)"),
    Ban("python-sleep", r"\btime\.sleep\b|\bfrom time import [^\n]*\bsleep\b|Event\(\)\.wait\(",
        "sleep in a test", "support.eventually(condition, deadline)",
        but=("tests/support/wait.py",), suffixes=(".py",)),
    Ban("detached-thread", r"(?:\.|->)\s*detach\s*\(\s*\)",
        "detached thread", "std::jthread, owned and joined by whoever started it"),
    Ban("detached-coroutine", r"\b(?:asio|net)\s*::\s*detached\b",
        "detached coroutine", "co_spawn with a handler that its owner counts and waits for"),
    Ban("io-context-stop",
        r"\b(?:ioc|io|io_context|context|ctx|executor)_?\s*(?:\.|->)\s*stop\s*\(\s*\)",
        "io_context::stop(), which drops what is in flight",
        "refuse new work, finish the current, cancel what waits, and let run() return"),
    Ban("standard-output",
        r"std\s*::\s*cout\b|(?<![\w.>])(?:std\s*::\s*)?(?:printf|puts|putchar)\s*\(",
        "output to stdout from a library", "log a named happening (platform/observability/log.hpp)",
        where=("src/",), but=("src/app/", "src/main.cpp"), tests=False),
    Ban("environment", r"(?<![\w.>])(?:std\s*::\s*|::)?(?:secure_)?getenv\s*\(",
        "reading of the environment outside app/", "take a value in the constructor's options",
        where=("src/",), but=("src/app/",), tests=False),
    Ban("non-reentrant-time",
        r"(?<![\w.>])(?:std\s*::\s*|::)?(?:gmtime|localtime|ctime|asctime)\s*\(",
        "time function with a shared buffer", "std::chrono's calendar, or domain/time_bucket.hpp"),
    Ban("std-async", r"std\s*::\s*async\b",
        "std::async, whose future blocks in its destructor",
        "a named thread or a task of the worker pool"),
    Ban("std-regex", r"std\s*::\s*(?:\w*regex\w*)\b|^\s*#\s*include\s*<regex>",
        "std::regex, which is slow and recurses on its input", "a hand-written check with a limit"),
    Ban("c-random", r"(?<![\w.>])(?:std\s*::\s*|::)?s?rand\s*\(",
        "rand()", "std::mt19937_64 with a seed that the caller gives"),
    Ban("volatile", r"(?<!asm )\bvolatile\b", "volatile", "std::atomic"),
    # Inside a function std::chrono may be opened: calendar arithmetic is unreadable without it.
    # A test may open what it tests.
    Ban("using-namespace", _OPENED + _CHRONO, "using namespace",
        "a namespace alias, or using-declarations",
        pattern_in_tests=_OPENED.replace("(?!", "(?!adtally\\b)(?!", 1) + _CHRONO),
    Ban("c-string",
        r"(?<![\w.>])(?:std\s*::\s*|::)?(?:v?sprintf|strcpy|strcat|atoi|atol|atoll|atof)\s*\(",
        "C string function without a bound or an error", "fmt::format, std::from_chars"),
    Ban("plain-assert", r"(?<![\w.>])assert\s*\(", "assert(), which a build may remove",
        "ADTALLY_ASSERT (base/assert.hpp)", where=("src/", "bench/"), tests=False),
    SwallowedException(),
    CapturingCoroutine(),
]
