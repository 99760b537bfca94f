"""The `compare` verb: evaluations, or stores and models that it evaluates first, against a baseline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.evaluation.asked import Asked
from gramcli.evaluation.comparison import PRIMARY, CompareOptions, compare_evaluations
from gramcli.evaluation.evaluate import evaluate
from gramcli.evaluation.operands import Named, Run, named_operands, with_baseline
from gramcli.evaluation.twins import same
from gramcli.modalities import Task, listed, tasks_from
from gramcli.results.documents import load_evaluation
from gramcli.results.making import MADE, making
from gramcli.results.records import Comparison, Evaluation
from gramcli.results.watch import NOBODY, Watch

if TYPE_CHECKING:
    from gramcli.datasets import Dataset
    from gramcli.evaluation.operands import Operand

PathLike = str | Path


# fmt: off
def compare(  # noqa: PLR0913 - a keyword for each option of the command
    *operands: Operand | Sequence[Operand],
    baseline: object = None, on: PathLike | None = None,
    tasks: Sequence[str | Task] = (), methods: Sequence[str] = (),
    query: str | None = None, candidates: str | None = None,
    primary: str = PRIMARY, intersect: bool = False, allow_different: Sequence[str] = (), diff_queries: int = 0,
    per_query: bool = False,
    dataset: PathLike | Dataset | None = None, root: PathLike | None = None, protocol: str | None = None,
    split: str | None = None, limit: int | None = None, text_only: bool = False, missing: str | None = None,
    allow_trained: bool = False,
    normalize: str | None = None, relevant: str | None = None, ties: str | None = None,
    frames: int | None = None, device: str = "cpu", precision: str = "fp32", compile: bool = False,
    tokenizer: PathLike | None = None, checkpoint_step: int | None = None, config: PathLike | None = None,
    allow_pickle: bool = False,
    workers: int | None = None, timeout: str | float = "60s",
    watch: Watch = NOBODY,
) -> Comparison:
    """Compare evaluations with a baseline, query by query, as `gram compare` does.

    Args:
        operands: Two at least, the first is the baseline: `STORE`, `STORE@METHOD`, `STORE+heads:DIR`, an evaluation's
            JSON, with `dataset` a model; `NAME=FILE,FILE`, a pattern, or a list of operands, is one contender of
            several seeds. Or an evaluation, an open store, an encoder.
        baseline: Which of the operands is the baseline, in its words or by the name that it was given.
        on: The store through which operands `heads:DIR` are seen.
        tasks: For instance `["t2va"]`; none means all.
        methods: None means all.
        query: Query embeddings by name, comma between, with `candidates`.
        candidates: Candidate embeddings by name.
        primary: The figure the comparison is about, of each task's forward direction: `R@1`; or `v2t:R@5`.
        intersect: Compare on the queries that all have in common.
        allow_different: Rules that may differ, as `--allow-different` names them; the notes say that they do.
        diff_queries: How many of the queries gained most, and of those lost most, are listed in `changes`.
        per_query: Keep the five best answers of every query in the ranks of `sides`, for a page.
        dataset: What models embed first (kept in the cache): a folder, a manifest or a known name.
        root: Folder that holds the dataset, or that its paths start from.
        protocol: A dataset's protocol, or a name to record.
        split: Only the items of this split; None takes `test` where there are several, `all` takes every item.
        limit: Only the first so many items.
        text_only: Accept items of a manifest that name no media.
        missing: Items that lack a modality of a task: `drop` (as None), `present`, `zero` or `error`.
        allow_trained: Also evaluate items that heads were trained on.
        normalize: Demote hubs: `dsl`, `csls` or `qbnorm`.
        relevant: What answers a query: its own `item` (as None), or all items of its `label`.
        ties: Where a right answer stands that ties with wrong ones: `mean` (as None), `optimistic`, `pessimistic`.
        frames: Frames of each video; None leaves it to the model.
        device: `cpu`, `cuda`, `cuda:i` or `auto`.
        precision: `fp32`, `bf16` or `fp16`, of the models.
        compile: Compile the towers of a model first.
        tokenizer: A vocabulary, where it is not found by itself.
        checkpoint_step: Which saved step; None takes the last.
        config: The hps.json of the weights, where it is not beside them.
        allow_pickle: Load weight files that can run code.
        workers: Processes that decode; None is one per processor.
        timeout: How long one file may take to decode.
        watch: Told of progress.

    Returns:
        A verdict on each task, differences to the baseline with paired 95 % intervals and tests, and, where they were
        asked for, the queries that change most.

    Raises:
        UserError: Nothing to compare with, no such path, an evaluation that was made under other options, or
            evaluations that are not comparable.

    Example:
        >>> compare("clips_store@cosine", "clips_store@gram", tasks=["t2va"])  # doctest: +SKIP
    """
    made = making(compare, locals())
    options = CompareOptions(intersect, tuple(listed(allow_different)), primary, diff_queries)
    found = named_operands(operands, None if on is None else str(on), models=dataset is not None)
    if len(found) < 2:
        got = found[0].name if found else "none"
        raise UserError("usage", f"compare needs a baseline and at least one more; got only {got}.")
    found = with_baseline(found, baseline)
    missing, relevant, ties = (None if one is None else str(one) for one in (missing, relevant, ties))
    asked = Asked(
        tasks_from(tasks, query, candidates), list(listed(methods)),
        {"split": split, "limit": limit, "protocol": protocol, "missing": missing, "normalize": normalize,
         "relevant": relevant, "ties": ties},
    )
    running = {
        "frames": frames, "precision": precision, "tokenizer": tokenizer, "checkpoint_step": checkpoint_step,
        "config": config, "compile": compile, "allow_pickle": allow_pickle, "text_only": text_only,
        "dataset": dataset, "root": root,
    }
    _refuse_idle(found, running)
    every = {"device": device, "workers": workers, "timeout": timeout, "watch": watch, "allow_trained": allow_trained,
             "per_query": per_query or diff_queries > 0}
    maker = _Maker(asked, every, running)
    contenders = [[maker.made(run) for run in one.runs] for one in found]
    for one, evaluations in zip(found, contenders, strict=True):
        _refuse_copies(one, evaluations)
    compared = compare_evaluations(contenders, [one.name for one in found], options)
    return _noted(replace(compared, provenance=compared.provenance | {MADE: made}), found)
# fmt: on


def _refuse_copies(contender: Named, evaluations: Sequence[Evaluation]) -> None:
    """Refuse an evaluation that is another seed's: a copy, or the same thing evaluated again.

    Raises:
        UserError: Two say the same of what was evaluated and have the same figures.
    """
    pairs = combinations(zip(contender.runs, evaluations, strict=True), 2)
    for (run, found), (other, twin) in pairs:
        if same(found, twin):
            raise UserError(
                "usage",
                f"{contender.name} holds {other.text}, a copy of {run.text} or the same evaluated again: a seed counts "
                "once. Leave it out.",
            )


_OF_MODELS: Final = {"precision": "fp32"}


def _refuse_idle(found: Sequence[Named], running: dict[str, Any]) -> None:
    """Refuse options of models where no operand is one.

    Raises:
        UserError: One of them would do nothing.
    """
    if any(run.kind == "model" for one in found for run in one.runs):
        return
    for name, value in running.items():
        if value not in (None, False, _OF_MODELS.get(name)):
            option = name.replace("_", "-")
            raise UserError(
                "usage", f"--{option} is for models that embed --dataset DATA, and no operand is one. Leave it out."
            )


@dataclass(frozen=True)
class _Maker:
    """Evaluates what is not an evaluation yet.

    Attributes:
        asked: What every operand is asked.
        every: Arguments of `evaluate` for stores and models.
        models: More of them for models.
    """

    asked: Asked
    every: dict[str, Any]
    models: dict[str, Any]

    def made(self, run: Run) -> Evaluation:
        """The evaluation of one run."""
        if run.kind == "evaluation":
            return self.asked.of_saved(run.text, run.what, run.method)
        if run.kind == "json":
            return self.asked.of_saved(run.text, load_evaluation(Path(run.what)), run.method)
        return evaluate(
            run.what,
            tasks=self.asked.tasks,
            methods=[run.method] if run.method else self.asked.methods,
            model=run.heads,
            **self.asked.arguments(),
            **self.every,
            **(self.models if run.kind == "model" else {}),
        )


def _noted(compared: Comparison, found: Sequence[Named]) -> Comparison:
    """A note where single evaluations look like seeds of one thing: their names differ in numbers alone."""
    names = [one.name for one in found if len(one.runs) == 1 and one.runs[0].kind == "json"]
    shapes = [re.sub(r"\d+", "#", name) for name in names]
    alike = [name for name, shape in zip(names, shapes, strict=True) if shapes.count(shape) > 1]
    if not alike:
        return compared
    said = (
        f"{', '.join(alike)} are compared one by one. Where they are seeds of one thing, NAME={','.join(alike)} makes "
        "them one contender."
    )
    return replace(compared, notes=(*compared.notes, said))
