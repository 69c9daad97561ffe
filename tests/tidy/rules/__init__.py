"""All rules, in the order of printing. A rule has a name, a sentence and check(tree)."""

from rules import banned, headers, layering, shape, text

ALL = [
    layering.Layering(),
    layering.IncludePath(),
    headers.ThirdPartyHeaders(),
    headers.PragmaOnce(),
    headers.OwnHeaderFirst(),
    shape.FileLength(),
    shape.FunctionLength(),
    shape.LineWidth(),
    shape.FolderReadme(),
    shape.FileComment(),
    *banned.RULES,
    text.DeveloperPath(),
    text.LaterMarks(),
    text.AllowanceReason(),
]
