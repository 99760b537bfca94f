"""Which ranks of a contender are set against which of the baseline, and what the two are called."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gramcli.errors import UserError
from gramcli.evaluation.orders import COSINE
from gramcli.results.records import Evaluation, RankVector


@dataclass(frozen=True)
class Contender:
    """What takes part in a comparison.

    Attributes:
        name: For tables.
        runs: Its evaluation; several of one thing that was trained with several seeds.
    """

    name: str
    runs: tuple[Evaluation, ...]

    def label(self, method: str) -> str:
        """Its name, with the method where the name does not say it."""
        return self.name if self.name.endswith(f"@{method}") else f"{self.name}@{method}"

    def vectors(self, like: RankVector) -> list[RankVector]:
        """The ranks of one task and method, of every run.

        Raises:
            UserError: A run has none.
        """
        found = []
        for number, run in enumerate(self.runs):
            own = next((one for one in run.ranks if (one.task, one.method) == (like.task, like.method)), None)
            if own is None:
                raise UserError(
                    "input",
                    f"{self.name}: seed {number + 1} of {len(self.runs)} has no ranks of {like.task} under "
                    f"{like.method}, which the first has. Evaluate all seeds alike.",
                )
            found.append(own)
        return found

    def methods(self, task: str | None = None) -> set[str]:
        """The methods of a task, or of all."""
        return {one.method for one in self.runs[0].ranks if task in (None, one.task)}

    def shows_alone(self, task: str) -> bool:
        """Whether a task is there under cosine alone because it is a single pair, where others have more methods."""
        return self.methods(task) == {COSINE} and len(self.methods()) > 1


def pairs(a: Contender, b: Contender) -> list[tuple[RankVector, RankVector]]:
    """The ranks of both that are compared: of a task those of its only method, else those of equal methods.

    The only method must have been chosen: a single pair's cosine, which stands for all methods where none was named, is
    set against cosines only.

    Raises:
        UserError: There are none.
    """
    found = []
    for task in dict.fromkeys(vector.task for vector in a.runs[0].ranks):
        left = [vector for vector in a.runs[0].ranks if vector.task == task]
        right = [vector for vector in b.runs[0].ranks if vector.task == task]
        if len(left) == 1 and len(right) == 1 and not (a.shows_alone(task) or b.shows_alone(task)):
            found.append((left[0], right[0]))
        else:
            found += [(x, y) for x in left for y in right if x.method == y.method]
    if not found:
        raise UserError("usage", f"{a.name} and {b.name} have no task and method in common: nothing to compare.")
    return found


def narrowed(contender: Contender, used: Sequence[RankVector], other: Contender) -> list[str]:
    """Notes where a contender has more tasks or methods than its comparison with another uses."""
    ranks = contender.runs[0].ranks
    unused = [task for task in dict.fromkeys(one.task for one in ranks) if task not in {one.task for one in used}]
    lone = [task for task in unused if not other.methods(task)]
    notes = [f"Not compared, for {contender.name} alone has it: {', '.join(lone)}."] if lone else []
    if apart := [task for task in unused if task not in lone]:
        notes.append(
            f"Not compared, for {contender.name} and {other.name} have no method of it in common: {', '.join(apart)}. "
            "--method names one."
        )
    every = dict.fromkeys(vector.method for vector in ranks)
    chosen = dict.fromkeys(vector.method for vector in used)
    if len(chosen) == len(every):
        return notes
    return [
        *notes,
        f"{contender.name} has {len(every)} methods; compared: {', '.join(chosen)}. "
        "Name another baseline method as STORE@METHOD.",
    ]


def primary_tasks(tasks: Sequence[str], primary: str) -> Collection[str]:
    """Of each task the direction that was asked for first; or the one that `v2t:R@1` names.

    Raises:
        UserError: The named one is not compared.
    """
    named = primary.rpartition(":")[0]
    if named:
        if named not in tasks:
            raise UserError("usage", f"--primary names '{named}'; compared are {', '.join(dict.fromkeys(tasks))}.")
        return {named}
    seen: dict[frozenset[str], str] = {}
    for task in tasks:
        seen.setdefault(frozenset(task.removesuffix("_maxpool").split("2", 1)), task)
    return set(seen.values())
