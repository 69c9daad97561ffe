"""The rules tested: each has samples that it must pass and samples that it must find.

Run: python3 -m unittest discover -s tests/tidy (./dev test tidy does it too).
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cpp_source
import rules
from tree import Tree, read_tree

RULES = {rule.name: rule for rule in rules.ALL}
TOP = "// What it is for.\n"
WIDE = "x" * 101


def body(lines):
    return "void f() {\n" + "    g();\n" * (lines - 2) + "}\n"


def cpp(text, path="src/domain/a.cpp"):
    return {path: text}


# rule: ([trees that pass], [(tree, line that is found)])
SAMPLES = {
    "layering": (
        [
            {"src/pipeline/collector/a.cpp": '#include "domain/b.hpp"', "src/domain/b.hpp": ""},
            {"src/platform/http/a.cpp": '#include "base/b.hpp"', "src/base/b.hpp": ""},
            {"src/main.cpp": '#include "app/b.hpp"', "src/app/b.hpp": ""},
            {"src/pipeline/processor/redis_sink/a.cpp": '#include "pipeline/processor/ports.hpp"',
             "src/pipeline/processor/ports.hpp": ""},
            {"src/pipeline/processor/redis_sink/a_test.cpp": '#include "pipeline/processor/p.hpp"',
             "src/pipeline/processor/p.hpp": ""},
            {"src/pipeline/processor/metrics_api/a.cpp":
             '#include "pipeline/processor/redis_sink/keys.hpp"',
             "src/pipeline/processor/redis_sink/keys.hpp": ""},
            {"src/base/a.cpp": '// #include "app/b.hpp"', "src/app/b.hpp": ""},
            {"src/platform/CMakeLists.txt": "add_subdirectory(log)\nadd_subdirectory(http)",
             "src/platform/http/a.cpp": '#include "platform/log/b.hpp"',
             "src/platform/log/b.hpp": ""},
        ],
        [
            ({"src/base/a.cpp": '\n#include "domain/b.hpp"', "src/domain/b.hpp": ""}, 2),
            ({"src/domain/a.cpp": '#include "platform/http/b.hpp"',
              "src/platform/http/b.hpp": ""}, 1),
            ({"src/platform/http/a.cpp": '#include "domain/b.hpp"', "src/domain/b.hpp": ""}, 1),
            ({"src/gateway/a.cpp": '#include "business/b.hpp"', "src/business/b.hpp": ""}, 1),
            ({"src/pipeline/collector/a.cpp": '#include "app/b.hpp"', "src/app/b.hpp": ""}, 1),
            ({"src/pipeline/collector/a.cpp": '#include "pipeline/processor/b.hpp"',
              "src/pipeline/processor/b.hpp": ""}, 1),
            ({"src/pipeline/processor/a.hpp": '#include "pipeline/collector/b.hpp"',
              "src/pipeline/collector/b.hpp": ""}, 1),
            ({"src/pipeline/processor/a.cpp": '#include "pipeline/processor/redis_sink/b.hpp"',
              "src/pipeline/processor/redis_sink/b.hpp": ""}, 1),
            ({"src/pipeline/processor/redis_sink/a.cpp": '#include "pipeline/processor/loop.hpp"',
              "src/pipeline/processor/loop.hpp": ""}, 1),
            ({"src/platform/CMakeLists.txt": "add_subdirectory(log)\nadd_subdirectory(http)",
              "src/platform/log/a.cpp": '#include "platform/http/b.hpp"',
              "src/platform/http/b.hpp": ""}, 1),
            ({"src/main.cpp": '#include "domain/b.hpp"', "src/domain/b.hpp": ""}, 1),
            ({"src/misc/a.cpp": '#include "base/b.hpp"', "src/base/b.hpp": ""}, 1),
        ],
    ),
    "include-path": (
        [
            {"src/base/a.cpp": '#include "base/b.hpp"', "src/base/b.hpp": ""},
            cpp("#include <vector>"),
            {"bench/load/a.cpp": '#include "bench/load/b.hpp"', "bench/load/b.hpp": ""},
        ],
        [({"src/base/a.cpp": '#include "b.hpp"', "src/base/b.hpp": ""}, 1)],
    ),
    "third-party-headers": (
        [
            {"src/platform/http/a.cpp": "#include <boost/beast.hpp>"},
            {"src/platform/http/internal.hpp": "#include <boost/asio.hpp>",
             "src/platform/http/a.cpp": '#include "platform/http/internal.hpp"'},
            {"src/domain/codec.cpp": "#include <simdjson.h>"},
            {"src/domain/a_test.cpp": "#include <boost/asio.hpp>\n#include <gtest/gtest.h>"},
            {"src/domain/a.cpp": "#include <boost/json.hpp>"},
        ],
        [
            ({"src/domain/a.cpp": "\n#include <boost/asio/io_context.hpp>"}, 2),
            ({"src/platform/redis/a.hpp": "#include <hiredis/hiredis.h>",
              "src/app/b.cpp": '#include "platform/redis/a.hpp"'}, 1),
            ({"src/app/a.cpp": "#include <rocksdb/db.h>"}, 1),
            ({"src/app/a.cpp": "#include <yaml-cpp/yaml.h>"}, 1),
            ({"src/base/a.cpp": "#include <openssl/evp.h>"}, 1),
            ({"src/domain/a.hpp": "#include <gtest/gtest_prod.h>"}, 1),
        ],
    ),
    "pragma-once": (
        [cpp(TOP + "#pragma once\n#include <vector>", "src/base/a.hpp"), cpp("int a;")],
        [
            (cpp(TOP + "int a;", "src/base/a.hpp"), 1),
            (cpp("#include <vector>\n#pragma once\n", "src/base/a.hpp"), 1),
            (cpp("// #pragma once\n", "src/base/a.hpp"), 1),
        ],
    ),
    "own-header-first": (
        [
            {"src/base/a.cpp": '#include "base/a.hpp"\n#include <map>', "src/base/a.hpp": ""},
            cpp("#include <map>"),
        ],
        [({"src/base/a.cpp": '#include <map>\n#include "base/a.hpp"', "src/base/a.hpp": ""}, 1)],
    ),
    "file-length": (
        [
            cpp("int a;\n" * 400),
            cpp("int a;\n" * 700, "src/domain/a_test.cpp"),
            {"docs/long.md": "x\n" * 5000},
        ],
        [
            (cpp("int a;\n" * 401), 400),
            (cpp("int a;\n" * 701, "src/domain/a_test.cpp"), 700),
            ({"tests/e2e/test_a.py": "a = 1\n" * 701}, 700),
        ],
    ),
    "function-length": (
        [
            cpp(body(70)),
            cpp("namespace a {\n" + body(70) * 3 + "}\n"),
            cpp("const std::map<int, int> table = {\n" + "    {1, 2},\n" * 100 + "};\n"),
            cpp("enum class Kind {\n" + "    a,\n" * 100 + "};\n"),
            cpp("class A : public B<int(int)> {\npublic:\n" + "    int a_{0};\n" * 100 + "};\n"),
            cpp('const char* text = R"(\nvoid f() {\n' + "x\n" * 100 + '})";\n'),
            cpp("/* void f() {\n" + "x\n" * 100 + "} */\n"),
            cpp("struct alignas(64) A {\n" + "    int a = 0;\n" * 100 + "};\n"),
        ],
        [
            (cpp(body(71)), 1),
            (cpp("namespace a {\nclass B {\npublic:\n" + body(71) + "};\n}\n"), 4),
            (cpp("A::A(int b) noexcept : b_{b}, c_(b), d_{} {\n" + "    g();\n" * 70 + "}\n"), 1),
            (cpp("auto f() -> std::map<int, int> {\n" + "    g();\n" * 70 + "}\n"), 1),
            (cpp("bool A::operator<(const A& o) const {\n" + "    g();\n" * 70 + "}\n"), 1),
            (cpp('void f() {\n    g("}");\n    h(\'}\'); // }\n' + "    g();\n" * 70 + "}\n"), 1),
            (cpp("#if A\nvoid f() {\n#else\nvoid f(int) {\n#endif\n" + "g();\n" * 70 + "}\n"), 2),
            (cpp("template <class T>\n    requires C<T>\n" + body(69)), 1),
            (cpp("auto f = [](int a) {\n" + "    g(1'000);\n" * 70 + "};\n"), 1),
            (cpp("TEST(Suite, says_what) {\n" + "    g();\n" * 70 + "}\n"), 1),
        ],
    ),
    "line-width": (
        [
            cpp("x" * 100),
            cpp('auto a = R"(\n' + WIDE + '\n)";'),
            cpp("// see https://example.org/" + "y" * 90),
            {"README.md": WIDE},
        ],
        [
            (cpp("int a;\n// " + WIDE), 2),
            ({"tests/a.py": WIDE}, 1),
        ],
    ),
    "folder-readme": (
        [
            {"src/base/CMakeLists.txt": "", "src/base/README.md": "x"},
            {"src/CMakeLists.txt": ""},
            {"src/platform/redis/testing/CMakeLists.txt": ""},
        ],
        [({"src/base/CMakeLists.txt": ""}, 1)],
    ),
    "file-comment": (
        [
            cpp(TOP + "int a;"),
            {"src/base/a.cpp": "int a;", "src/base/a.hpp": TOP},
            cpp("int a;", "src/base/a_test.cpp"),
        ],
        [
            (cpp("int a;"), 1),
            (cpp("#pragma once\n" + TOP, "src/base/a.hpp"), 1),
        ],
    ),
    "sleep": (
        [
            cpp("timer.wait_for(lock, deadline);"),
            cpp('log("no sleep_for here"); // sleep_for'),
            cpp("// tidy: allow(sleep): the kernel offers nothing to wait on\nusleep(1);"),
            cpp("fake.sleep(1);"),
        ],
        [
            (cpp("int a;\nstd::this_thread::sleep_for(1ms);"), 2),
            (cpp("usleep(10);"), 1),
            (cpp("sleep(1);"), 1),
            (cpp("std::this_thread::sleep_for(1ms);", "src/domain/a_test.cpp"), 1),
        ],
    ),
    "python-sleep": (
        [
            {"tests/e2e/test_a.py": 'eventually(ready, 5)  # not time.sleep'},
            {"tests/support/wait.py": "threading.Event().wait(0.01)"},
        ],
        [
            ({"tests/e2e/test_a.py": "import time\ntime.sleep(1)"}, 2),
            ({"tests/e2e/test_a.py": "from time import monotonic, sleep"}, 1),
            ({"tests/e2e/test_a.py": "threading.Event().wait(1)"}, 1),
        ],
    ),
    "detached-thread": (
        [cpp("thread.join();")],
        [(cpp("std::thread(f).detach();"), 1), (cpp("t->detach ();"), 1)],
    ),
    "detached-coroutine": (
        [cpp("co_spawn(executor, f(), on_end);")],
        [(cpp("co_spawn(executor, f(), asio::detached);"), 1)],
    ),
    "io-context-stop": (
        [
            cpp("server.stop();"),
            cpp("// tidy: allow(io-context-stop): run() has returned\nioc.stop();"),
        ],
        [(cpp("ioc.stop();"), 1), (cpp("context_.stop();"), 1), (cpp("io->stop();"), 1)],
    ),
    "standard-output": (
        [
            cpp("std::cout << 1;", "src/app/a.cpp"),
            cpp('std::fprintf(stderr, "x");'),
            cpp("std::cout << 1;", "src/base/a_bench.cpp"),
        ],
        [(cpp("std::cout << 1;"), 1), (cpp('printf("x");'), 1), (cpp('std::puts("x");'), 1)],
    ),
    "environment": (
        [cpp('std::getenv("A");', "src/app/a.cpp"), cpp("settings.getenv(1);")],
        [(cpp('std::getenv("A");'), 1), (cpp('::getenv("A");'), 1)],
    ),
    "non-reentrant-time": (
        [cpp("gmtime_r(&t, &out);"), cpp("clock.localtime(t);")],
        [(cpp("std::gmtime(&t);"), 1), (cpp("auto* a = localtime(&t);"), 1)],
    ),
    "std-async": ([cpp("asio::async_read(s);")], [(cpp("auto f = std::async(g);"), 1)]),
    "std-regex": (
        [cpp("int regex = 1;")],
        [(cpp("std::regex a;"), 1), (cpp("std::regex_match(a, b);"), 1)],
    ),
    "c-random": (
        [cpp("std::mt19937_64 random(seed); random();"), cpp("dice.rand();"), cpp("operand(1);")],
        [(cpp("int a = rand();"), 1), (cpp("std::srand(1);"), 1)],
    ),
    "volatile": (
        [cpp("// volatile\nint a;"), cpp('asm volatile("" : : : "memory");')],
        [(cpp("volatile int a;"), 1)],
    ),
    "using-namespace": (
        [
            cpp("using namespace std::chrono_literals;"),
            cpp("namespace asio = boost::asio;"),
            cpp("void f() {\n    using namespace std::chrono;\n}"),
            cpp("using namespace adtally::domain;", "src/domain/a_test.cpp"),
        ],
        [
            (cpp("using namespace std;"), 1),
            (cpp("using namespace std;", "src/domain/a_test.cpp"), 1),
            (cpp("using namespace adtally::domain;"), 1),
            (cpp("\nusing namespace std::chrono;"), 2),
            (cpp("{ using namespace boost::asio; }"), 1),
        ],
    ),
    "c-string": (
        [cpp("std::snprintf(a, sizeof a, b);"), cpp("x.atoi(1);")],
        [(cpp("sprintf(a, b);"), 1), (cpp("std::atoi(a);"), 1)],
    ),
    "plain-assert": (
        [cpp("static_assert(true);\nADTALLY_ASSERT(a);"), cpp("assert(a);", "src/base/a_test.cpp")],
        [(cpp("assert(a);"), 1)],
    ),
    "swallowed-exception": (
        [
            cpp("try { f(); } catch (...) {\n    // the peer is gone: nobody is to be told\n}"),
            cpp("try { f(); } catch (...) { return failed(); }"),
        ],
        [(cpp("try { f(); }\ncatch (...) {\n}"), 2)],
    ),
    "capturing-coroutine": (
        [
            cpp("auto f = [](int a) -> asio::awaitable<void> { co_return; };"),
            cpp("auto f = [this](int a) -> bool { return true; };"),
        ],
        [
            (cpp("spawn([this]() -> asio::awaitable<void> { co_return; });"), 1),
            (cpp("spawn([&] -> boost::asio::awaitable<int> { co_return 1; });"), 1),
            (cpp("spawn([a = 1](F<int(int)> f) mutable -> awaitable<void> {});"), 1),
        ],
    ),
    "developer-path": (
        [
            {"README.md": "see ../shared and /var/lib/adtally and https://example.org/home/a"},
            {"a.sh": 'cd "$root/work/"'},
        ],
        [({"README.md": "x\nin /ho" + "me/ada/adtally"}, 2), (cpp('f("/ro' + 'ot/x");'), 1)],
    ),
    "later-marks": (
        [cpp('f("TO' + 'DO");'), {"README.md": "todo lists are elsewhere"}],
        [(cpp("int a; // TO" + "DO: more"), 1), ({"a.py": "# FIX" + "ME"}, 1)],
    ),
    "allowance-reason": (
        [cpp("usleep(1);  // tidy: allow(sleep): the kernel offers nothing to wait on")],
        [
            (cpp("usleep(1);  // tidy: allow(sleep)"), 1),
            (cpp("usleep(1);  // tidy: allow(slumber): the kernel offers nothing else"), 1),
        ],
    ),
}


class EachRule(unittest.TestCase):
    """Filled below: one test for each sample, so that a report names the one that fails."""


def _passes(rule, files):
    def test(self):
        self.assertEqual([], [str(finding) for finding in RULES[rule].check(Tree(files))])

    return test


def _finds(rule, files, line):
    def test(self):
        findings = list(RULES[rule].check(Tree(files)))
        self.assertEqual([(rule, line)], [(found.rule, found.line) for found in findings])
        self.assertRegex(str(findings[0]), r"^[^:]+:\d+: [\w-]+: .+; instead: .+")

    return test


for _rule, (_good, _bad) in SAMPLES.items():
    _name = _rule.replace("-", "_")
    for _index, _files in enumerate(_good):
        setattr(EachRule, f"test_{_name}_passes_{_index}", _passes(_rule, _files))
    for _index, (_files, _line) in enumerate(_bad):
        setattr(EachRule, f"test_{_name}_finds_{_index}", _finds(_rule, _files, _line))


class TheRules(unittest.TestCase):
    def test_each_rule_has_a_sample_that_passes_and_one_that_is_found(self):
        sampled = {name for name, (good, bad) in SAMPLES.items() if good and bad}
        self.assertEqual(set(RULES), sampled)

    def test_each_rule_has_a_name_of_its_own_and_a_sentence(self):
        self.assertEqual(len(RULES), len(rules.ALL))
        self.assertTrue(all(rule.sentence for rule in rules.ALL))

    def test_the_repository_is_read(self):
        tree = read_tree(Path(__file__).resolve().parents[2])
        self.assertIn("src/main.cpp", tree.paths)
        self.assertFalse([path for path in tree.paths if path.startswith(("build/", ".venv/"))])


class TheScanner(unittest.TestCase):
    def names(self, text):
        return [function.name for function in cpp_source.functions(cpp_source.split_text(text)[0])]

    def test_blanking_keeps_every_position(self):
        text = 'int a = 1\'000; // "x"\nauto b = R"y(a)" \n)y"; char c = \'"\'; /* " */ int d;\n'
        code, comments, _ = cpp_source.split_text(text)
        self.assertEqual((len(text), len(text)), (len(code), len(comments)))
        self.assertEqual(text.index("int d;"), code.index("int d;"))
        self.assertEqual(text.index("/* "), comments.index("/* "))
        self.assertNotIn("x", code)

    def test_functions_of_every_shape_are_found_once(self):
        text = """
            namespace a { namespace {
            template <class T> struct Box { T value{}; T get() const { return value; } };
            class B final : public Box<int> {
            public:
                explicit B(int x) : x_{x}, y_(x) {}
                ~B() override {}
                bool operator==(const B&) const { return true; }
                bool operator()(int) { return x_ < 1; }
            private: int x_{0}; std::vector<int> y_{1, 2};
            };
            constexpr std::array<int, 2> table{{1, 2}};
            const Options defaults = {.a = 1, .b = f(2)};
            auto later() -> Result<std::map<int, int>> { return {}; }
            }}
            extern "C" { void hook() { if (a) { b(); } } }
        """
        self.assertEqual(
            ["get", "B", "~B", "operator==", "operator", "later", "hook"], self.names(text))


if __name__ == "__main__":
    unittest.main()
