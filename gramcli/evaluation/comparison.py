"""The `compare` verb: evaluations against the first one, on the same queries, with paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.heads.remarks import known_outcome, remarks
from gramcli.metrics.figures import cluster_index
from gramcli.metrics.significance import bootstrap_interval, holm, mcnemar_p, sign_flip_p, wilson_interval
from gramcli.results.records import Comparison, ComparisonRow, Evaluation, RankVector

Floats = NDArray[np.float64]

CUTOFFS = (1, 5, 10)


def compare_evaluations(
    evaluations: Sequence[Evaluation], names: Sequence[str], *, intersect: bool = False
) -> Comparison:
    """Compare every evaluation with the first, task by task, on the same queries.

    Where both sides hold one method of a task, those are compared whatever they are; else equal methods.

    Args:
        evaluations: At least two; the first is the baseline.
        names: One per evaluation, for the tables.
        intersect: Compare on the queries both have, where they differ; ranks keep their own galleries.

    Returns:
        Differences (B minus A) with paired 95 % intervals and p-values, Holm-adjusted in `p_holm`.

    Raises:
        UserError: Fewer than two, nothing in common, or other queries or galleries without `intersect`.
    """
    if len(evaluations) < 2:
        raise UserError("usage", "compare needs at least two evaluations: a baseline and what to compare with it.")
    notes: list[str] = []
    rows: list[ComparisonRow] = []
    for other, name in zip(evaluations[1:], names[1:], strict=True):
        pairs = _pairs(evaluations[0], other)
        if not pairs:
            raise UserError("usage", f"{names[0]} and {name} have no task and method in common: nothing to compare.")
        notes += _narrowed(evaluations[0], names[0], [a for a, _ in pairs])
        notes += _narrowed(other, name, [b for _, b in pairs])
        for a, b in pairs:
            labels = _labels(names[0], name, a, b)
            a, b = _aligned(a, b, labels, intersect, notes)  # noqa: PLW2901 - the same vectors, on common queries
            rows += _rows(a, b, labels)
    tested = [k for k, row in enumerate(rows) if row.p_value is not None]
    adjusted = dict(zip(tested, holm([rows[k].p_value or 0.0 for k in tested]), strict=True))
    finished = tuple(replace(row, p_holm=adjusted.get(k)) for k, row in enumerate(rows))
    provenance = [evaluation.provenance for evaluation in evaluations]
    notes += _heads_notes(provenance, names)
    differing = _differences(provenance)
    if differing:
        notes.append(f"The evaluations differ in {', '.join(differing)}.")
    left_out = tuple(dict.fromkeys(entry for evaluation in evaluations for entry in evaluation.left_out))
    return Comparison(tuple(names), finished, {"evaluations": provenance}, tuple(dict.fromkeys(notes)), left_out)


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
    """A note where an operand has more methods than the comparison uses."""
    every = dict.fromkeys(vector.method for vector in evaluation.ranks)
    chosen = dict.fromkeys(vector.method for vector in used)
    if len(chosen) == len(every):
        return []
    return [
        f"{name} has {len(every)} methods; compared: {', '.join(chosen)}. Name another baseline method as STORE@METHOD."
    ]


def _labels(name_a: str, name_b: str, a: RankVector, b: RankVector) -> tuple[str, str]:
    """Operand names, with the method where the name does not say it."""
    return tuple(  # type: ignore[return-value]
        name if name.endswith(f"@{vector.method}") else f"{name}@{vector.method}"
        for name, vector in ((name_a, a), (name_b, b))
    )


def _aligned(
    a: RankVector, b: RankVector, labels: tuple[str, str], intersect: bool, notes: list[str]
) -> tuple[RankVector, RankVector]:
    if a.query_ids == b.query_ids and a.n_candidates == b.n_candidates:
        return a, b
    keys_a, keys_b = _keys(a), _keys(b)
    common = [key for key in keys_a if key in keys_b]
    if not intersect:
        raise UserError(
            "usage",
            f"{labels[0]} and {labels[1]} are not comparable on {a.task}: {len(keys_a)} queries and {a.n_candidates} "
            f"candidates against {len(keys_b)} and {b.n_candidates}, {len(common)} queries in common. "
            "Evaluate both on the same items, or add --intersect.",
        )
    if not common:
        raise UserError("usage", f"{labels[0]} and {labels[1]} have no query of {a.task} in common.")
    notes.append(
        f"{a.task}: compared on the {len(common)} queries in common; the ranks come from galleries of "
        f"{a.n_candidates} and {b.n_candidates}."
    )
    ids = tuple(key[0] for key in common)
    return (
        replace(a, query_ids=ids, ranks=tuple(keys_a[key] for key in common)),
        replace(b, query_ids=ids, ranks=tuple(keys_b[key] for key in common)),
    )


def _keys(vector: RankVector) -> dict[tuple[str, int], float]:
    """(item, which of its queries) -> rank."""
    seen: dict[str, int] = {}
    found = {}
    for name, rank in zip(vector.query_ids, vector.ranks, strict=True):
        found[name, seen.get(name, 0)] = rank
        seen[name] = seen.get(name, 0) + 1
    return found


def _rows(a: RankVector, b: RankVector, labels: tuple[str, str]) -> list[ComparisonRow]:
    ranks_a, ranks_b = np.array(a.ranks, dtype=np.float64), np.array(b.ranks, dtype=np.float64)
    asked = np.isfinite(ranks_a) & np.isfinite(ranks_b)
    clusters = cluster_index([name for name, used in zip(a.query_ids, asked, strict=True) if used])
    ranks_a, ranks_b = ranks_a[asked], ranks_b[asked]
    rows = [
        _row(a.task, f"R@{k}", labels, (ranks_a <= k).astype(np.float64), (ranks_b <= k).astype(np.float64), clusters)
        for k in CUTOFFS
    ]
    rows.append(_row(a.task, "MRR", labels, 1.0 / ranks_a, 1.0 / ranks_b, clusters))
    return rows


def _row(
    task: str, metric: str, labels: tuple[str, str], a: Floats, b: Floats, clusters: NDArray[np.int64]
) -> ComparisonRow:
    wins, losses = int((b > a).sum()), int((a > b).sum())
    alone = int(clusters.max()) + 1 == len(clusters)
    if metric.startswith("R@") and alone:
        test, p_value = "McNemar, exact", mcnemar_p(losses, wins)
    else:
        test, p_value = "paired sign flips", sign_flip_p(b - a, clusters)
    low, high = bootstrap_interval(b - a, clusters)
    if metric.startswith("R@") and wins == losses == 0:  # no spread to resample: what share might still differ
        high = wilson_interval(0, int(clusters.max()) + 1)[1]
        low = -high
    return ComparisonRow(
        task=task,
        metric=metric,
        a=labels[0],
        b=labels[1],
        value_a=float(a.mean()),
        value_b=float(b.mean()),
        delta=float((b - a).mean()),
        low=low,
        high=high,
        p_value=p_value,
        test=test,
        wins=wins,
        losses=losses,
        n=len(a),
    )


def _differences(provenance: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the provenance entries that matter for comparability and are not equal."""
    matter = ("dataset", "protocol", "split", "limit", "missing", "stage", "ties")
    return [key for key in matter if any(x.get(key) != y.get(key) for x, y in pairwise(provenance))]
