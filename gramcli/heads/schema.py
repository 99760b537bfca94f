"""What the files of heads must hold, as data: `gramcli.results.schema` checks them when they are read."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gramcli.results.facts import DatasetFacts, ModelFacts
from gramcli.results.schema import Count, Sha256, Size, Source, checked


class Plan(msgspec.Struct, kw_only=True):
    """What a run is, as far as more than its own equality is asked of it; versions differ in the rest."""

    loss: str | None = None
    epochs: Count | None = None
    warm_up: Count | bool | None = None
    metric: str | None = None
    method: str | None = None
    task: str | None = None
    train: str | None = None
    init: str | None = None
    modalities: list[str] = []


class HeadsPlan(Plan, kw_only=True):
    """That of heads which are finished."""

    loss: str


class Figures(msgspec.Struct):
    """Validation figures of an epoch."""

    r1: float = msgspec.field(name="R@1")
    r5: float = msgspec.field(name="R@5")
    r10: float = msgspec.field(name="R@10")
    mrr: float = msgspec.field(name="MRR")


class EpochFacts(msgspec.Struct, forbid_unknown_fields=True):
    """A `gramcli.results.runs.Epoch` as it is written."""

    epoch: Size
    lr: float
    loss: float
    measures: Figures
    temperature: float | None = None
    validation_loss: float | None = None


History = Annotated[list[EpochFacts], msgspec.Meta(min_length=1)]


class CurveFacts(msgspec.Struct):
    """A `gramcli.results.runs.Curve` as it is written."""

    history: History
    best: Size


class HeadsFile(msgspec.Struct):
    """heads.json; those of older versions lack what has a default."""

    format: Size
    weights_sha256: Sha256
    dims: Annotated[dict[str, Size], msgspec.Meta(min_length=1)]
    dim: Size
    hidden: Count
    plan: HeadsPlan
    model: ModelFacts
    dataset: DatasetFacts
    trained: list[str]
    selected: list[str]
    n_validation: Count | None = None
    history: History | None = None
    best: Size | None = None
    warm_up: CurveFacts | None = None
    start: dict[str, float] | None = None
    mean_cosines: dict[str, float] | None = None
    content_sha256: Sha256 | None = None
    inputs: dict[str, str] = {}


class _Start(msgspec.Struct):
    start: Figures


class State(msgspec.Struct):
    """What training.safetensors says beside its tensors."""

    plan: Plan
    stage: Literal["warm-up", "main"]
    history: History
    best: Size
    start: dict[str, float]
    before: CurveFacts | None


def check_curves(found: HeadsFile | State, source: Source) -> None:
    """Hold the epochs of a run against each other.

    Raises:
        UserError: Epochs are not counted through, there is no such best one, or the start lacks a figure.
    """
    before = found.warm_up if isinstance(found, HeadsFile) else found.before
    curves = {"history": (found.history, found.best)} if found.history else {}
    for name, (history, best) in (curves | ({"warm_up": (before.history, before.best)} if before else {})).items():
        if [one.epoch for one in history or ()] != list(range(1, len(history or ()) + 1)):
            raise source.wrong(f": the epochs of {name} are not counted through from 1")
        if best is None or best > len(history or ()):
            raise source.wrong(f": the best epoch of {name} is {best} of {len(history or ())}")
    if found.start:
        checked({"start": found.start}, _Start, source)
