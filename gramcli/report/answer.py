"""The neutral form between a result and its print-outs: tables of text, long rows, one document."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PER_CENT_PREFIXES = (
    "R@",
    "recall@",
    "accuracy",
    "top",
    "macro_f1",
    "mean_recall",
    "tie_rate",
    "aggregation_gain",
    "share@",
)


@dataclass(frozen=True)
class Table:
    """One table for people; every cell is finished text, which each medium escapes in its own way where it leaves.

    Attributes:
        columns: Headings, in order.
        rows: One tuple of cells per row, as long as `columns`.
        left: Headings of the columns that hold words; the others are set flush right.
        title: A line above the table; may be empty.
        best: (row, column) of cells that are the best of their kind; LaTeX sets them in bold.
        significant: (row, column) of cells that a test tells apart; LaTeX gives them a dagger.
        marks: What the two mean, one sentence each, where cells are marked.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[str] = frozenset()
    title: str = ""
    best: frozenset[tuple[int, int]] = frozenset()
    significant: frozenset[tuple[int, int]] = frozenset()
    marks: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Answer:
    """What a command answers, ready for every format.

    Attributes:
        tables: For people: terminal, Markdown, LaTeX.
        columns: Headings of the CSV.
        rows: Rows of the CSV, full precision; None is an empty cell.
        document: The one JSON object.
        notes: Sentences below the tables; on stderr where the format has no room for them.
        left_out: How many entries `document` lists as left out.
        lead: Sentences above the tables: what the answer is, before its figures.
    """

    tables: tuple[Table, ...]
    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]
    document: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())
    left_out: int = 0
    lead: tuple[str, ...] = ()


def is_per_cent(metric: str) -> bool:
    """Say whether people read `metric` in per cent (R@k, accuracy and the like)."""
    return metric.startswith(PER_CENT_PREFIXES)


def is_number(value: float | None) -> bool:
    """Say whether there is a finite value."""
    return value is not None and math.isfinite(value)


def metric_text(metric: str, value: float | None) -> str:
    """Return one figure as people read it; a dash where there is none.

    Example:
        >>> metric_text("R@1", 0.525), metric_text("MedR", 3.0), metric_text("MRR", 0.6324)
        ('52.5', '3.0', '0.632')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if is_per_cent(metric):
        return f"{100 * value:.1f}"
    if metric.startswith("n_"):
        return f"{value:.0f}"
    return f"{value:.1f}" if metric in {"MedR", "MeanR"} else f"{value:.3f}"


def signed_text(metric: str, value: float | None) -> str:
    """Return a difference of two figures with its sign, with as many digits as show it; a dash where there is none.

    Example:
        >>> signed_text("R@1", 0.012), signed_text("MedR", -1.5), signed_text("R@1", 0.0003)
        ('+1.2', '-1.5', '+0.03')
    """
    text = metric_text(metric, value)
    if value and text != "-" and not float(text):
        text = f"{(100 if is_per_cent(metric) else 1) * value:.1g}"
    return text if text.startswith("-") else f"+{text}"


def with_interval(text: str, low: str, high: str) -> str:
    """Return `52.5 [49.4, 55.6]`, or `text` alone when a bound is missing (a dash)."""
    return text if "-" in (low, high) else f"{text} [{low}, {high}]"


def counted(number: int, noun: str) -> str:
    """Return `1 item`, `2 items`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listing(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> Table:
    """Return a table of words, every column flush left."""
    cells = tuple(tuple(str(cell) for cell in row) for row in rows)
    return Table(tuple(columns), cells, frozenset(columns), title)
