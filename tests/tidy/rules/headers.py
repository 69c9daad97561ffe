"""Headers: what may be named where, and how a header and its source begin."""

import re

from tree import Finding

# Third-party headers that are slow to compile or leak their maker's types, and the folders whose
# .cpp files may name them. A header of such a folder may only if nobody outside it includes it.
_OWNERS = [
    (r"boost/(asio|beast)(/|\.hpp)", "Boost.Asio and Beast", ("src/platform/http/",)),
    (r"hiredis/", "hiredis", ("src/platform/redis/",)),
    (r"rocksdb/", "RocksDB", ("src/platform/eventlog/",)),
    (r"librdkafka/", "librdkafka", ("src/platform/eventlog/",)),
    (r"simdjson", "simdjson", ("src/domain/",)),
    (r"yaml-cpp/", "yaml-cpp", ("src/platform/config/",)),
    (r"spdlog/", "spdlog", ("src/platform/observability/",)),
    (r"prometheus/", "prometheus-cpp", ("src/platform/observability/",)),
    (r"curl/", "libcurl", ("src/platform/http/",)),
    (r"CLI/", "CLI11", ("src/app/",)),
    (r"openssl/", "OpenSSL", ("src/platform/", "src/pipeline/", "src/control/", "src/gateway/")),
    (r"soci/", "SOCI", ("src/platform/db/",)),
    (r"(gtest|gmock|benchmark)/", "a test library", ()),
]


class ThirdPartyHeaders:
    name = "third-party-headers"
    sentence = "heavy third-party headers stand in .cpp files of the folder that owns them"

    def check(self, tree):
        included_from = _includers(tree)
        for file in tree.sources():
            if file.is_test:
                continue
            for include in file.includes:
                owner = None if include.quoted else _owner(include.path)
                problem = owner and self._problem(file, owner, included_from)
                if problem:
                    yield Finding(file.path, include.line, self.name,
                                  f"<{include.path}> {problem[0]}", problem[1])

    @staticmethod
    def _problem(file, owner, included_from):
        library, folders = owner
        if not file.path.startswith(folders or "\0"):
            where = ", ".join(folders) or "the tests"
            return f"of {library} belongs to {where}", "use what that folder offers, or extend it"
        if file.suffix == ".cpp":
            return None
        users = included_from.get(file.path, ())
        outside = [user for user in users if user.rpartition("/")[0] != file.folder]
        if outside:
            return (f"of {library} reaches {outside[0]} through this header",
                    "declare a struct Impl here and name the library in the .cpp")
        return None


def _includers(tree):
    found = {}
    for file in tree.cpp():
        for include in file.includes:
            if include.quoted:
                found.setdefault(f"src/{include.path}", []).append(file.path)
    return found


def _owner(path):
    for pattern, library, folders in _OWNERS:
        if re.match(pattern, path):
            return library, folders
    return None


class PragmaOnce:
    name = "pragma-once"
    sentence = "each header has #pragma once before its first include"

    def check(self, tree):
        for file in tree.cpp():
            if file.suffix != ".hpp":
                continue
            pragma = re.search(r"^#pragma once$", file.code, re.MULTILINE)
            first = re.search(r"^\s*#\s*include\b", file.code, re.MULTILINE)
            if not pragma or (first and first.start() < pragma.start()):
                yield Finding(file.path, 1, self.name, "no #pragma once before the first include",
                              "put it after the comment at the top")


class OwnHeaderFirst:
    name = "own-header-first"
    sentence = "x.cpp includes x.hpp before all others, so that a header stands alone"

    def check(self, tree):
        for file in tree.sources():
            header = file.path.removesuffix(".cpp") + ".hpp"
            if file.suffix != ".cpp" or header not in tree.paths:
                continue
            own = header.removeprefix("src/")
            if not file.includes or file.includes[0].path != own:
                line = file.includes[0].line if file.includes else 1
                yield Finding(file.path, line, self.name, "the first include is not the own header",
                              f'#include "{own}" first')
