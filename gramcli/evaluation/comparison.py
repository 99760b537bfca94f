"""Evaluations against a baseline, on the same queries, with paired tests and a verdict on each primary figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.changes import changes, with_texts
from gramcli.evaluation.comparability import check_allowed
from gramcli.evaluation.duels import METRICS, Duel, duel
from gramcli.evaluation.pairing import Contender, narrowed, pairs, primary_tasks
from gramcli.evaluation.verdicts import verdicts
from gramcli.heads.remarks import known_outcome, remarks
from gramcli.metrics.significance import holm
from gramcli.results.records import Comparison, ComparisonRow, Evaluation, QueryChange

__all__ = ["PRIMARY", "CompareOptions", "Contender", "compare_evaluations"]

PRIMARY: Final = "R@1"


@dataclass(frozen=True)
class CompareOptions:
    """How to compare.

    Attributes:
        intersect: Compare on the queries all have, where they differ; ranks keep their own galleries.
        allowed: Rules that may differ, of `gramcli.evaluation.comparability.RULES`.
        primary: The figure that each task's comparison is about, of its forward direction; or of one direction alone,
            as `v2t:R@5`.
        diff_queries: How many of the queries gained most, and of those lost most, are listed of each primary figure.

    Raises:
        UserError: A rule or figure that is none.
    """

    intersect: bool = False
    allowed: tuple[str, ...] = ()
    primary: str = PRIMARY
    diff_queries: int = 0

    def __post_init__(self) -> None:
        check_allowed(self.allowed)
        if self.diff_queries < 0:
            raise UserError("usage", f"--diff-queries must be at least 0; got {self.diff_queries}.")
        metric = self.primary.rpartition(":")[2]
        if metric not in METRICS:
            hint = did_you_mean(metric, METRICS)
            raise UserError("usage", f"--primary '{metric}' is none of {', '.join(METRICS)}.{hint}")


def compare_evaluations(
    evaluations: Sequence[Evaluation | Sequence[Evaluation]],
    names: Sequence[str],
    options: CompareOptions | None = None,
) -> Comparison:
    """Compare every evaluation with the first, task by task, on the same queries.

    Where both sides hold one method of a task, those are compared whatever they are; else equal methods.

    Args:
        evaluations: At least two, the first is the baseline; a list of several is one contender of several seeds.
        names: One per contender, for the tables.
        options: How.

    Returns:
        Differences (B minus A) with paired 95 % intervals and p-values, Holm-adjusted in `p_holm`: the primary figures
        among themselves, the others among themselves; and a verdict on each primary figure.

    Raises:
        UserError: Fewer than two, nothing in common, or evaluations that are not comparable.
    """
    if len(evaluations) < 2:
        raise UserError("usage", "compare needs at least two evaluations: a baseline and what to compare with it.")
    options = options or CompareOptions()
    contenders = [
        Contender(name, (one,) if isinstance(one, Evaluation) else tuple(one))
        for name, one in zip(names, evaluations, strict=True)
    ]
    duels, notes = _duels(contenders, options)
    rows = _adjusted([row for one in duels for row in one.rows()])
    runs = [run for one in contenders for run in one.runs]
    listed, said = _changes(duels, contenders[0].runs[0], options)
    notes += [*_heads_notes(contenders), *_seed_notes(contenders), *_family_notes(rows), *said]
    return Comparison(
        names=tuple(names),
        rows=tuple(rows),
        provenance={
            "evaluations": [run.provenance for run in runs],
            "seeds": {one.name: len(one.runs) for one in contenders},
            "allow_different": list(options.allowed),
            "primary": options.primary,
            "diff_queries": options.diff_queries,
        },
        notes=tuple(dict.fromkeys(notes)),
        left_out=tuple(dict.fromkeys(entry for run in runs for entry in run.left_out)),
        sides=tuple(one.runs[0] for one in contenders),
        verdicts=tuple(verdicts(rows, duels, tuple(names))),
        changes=tuple(listed),
    )


def _duels(contenders: Sequence[Contender], options: CompareOptions) -> tuple[list[Duel], list[str]]:
    """Every task and method that is compared, and notes."""
    first, *others = contenders
    duels: list[Duel] = []
    notes: list[str] = []
    owners: dict[tuple[str, str], str] = {}
    for other in others:
        found = pairs(first, other)
        for _, vector in found:
            label = other.label(vector.method)
            owner = owners.setdefault((vector.task, label), other.name)
            if owner != other.name:
                raise UserError(
                    "usage",
                    f"{label} is to be compared twice, as {owner} and as {other.name}; name it once, for every test "
                    "counts in p Holm.",
                )
        notes += narrowed(first, [a for a, _ in found], other)
        notes += narrowed(other, [b for _, b in found], first)
        primary = primary_tasks([a.task for a, _ in found], options.primary)
        metric = options.primary.rpartition(":")[2]
        for pair in found:
            about = metric if pair[0].task in primary else None
            duels.append(duel((first, other), pair, about, options.allowed, options.intersect))
            notes += duels[-1].notes()
    return duels, notes


def _changes(
    duels: Sequence[Duel], baseline: Evaluation, options: CompareOptions
) -> tuple[list[QueryChange], list[str]]:
    """The queries that change most in every primary figure, and notes on what is not known of them."""
    if not options.diff_queries:
        return [], []
    found = [one for duel in duels if duel.primary for one in changes(duel, options.diff_queries)]
    told, notes = with_texts(found, baseline)
    if any(not one.best_a or not one.best_b for one in told):
        notes.append(
            "Top answers are not known of scores that are normalised, nor of a JSON that holds none: gram eval "
            "--per-query FILE.csv -o FILE.json keeps them."
        )
    return told, notes


def _heads_notes(contenders: Sequence[Contender]) -> list[str]:
    """What is to be known of the heads that contenders were seen through; by name where it is not true of all."""
    owners: dict[str, list[str]] = {}
    for one in contenders:
        found = [remark for run in one.runs for remark in remarks(known_outcome(_model(run.provenance)))]
        for remark in dict.fromkeys(found):
            owners.setdefault(remark, []).append(one.name)
    every = len(contenders)
    return [remark if len(who) == every else f"{', '.join(who)}: {remark}" for remark, who in owners.items()]


def _model(provenance: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever an evaluation recorded
    return provenance.get("model")


def _seed_notes(contenders: Sequence[Contender]) -> list[str]:
    if all(len(one.runs) == 1 for one in contenders):
        return []
    lone = [one.name for one in contenders if len(one.runs) == 1]
    notes = [
        "Figures of several seeds are their mean +- the standard deviation over seeds; tests and intervals are over "
        "new queries and new seeds."
    ]
    if lone:
        notes.append(f"{', '.join(lone)}: a single seed, which is taken to vary as those of the other side do.")
    return notes


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
