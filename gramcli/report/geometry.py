"""Figures of geometry for people: a table of modalities, one of pairs, and the joint measures of each task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.metrics.geometry.catalog import CHANCE, GEOMETRY, QUANTILES, measures
from gramcli.report.answer import Table, metric_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gramcli.metrics.geometry.catalog import GeometryMeasure, Kind
    from gramcli.results.records import ResultRow

_Found = dict[str, dict[str, "ResultRow"]]

_KINDS: Final = {measure.name: (measure.method, measure.kind) for measure in GEOMETRY}
_TITLES: Final[Mapping[Kind, str]] = {
    "modality": "Geometry of each modality; n rows; in brackets what chance gives",
    "pair": "Geometry of each pair of modalities; n items; in brackets what chance gives",
    "joint": "Joint geometry of each task; n pairs of query and answer",
}
_SCORES: Final = (("volume", "volume"), ("sigma1", "sigma_1"))
_ITEMS: Final = (("positive", "matched"), ("negative", "shuffled"))
_ROOM: Final = 100  # columns of a table
_TWO_DECIMALS: Final = 0.1


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
    shown = [measure for measure in measures(kind) if not _beside_another(measure.name)]
    shown = [measure for measure in shown if any(measure.name in metrics for metrics in found.values())]
    beside = [len("measure"), *(len(measure.name) for measure in shown)], [len(m.range) for m in shown], [0]
    beside[2].extend(len(measure.reading) for measure in shown)
    room = _ROOM - sum(max(widths, default=0) for widths in beside) - 2 * (len(beside) - 1)
    columns = {
        name: (
            _size(metrics, shown),
            *(with_chance(_text(metrics.get(m.name)), metrics.get(m.name + CHANCE)) for m in shown),
        )
        for name, metrics in found.items()
    }
    for subjects in _pages(columns, room):
        cells = zip(*(columns[name] for name in subjects), strict=True)
        ends = [("n", "", ""), *((measure.name, measure.range, measure.reading) for measure in shown)]
        rows = tuple((name, *row, *end) for (name, *end), row in zip(ends, cells, strict=True))
        heads = ("measure", *subjects, "range", "reading")
        yield Table(heads, rows, frozenset({"measure", "range", "reading"}), title)
        title = f"{_TITLES[kind]}, continued"


def _pages(columns: Mapping[str, tuple[str, ...]], room: int) -> Iterator[list[str]]:
    """Cut the columns into as few tables as leave each narrow enough."""
    page: list[str] = []
    used = 0
    for name, cells in columns.items():
        width = max(map(len, (name, *cells))) + 2
        if page and used + width > room:
            yield page
            page, used = [], 0
        page.append(name)
        used += width
    if page:
        yield page


def _cell(metrics: Mapping[str, ResultRow], name: str) -> str:
    return with_chance(_text(metrics.get(name)), metrics.get(name + CHANCE))


def with_chance(text: str, by_chance: ResultRow | None) -> str:
    """Return a figure, and in brackets what chance gives where that is known."""
    if by_chance is None or by_chance.value is None:
        return text
    digits = ".2f" if abs(by_chance.value) >= _TWO_DECIMALS else ".1g"
    return f"{text} ({by_chance.value:{digits}})"


def _size(metrics: Mapping[str, ResultRow], shown: Sequence[GeometryMeasure]) -> str:
    """Rows of the first figure; some later ones look at fewer, or at each item several times."""
    return str(next(metrics[measure.name].n for measure in shown if measure.name in metrics))


def _beside_another(metric: str) -> bool:
    return metric.endswith(CHANCE) or _in_distributions(metric)


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
