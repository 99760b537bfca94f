"""Defaults of a settings file that the rest of the command line leaves without effect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_OF_MODELS: Final = frozenset(
    {"dataset", "root", "frames", "precision", "compile", "tokenizer", "checkpoint_step", "config", "allow_pickle"}
    | {"text_only"}
)
_ASKED: Final = frozenset({"split", "limit", "protocol", "missing", "normalize", "relevant", "ties", "allow_trained"})
_INSTEAD = {"task": ("query", "candidates"), "query": ("task",), "candidates": ("task",)}


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
        idle |= set() if "retrieval" in kinds else {"per_query", "rerank", "normalize"}
        idle |= {"dataset", "root", "rerank"} if _is_store(params.get("target")) else set()
        idle |= set() if kinds == {"retrieval"} else {"relevant"}
        idle |= set() if params.get("dataset") else {"root", "rerank"}
    if command == "compare":
        operands = params.get("operands")
        words = [str(one) for one in operands] if isinstance(operands, (list, tuple)) else []
        models = bool(params.get("dataset")) and not all(map(_is_no_model, words))
        idle |= set() if models else _OF_MODELS
        idle |= set() if any(one.startswith("heads:") for one in words) else {"on"}
        idle |= _ASKED if all(one.endswith(".json") for one in words) else set()
    if command == "embed" and params.get("from_store"):
        idle |= {"retry_failed", "stand_ins", "frames"}
    return idle & set(from_file)


def _is_store(target: object) -> bool:
    return isinstance(target, str) and (Path(target) / "manifest.json").is_file()


def _is_no_model(operand: str) -> bool:
    """Whether an operand of `compare` is a saved evaluation or a store by its looks."""
    return (
        operand.endswith(".json") or "+heads:" in operand or any(map(_is_store, (operand, operand.rpartition("@")[0])))
    )
