"""What a leaderboard ranks: every task and method of every run that has the figures, in groups of comparable ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gramcli.errors import UserError
from gramcli.evaluation.comparability import RULES, Side, aligned, differing_settings
from gramcli.results.records import Evaluation, RankVector, ResultRow


@dataclass(frozen=True)
class Entrant:
    """One run under one task, method and stage.

    Attributes:
        run: Its name.
        evaluation: The whole.
        rows: Metric -> row.
        vector: Its ranks; None where none are recorded.
    """

    run: str
    evaluation: Evaluation
    rows: Mapping[str, ResultRow]
    vector: RankVector | None

    @property
    def first(self) -> ResultRow:
        """Any of its rows: what all of them say of task, method and stage."""
        return next(iter(self.rows.values()))

    @property
    def side(self) -> Side:
        """The same as one side of a comparison; without ranks, one of no queries."""
        row = self.first
        return Side(self.run, self.evaluation, self.vector or RankVector(row.task, row.method, (), (), 0))


@dataclass
class Group:
    """Entrants that answered the same questions under the same rules.

    Attributes:
        members: The first stands for all.
        vectors: Their ranks, query by query in the order of the first's; None of those without.
        apart: Why it is not the first group of its task; empty for that.
    """

    members: list[Entrant]
    vectors: list[RankVector | None]
    apart: str = ""
    notes: list[str] = field(default_factory=list)

    def takes(self, entrant: Entrant) -> bool:
        """Join an entrant, where it may be compared with all that are in."""
        first = self.members[0]
        if entrant.vector is None or first.vector is None or why_apart(first, entrant):
            return False
        found = aligned((first.side, entrant.side))
        if found.notes and any(why_apart(one, entrant) for one in self.members[1:]):
            return False
        self.members.append(entrant)
        self.vectors.append(found.vectors[1])
        self.notes += found.notes
        return True


def entrants_of(run: str, evaluation: Evaluation, metrics: Sequence[str]) -> list[Entrant]:
    """Every task, method and stage of a run that has one of the metrics.

    Args:
        run: Its name.
        evaluation: The run.
        metrics: Names, as in results.
    """
    found: dict[tuple[str, str, str], dict[str, ResultRow]] = {}
    for row in evaluation.results:
        found.setdefault((row.task, row.method, row.stage), {})[row.metric] = row
    vectors = {(vector.task, vector.method): vector for vector in evaluation.ranks}
    return [
        Entrant(
            run, evaluation, rows, vectors.get((task, f"{method} {stage}"), _first_stage(vectors, task, method, stage))
        )
        for (task, method, stage), rows in found.items()
        if any(metric in rows for metric in metrics)
    ]


def _first_stage(
    vectors: Mapping[tuple[str, str], RankVector], task: str, method: str, stage: str
) -> RankVector | None:
    """The ranks under the method's plain name, which are never those of a second stage."""
    return None if stage.startswith("rerank") else vectors.get((task, method))


def grouped(entrants: Sequence[Entrant]) -> list[Group]:
    """Put entrants into groups, those of one task side by side; every later one says why it is not the first."""
    groups: list[Group] = []
    for entrant in entrants:
        own = [group for group in groups if group.members[0].first.task == entrant.first.task]
        if not any(group.takes(entrant) for group in own):
            vector = entrant.vector and replace(entrant.vector, best=())
            why = why_apart(own[0].members[0], entrant) if own else ""
            groups.append(Group([entrant], [vector], why))
    tasks = list(dict.fromkeys(group.members[0].first.task for group in groups))
    return sorted(groups, key=lambda group: tasks.index(group.members[0].first.task))


def metric_of(group: Group, columns: Sequence[str]) -> str:
    """The metric by which a group stands: the first column that any of its members has."""
    return next((name for name in columns if any(name in one.rows for one in group.members)), columns[0])


def why_apart(a: Entrant, b: Entrant) -> str:
    """In what two entrants of one task are not comparable, in words; empty where they are."""
    lacking = [one for one in (a, b) if one.vector is None]
    if lacking:
        return f"no ranks of its queries are recorded in {lacking[0].run}"
    first, second = a.side.rules(), b.side.rules()
    differing = [
        f"{name} ({_shown(first[name])} against {_shown(second[name])})"
        for name in first
        if first[name] != second[name]
    ]
    if differing:
        return f"it differs in {', '.join(differing)}"
    try:
        aligned((a.side, b.side))
    except UserError:
        return _other_questions(a.side, b.side)
    return ""


def _other_questions(a: Side, b: Side) -> str:
    first, second = a.questions, b.questions
    for side, asked in ((a, first), (b, second)):
        if asked is None:
            return f"{side.label} does not record what was asked (an older gramcli wrote it)"
    if first is None or second is None or sorted(first.digests) != sorted(second.digests):
        settings = differing_settings(a, b)
        because = f"; they differ in {settings}" if settings else ""
        return f"other questions ({len(a.vector.ranks)} against {len(b.vector.ranks)} queries{because})"
    return f"another gallery ({a.vector.n_candidates} against {b.vector.n_candidates} candidates)"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


COMPARABLE_BY = ", ".join(RULES)
"""The rules of `gramcli.evaluation.comparability`, as a sentence names them."""
