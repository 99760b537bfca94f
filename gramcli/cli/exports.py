"""The three things that `gram export` does: a checkpoint, ranked lists, a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError

if TYPE_CHECKING:
    from gramcli.report.answer import Answer
    from gramcli.results.lists import RankedLists
    from gramcli.results.watch import Watch

RUN: Final = "trec"
_RUN_SUFFIXES: Final = (".trec", ".run")
_DEPTH: Final = 1000  # of a run; trec_eval's own bound
_NEIGHBORS: Final = 10


def is_store(source: Path) -> bool:
    """Whether a path is a store, of which an unfinished one is too."""
    return (source / "manifest.json").is_file()


def is_run(output: Path, to: str | None) -> bool:
    """Whether ranked lists are to be written."""
    return to == RUN or (to is None and output.suffix.lower() in _RUN_SUFFIXES)


def as_checkpoint(source: Path, output: Path, how: Mapping[str, Any]) -> Answer:
    """Write a checkpoint as one file."""
    from gramcli.encoders.vast.export import export_safetensors
    from gramcli.report.listings import export_answer

    return export_answer(export_safetensors(source, output, **how))


def as_run(source: Path, output: Path, qrels: Path | None, asked: Mapping[str, Any]) -> Answer:
    """Write a run and its judgements.

    Raises:
        UserError: No task is named.
    """
    if not (asked["task"] or asked["query"]):
        raise UserError("usage", f"-o {output} is a run of one task: name it, such as --task t2v.")
    from gramcli.exchange.trec import write_run
    from gramcli.report.exchange import run_answer

    return run_answer(write_run(_lists(source, asked, _DEPTH), output, qrels, store=source))


def as_store(
    source: Path,
    output: Path,
    asked: Mapping[str, Any],
    *,
    to: str | None,
    per_modality: bool,
    project: str | None,
    watch: Watch,
) -> Answer:
    """Write a store, with the ranks and neighbours of a task where one is named."""
    from gramcli.exchange.exporting import export_store
    from gramcli.exchange.formats_out import format_for
    from gramcli.report.exchange import export_answer

    format_for(output, to)
    lists = _lists(source, asked, _NEIGHBORS) if asked["task"] or asked["query"] else None
    how: dict[str, Any] = {"to": to, "per_modality": per_modality, "project": project, "lists": lists}
    return export_answer(export_store(source, output, **how, watch=watch))


def _lists(source: Path, asked: Mapping[str, Any], depth: int) -> RankedLists:
    from gramcli.evaluation.lists import ranked_lists

    return ranked_lists(source, **{**asked, "top": asked["top"] or depth})
