"""What stores, heads and evaluations say of a model and of its data: one schema for all files that repeat it."""

from __future__ import annotations

from typing import Any

import msgspec

from gramcli.results.schema import Count, Size

Name = str | int | float | bool | None
"""What names something: a string, or whatever `write_store` was given for one."""


class Epochs(msgspec.Struct):
    """How far a training went: epochs done, at most, and the one kept."""

    done: Count
    most: Count
    kept: Count


class Outcome(msgspec.Struct):
    """How the training of heads went, as `gramcli.heads.remarks` reads it; what is not known is left out."""

    loss: str | None = None
    warm_up: Count | bool | None = None
    n_validation: Count = 0
    mean_cosines: dict[str, float] | None = None
    epochs: Epochs | None = None
    metric: str | None = None
    before: float | None = None
    after: float | None = None


class CurveFacts(msgspec.Struct):
    """A learning curve by column, each as long as `epoch`."""

    epoch: list[Size] = []
    loss: list[float | None] = []
    validation_loss: list[float | None] = []
    measures: dict[str, list[float | None]] = {}

    def __post_init__(self) -> None:
        if any(len(one) != len(self.epoch) for one in (self.loss, self.validation_loss, *self.measures.values())):
            raise ValueError("the columns of a learning curve differ in length")


class StageFacts(msgspec.Struct):
    """Epochs of a stage that came before: done, and the one kept."""

    done: Count
    kept: Count


class RecordFacts(msgspec.Struct):
    """How heads were trained, as `gramcli.heads.record` takes it from heads.json."""

    plan: dict[str, str | int | float | bool | list[str] | None] = {}
    curve: CurveFacts | None = None
    warm_up: StageFacts | None = None


class HeadsFacts(msgspec.Struct):
    """What a model made of heads says of them."""

    sha256: str | None = None
    loss: str | None = None
    dataset: Name = None
    trained: list[str] = []
    selected: list[str] = []
    training: Outcome | None = None
    record: RecordFacts | None = None


class PartFacts(msgspec.Struct):
    """What a joined store says of one of the stores that it was joined from."""

    fingerprint: str
    embeddings: dict[str, str]
    model: dict[str, Any]
    dataset: dict[str, Any]


class ModelFacts(msgspec.Struct):
    """`encoder.describe()`, as far as anything reads it."""

    id: Name = None
    shared_space: Name = None
    assumptions: list[str] = []
    heads: HeadsFacts | None = None
    parts: list[PartFacts] = []


class LeftOutFacts(msgspec.Struct):
    """An item that a protocol leaves out."""

    id: str
    modality: str
    reason: str


class SharedFacts(msgspec.Struct):
    """What items of two splits have in common."""

    splits: list[str]
    sentence: str


class DatasetFacts(msgspec.Struct):
    """A dataset, as far as anything reads it."""

    id: Name = None
    protocol: str | None = None
    protocol_n: Count | None = None
    left_out: list[LeftOutFacts] = []
    evaluated: str | None = None
    shared: list[SharedFacts] = []
