"""The `compare` verb: evaluations, or stores that it evaluates first, against the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gramcli.errors import UserError
from gramcli.evaluation.comparison import PRIMARY, CompareOptions, compare_evaluations
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.modalities import Task, listed, tasks_from
from gramcli.results.documents import load_evaluation
from gramcli.results.records import Comparison, Evaluation
from gramcli.store import open_store
from gramcli.store.reader import Store

Operand = str | Path | Store | Evaluation


def compare(  # noqa: PLR0913 - a keyword for each option of the command
    baseline: Operand,
    *others: Operand,
    tasks: Sequence[str | Task] = (),
    methods: Sequence[str] = (),
    split: str | None = None,
    limit: int | None = None,
    intersect: bool = False,
    allow_different: Sequence[str] = (),
    primary: str = PRIMARY,
) -> Comparison:
    """Compare evaluations with the first one, query by query, as `gram compare` does.

    Args:
        baseline: `STORE`, `STORE@METHOD`, an evaluation's JSON, an open store or an evaluation.
        others: What is compared with it, at least one.
        tasks: For instance `["t2va"]`; none means all.
        methods: None means all.
        split: Split of stores.
        limit: Only the first so many items of stores.
        intersect: Compare on the queries that all have in common.
        allow_different: Rules that may differ, as `--allow-different` names them; the notes say that they do.
        primary: The figure the comparison is about, of each task's forward direction: `R@1`; or `v2t:R@5`.

    Returns:
        Differences to the baseline with paired 95 % intervals and tests.

    Raises:
        UserError: Nothing to compare with, no such path, or evaluations that are not comparable.

    Example:
        >>> compare("clips_store@cosine", "clips_store@gram", tasks=["t2va"])  # doctest: +SKIP
    """
    if not others:
        raise UserError("usage", f"compare needs a baseline and at least one more; got only {_shown(baseline)}.")
    named = [str(one) for one in others if isinstance(one, (str, Path))]
    if twice := next((one for one in named if named.count(one) > 1), None):
        raise UserError("usage", f"{twice} is to be compared twice; name it once, for every test counts in p Holm.")
    options = CompareOptions(intersect, tuple(listed(allow_different)), primary)
    wanted, methods = tasks_from(tasks), listed(methods)
    loaded = [load_operand(one, tasks=wanted, methods=methods, split=split, limit=limit) for one in (baseline, *others)]
    names = [name for name, _ in loaded]
    return compare_evaluations([found for _, found in loaded], names, options)


def load_operand(
    text: str | Path | Store | Evaluation,
    *,
    tasks: Sequence[Task] = (),
    methods: Sequence[str] = (),
    split: str | None = None,
    limit: int | None = None,
) -> tuple[str, Evaluation]:
    """Resolve `STORE`, `STORE@METHOD` or an evaluation's JSON file.

    Args:
        text: The operand, `@METHOD` allowed after either; a path that exists wins over the `@` reading. Or an open
            store, or an evaluation.
        tasks: Tasks to evaluate; none means every one the store allows. An evaluation keeps only these.
        methods: Methods; none means every one.
        split: Split of a store.
        limit: Use only the first so many items of a store.

    Returns:
        The operand's text as its name, and its evaluation.

    Raises:
        UserError: No such path, or as `evaluate` and `load_evaluation`.
    """
    if isinstance(text, Evaluation):
        if not text.ranks:
            raise UserError("input", "The evaluation holds no ranks, as geometry has none: nothing to compare.")
        return _name(text), _narrowed("the evaluation", text, tasks, methods)
    if isinstance(text, Store):
        options = EvalOptions(split=split, limit=limit)
        return str(text.path), measure(text, tasks=tasks, methods=methods, options=options)
    text = str(text)
    path = Path(text)
    if not path.exists() and "@" in text:
        folder, _, method = text.rpartition("@")
        path, methods = Path(folder), [method]
    if path.is_file():
        evaluation = load_evaluation(path)
        if not evaluation.ranks:
            raise UserError(
                "input", f"{text} holds no ranks, as geometry and multi-label figures have none: nothing to compare."
            )
        return text, _narrowed(text, evaluation, tasks, methods)
    if not text:
        raise UserError("usage", "An operand of compare is empty. Give a store, STORE@METHOD, or an evaluation's JSON.")
    if path.exists() and not path.is_dir():
        raise UserError("input", f"{text} is a pipe, socket or device, not a file. Write it to a file first.")
    if not path.is_dir():
        raise UserError(
            "input", f"{text}: there is no {path}. Give a store, STORE@METHOD, or the JSON that `gram eval` wrote."
        )
    options = EvalOptions(split=split, limit=limit)
    return text, measure(open_store(path), tasks=tasks, methods=methods, options=options)


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


def _shown(operand: Operand) -> str:
    return str(operand) if isinstance(operand, (str, Path)) else _name(operand)


def _name(operand: Store | Evaluation) -> str:
    if isinstance(operand, Store):
        return str(operand.path)
    store = operand.provenance.get("store")
    model: Any = operand.provenance.get("model")
    heads: Any = model.get("heads") if isinstance(model, dict) else None
    known = isinstance(heads, dict) and heads.get("loss")
    through = f" through {heads['loss']} heads {str(heads.get('sha256'))[:8]}" if known else ""
    return f"{store['path']}{through}" if isinstance(store, dict) and store.get("path") else "evaluation"


def _narrowed(name: str, evaluation: Evaluation, tasks: Sequence[Task], methods: Sequence[str]) -> Evaluation:
    return _only_methods(name, _only_tasks(name, evaluation, tasks), methods)
