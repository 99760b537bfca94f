"""`gram demo`: the whole story on generated media, offline: make, embed, align, evaluate, compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.align import fit_linear_heads
from gramcli.compare import compare
from gramcli.datasets import open_dataset
from gramcli.datasets.generated import generate_dataset
from gramcli.embed import embed
from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.evaluate import EvalOptions, evaluate
from gramcli.modalities import parse_task
from gramcli.store import open_store, write_store
from gramcli.store.layout import OK, state

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gramcli.align import LinearHeads
    from gramcli.modalities import Task
    from gramcli.results import Comparison, Evaluation
    from gramcli.store import Store

Stage = Callable[[str], Callable[..., None]]
"""Name of a step -> what to call with (done, total) and perhaps a few words."""

TASKS: Final = ("t2v", "t2a", "t2va")
METHODS: Final = ("cosine", "gram", "pmrl")
JOINT: Final = "t2va"
COMPARED: Final = ("cosine", "gram")
DIM: Final = 64
TRAIN, TEST = "train", "test"
STAND_IN: Final = (
    "The modalities were aligned by linear heads fitted on the train split (ridge regression): a stand-in until "
    "`gram align` trains heads. All figures are of the test split, which the heads have not seen."
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    Attributes:
        folder: Where everything was written: `data`, `embedded`, `aligned`.
        evaluation: Test split of the aligned store.
        comparison: `cosine` against `gram` on it.
        notes: What a reader must know first.
    """

    folder: Path
    evaluation: Evaluation
    comparison: Comparison
    notes: tuple[str, ...]


def run_demo(folder: Path, *, seed: int = 0, items: int = 300, stage: Stage | None = None) -> DemoResult:
    """Make a dataset of real files, embed it, align it, evaluate and compare.

    Args:
        folder: Where everything is written; what an earlier demo wrote there is replaced.
        seed: Decides the dataset; everything after it is deterministic.
        items: How many items to make; six tenths of them train the heads, a third is the test split.
        stage: Called with the name of each step; what it returns is called with (done, total).

    Returns:
        The evaluation and the comparison.

    Raises:
        UserError: Too few items to train on, or the folder cannot be written.
    """
    begin = stage or _no_stage
    manifest = generate_dataset(folder / "data", items, seed, begin("Making clips"))
    encoder = load_encoder("signal")
    embed(
        open_dataset(str(manifest)),
        encoder,
        folder / "embedded",
        overwrite=True,
        progress=begin("Embedding"),
    )
    align_store(open_store(folder / "embedded"), folder / "aligned")
    store = open_store(folder / "aligned")
    tasks = [parse_task(task) for task in TASKS]
    options = EvalOptions(split=TEST, progress=begin("Evaluating"))
    evaluation = evaluate(store, tasks=tasks, methods=METHODS, options=options)
    joint = [only(evaluation, parse_task(JOINT), method) for method in COMPARED]
    comparison = compare(joint, [f"{store.path}@{method}" for method in COMPARED])
    return DemoResult(folder, evaluation, comparison, (STAND_IN,))


def only(evaluation: Evaluation, task: Task, method: str) -> Evaluation:
    """Keep one method's figures and ranks of a task, in both directions."""
    names = {task.name, task.reversed().name}
    return replace(
        evaluation,
        results=tuple(row for row in evaluation.results if row.task in names and row.method == method),
        ranks=tuple(vector for vector in evaluation.ranks if vector.task in names and vector.method == method),
    )


def _no_stage(_name: str) -> Callable[..., None]:
    return lambda *_: None


def align_store(store: Store, output: Path) -> None:
    """Write a store whose modalities are in one space, by linear heads fitted on its train split.

    Args:
        store: A store with text, another modality and a train split.
        output: The store to write; one that is there is replaced.

    Raises:
        UserError: Fewer than 2 train items have every modality, or the store cannot be written.
    """
    rows = {name: store.embeddings(name).numpy() for name in store.modalities}
    owners = store.caption_items().numpy()
    heads = fit_linear_heads(_train_rows(store, rows, owners), dim=DIM)
    status = {name: store.status(name) for name in store.modalities}
    write_store(
        output,
        ids=store.ids,
        splits=store.splits,
        labels=store.labels,
        embeddings={name: _projected(heads, name, found, status[name]) for name, found in rows.items()},
        caption_items=owners,
        status=status,
        model=_description(store.manifest["model"], heads.dim),
        dataset=store.manifest["dataset"],
        overwrite=True,
    )


def _train_rows(
    store: Store, rows: dict[str, NDArray[np.float32]], owners: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Take the train items that have every modality, with the first caption of each."""
    complete = np.logical_and.reduce([store.present(name).numpy() for name in store.modalities])
    chosen = np.flatnonzero(complete & (np.array(store.splits, dtype=object) == TRAIN))
    if len(chosen) < 2:
        raise UserError("input", f"{len(chosen)} train items have every modality; heads need 2. Make more --items.")
    captions = np.searchsorted(owners, chosen)
    return {name: found[captions if name == "text" else chosen] for name, found in rows.items()}


def _projected(heads: LinearHeads, name: str, rows: NDArray[np.float32], status: list[str]) -> NDArray[np.float32]:
    projected = heads.apply(name, rows)
    if name != "text":
        projected[[state(found) != OK for found in status]] = 0
    return projected


def _description(model: dict[str, Any], dim: int) -> dict[str, Any]:
    return {
        **model,
        "id": f"{model['id']} + linear heads",
        "architecture": f"{model.get('architecture')}, ridge regression onto whitened text, {dim} dimensions",
        "shared_space": True,
    }
