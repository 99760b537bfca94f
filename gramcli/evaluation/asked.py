"""Options that change what is asked: a saved evaluation was made under its own, and others are refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from gramcli.errors import UserError
from gramcli.evaluation.ranking_notes import TIE_RULES
from gramcli.modalities import Task
from gramcli.results.records import Evaluation
from gramcli.scoring.normalize import parse_normalization
from gramcli.store.split_names import meant_split

DEFAULTS: Final = {"missing": "drop", "relevant": "item", "ties": "mean"}
"""What an option is that was not given."""


@dataclass(frozen=True)
class Asked:
    """What every operand is asked; None where an option was not given.

    Attributes:
        tasks: None named means every task.
        methods: None named means every method.
        options: `split`, `limit`, `protocol`, `missing`, `normalize`, `relevant`, `ties`.
    """

    tasks: Sequence[Task]
    methods: Sequence[str]
    options: Mapping[str, Any]

    def arguments(self) -> dict[str, Any]:
        """Arguments of `evaluate`."""
        return {name: DEFAULTS.get(name) if value is None else value for name, value in self.options.items()}

    def of_saved(self, text: str, evaluation: Evaluation, method: str | None) -> Evaluation:
        """What is asked of an evaluation that was made before.

        Args:
            text: What it is called.
            evaluation: As it was made.
            method: The one that the operand names; None without.

        Raises:
            UserError: It holds no ranks, none of the tasks or methods, or was made under another option.
        """
        if not evaluation.ranks:
            raise UserError(
                "input", f"{text} holds no ranks, as geometry and multi-label figures have none: nothing to compare."
            )
        for name, value in self.options.items():
            recorded = evaluation.provenance.get(name)
            if value is not None and not _SAME.get(name, _equal)(value, recorded):
                shown = _shown(name, recorded)
                raise UserError(
                    "usage",
                    f"--{name} {value}: {text} was evaluated with {shown}, and its ranks stay so. Evaluate again with "
                    f"--{name} {value}, or leave --{name} out.",
                )
        found = _only_tasks(text, evaluation, self.tasks)
        return _only_methods(text, found, [method] if method else self.methods)


def _equal(value: object, recorded: object) -> bool:
    return value == recorded


def _same_split(value: str, recorded: object) -> bool:
    return recorded is not None and (value == recorded or meant_split(value, [str(recorded)]) == recorded)


def _same_protocol(value: str, recorded: object) -> bool:
    return value in (recorded, str(recorded).rpartition("@")[0])


def _same_normalization(value: str, recorded: object) -> bool:
    how = parse_normalization(value)
    known = recorded if isinstance(recorded, Mapping) else {}
    return (known.get("name"), known.get("parameters")) == (how.name, dict(how.parameters))


def _same_ties(value: str, recorded: object) -> bool:
    return recorded in [words for rule, words in TIE_RULES.items() if rule == value]


_SAME: Final[Mapping[str, Any]] = {
    "split": _same_split,
    "protocol": _same_protocol,
    "normalize": _same_normalization,
    "ties": _same_ties,
}


def _shown(name: str, recorded: object) -> str:
    if name == "ties":
        recorded = next((rule for rule, words in TIE_RULES.items() if words == recorded), recorded)
    if isinstance(recorded, Mapping):
        recorded = recorded.get("name")
    return f"no --{name}" if recorded is None else f"--{name} {recorded}"


def _only_methods(name: str, evaluation: Evaluation, methods: Sequence[str]) -> Evaluation:
    ranks = tuple(vector for vector in evaluation.ranks if not methods or vector.method in methods)
    if not ranks:
        known = ", ".join(dict.fromkeys(vector.method for vector in evaluation.ranks))
        raise UserError("input", f"{name} holds none of the methods asked for. It holds: {known}.")
    return replace(evaluation, ranks=ranks)


def _only_tasks(name: str, evaluation: Evaluation, tasks: Sequence[Task]) -> Evaluation:
    wanted = {task.name for task in tasks} | {task.reversed().name for task in tasks}
    if not wanted:
        return evaluation
    ranks = tuple(vector for vector in evaluation.ranks if vector.task in wanted)
    if not ranks:
        known = ", ".join(dict.fromkeys(vector.task for vector in evaluation.ranks))
        raise UserError("input", f"{name} holds none of the tasks asked for. It holds: {known}.")
    return replace(evaluation, ranks=ranks)
