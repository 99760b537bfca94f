"""Results as people and programs read them: tables, CSV, JSON, Markdown, LaTeX, figures, one HTML page.

This package's own import is light; its modules load rich, matplotlib or jinja2 only when used.
"""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """The forms `--format` offers; `gramcli.report.formats` has one renderer for each."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"


SUFFIX_FORMATS: dict[str, Format] = {
    "": Format.table,
    ".txt": Format.table,
    ".csv": Format.csv,
    ".json": Format.json,
    ".md": Format.markdown,
    ".tex": Format.latex,
}
"""What `-o FILE` writes when no `--format` is given."""

PAGE_SUFFIXES = (".html", ".htm")
FRAME_SUFFIX = ".parquet"


def known_suffixes() -> str:
    """Suffixes that `-o FILE` may have, for messages."""
    return ", ".join([*filter(None, SUFFIX_FORMATS), PAGE_SUFFIXES[0], FRAME_SUFFIX])
