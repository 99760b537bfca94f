"""What the files of a store must hold, as data: `gramcli.results.schema` checks them when they are read."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from gramcli.results.facts import DatasetFacts, ModelFacts
from gramcli.results.schema import Count, Sha256, Size

COLUMNS: Final = ("id", "split", "label", "text_start", "text_end")
"""The columns of items.csv that come before those of the modalities."""

Inputs = list[dict[str, str]]
"""inputs.json: per item, modality -> digest of what it was made from."""


class _Modality(msgspec.Struct):
    dim: Size
    dtype: str
    rows: Count | None = None
    present: Count | None = None


class _Shard(msgspec.Struct):
    file: str
    bytes: Count
    sha256: Sha256


class _Counts(msgspec.Struct):
    items: Size
    captions: Count | None = None


class Manifest(msgspec.Struct):
    """manifest.json, as far as it is read; counts and digests of what is not finished are null."""

    format: Size
    model: ModelFacts
    dataset: DatasetFacts
    modalities: Annotated[dict[str, _Modality], msgspec.Meta(min_length=1)]
    shard_size: Size
    sources: dict[str, str]
    plan_sha256: Sha256
    counts: _Counts
    shards: list[_Shard]
    items_sha256: Sha256 | None
    complete: bool


class ShardMetadata(msgspec.Struct, forbid_unknown_fields=True):
    """What a shard says of its items, one entry each."""

    ids: list[str]
    splits: list[str | None]
    labels: list[str | None]
    status: dict[str, list[str]]
