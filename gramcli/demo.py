"""`gram demo`: the whole story on generated media, offline: make, embed, align, evaluate, compare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gramcli.alignment.run import AlignOptions, train_heads
from gramcli.datasets import open_dataset
from gramcli.datasets.generated import generate_dataset
from gramcli.embedding.origin import take_origin
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.evaluation.comparison import compare_evaluations
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.files.writing import check_own_folder
from gramcli.heads.files import load_heads
from gramcli.heads.projection import write_projected
from gramcli.modalities import parse_task
from gramcli.results.making import MADE, making
from gramcli.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from gramcli.modalities import Task
    from gramcli.results.records import Comparison, Evaluation
    from gramcli.store import Store

Stage = Callable[..., Callable[..., None]]
"""Name of a step and what it counts -> what to call with (done, total) and perhaps a few words."""

PAIRS: Final = ("t2v", "t2a")
METHODS: Final = ("cosine", "gram", "pmrl")
JOINT: Final = "t2va"
DIM: Final = 64
EPOCHS: Final = 100
PATIENCE: Final = 20
BATCH: Final = 60
DROPOUT: Final = 0.5
RATE: Final = 1e-2
TEST: Final = "test"
BEST: Final = 5
LOSSES: Final = ("cosine", "gram")
ALIGNED: Final = (
    "The modalities were aligned by linear heads that `gram align` trained on the train split: by the cosine loss, and "
    "from there on by the gram loss. The first table is of the latter; the comparison sets one against the other, each "
    "ranked by its own measure. All figures are of the test split, which no heads have seen."
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    Attributes:
        folder: Where everything was written: `data`, `embedded`, and for each loss `heads_LOSS` and `aligned_LOSS`.
        evaluation: Test split of the store aligned by the gram loss.
        comparison: The two losses, each ranked by its own measure.
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
    made = making(run_demo, {"folder": folder, "seed": seed, "items": items})
    begin = stage or _no_stage
    for name in ("data", "embedded", *(f"{what}_{loss}" for loss in LOSSES for what in ("heads", "aligned"))):
        check_own_folder(folder / name)
    manifest = generate_dataset(folder / "data", items, seed, begin("Making clips", "clips"))
    encoder = load_encoder("signal")
    write_embeddings(
        open_dataset(str(manifest)),
        encoder,
        folder / "embedded",
        overwrite=True,
        progress=begin("Embedding"),
    )
    align_by(LOSSES, folder, seed, begin)
    found = {loss: _evaluated(open_store(folder / f"aligned_{loss}"), begin) for loss in LOSSES}
    joint = [only(found[loss], parse_task(JOINT), loss) for loss in LOSSES]
    comparison = compare_evaluations(joint, [f"{folder / f'aligned_{loss}'}@{loss}" for loss in LOSSES])
    evaluation = replace(found["gram"], provenance=found["gram"].provenance | {MADE: made})
    comparison = replace(comparison, provenance=comparison.provenance | {MADE: made})
    return DemoResult(folder, evaluation, comparison, (ALIGNED,))


def _evaluated(store: Store, begin: Stage) -> Evaluation:
    """Single pairs under cosine, by which most methods order them, and the joint task under every method shown."""
    pairs, joint = (
        measure(
            store,
            tasks=[parse_task(task) for task in tasks],
            methods=methods,
            options=EvalOptions(split=TEST, progress=begin("Evaluating", "pairs"), best=BEST),
        )
        for tasks, methods in ((PAIRS, METHODS[:1]), ((JOINT,), METHODS))
    )
    return replace(
        joint,
        results=(*pairs.results, *joint.results),
        ranks=(*pairs.ranks, *joint.ranks),
        questions=(*pairs.questions, *joint.questions),
        notes=tuple(dict.fromkeys((*pairs.notes, *joint.notes))),
        provenance=joint.provenance | {"tasks": pairs.provenance["tasks"] | joint.provenance["tasks"]},
    )


def align_by(losses: Sequence[str], folder: Path, seed: int, begin: Stage) -> None:
    """Train heads with each loss on the embedded store, and write the store as each sees it."""
    store = open_store(folder / "embedded")
    for loss in losses:
        how = AlignOptions(
            dim=DIM,
            epochs=EPOCHS,
            batch_size=BATCH,
            lr=RATE,
            dropout=DROPOUT,
            patience=PATIENCE,
            seed=seed,
            overwrite=True,
        )
        heads = folder / f"heads_{loss}"
        train_heads(store, heads, loss, options=how, progress=begin(f"Aligning by {loss}", "epochs"))
        write_projected(store, load_heads(heads), store.ids, folder / f"aligned_{loss}", overwrite=True)
        take_origin(store, folder / f"aligned_{loss}")


def only(evaluation: Evaluation, task: Task, method: str) -> Evaluation:
    """Keep one method's figures and ranks of a task, in both directions."""
    names = {task.name, task.reversed().name}
    return replace(
        evaluation,
        results=tuple(row for row in evaluation.results if row.task in names and row.method == method),
        ranks=tuple(vector for vector in evaluation.ranks if vector.task in names and vector.method == method),
    )


def _no_stage(_name: str, _unit: str = "items") -> Callable[..., None]:
    return lambda *_: None
