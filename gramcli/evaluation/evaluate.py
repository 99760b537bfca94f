"""The `eval` verb: a store, or a model and a dataset, as figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.units import seconds_from
from gramcli.encoders import load_encoder
from gramcli.evaluation.effects import refuse_without_effect
from gramcli.evaluation.measure import measure
from gramcli.evaluation.options import ClassOptions, EvalOptions
from gramcli.evaluation.target import chosen_dataset, open_target, seen_through
from gramcli.metrics.prompts import read_templates
from gramcli.modalities import Task, listed, tasks_from
from gramcli.results.making import MADE, making
from gramcli.results.records import Evaluation
from gramcli.results.watch import NOBODY, Watch
from gramcli.scoring.checks import device_named

if TYPE_CHECKING:
    from gramcli.datasets import Dataset
    from gramcli.encoders.base import Encoder
    from gramcli.store import Store

PathLike = str | Path


# fmt: off
def evaluate(  # noqa: PLR0913 - a keyword for each option of the command
    target: PathLike | Store | Encoder, *,
    dataset: PathLike | Dataset | None = None, root: PathLike | None = None, protocol: str | None = None,
    split: str | None = None, limit: int | None = None, text_only: bool = False, missing: str = "drop",
    model: str | None = None, allow_trained: bool = False,
    tasks: Sequence[str | Task] = (), methods: Sequence[str] = (),
    query: str | None = None, candidates: str | None = None,
    metrics: Sequence[str] = (), normalize: str | None = None, rerank: str | None = None, rerank_top: int = 50,
    relevant: str = "item", ties: str = "mean", intervals: str = "plus-four", population: str = "queries",
    per_query: bool = False, reference: bool = False, classifiers: Sequence[str] = (),
    templates: PathLike | None = None, knn: int | None = None, seed: int = 0,
    frames: int | None = None, device: str = "cpu", precision: str = "fp32", compile: bool = False,
    tokenizer: PathLike | None = None, checkpoint_step: int | None = None, config: PathLike | None = None,
    allow_pickle: bool = False, directions: str = "named", pool: str = "task",
    workers: int | None = None, timeout: str | float = "60s",
    watch: Watch = NOBODY,
) -> Evaluation:
    """Evaluate a store, or a model on a dataset, as `gram eval` does.

    Args:
        target: A store, open or by its path; with `dataset` a model's spec or path, or an encoder.
        dataset: What to embed with the model first (kept in the cache): a folder, a manifest or a known name.
        root: Folder that holds the dataset, or that its paths start from.
        protocol: A dataset's protocol, or a name to record.
        split: Only the items of this split; None takes `test` where there are several, `all` takes every item.
        limit: Only the first so many items.
        text_only: Accept items of a manifest that name no media.
        missing: Items that lack a modality of a task: `drop`, `present`, `zero` or `error`.
        model: `heads:DIR`, to see a store through heads.
        allow_trained: Also evaluate items that the heads were trained on.
        tasks: For instance `["t2va"]`; none means all that the store allows.
        methods: Names as `gram methods` lists them; none means all that fit, and of single pairs the cosine.
        query: Query embeddings by name, comma between, with `candidates`.
        candidates: Candidate embeddings by name.
        metrics: Of `retrieval` (the default), `classification`, `geometry`.
        normalize: Demote hubs: `dsl`, `csls` or `qbnorm`.
        rerank: `itm`: also re-rank the best by the model's matching head.
        rerank_top: How many of each query's best are re-ranked.
        relevant: What answers a query: its own `item`, or all items of its `label`.
        ties: Where a right answer stands that ties with wrong ones: `mean`, `optimistic`, `pessimistic`.
        intervals: How 95 % intervals are made: `plus-four`; as other tools do: `wilson` (of R@k) or `bootstrap`.
        population: What intervals allow for: new `queries` of this gallery, or new `items` in it, too.
        per_query: Keep the five best answers of every query in `ranks`.
        reference: Put published figures of the dataset beside the measured ones.
        classifiers: Of `zero-shot`, `knn`, `probe`; none means all that the data allow.
        templates: Prompts: `plain`, `photo`, `sound`, `video`, or a file.
        knn: How many nearest neighbours vote.
        seed: Of all that is drawn at random.
        frames: Frames of each video; None leaves it to the model.
        device: `cpu`, `cuda`, `cuda:i` or `auto`.
        precision: `fp32`, `bf16` or `fp16`, of the model.
        compile: Compile the towers of a model first.
        tokenizer: A vocabulary, where it is not found by itself.
        checkpoint_step: Which saved step; None takes the last.
        config: The hps.json of the weights, where it is not beside them.
        allow_pickle: Load weight files that can run code.
        directions: `all`: every split of the modalities into a query and a candidate side, as one matrix.
        pool: `shared`: queries of each modality among the candidates of all; how answers divide among modalities.
        workers: Processes that decode; None is one per processor.
        timeout: How long one file may take to decode.
        watch: Told of progress.

    Returns:
        Figures with intervals, ranks per query, items left out, notes and provenance.

    Raises:
        UserError: What the command says in one sentence: wrong arguments, unusable input, nothing to evaluate.

    Example:
        >>> evaluate("clips_store", tasks=["t2va"], methods=["gram"]).to_frame()  # doctest: +SKIP
    """
    made = making(evaluate, locals())
    metrics, classifiers, methods = map(listed, (metrics, classifiers, methods))
    classifying = {"--classifier": classifiers, "--templates": templates, "--knn": knn}
    refuse_without_effect(metrics, classifying, per_query, root, dataset)
    wanted, prompts = tasks_from(tasks, query, candidates), read_templates(str(templates or "plain"))
    where = device_named(device)
    how = EmbedOptions(workers=workers, time_limit=seconds_from(timeout, "--timeout"), grows=where != "cpu")

    def load(spec: str) -> Encoder:
        """Make the encoder of the target."""
        return load_encoder(
            spec, frames=frames, device=where, precision=precision, tokenizer=tokenizer, config=config,
            checkpoint_step=checkpoint_step, allow_pickle=allow_pickle, stand_ins=missing == "zero",
            compile=compile, watch=watch,
        )

    learns = "classification" in metrics and tuple(classifiers) != ("zero-shot",)
    learns = learns or str(normalize).startswith("qbnorm")
    if isinstance(dataset, (str, Path)):
        dataset = chosen_dataset(str(dataset), root, split, limit, protocol, with_train=learns, text_only=text_only)
    found = open_target(target, dataset, load)
    store = seen_through(found.store(watch, how, wanted), model)
    second = found.reranker(rerank, rerank_top, how, watch.stage("Re-ranking")) if rerank else None
    classes = ClassOptions(found.class_texts(), prompts, knn, tuple(classifiers) or None)  # type: ignore[arg-type]
    options = EvalOptions(
        split, limit, missing, where, protocol, watch.stage("Evaluating", "pairs"), normalize, second,
        tuple(metrics) or ("retrieval",), ties, intervals, population, 5 if per_query else 0, seed, classes,  # type: ignore[arg-type]
        reference, relevant, allow_trained, directions, pool,  # type: ignore[arg-type]
    )
    measured = measure(store, tasks=wanted, methods=methods, options=options)
    through = {"store": {**measured.provenance["store"], "through": model}} if model else {}
    return replace(measured, provenance=measured.provenance | through | {MADE: made})
# fmt: on
