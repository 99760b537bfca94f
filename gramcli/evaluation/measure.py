"""The `eval` verb: a store as retrieval, classification and geometry figures, each with its uncertainty."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

import gramcli
from gramcli.catalog import resolve
from gramcli.datasets.benchmark import Benchmark
from gramcli.datasets.catalog import DATASETS
from gramcli.datasets.items import is_registered
from gramcli.datasets.published import published
from gramcli.errors import UserError
from gramcli.evaluation.options import EvalOptions, Kind
from gramcli.evaluation.selection import TEXT, align_first
from gramcli.evaluation.views import bases, dims_of, fits
from gramcli.heads.remarks import known_outcome, remarks
from gramcli.modalities import Task
from gramcli.results.records import Evaluation, Figures, LeftOut, Reference, ResultRow
from gramcli.store.reader import Store
from gramcli.store.splits import chosen_items, effective_split

__all__ = ["EvalOptions", "measure"]

Measure = Callable[[Store, Tensor, Sequence[Task], Sequence[str], EvalOptions], Figures]
_MEASURES: Final[dict[Kind, str]] = {  # imported when asked for: classification and geometry need half of scipy
    "retrieval": "gramcli.evaluation.retrieval:retrieval_figures",
    "classification": "gramcli.evaluation.classification:classification_figures",
    "geometry": "gramcli.evaluation.geometry:geometry_figures",
}
_POOL: Final = "gramcli.evaluation.pool:pool_figures"


def measure(
    store: Store, *, tasks: Sequence[Task] = (), methods: Sequence[str] = (), options: EvalOptions | None = None
) -> Evaluation:
    """Measure a store: retrieval under every task and method unless other kinds of figures are asked for.

    Args:
        store: An open store.
        tasks: Tasks; none means every one the store allows (`default_tasks`).
        methods: Method names; none means every one a joint task's number of modalities and dimension allow, and the
            cosine for single pairs.
        options: Split, policy for missing modalities, device, kinds of figures.

    Returns:
        Figures, ranks per query, items left out and notes.

    Raises:
        UserError: Not the store's protocol, an unknown method or normalisation, a task whose modality is not in the
            store, nothing left to evaluate, no train split to take a querybank from.
    """
    options = options or EvalOptions()
    _check_protocol(store, options.protocol)
    items = chosen_items(store, options.split, options.limit)
    _check_trained(store, items, options)
    if tasks and (options.directions == "all" or options.pool == "shared"):
        given = "--directions all" if options.directions == "all" else "--pool shared"
        raise UserError("usage", f"{given} names the tasks itself: leave --task, --query and --candidates out.")
    measures: list[Measure] = [resolve(target) for kind in options.kinds for target in _targets(kind, options)]
    found = [figures_of(store, items, tasks, methods, options) for figures_of in measures]
    notes = [*store_notes(store, options), *(note for figures in found for note in figures.notes)]
    rows = [row for figures in found for row in figures.results]
    whole = _part_of_protocol(store, options) is None and not _beside(store, items)
    reference = _reference(store, rows, comparable=whole) if options.reference else ()
    if options.reference and not reference:
        notes.append(f"No published figures are known for the dataset '{store.manifest['dataset'].get('id')}'.")
    return Evaluation(
        provenance=store_provenance(store, options)
        | {k: v for figures in found for k, v in figures.provenance.items()},
        results=tuple(rows),
        left_out=tuple(
            dict.fromkeys([*_by_protocol(store, items), *(one for figures in found for one in figures.left_out)])
        ),
        ranks=tuple(vector for figures in found for vector in figures.ranks),
        notes=tuple(dict.fromkeys(notes)),
        reference=tuple(reference),
        questions=tuple(one for figures in found for one in figures.questions),
    )


def _targets(kind: Kind, options: EvalOptions) -> tuple[str, ...]:
    """What makes the figures of a kind: a shared pool stands for the tasks, unless all directions are asked for too."""
    if kind != "retrieval" or options.pool != "shared":
        return (_MEASURES[kind],)
    return (_POOL, _MEASURES[kind]) if options.directions == "all" else (_POOL,)


def store_notes(store: Store, options: EvalOptions) -> list[str]:
    """What a reader of any figure of this store must know, one sentence each."""
    notes = []
    split = effective_split(store, options.split)
    if split is not None and options.split is None:
        notes.append(f"Evaluated split '{split}'; --split all evaluates every item.")
    if store.space_unknown:
        notes.append(
            f"{store.path} does not say whether its modalities share one space: scores across them are chance unless "
            "they do. Say it where the store is made: gram import --shared-space yes or no."
        )
    elif not store.shared_space:
        notes.append(_space_note(store))
    notes += _apart(store)
    notes += store.manifest["model"].get("assumptions", [])
    notes += [f"Found while it was embedded: {one}" for one in store.findings.values()]
    if options.relevant == "label":
        notes.append("Every item of a query's label is a right answer (--relevant label).")
    notes += _training_notes(store, chosen_items(store, options.split, options.limit))
    notes += remarks(known_outcome(store.manifest["model"]))
    if others := _beside(store, chosen_items(store, options.split, options.limit)):
        n, protocol = sum(others.values()), store.manifest["dataset"].get("protocol")
        notes.append(
            f"{n:,} items evaluated are of {' and '.join(others)}, which {protocol} does not evaluate: these are no "
            "figures of the protocol."
        )
    elif part := _part_of_protocol(store, options):
        notes.append(f"These are figures of {part}: a smaller gallery, so not comparable with figures of the protocol.")
    return notes


def _apart(store: Store) -> list[str]:
    """Name the modalities that no measure can set against the others, where some have other dimensions."""
    dims = dims_of(store)
    first = TEXT if TEXT in dims else bases(store.modalities)[0]
    others = [name for name in bases(store.modalities) if name != first and not fits(store, Task((first,), (name,)))]
    apart = ", ".join(f"{name} ({dims[name]})" for name in others)
    if not apart:
        return []
    return [f"Of other dimensions than {first} ({dims[first]}), so in no task with it: {apart}; {align_first(store)}."]


def _space_note(store: Store) -> str:
    """Say which scores across modalities are chance; of a joined store, those between parts of different models."""
    model = store.manifest["model"]
    groups = [
        list(part["embeddings"])
        for part in model.get("parts", ())
        if part["model"].get("shared_space") and len(part["embeddings"]) > 1
    ]
    if groups:
        named = "; ".join(f"{', '.join(group[:-1])} and {group[-1]}" for group in groups)
        return (
            f"Of this joined store only {named} share a space: other scores across modalities are chance until they "
            "are aligned."
        )
    return (
        f"The model '{model.get('id')}' does not put its modalities in one space: scores across modalities are chance "
        "until they are aligned."
    )


def _part_of_protocol(store: Store, options: EvalOptions) -> str | None:
    """`30 of the 1,000 items of msrvtt-1k@1`, where only a part of a registered protocol is evaluated."""
    dataset = store.manifest["dataset"]
    n, whole = len(chosen_items(store, options.split, options.limit)), dataset.get("protocol_n")
    if not isinstance(whole, int) or n >= whole:
        return None
    return f"{n:,} of the {whole:,} items of {dataset.get('protocol')}"


def _beside(store: Store, items: Tensor) -> dict[str, int]:
    """Split -> how many of the items are of it, of the splits that the store's protocol does not evaluate."""
    evaluated = store.manifest["dataset"].get("evaluated")
    found = Counter(str(store.splits[k]) for k in items.tolist() if evaluated not in (None, store.splits[k]))
    return dict(sorted(found.items()))


def _protocol(store: Store, named: str | None, items: Tensor) -> str | None:
    """The protocol of the items, or the name given to that of a folder or manifest.

    Items of a split that a registered protocol does not evaluate make it another: `msrvtt-1k@1, split train`.
    """
    recorded: str | None = store.manifest["dataset"].get("protocol")
    if others := _beside(store, items):
        splits = sorted({str(store.splits[k]) for k in items.tolist()} | set(others))
        return f"{recorded}, split {' and '.join(splits)}"
    return recorded if is_registered(recorded) else named or recorded


def _check_protocol(store: Store, named: str | None) -> None:
    """A registered protocol is decided when its items are embedded; figures never get another's name."""
    recorded: str | None = store.manifest["dataset"].get("protocol")
    name = store.manifest["dataset"].get("id")
    same = (recorded, str(recorded).rpartition("@")[0])
    if named and is_registered(recorded) and named not in same and _recorded_as(str(name), named) != recorded:
        raise UserError(
            "usage",
            f"{store.path} holds the items of {recorded}, not of {named}. Evaluate the model on those: "
            f"gram eval MODEL --dataset {name} --root DIR --protocol {named}",
        )


def _recorded_as(dataset: str, named: str) -> str | None:
    """What a protocol of a registered dataset is recorded as: one that differs in what is trained on, as the other."""
    found = DATASETS.load(dataset) if dataset in DATASETS.names() else None
    protocols = found.protocols if isinstance(found, Benchmark) else ()
    return next((one.id for one in protocols if one.name == named), None)


def _heads_of(store: Store) -> dict[str, Any]:
    """What the store's model says of the heads that made it, where they were trained on its dataset."""
    heads: dict[str, Any] = store.manifest["model"].get("heads") or {}
    return heads if heads.get("dataset") == store.manifest["dataset"].get("id") else {}


def _among(store: Store, items: Tensor, kind: str) -> list[str]:
    known = set(_heads_of(store).get(kind, ()))
    return [store.ids[k] for k in items.tolist() if store.ids[k] in known]


def _check_trained(store: Store, items: Tensor, options: EvalOptions) -> None:
    """Refuse to evaluate heads on what they were trained on.

    Raises:
        UserError: Some of the items were trained on, and nobody allowed it.
    """
    found = _among(store, items, "trained")
    if found and not options.allow_trained:
        left = sorted({split for split in store.splits if split} - {"train"})
        hint = f" Name another split: --split {left[0]}." if left and options.split != left[0] else ""
        raise UserError(
            "usage",
            f"{len(found)} of the {len(items)} items, for instance '{found[0]}', trained this store's heads: their "
            f"figures say nothing about new data.{hint} With --allow-trained they are made all the same.",
        )


def _training_notes(store: Store, items: Tensor) -> list[str]:
    """Say how many of the items the heads have seen, and how."""
    notes = []
    if n := len(_among(store, items, "trained")):
        notes.append(f"{n} of {len(items)} items trained the heads: these are no figures of new data.")
    if n := len(_among(store, items, "selected")):
        notes.append(f"{n} of {len(items)} items chose the heads' epoch: figures are a little too good.")
    return notes


def _described_model(store: Store) -> dict[str, Any]:
    """The store's model; of heads, how many items they saw instead of their ids."""
    model: dict[str, Any] = dict(store.manifest["model"])
    if heads := model.get("heads"):
        counts = {f"n_{kind}": len(heads.get(kind, ())) for kind in ("trained", "selected")}
        model["heads"] = {k: v for k, v in heads.items() if k not in ("trained", "selected")} | counts
    return model


def _reference(store: Store, rows: Sequence[ResultRow], *, comparable: bool) -> list[Reference]:
    """Published figures of the store's dataset with the measured ones that answer them, the most alike first."""
    dataset = store.manifest["dataset"]
    protocol = str(dataset.get("protocol")).rpartition("@")[0]
    measured = {(protocol, row.task, row.method, row.stage, row.metric): row.value for row in rows if comparable}
    tasks = {row.task for row in rows}
    figures = [
        replace(one, measured=measured.get((one.protocol, one.task, one.method, one.stage, one.metric)))
        for one in published(str(dataset.get("id")))
    ]
    return sorted(figures, key=lambda one: (one.measured is None, one.task not in tasks, one.protocol != protocol))


def _by_protocol(store: Store, items: Tensor) -> list[LeftOut]:
    if sum(_beside(store, items).values()) == len(items):
        return []
    return [LeftOut(**entry) for entry in store.manifest["dataset"].get("left_out", ())]


def store_provenance(store: Store, options: EvalOptions) -> dict[str, Any]:
    """What a figure of a store was measured on: protocol, model, dataset, fingerprint, split, versions."""
    dataset, items = store.manifest["dataset"], chosen_items(store, options.split, options.limit)
    return {
        "protocol": _protocol(store, options.protocol, items),
        "n": len(items),
        "protocol_n": dataset.get("protocol_n"),
        "model": _described_model(store),
        "dataset": dataset,
        "store": {"path": str(store.path), "fingerprint": store.fingerprint(), "items": len(store.ids)},
        "split": effective_split(store, options.split) or "all",
        "limit": options.limit,
        "missing": options.missing,
        "kinds": list(options.kinds),
        "device": options.device,
        "versions": {
            "gramcli": gramcli.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
