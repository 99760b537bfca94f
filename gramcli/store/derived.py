"""A whole store written at once from embeddings in memory: projections, fused heads, imported features."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NotRequired, Required, TypedDict, Unpack

import numpy as np

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.store.layout import ABSENT, OK, TEXT, Plan, PlannedItem, digest
from gramcli.store.shards import ShardContent
from gramcli.store.writer import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class StoreContent(TypedDict):
    """The arguments of `write_store`; n items, N text rows.

    Attributes:
        ids: One per item.
        splits: One per item, None where there is none.
        labels: One per item, None where there is none.
        embeddings: Modality -> [n, d] float32, `text` -> [N, d].
        caption_items: Item of each text row, [N], never decreasing; None or empty without text.
        status: Modality -> n times `ok`, `absent` (perhaps with `: remark`) or `failed: reason`; one not named is ok,
            text where the item has rows.
        model: As `encoder.describe()`.
        dataset: `id`, `protocol`, `annotation_sha256`.
        overwrite: Replace an existing store of other content; False when left out.
        shard_size: Items per shard; 64 when left out.
    """

    ids: Required[Sequence[str]]
    splits: Required[Sequence[str | None]]
    labels: Required[Sequence[str | None]]
    embeddings: Required[Mapping[str, NDArray[np.float32]]]
    caption_items: Required[NDArray[np.int64] | Sequence[int] | None]
    status: Required[Mapping[str, Sequence[str]]]
    model: Required[Mapping[str, Any]]
    dataset: Required[Mapping[str, Any]]
    overwrite: NotRequired[bool]
    shard_size: NotRequired[int]


def write_store(path: Path, **content: Unpack[StoreContent]) -> None:
    """Write embeddings that are already in memory, for instance projections of another store.

    Args:
        path: The directory; a finished store of the same content is left as it is.
        **content: See `StoreContent`.

    Raises:
        UserError: As `StoreWriter.open` and `StoreWriter.write_shard`; lists of unequal length, a status of nothing.
    """
    embeddings = {name: np.ascontiguousarray(rows, dtype=np.float32) for name, rows in content["embeddings"].items()}
    owners = np.asarray([] if content["caption_items"] is None else content["caption_items"], dtype=np.int64)
    _check_status_names(content["status"], embeddings)
    status = _full_status(embeddings, content["status"], owners, len(content["ids"]))
    _check_lengths(content, embeddings, owners)
    plan = Plan(
        model=content["model"],
        dataset=content["dataset"],
        dims={name: rows.shape[1] for name, rows in embeddings.items()},
        items=tuple(map(PlannedItem, content["ids"], content["splits"], content["labels"])),
        shard_size=content.get("shard_size", 64),
        sources=_content_digests(embeddings, owners, status),
    )
    with StoreWriter.open(path, plan, overwrite=content.get("overwrite", False)) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, _slice(plan.shard_range(index), embeddings, status, owners))
        writer.finish()


def _full_status(
    embeddings: Mapping[str, NDArray[np.float32]],
    given: Mapping[str, Sequence[str]],
    owners: NDArray[np.int64],
    n: int,
) -> dict[str, list[str]]:
    captioned = set(owners.tolist())
    text = [OK if position in captioned else ABSENT for position in range(n)]
    return {name: list(given.get(name, text if name == TEXT else [OK] * n)) for name in embeddings}


def _check_status_names(status: Mapping[str, Sequence[str]], embeddings: Mapping[str, NDArray[np.float32]]) -> None:
    for name in status:
        if name not in embeddings:
            known = list(embeddings)
            raise UserError(
                "embedding",
                f"The status of '{name}' is given, but there are no embeddings of that name."
                f"{did_you_mean(str(name), known)} Known: {', '.join(known)}.",
            )


def _check_lengths(
    content: StoreContent, embeddings: Mapping[str, NDArray[np.float32]], owners: NDArray[np.int64]
) -> None:
    n = len(content["ids"])
    flat = [name for name, rows in embeddings.items() if rows.ndim != 2]
    if flat:
        raise UserError("embedding", f"'{flat[0]}' must be [rows, d]; got {list(embeddings[flat[0]].shape)}.")
    lengths = {"splits": len(content["splits"]), "labels": len(content["labels"])}
    lengths |= {name: len(rows) for name, rows in embeddings.items() if name != TEXT}
    for name, length in lengths.items():
        if length != n:
            raise UserError("embedding", f"'{name}' has {length} rows for {n} ids; give one per item.")
    if len(owners) != len(embeddings.get(TEXT, ())) or any(after < before for before, after in pairwise(owners)):
        raise UserError("embedding", "caption_items must name the item of each text row, in the order of the items.")
    if len(owners) and not 0 <= owners[0] <= owners[-1] < n:
        raise UserError("embedding", f"caption_items must lie in 0..{n - 1}.")


def _content_digests(
    embeddings: Mapping[str, NDArray[np.float32]], owners: NDArray[np.int64], status: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    vectors = {f"{name} vectors": hashlib.sha256(rows.tobytes()).hexdigest() for name, rows in embeddings.items()}
    return {**vectors, "captions": digest(owners.tolist()), "status": digest(status)}


def _slice(
    positions: range,
    embeddings: Mapping[str, NDArray[np.float32]],
    status: Mapping[str, Sequence[str]],
    owners: NDArray[np.int64],
) -> ShardContent:
    items = slice(positions.start, positions.stop)
    captions = slice(*np.searchsorted(owners, [positions.start, positions.stop]).tolist())
    return ShardContent(
        {name: rows[captions if name == TEXT else items] for name, rows in embeddings.items()},
        {name: values[items] for name, values in status.items()},
        owners[captions],
    )
