"""Just enough C++ for the rules: code with comments and literals blanked, and where functions are.

No compiler is asked, so that the rules run in a second on a machine without one. What is lost is
exactness in code that nobody here writes (macros that hold half a brace, digraphs).
Blanking keeps every line break and column: a position in `code` is the same position in `text`.
"""

import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r"""
    (?P<comment>//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\Z))
  | (?P<raw>\b(?:u8|u|U|L)?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<number>\b[0-9](?:'?[0-9A-Za-z_.])*)
  | (?P<char>'(?:\\.|[^'\\\n])+')
    """,
    re.VERBOSE | re.DOTALL,
)


def _blank(text):
    return "".join(c if c == "\n" else " " for c in text)


def split_text(text):
    """Returns (code, comments, raw_lines): code without comments and the insides of literals,
    comments alone, and the numbers of the lines on which a raw string stands."""
    code, comments, raw_lines, at = [], [], set(), 0
    for token in _TOKENS.finditer(text):
        between = text[at : token.start()]
        code.append(between)
        comments.append(_blank(between))
        body, at = token.group(), token.end()
        kind = token.lastgroup if token.lastgroup != "delimiter" else "raw"
        if kind == "number":
            code.append(body.replace("'", " "))
            comments.append(_blank(body))
        elif kind == "comment":
            code.append(_blank(body))
            comments.append(body)
        elif _is_include_line(text, token.start()):
            code.append(body)
            comments.append(_blank(body))
        else:
            quote = '"' if kind in ("raw", "string") else "'"
            code.append(quote + _blank(body[1:-1]) + quote)
            comments.append(_blank(body))
            if kind == "raw":
                first = text.count("\n", 0, token.start()) + 1
                raw_lines.update(range(first, first + body.count("\n") + 1))
    code.append(text[at:])
    comments.append(_blank(text[at:]))
    return "".join(code), "".join(comments), raw_lines


def _is_include_line(text, at):
    begin = text.rfind("\n", 0, at) + 1
    return re.match(r"\s*#\s*include\b", text[begin:at]) is not None


@dataclass(frozen=True)
class Include:
    path: str
    quoted: bool
    line: int


_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def includes(code):
    found = []
    for match in _INCLUDE.finditer(code):
        quoted, line = match.group(1) is not None, code.count("\n", 0, match.start()) + 1
        found.append(Include(match.group(1) or match.group(2), quoted, line))
    return found


@dataclass(frozen=True)
class Function:
    name: str
    first_line: int
    last_line: int

    @property
    def lines(self):
        return self.last_line - self.first_line + 1


def functions(code):
    """Every function with a body at namespace or class scope, with the lambdas in it."""
    return _Scanner(_without_preprocessor(code)).run()


def _without_preprocessor(code):
    """Blanks directives, and all branches of a condition but the first: else braces count twice."""
    out, depth_skipped, continued = [], [], False
    for line in code.split("\n"):
        directive = None if continued else re.match(r"\s*#\s*(\w+)", line)
        if directive:
            word = directive.group(1)
            if word in ("if", "ifdef", "ifndef"):
                depth_skipped.append(False)
            elif word in ("else", "elif") and depth_skipped:
                depth_skipped[-1] = True
            elif word == "endif" and depth_skipped:
                depth_skipped.pop()
        blank = directive is not None or continued or any(depth_skipped)
        continued = (directive is not None or continued) and line.endswith("\\")
        out.append(" " * len(line) if blank else line)
    return "\n".join(out)


_TYPE = re.compile(r"\b(class|struct|union|enum)\b")
_ACCESS = re.compile(r"^\s*(?:(?:public|private|protected)\s*:(?!:)\s*)+")
_NAME = re.compile(r"([~\w:]*operator\s*[^\s\w(]+|[~\w:]+)\s*\(")
_NOT_NAMES = {"alignas", "noexcept", "requires", "decltype", "explicit", "__attribute__"}


class _Scanner:
    """Walks over declarations. A brace opens a namespace, a type, a function or an initialiser,
    told by the text between it and the end of the declaration before it (the head)."""

    def __init__(self, code):
        self.code = code
        self.found = []

    def run(self):
        at, head = 0, 0
        while at < len(self.code):
            c = self.code[at]
            if c in ";}":
                head = at + 1
            elif c == "(":
                at = self._match(at)
            elif c == "{":
                kind = self._kind(self.code[head:at])
                if kind == "scope":
                    head = at + 1
                elif kind == "initialiser":
                    at = self._match(at)
                else:
                    end = self._match(at)
                    self._record(head, at, end)
                    at, head = end, end + 1
            at += 1
        return self.found

    def _match(self, at):
        """The position of the bracket that closes the one at `at`, or of the end of the text."""
        opening, depth = self.code[at], 0
        closing = {"{": "}", "(": ")"}[opening]
        for position in range(at, len(self.code)):
            c = self.code[position]
            if c == opening:
                depth += 1
            elif c == closing:
                depth -= 1
                if depth == 0:
                    return position
        return len(self.code) - 1

    def _kind(self, head):
        flat = _strip_groups(_ACCESS.sub("", head))
        last = flat.rstrip()[-1:]
        if re.match(r"\s*(?:(inline\s+)?namespace\b|extern\s*\"\s*\"\s*$)", flat):
            return "scope"
        if last in ("=", ",", "(", "["):
            return "initialiser"
        if "()" not in flat:
            return "scope" if _TYPE.search(flat) else "initialiser"
        if _TYPE.match(flat.strip()) and re.search(r"\b(alignas|__attribute__)\s*\(\)", flat):
            return "scope" if flat.count("()") == 1 else "function"
        if re.search(r"\)\s*[\w\s&]*:(?!:)", flat) and re.match(r"[\w>]", last):
            return "initialiser"  # a member in a constructor's list
        return "function"

    def _record(self, head, opening, end):
        text = self.code[head:opening]
        start = head + len(text) - len(text.lstrip())
        access = _ACCESS.match(self.code[head:opening])
        if access:
            start = head + access.end()
        names = _NAME.findall(self.code[start:opening])
        names = [name for name in names if name not in _NOT_NAMES]
        name = names[0] if names else "(unnamed)"
        line = self.code.count("\n", 0, start) + 1
        self.found.append(Function(name, line, self.code.count("\n", 0, end) + 1))


def _strip_groups(head):
    """The head's skeleton: round brackets and template arguments emptied."""
    head = re.sub(r"\boperator\s*[^\s\w(]+", "operator_", head)
    out, round_depth, angle_depth = [], 0, 0
    for index, c in enumerate(head):
        previous = head[index - 1] if index else " "
        if c == "(":
            round_depth += 1
            if round_depth == 1 and angle_depth == 0:
                out.append("()")
        elif c == ")":
            round_depth -= 1
        elif round_depth == 0 and c == "<" and re.match(r"[\w\s]", previous):
            angle_depth += 1
        elif round_depth == 0 and c == ">" and angle_depth > 0 and previous != "-":
            angle_depth -= 1
            out.append(">" if angle_depth == 0 else "")
        elif round_depth == 0 and angle_depth == 0:
            out.append(c)
    return "".join(out)
