"""Classification figures as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.report.answer import Table, counted, metric_text, with_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gramcli.results.records import ResultRow

CLASS_METRICS: Final = ("accuracy", "top5", "macro_f1", "mean_recall")
_MAP: Final = "mAP"
_SPANNED: Final = ("accuracy", "macro_f1", _MAP)
CONFUSIONS_SHOWN: Final = 5

Key = tuple[str, str, str]


def is_classification(found: Mapping[str, ResultRow]) -> bool:
    """Say whether the metrics of one task and method are those of a classifier; its mAP stands alone."""
    return bool(found.keys() & set(CLASS_METRICS)) or set(found) == {_MAP}


def class_tables(groups: Mapping[Key, Mapping[str, ResultRow]], provenance: Mapping[str, Any]) -> list[Table]:
    """Return the table of classifiers, and what the best of them confuses most.

    Args:
        groups: (task, method, stage) to metric to figure, classifiers only.
        provenance: What the evaluation says of itself; `classification` holds classes and confusions.

    Returns:
        None, one or two tables; intervals of accuracy, macro_f1 and mAP have room, the others are in CSV and JSON.
    """
    if not groups:
        return []
    metrics = [name for name in (*CLASS_METRICS, _MAP) if any(name in found for found in groups.values())]
    rows = tuple(
        (task, method, *(_cell(found.get(metric)) for metric in metrics), str(next(iter(found.values())).n))
        for (task, method, _), found in groups.items()
    )
    unit = "" if metrics == [_MAP] else "per cent, "
    table = Table(
        ("task", "method", *metrics, "n"),
        rows,
        frozenset({"task", "method"}),
        f"Classification: {unit}95 % intervals in brackets; n items",
    )
    return [table, *_confusion_tables(groups, provenance.get("classification"))]


def _cell(row: ResultRow | None) -> str:
    if row is None:
        return "-"
    texts = [metric_text(row.metric, number) for number in (row.value, row.low, row.high)]
    return with_interval(*texts) if row.metric in _SPANNED else texts[0]


def _confusion_tables(groups: Mapping[Key, Mapping[str, ResultRow]], told: object) -> list[Table]:
    """The most frequent confusions of the run of highest accuracy; none where it makes no mistake."""
    rated = {key: found["accuracy"].value or 0.0 for key, found in groups.items() if "accuracy" in found}
    if not rated or not isinstance(told, dict):
        return []
    task, method, _ = max(rated, key=rated.__getitem__)
    runs = [one for one in told.get("confusion", ()) if (one["task"], one["method"]) == (task, method)]
    if not runs:
        return []
    cells = list(zip(runs[0]["truth"], runs[0]["predicted"], runs[0]["count"], strict=True))
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])
    if not wrong:
        return []
    return [_confusions(f"{task} {method}", told["classes"], cells, wrong)]


def _confusions(
    run: str,
    classes: Sequence[str],
    cells: Sequence[tuple[int, int | None, int]],
    wrong: Sequence[tuple[int, int | None, int]],
) -> Table:
    totals: dict[int, int] = {}
    for truth, _, count in cells:
        totals[truth] = totals.get(truth, 0) + count
    rows = tuple(
        (
            classes[truth],
            "(a tie)" if predicted is None else classes[predicted],
            str(count),
            str(totals[truth]),
        )
        for truth, predicted, count in wrong[:CONFUSIONS_SHOWN]
    )
    mistakes = counted(sum(count for _, _, count in wrong), "mistake")
    shown = f", the {len(rows)} most frequent of {len(wrong)} confusions" if len(wrong) > len(rows) else ""
    title = f"Confusions of {run}: {mistakes}{shown}"
    return Table(("class", "taken for", "items", "of"), rows, frozenset({"class", "taken for"}), title)
