"""The `compare` verb: evaluations against the first one, on the same queries, with paired tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.comparability import Side, aligned, check_allowed
from gramcli.heads.remarks import known_outcome, remarks
from gramcli.metrics.figures import cluster_index, hits, is_certain, reciprocal_ranks
from gramcli.metrics.intervals import Floats, Integers
from gramcli.metrics.paired import mean_difference, share_difference
from gramcli.metrics.significance import holm
from gramcli.results.records import Comparison, ComparisonRow, Evaluation, RankVector

CUTOFFS: Final = (1, 5, 10)
PRIMARY: Final = "R@1"
METRICS: Final = (*(f"R@{k}" for k in CUTOFFS), "MRR")


@dataclass(frozen=True)
class CompareOptions:
    """How to compare.

    Attributes:
        intersect: Compare on the queries both have, where they differ; ranks keep their own galleries.
        allowed: Rules that may differ, of `gramcli.evaluation.comparability.RULES`.
        primary: The figure that each task's comparison is about, of its forward direction; or of one direction alone,
            as `v2t:R@5`.

    Raises:
        UserError: A rule or figure that is none.
    """

    intersect: bool = False
    allowed: tuple[str, ...] = ()
    primary: str = PRIMARY

    def __post_init__(self) -> None:
        check_allowed(self.allowed)
        metric = self.primary.rpartition(":")[2]
        if metric not in METRICS:
            hint = did_you_mean(metric, METRICS)
            raise UserError("usage", f"--primary '{metric}' is none of {', '.join(METRICS)}.{hint}")


def compare_evaluations(
    evaluations: Sequence[Evaluation], names: Sequence[str], options: CompareOptions | None = None
) -> Comparison:
    """Compare every evaluation with the first, task by task, on the same queries.

    Where both sides hold one method of a task, those are compared whatever they are; else equal methods.

    Args:
        evaluations: At least two; the first is the baseline.
        names: One per evaluation, for the tables.
        options: How.

    Returns:
        Differences (B minus A) with paired 95 % intervals and p-values, Holm-adjusted in `p_holm`: the primary figures
        among themselves, the others among themselves.

    Raises:
        UserError: Fewer than two, nothing in common, or evaluations that are not comparable.
    """
    if len(evaluations) < 2:
        raise UserError("usage", "compare needs at least two evaluations: a baseline and what to compare with it.")
    options = options or CompareOptions()
    notes: list[str] = []
    rows: list[ComparisonRow] = []
    for other, name in zip(evaluations[1:], names[1:], strict=True):
        pairs = _pairs(evaluations[0], other)
        if not pairs:
            raise UserError("usage", f"{names[0]} and {name} have no task and method in common: nothing to compare.")
        notes += _narrowed(evaluations[0], names[0], [a for a, _ in pairs])
        notes += _narrowed(other, name, [b for _, b in pairs])
        primary = _primary_tasks([a.task for a, _ in pairs], options)
        for a, b in pairs:
            labels = _labels(names[0], name, a, b)
            sides = Side(labels[0], evaluations[0], a), Side(labels[1], other, b)
            first, second, said = aligned(*sides, allowed=options.allowed, intersect=options.intersect)
            notes += [*said, *_unanswered(first, second)]
            rows += _rows(first, second, labels, options.primary.rpartition(":")[2] if a.task in primary else None)
    rows = _adjusted(rows)
    left_out = tuple(dict.fromkeys(entry for evaluation in evaluations for entry in evaluation.left_out))
    provenance = {
        "evaluations": [evaluation.provenance for evaluation in evaluations],
        "allow_different": list(options.allowed),
        "primary": options.primary,
    }
    notes += _heads_notes([evaluation.provenance for evaluation in evaluations], names)
    said = [*dict.fromkeys(notes), *_family_notes(rows)]
    return Comparison(tuple(names), tuple(rows), provenance, tuple(said), left_out)


def _heads_notes(provenance: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """What is to be known of the heads that the operands were seen through; by name where it is not true of all."""
    owners: dict[str, list[str]] = {}
    for one, name in zip(provenance, names, strict=True):
        for remark in remarks(known_outcome(one.get("model"))):
            owners.setdefault(remark, []).append(name)
    return [remark if len(who) == len(names) else f"{', '.join(who)}: {remark}" for remark, who in owners.items()]


def _pairs(a: Evaluation, b: Evaluation) -> list[tuple[RankVector, RankVector]]:
    pairs = []
    for task in dict.fromkeys(vector.task for vector in a.ranks):
        left = [vector for vector in a.ranks if vector.task == task]
        right = [vector for vector in b.ranks if vector.task == task]
        if len(left) == 1 and len(right) == 1:
            pairs.append((left[0], right[0]))
        else:
            pairs += [(x, y) for x in left for y in right if x.method == y.method]
    return pairs


def _narrowed(evaluation: Evaluation, name: str, used: Sequence[RankVector]) -> list[str]:
    """Notes where an operand has more tasks or methods than the comparison uses."""
    tasks = dict.fromkeys(vector.task for vector in evaluation.ranks)
    lone = [task for task in tasks if task not in {vector.task for vector in used}]
    notes = [f"Not compared, for {name} alone has it: {', '.join(lone)}."] if lone else []
    every = dict.fromkeys(vector.method for vector in evaluation.ranks)
    chosen = dict.fromkeys(vector.method for vector in used)
    if len(chosen) == len(every):
        return notes
    return [
        *notes,
        f"{name} has {len(every)} methods; compared: {', '.join(chosen)}. "
        "Name another baseline method as STORE@METHOD.",
    ]


def _labels(name_a: str, name_b: str, a: RankVector, b: RankVector) -> tuple[str, str]:
    """Operand names, with the method where the name does not say it."""
    return tuple(  # type: ignore[return-value]
        name if name.endswith(f"@{vector.method}") else f"{name}@{vector.method}"
        for name, vector in ((name_a, a), (name_b, b))
    )


def _primary_tasks(tasks: Sequence[str], options: CompareOptions) -> Collection[str]:
    """Of each task the direction that was asked for first; or the one that was named.

    Raises:
        UserError: The named one is not compared.
    """
    named = options.primary.rpartition(":")[0]
    if named:
        if named not in tasks:
            raise UserError("usage", f"--primary names '{named}'; compared are {', '.join(dict.fromkeys(tasks))}.")
        return {named}
    seen: dict[frozenset[str], str] = {}
    for task in tasks:
        seen.setdefault(frozenset(task.removesuffix("_maxpool").split("2", 1)), task)
    return set(seen.values())


def _unanswered(a: RankVector, b: RankVector) -> list[str]:
    """A note where queries have no rank on a side."""
    n, answered = len(a.ranks), int((np.isfinite(np.array(a.ranks)) & np.isfinite(np.array(b.ranks))).sum())
    if answered in (0, n):
        return []
    return [f"{a.task}: {answered} of {n} queries have a rank in both; the others, which nobody answers, do not count."]


def _rows(a: RankVector, b: RankVector, labels: tuple[str, str], primary: str | None) -> list[ComparisonRow]:
    """One row for each figure, the primary one first.

    Raises:
        UserError: No query is answered in both.
    """
    asked = np.isfinite(np.array(a.ranks)) & np.isfinite(np.array(b.ranks))
    if not asked.any():
        raise UserError("input", f"{labels[0]} and {labels[1]}: no query of {a.task} has a rank in both.")
    clusters = cluster_index([name for name, used in zip(a.query_ids, asked, strict=True) if used])
    order = sorted(METRICS, key=lambda metric: metric != primary)
    return [
        replace(_row(a, b, labels, metric, asked, clusters), family="primary" if metric == primary else "other")
        for metric in order
    ]


def _row(
    a: RankVector, b: RankVector, labels: tuple[str, str], metric: str, asked: np.ndarray, clusters: Integers
) -> ComparisonRow:
    x, y = (_figure(vector, metric)[asked] for vector in (a, b))
    compared = share_difference if metric.startswith("R@") else mean_difference
    found = None if is_certain(metric, min(a.n_candidates, b.n_candidates)) else compared(x, y, clusters)
    return ComparisonRow(
        task=a.task,
        metric=metric,
        a=labels[0],
        b=labels[1],
        value_a=float(x.mean()),
        value_b=float(y.mean()),
        delta=float((y - x).mean()),
        low=found.low if found else None,
        high=found.high if found else None,
        p_value=found.p_value if found else None,
        test=found.test if found else "",
        wins=int((y > x).sum()),
        losses=int((x > y).sum()),
        n=len(x),
    )


def _figure(vector: RankVector, metric: str) -> Floats:
    return reciprocal_ranks(vector) if metric == "MRR" else hits(vector, int(metric.partition("@")[2]))


def _adjusted(rows: Sequence[ComparisonRow]) -> list[ComparisonRow]:
    """Holm's p-values within the primary figures and within the others; what is not tested is of no family."""
    found = [row if row.p_value is not None else replace(row, family="") for row in rows]
    for family in ("primary", "other"):
        members = [k for k, row in enumerate(found) if row.family == family]
        for k, adjusted in zip(members, holm([found[k].p_value or 0.0 for k in members]), strict=True):
            found[k] = replace(found[k], p_holm=adjusted)
    return found


def _family_notes(rows: Sequence[ComparisonRow]) -> list[str]:
    primary = [row for row in rows if row.family == "primary"]
    others = sum(row.family == "other" for row in rows)
    if not primary:
        return ["No figure is primary: what was named is 1 by construction. p Holm is over all tests."]
    named = ", ".join(dict.fromkeys(f"{row.metric} of {row.task}" for row in primary))
    return [
        f"Primary (*): {named}; --primary names another. p Holm: among the {len(primary)} primary, "
        f"among the {others} others."
    ]
