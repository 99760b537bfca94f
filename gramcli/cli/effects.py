"""Options that would have no effect beside the others: said before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.cli.options import Kind
from gramcli.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

_INSTEAD = {"task": ("query", "candidates"), "query": ("task",), "candidates": ("task",)}


def refuse_without_effect(
    metrics: Sequence[Kind] | None,
    classifying: Mapping[str, object],
    per_query: Path | None,
    root: Path | None,
    dataset: str | None,
) -> None:
    """Refuse options of `gram eval` that the others leave without effect.

    Args:
        metrics: Kinds of figures; none means retrieval.
        classifying: Options of classification -> what was given, None where nothing was.
        per_query: The file of `--per-query`.
        root: The folder of `--root`.
        dataset: What is to be embedded; None for a store.

    Raises:
        UserError: One of them has no effect.

    Example:
        >>> from gramcli.cli.options import Kind
        >>> refuse_without_effect([Kind.classification], {"--knn": 3}, None, None, None)
    """
    kinds = metrics or (Kind.retrieval,)
    given = next((option for option, value in classifying.items() if value is not None), None)
    if given and Kind.classification not in kinds:
        raise UserError("usage", f"{given} is about classification; add --metrics classification, or leave it out.")
    if per_query and Kind.retrieval not in kinds:
        raise UserError("usage", "--per-query is about retrieval; add --metrics retrieval, or leave it out.")
    if root and dataset is None:
        raise UserError("usage", "--root is where the files of --dataset lie; add --dataset DATA, or leave it out.")


def idle_defaults(
    command: str, params: Mapping[str, object], from_file: Collection[str], typed: Collection[str]
) -> set[str]:
    """Name the defaults of a settings file that the rest of the command line leaves without effect.

    Typed, they would be refused (`refuse_without_effect`); a default for other runs is only left out of this one.

    Args:
        command: Its name.
        params: Argument -> value.
        from_file: Arguments whose value the file gave.
        typed: Arguments whose value the command line gave.

    Example:
        >>> sorted(idle_defaults("eval", {"root": "media", "dataset": None, "metrics": None}, {"root"}, set()))
        ['root']
    """
    idle = {name for name, others in _INSTEAD.items() if any(one in typed for one in others)}
    if command == "eval":
        metrics = params.get("metrics")
        kinds = {str(kind) for kind in metrics} if isinstance(metrics, (list, tuple)) and metrics else {"retrieval"}
        idle |= set() if "classification" in kinds else {"classifier", "templates", "knn"}
        idle |= set() if "retrieval" in kinds else {"per_query", "rerank"}
        idle |= set() if kinds == {"retrieval"} else {"relevant"}
        idle |= set() if params.get("dataset") else {"root", "rerank"}
    return idle & set(from_file)
