"""A whole store written at once from embeddings in memory: projections, fused heads, imported features."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from gramcli.store.content import (
    StoreContent,
    check_content,
    checked_captions,
    checked_status,
    checked_texts,
    checked_vectors,
)
from gramcli.store.layout import Plan, PlannedItem, digest, is_text
from gramcli.store.shards import ShardContent
from gramcli.store.writer import StoreWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


def write_store(path: Path | str, **content: Unpack[StoreContent]) -> None:
    """Write embeddings that are already in memory, for instance projections of another store.

    Args:
        path: The directory; a finished store of the same content is left as it is.
        **content: The fields of `gramcli.store.content.StoreContent`, by name, for n items and N text rows:
            `ids`: One string per item, unique.
            `splits`, `labels`: One string or None per item.
            `embeddings`: Modality -> [n, d] floats; `text` -> [N, d].
            `caption_items`: Position of the item of each text row, [N], never decreasing; None without text.
            `status`: Modality -> n times `ok`, `absent` (perhaps with `: remark`) or `failed: reason`; {} where all
            are ok.
            `model`: For instance {"id": "my-model", "shared_space": True}.
            `dataset`: {"id": ..., "protocol": ..., "annotation_sha256": ...}.
            `captions`: The text of each text row, or `Store.caption_digests` of it; left out, evaluations cannot know
            that two stores embedded the same texts.
            `overwrite`: Replace an existing store of other content; False when left out.
            `shard_size`: Items per shard; 64 when left out.

    Raises:
        UserError: An argument is missing, unknown or of another form; a vector that is `ok` is zero or not finite; the
            directory holds something else.
    """
    check_content(content)
    embeddings = {name: checked_vectors(name, rows) for name, rows in content["embeddings"].items()}
    owners = checked_captions(content, embeddings)
    status = checked_status(content, embeddings, owners)
    texts = checked_texts(content.get("captions"), len(owners))
    plan = Plan(
        model=content["model"],
        dataset=content["dataset"],
        dims={name: rows.shape[1] for name, rows in embeddings.items()},
        items=tuple(map(PlannedItem, content["ids"], content["splits"], content["labels"])),
        shard_size=content.get("shard_size", 64),
        sources=_content_digests(embeddings, owners, status)
        | ({} if texts is None else {"texts": digest(texts.tolist())}),
    )
    with StoreWriter.open(Path(path), plan, overwrite=content.get("overwrite", False)) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, _slice(plan.shard_range(index), embeddings, status, (owners, texts)))
        writer.finish()


def _content_digests(
    embeddings: Mapping[str, NDArray[np.float32]], owners: NDArray[np.int64], status: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    vectors = {f"{name} vectors": hashlib.sha256(rows.tobytes()).hexdigest() for name, rows in embeddings.items()}
    return {**vectors, "captions": digest(owners.tolist()), "status": digest(status)}


def _slice(
    positions: range,
    embeddings: Mapping[str, NDArray[np.float32]],
    status: Mapping[str, Sequence[str]],
    texts: tuple[NDArray[np.int64], NDArray[np.int64] | None],
) -> ShardContent:
    owners, digests = texts
    items = slice(positions.start, positions.stop)
    captions = slice(*np.searchsorted(owners, [positions.start, positions.stop]).tolist())
    return ShardContent(
        {name: rows[captions if is_text(name) else items] for name, rows in embeddings.items()},
        {name: values[items] for name, values in status.items()},
        owners[captions],
        None if digests is None else digests[captions],
    )
