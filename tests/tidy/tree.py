"""The repository as the rules see it: path to text. A self-test makes one from a dictionary."""

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cpp_source

CPP = (".cpp", ".hpp")
TEXT = (".cpp", ".hpp", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yaml", ".yml", ".ini",
        ".toml", ".service", ".html", ".js", ".lua", ".conf", ".css")
TEXT_NAMES = ("dev", "run", ".clang-tidy", ".clang-format", "CMakeLists.txt")


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    what: str
    instead: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.what}; instead: {self.instead}"


@dataclass
class File:
    path: str
    text: str

    @property
    def suffix(self):
        return Path(self.path).suffix

    @property
    def name(self):
        return Path(self.path).name

    @property
    def folder(self):
        return str(Path(self.path).parent)

    @property
    def is_cpp(self):
        return self.suffix in CPP

    @property
    def is_test(self):
        """Stands only in test, benchmark or fuzz executables."""
        parts = Path(self.path).parts
        stem = Path(self.path).stem
        return (
            parts[0] in ("tests", "bench")
            or stem.endswith(("_test", "_bench", "_fuzz"))
            or stem.startswith(("test_support", "fake_"))
            or any(part in ("fakes", "testing") for part in parts[:-1])
        )

    @cached_property
    def split(self):
        return cpp_source.split_text(self.text)

    @property
    def code(self):
        return self.split[0]

    @property
    def comments(self):
        return self.split[1]

    @cached_property
    def includes(self):
        return cpp_source.includes(self.code)

    def line_of(self, position):
        return self.text.count("\n", 0, position) + 1


class Tree:
    def __init__(self, files):
        self.files = [File(path, text) for path, text in sorted(files.items())]
        self.paths = {file.path for file in self.files}
        self._by_path = {file.path: file for file in self.files}

    def get(self, path):
        return self._by_path.get(path)

    def cpp(self):
        return [file for file in self.files if file.is_cpp]

    def sources(self):
        return [file for file in self.cpp() if file.path.startswith("src/")]


def read_tree(root):
    """All text files that git knows or would add; without git, all but build output."""
    root = Path(root)
    command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode == 0:
        paths = [p for p in listed.stdout.decode().split("\0") if p]
    else:
        skipped = {"build", ".venv", ".git", ".cache", "data", "__pycache__"}
        paths = [
            str(p.relative_to(root))
            for p in root.rglob("*")
            if p.is_file() and not skipped & set(p.relative_to(root).parts)
        ]
    files = {}
    for path in paths:
        file = root / path
        if file.is_file() and (file.suffix in TEXT or file.name in TEXT_NAMES):
            files[path] = file.read_text(encoding="utf-8", errors="replace")
    return Tree(files)
