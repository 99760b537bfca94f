"""The `leaderboard` verb: many evaluations as one table, in groups of those that may be compared."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.evaluation.entrants import COMPARABLE_BY, Entrant, Group, entrants_of, grouped, metric_of
from gramcli.evaluation.twins import distinct
from gramcli.metrics.catalog import METRICS
from gramcli.metrics.figures import cluster_index, hits, is_certain, reciprocal_ranks
from gramcli.metrics.intervals import Floats
from gramcli.metrics.letters import compact_letters
from gramcli.metrics.paired import Difference, mean_difference, share_difference
from gramcli.metrics.significance import holm
from gramcli.modalities import listed
from gramcli.results.documents import load_evaluation
from gramcli.results.leaderboards import Figure, Leaderboard, LeaderRow, PairTest
from gramcli.results.making import MADE, making
from gramcli.results.records import Evaluation, RankVector

RETRIEVAL: Final = ("R@1", "R@5", "R@10", "MRR")
CLASSIFICATION: Final = ("accuracy", "top5", "macro_f1")
LEVEL: Final = 0.05
_EQUAL: Final = 1e-6
_HITS: Final = {"accuracy": 1, "top5": 5}
_SHOWN: Final = 8  # characters of a digest
Run = str | Path | Evaluation


def leaderboard(
    *runs: Run, tasks: Sequence[str] = (), methods: Sequence[str] = (), metrics: Sequence[str] = ()
) -> Leaderboard:
    """Put evaluations into one table, as `gram leaderboard` does.

    Args:
        runs: Evaluations, or the JSON files that `gram eval` wrote.
        tasks: Only these, as results name them; none means all.
        methods: Only these; none means all.
        metrics: The columns; the first that a group has decides its order and is tested. None means R@1 R@5 R@10 MRR,
            or accuracy top5 macro_f1 where nothing was retrieved.

    Returns:
        Rows in groups of comparable ones, best first, with letters: rows that share one are told apart by no paired
        test, Holm over all pairs of the group.

    Raises:
        UserError: No run, one named twice, one that is no evaluation or whose figures are not those of its ranks, or
            nothing left of what was asked for.

    Example:
        >>> leaderboard("runs/a.json", "runs/b.json", tasks=["t2va"])  # doctest: +SKIP
    """
    made = making(leaderboard, locals())
    named, twins = distinct(_named(runs))
    known = list(dict.fromkeys(row.metric for _, found in named for row in found.results))
    columns = _columns(listed(metrics), known)
    every = [one for name, found in named for one in entrants_of(name, found, columns)]
    chosen = _chosen(every, "task", listed(tasks))
    chosen = _chosen(chosen, "method", listed(methods))
    for one in chosen:
        _check_figures(one, columns)
    left_out = [_unlisted(name, every) for name, _ in named if name not in {one.run for one in chosen}]
    groups = grouped(chosen)
    rows: list[LeaderRow] = []
    tests: list[PairTest] = []
    for number, group in enumerate(groups, start=1):
        found = _ranked(group, number, columns, len(rows))
        rows += found[0]
        tests += found[1]
    return Leaderboard(
        metrics=tuple(columns),
        rows=tuple(rows),
        groups=tuple(_described(group) for group in groups),
        tests=tuple(tests),
        provenance={"runs": [{"run": name, **found.provenance} for name, found in named], MADE: made},
        notes=tuple(dict.fromkeys((*twins, *_notes(groups, columns, tests, left_out, known)))),
    )


def _named(runs: Sequence[Run]) -> list[tuple[str, Evaluation]]:
    """The evaluations, named by their files as far as these differ.

    Raises:
        UserError: There is none, one is named twice, or one cannot be read.
    """
    if not runs:
        raise UserError("usage", "leaderboard needs the JSON of at least one evaluation: gram eval ... -o run.json.")
    paths = [str(one) for one in runs if not isinstance(one, Evaluation)]
    files = [os.path.realpath(one) for one in paths]
    if twice := next((one for k, one in enumerate(paths) if files[k] in files[:k]), None):
        raise UserError("usage", f"{twice} is named twice; name it once, for every test counts in p Holm.")
    folder = os.path.commonpath([str(Path(one).parent) for one in paths]) if _alike(paths) else ""
    found = []
    for number, one in enumerate(runs, start=1):
        if isinstance(one, Evaluation):
            found.append((f"run {number}", one))
        else:
            found.append((os.path.relpath(one, folder) if folder else str(one), load_evaluation(Path(one))))
    return found


def _alike(paths: Sequence[str]) -> bool:
    """Whether paths have a folder in common: all relative, or all absolute."""
    return bool(paths) and len({Path(one).is_absolute() for one in paths}) == 1


def _columns(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """The metrics asked for, or the usual ones of what the runs hold.

    Raises:
        UserError: No run has one of them.
    """
    usual = next((kind for kind in (RETRIEVAL, CLASSIFICATION) if kind[0] in known), None)
    for metric in wanted:
        if metric not in known:
            raise UserError(
                "usage",
                f"--metric '{metric}' is in none of the runs.{did_you_mean(metric, known)} "
                f"They have: {', '.join(known) or 'no figures'}.",
            )
    if not wanted and usual is None:
        raise UserError(
            "usage", f"No run has R@1 or accuracy: name columns by --metric. They have: {', '.join(known)}."
        )
    return list(dict.fromkeys(wanted)) or [metric for metric in usual or () if metric in known]


def _chosen(entrants: Sequence[Entrant], what: str, wanted: Sequence[str]) -> list[Entrant]:
    """Those of the tasks or methods asked for.

    Raises:
        UserError: No run has one of them.
    """
    known = list(dict.fromkeys(getattr(one.first, what) for one in entrants))
    for name in wanted:
        if name not in known:
            raise UserError(
                "usage",
                f"--{what} {name} is in none of the runs.{did_you_mean(name, known)} They have: {', '.join(known)}.",
            )
    return [one for one in entrants if not wanted or getattr(one.first, what) in wanted]


def _ranked(group: Group, number: int, columns: Sequence[str], start: int) -> tuple[list[LeaderRow], list[PairTest]]:
    """The rows of a group, best first, and the tests of all their pairs."""
    metric = metric_of(group, columns)
    order = sorted(range(len(group.members)), key=lambda k: _order(group.members[k], metric))
    members, vectors = [group.members[k] for k in order], [group.vectors[k] for k in order]
    having = sum(metric in one.rows for one in members)  # the others stand last, and nothing of them is tested
    tests = _tests(vectors[:having], metric, number, start)
    separated = [(one.a - start, one.b - start) for one in tests if one.p_holm < LEVEL]
    lettered = having if tests or len(members) == 1 else 0
    letters = [*compact_letters(lettered, separated), *[""] * (len(members) - lettered)]
    rows = [_row(one, number, text, columns) for one, text in zip(members, letters, strict=True)]
    return rows, tests


def _unlisted(name: str, entrants: Sequence[Entrant]) -> str:
    """A run of which nothing was asked for, and what it has instead."""
    tasks = dict.fromkeys(one.first.task for one in entrants if one.run == name)
    return f"{name} (it has {', '.join(tasks)})" if tasks else name


def _order(entrant: Entrant, metric: str) -> tuple[bool, float]:
    """Best first; those without the figure last."""
    row = entrant.rows.get(metric)
    value = None if row is None else row.value
    lower = metric in METRICS.names() and METRICS.row(metric).direction.startswith("lower")
    return (value is None, (value if lower else -value) if value is not None else 0.0)


def _tests(vectors: Sequence[RankVector | None], metric: str, group: int, start: int) -> list[PairTest]:
    """Paired tests of all pairs, by Holm; none where the metric is no mean over queries, or is certain."""
    figures = [None if one is None else _figure(one, metric) for one in vectors]
    pairs: list[tuple[int, int, Difference]] = []
    for i, j in combinations(range(len(vectors)), 2):
        a, b, vector, other = figures[i], figures[j], vectors[i], vectors[j]
        if a is None or b is None or vector is None or other is None:
            continue
        asked = np.isfinite(np.array(vector.ranks)) & np.isfinite(np.array(other.ranks))
        if not asked.any() or is_certain(_cutoff(metric), vector.n_candidates):
            continue
        clusters = cluster_index([name for name, used in zip(vector.query_ids, asked, strict=True) if used])
        compared = mean_difference if metric == "MRR" else share_difference
        pairs.append((i, j, compared(a[asked], b[asked], clusters)))
    adjusted = holm([found.p_value for _, _, found in pairs])
    return [
        PairTest(group, start + i, start + j, one.value, one.low, one.high, one.p_value, p, one.test)
        for (i, j, one), p in zip(pairs, adjusted, strict=True)
    ]


def _check_figures(entrant: Entrant, columns: Sequence[str]) -> None:
    """Refuse figures that are not those of the ranks, by which rows are told apart.

    Raises:
        UserError: One was altered.
    """
    vector, ties = entrant.vector, entrant.rows.get("tie_rate")
    if vector is None or (ties is not None and ties.value and not vector.tied):  # how ties stand is not recorded
        return
    for metric in (name for name in columns if name in entrant.rows and name not in _HITS):
        figure, stated = _figure(vector, metric), entrant.rows[metric].value
        asked = np.isfinite(np.array(vector.ranks))
        if figure is None or stated is None or not asked.any():
            continue
        value = float(figure[asked].mean())
        if abs(value - stated) > _EQUAL:
            raise UserError(
                "input",
                f"{entrant.run}: {metric} of {vector.task} under {vector.method} is {stated:g} in its results and "
                f"{value:g} by its ranks, so one of them was altered. Evaluate again.",
            )


def _cutoff(metric: str) -> str:
    return f"R@{_HITS[metric]}" if metric in _HITS else metric


def _figure(vector: RankVector, metric: str) -> Floats | None:
    """The metric of each query; None where it is no mean over queries that ranks tell."""
    if metric == "MRR":
        return reciprocal_ranks(vector)
    name, _, cutoff = _cutoff(metric).partition("@")
    return hits(vector, int(cutoff)) if name == "R" and cutoff.isdigit() else None


def _row(entrant: Entrant, group: int, letters: str, columns: Sequence[str]) -> LeaderRow:
    rules, vector, first = entrant.side.rules(), entrant.vector, entrant.first
    asked = entrant.side.questions if vector is not None else None
    figures = {
        metric: Figure(row.value, row.low, row.high)
        for metric in columns
        if (row := entrant.rows.get(metric)) is not None
    }
    return LeaderRow(
        group=group,
        letters=letters,
        run=entrant.run,
        task=first.task,
        method=first.method,
        stage=str(rules["stage"]) if vector is not None else first.stage,
        dataset=rules["dataset"],
        protocol=rules["protocol"],
        n=next(entrant.rows[metric].n for metric in columns if metric in entrant.rows),
        candidates=None if vector is None else vector.n_candidates,
        gallery=asked.gallery[:_SHOWN] if asked else "",
        figures=figures,
    )


def _described(group: Group) -> str:
    """The task of a group, and why it is not the first of it."""
    task = group.members[0].first.task
    return f"{task}, not comparable with the first group of {task}: {group.apart}" if group.apart else task


def _notes(
    groups: Sequence[Group],
    columns: Sequence[str],
    tests: Sequence[PairTest],
    left_out: Sequence[str],
    known: Sequence[str],
) -> list[str]:
    metrics = list(dict.fromkeys(metric_of(group, columns) for group in groups))
    by = " or ".join(metrics)
    notes = [note for group in groups for note in group.notes]
    if tests:
        named = ", ".join(dict.fromkeys(one.test for one in tests))
        notes.append(
            f"Rows of a group that share a letter (like) are not told apart by {by}: {named}, p < {LEVEL} by Holm "
            "over all pairs of the group. No difference shown is not equality."
        )
    elif any(len(group.members) > 1 for group in groups):
        notes.append(f"No letters: {by} has no paired test. R@k, MRR, accuracy and top5 have, as the first --metric.")
    if len(groups) > 1:
        notes.append(f"Groups stand apart where figures are not comparable: by task, {COMPARABLE_BY}.")
    if left_out:
        notes.append(f"Not listed, for nothing in it was asked for: {', '.join(left_out)}.")
    held = {name for group in groups for one in group.members for name in one.rows}
    notes += [f"No row that is listed has {name}." for name in columns if name not in held]
    if metrics[0] in RETRIEVAL and CLASSIFICATION[0] in known and CLASSIFICATION[0] not in columns:
        notes.append("Some runs also classify: --metric accuracy lists that.")
    return notes
