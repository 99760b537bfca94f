"""Figures of geometry for people: a table of modalities, one of pairs, and the joint measures of each task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.metrics.geometry.catalog import GEOMETRY, QUANTILES, measures
from gramcli.report.answer import Table, metric_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gramcli.metrics.geometry.catalog import Kind
    from gramcli.results.records import ResultRow

_Found = dict[str, dict[str, "ResultRow"]]

_KINDS: Final = {measure.name: (measure.method, measure.kind) for measure in GEOMETRY}
_TITLES: Final[Mapping[Kind, str]] = {
    "modality": "Geometry of each modality; n rows",
    "pair": "Geometry of each pair of modalities; n items",
    "joint": "Joint geometry of each task; n pairs of query and answer",
}
_SCORES: Final = (("volume", "volume"), ("sigma1", "sigma_1"))
_ITEMS: Final = (("positive", "matched"), ("negative", "shuffled"))
_ROOM: Final = 40  # columns for figures beside the names of measures and how to read them, of 100 in all


def is_geometry(row: ResultRow) -> bool:
    """Say whether a row is a figure of geometry, which has tables of its own."""
    return row.metric in _KINDS and row.method == _KINDS[row.metric][0]


def geometry_tables(results: Sequence[ResultRow]) -> list[Table]:
    """Return the tables of the geometry figures among some rows; none where there are none.

    Args:
        results: Rows of an evaluation; those that are no geometry are passed over.

    Returns:
        One line per measure and one column per modality, pair or task, cut where a terminal would end; the
        distributions of volume and sigma_1 in a table with one line per task.
    """
    found: dict[Kind, _Found] = {"modality": {}, "pair": {}, "joint": {}}
    for row in filter(is_geometry, results):
        found[_KINDS[row.metric][1]].setdefault(row.task, {})[row.metric] = row
    tables = [table for kind in ("modality", "pair") for table in _measure_tables(kind, found[kind])]
    if found["joint"]:
        tables += [_distributions(found["joint"]), *_measure_tables("joint", found["joint"])]
    return tables


def _measure_tables(kind: Kind, found: _Found) -> Iterator[Table]:
    title = _TITLES[kind]
    for subjects in _pages(list(found)):
        shown = [
            (measure, [found[name].get(measure.name) for name in subjects])
            for measure in measures(kind)
            if not _in_distributions(measure.name)
        ]
        rows = [
            (measure.name, *(_text(row) for row in cells), measure.range, measure.reading)
            for measure, cells in shown
            if any(cells)
        ]
        sizes = tuple(str(max(row.n for row in found[name].values())) for name in subjects)
        columns = ("measure", *subjects, "range", "reading")
        yield Table(columns, (("n", *sizes, "", ""), *rows), frozenset({"measure", "range", "reading"}), title)
        title = f"{_TITLES[kind]}, continued"


def _pages(subjects: list[str]) -> Iterator[list[str]]:
    """Cut the columns into as few tables as leave each narrow enough."""
    page: list[str] = []
    for name in subjects:
        if page and sum(len(other) + 2 for other in (*page, name)) > _ROOM:
            yield page
            page = []
        page.append(name)
    if page:
        yield page


def _in_distributions(metric: str) -> bool:
    return metric.startswith(
        tuple(f"{name}_{which}" for name, _ in _SCORES for which in ("positive", "negative", "auc"))
    )


def _distributions(found: _Found) -> Table:
    quantiles = [f"q{q:02d}" for q in QUANTILES]
    rows = []
    for task, metrics in found.items():
        for name, score in _SCORES:
            for which, items in _ITEMS:
                mean = metrics.get(f"{name}_{which}")
                if mean is None:
                    continue
                points = [_text(metrics.get(f"{name}_{which}_{q}")) for q in quantiles]
                auc = _text(metrics.get(f"{name}_auc")) if which == "positive" else ""
                rows.append((task, score, items, _text(mean), *points, auc, str(mean.n)))
    title = "Volume (lower is closer) and sigma_1 (higher is closer); AUC of matched against shuffled"
    columns = ("task", "score", "items", "mean", *quantiles, "AUC", "n")
    return Table(columns, tuple(rows), frozenset({"task", "score", "items"}), title)


def _text(row: ResultRow | None) -> str:
    return "-" if row is None else metric_text(row.metric, row.value)
