"""The shape of files and folders: lengths, widths, a comment at the top, a README a folder."""

from tree import Finding

MAX_FILE, MAX_TEST_FILE, MAX_FUNCTION, MAX_WIDTH = 400, 700, 70, 100


class FileLength:
    name = "file-length"
    sentence = f"a file has at most {MAX_FILE} lines, a test {MAX_TEST_FILE}"

    def check(self, tree):
        for file in tree.files:
            if not file.is_cpp and file.suffix not in (".py", ".sh") and file.path != "dev":
                continue
            limit = MAX_TEST_FILE if file.is_test else MAX_FILE
            lines = file.text.count("\n")
            if lines > limit:
                yield Finding(file.path, limit, self.name, f"{lines} lines, {limit} are allowed",
                              "split it by idea: the smallest class that solves a named problem")


class FunctionLength:
    name = "function-length"
    sentence = f"a function has at most {MAX_FUNCTION} lines"

    def check(self, tree):
        import cpp_source

        for file in tree.cpp():
            for function in cpp_source.functions(file.code):
                if function.lines > MAX_FUNCTION:
                    yield Finding(
                        file.path, function.first_line, self.name,
                        f"{function.name} has {function.lines} lines, {MAX_FUNCTION} are allowed",
                        "keep the ifs here and move each step to a named function below")


class LineWidth:
    name = "line-width"
    sentence = f"a line has at most {MAX_WIDTH} columns"

    def check(self, tree):
        for file in tree.files:
            if not file.is_cpp and file.suffix not in (".py", ".sh", ".cmake"):
                continue
            raw_lines = file.split[2] if file.is_cpp else ()
            for number, line in enumerate(file.text.split("\n"), start=1):
                if len(line) <= MAX_WIDTH or number in raw_lines or _unbreakable(line):
                    continue
                yield Finding(file.path, number, self.name, f"{len(line)} columns",
                              "break the line (./dev fmt does it in C++)")


def _unbreakable(line):
    words = line.split()
    return "://" in line and any(len(word) > 60 for word in words)


class FolderReadme:
    name = "folder-readme"
    sentence = "each folder below src/ that is a library has a README.md"

    def check(self, tree):
        for file in tree.files:
            folder = file.folder
            if file.name != "CMakeLists.txt" or not folder.startswith("src/") or file.is_test:
                continue
            if f"{folder}/README.md" not in tree.paths:
                yield Finding(f"{folder}/README.md", 1, self.name, "missing",
                              "write what the folder is for, its design, promise, limits and tests")


class FileComment:
    name = "file-comment"
    sentence = "a header, or a source without one, begins with a comment: problem, design, promise"

    def check(self, tree):
        for file in tree.cpp():
            told_by_header = file.path.removesuffix(".cpp") + ".hpp" in tree.paths
            if file.suffix == ".cpp" and (told_by_header or file.is_test):
                continue
            if not file.text.startswith(("//", "/*")):
                yield Finding(file.path, 1, self.name, "does not begin with a comment",
                              "say in a few lines what problem it solves and what it promises")
