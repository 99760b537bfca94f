"""The pages as tests see them: their blocks, their tables, and what is expected of a console."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
}
NOT_RUN = re.compile(r"<!-- not run: .+ -->\n\Z")
ANYTHING = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and whether the page says that it is not run."""

    language: str
    text: str
    runs: bool


@dataclass(frozen=True)
class Step:
    """A command of a console block and the lines shown below it."""

    command: str
    shown: tuple[str, ...]


def blocks(page, *languages):
    """The blocks of a page in some languages, in order."""
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", PAGES[page], re.M | re.S)
    every = [Block(one[1], one[2], not NOT_RUN.search(PAGES[page][: one.start()])) for one in found]
    return [one for one in every if one.language in languages]


def steps(block):
    """The commands of a console block, each with what it prints."""
    found = []
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        found.append(Step(command.partition("  #")[0].strip(), tuple(shown)))
    return found


def matches(shown, printed):
    """Whether what a page shows is what was printed.

    A line `...` stands for any lines that were cut, `...` in a line for any part of it. Between two cuts the first
    lines that fit are taken, which finds a fit wherever there is one.
    """
    lines = [line.rstrip() for line in printed.rstrip("\n").split("\n")] if printed.strip() else []
    parts = [[]]
    for line in shown:
        if line == ANYTHING:
            parts.append([])
        else:
            parts[-1].append(re.compile(".*".join(map(re.escape, line.rstrip().split(ANYTHING)))))
    first, *middle = parts
    if not middle:
        return len(lines) == len(first) and _fits(first, lines, 0)
    last, start = middle.pop(), len(first)
    for part in middle:
        found = next((at for at in range(start, len(lines) + 1) if _fits(part, lines, at)), None)
        if found is None:
            return False
        start = found + len(part)
    end = len(lines) - len(last)
    return _fits(first, lines, 0) and start <= end and _fits(last, lines, end)


def _fits(part, lines, at):
    there = lines[at : at + len(part)]
    return len(there) == len(part) and all(one.fullmatch(line) for one, line in zip(part, there, strict=True))


def section(title, page):
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGES[page], re.M | re.S)
    assert found, f"no section '{title}'"
    return found[1]


def table_rows(text):
    """The cells of every body row of the Markdown tables in a text."""
    rows = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
