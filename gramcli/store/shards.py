"""One shard: some consecutive items, packed into a safetensors file that is the same for the same content.

Tensors: per modality `video` [items, d] float32, zero where the item has none, and `video.present` [items] uint8; for
text, and each view of it, `text` [captions, d], and once for all of these `text.item` [captions] int64, the position of
the caption's item in the whole store, and `text.digest` [captions] int64 (`layout.text_digest`) where the texts were
known. The string metadata has one key, because safetensors does not promise an order between several: ids, splits,
labels, status.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from gramcli.errors import UserError
from gramcli.files.reading import LARGE, NotPermittedError, read_regular
from gramcli.results.schema import Source, checked, parse_json
from gramcli.store.items import ItemColumns
from gramcli.store.layout import OK, Plan, has_row, is_shard_name, is_status, is_text, shard_file, state
from gramcli.store.planned import columns_of
from gramcli.store.schema import ShardMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

METADATA_KEY: Final = "gram"
_NOTE: Final = Source("what it says of its items", "store", "")
_DTYPES: Final = {"<f4": "F32", "<i8": "I64", "|u1": "U8"}
_LENGTH: Final = 8  # bytes that say how long a safetensors header is


@dataclass(frozen=True)
class ShardContent:
    """What an encoder made of the items of one shard.

    Attributes:
        embeddings: Modality -> [items, d]; `text` -> [captions, d]. Rows of items that are not ok are ignored.
        status: Modality -> per item of the shard `ok`, `absent`, both with a remark after a colon or without, or
            `failed: reason`.
        caption_items: Position in the whole store of the item of each text row, [captions], never decreasing.
        caption_digests: `layout.text_digest` of each text row, [captions]; None where the texts are not known.
    """

    embeddings: Mapping[str, NDArray[np.float32]]
    status: Mapping[str, Sequence[str]]
    caption_items: NDArray[np.int64]
    caption_digests: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class ShardRecord:
    """A finished shard: what the manifest and items.csv say about it.

    Attributes:
        file: Name relative to the store.
        size: Bytes.
        sha256: Of the file.
        rows: One per item.
    """

    file: str
    size: int
    sha256: str
    rows: ItemColumns


Pieces = Sequence[bytes | memoryview]
"""The bytes of a file, in parts: numbers stay where they are until they are written."""


def pack_shard(plan: Plan, index: int, content: ShardContent) -> tuple[Pieces, ShardRecord]:
    """Check a shard and turn it into the bytes of its file.

    Args:
        plan: The store's plan.
        index: Which shard.
        content: Embeddings and status of its items.

    Returns:
        The file's bytes, equal for equal content, and the shard's record.

    Raises:
        UserError: A vector is not finite, a shape or a status does not fit; the message names item and modality.
    """
    positions = plan.shard_range(index)
    owners = np.ascontiguousarray(content.caption_items, dtype=np.int64)
    _check_owners(owners, positions)
    rows = _item_rows(plan, positions, content, owners)
    tensors: dict[str, NDArray[Any]] = {}
    for name in plan.modalities:
        ok = _has_rows(content.status[name])
        vectors = _checked(plan, name, content, len(owners) if is_text(name) else len(rows))
        holders = owners - positions.start if is_text(name) else np.arange(len(rows))
        _check_finite(name, vectors, holders, rows, ok)
        if is_text(name):
            _check_captions(name, rows)
            tensors |= {name: vectors, "text.item": owners, **_digests(content, len(owners))}
        else:
            kept = vectors if ok.all() else np.where(ok[:, None], vectors, np.float32(0))
            tensors |= {name: kept, f"{name}.present": ok.astype(np.uint8)}
    pieces = saved(tensors, {METADATA_KEY: _as_json(_metadata(plan, rows))})
    size, sha256 = 0, hashlib.sha256()
    for piece in pieces:
        size += memoryview(piece).nbytes
        sha256.update(piece)
    return pieces, ShardRecord(shard_file(index), size, sha256.hexdigest(), rows)


def saved(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> Pieces:
    """Return the bytes that `safetensors.numpy.save` gives, without a copy of the numbers: the library makes two.

    Args:
        tensors: By name, contiguous; float32, int64 or uint8.
        metadata: Strings.

    Returns:
        The file's bytes, a piece for the header and one for each tensor; wider numbers come first, names in order.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in order:
        start, end = end, end + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": _DTYPES[tensors[name].dtype.str], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % _LENGTH)
    return [len(text).to_bytes(_LENGTH, "little") + text, *(tensors[name].data for name in order)]


def read_record(store: Path, plan: Plan, index: int) -> ShardRecord:
    """Check a shard on disk against the plan and return its record.

    Args:
        store: The store's directory.
        plan: What the shard should hold.
        index: Which shard.

    Returns:
        The same record that writing the shard gave.

    Raises:
        UserError: Truncated, damaged, of other items, or with a vector that is not finite; names the file.
    """
    path = store / shard_file(index)
    try:
        data = read_regular(path, LARGE)
        metadata, tensors = _read(data)
        content = _content(plan, metadata, tensors)
        _, record = pack_shard(plan, index, content)
        masks = [tensors[f"{name}.present"].tolist() for name in plan.modalities if not is_text(name)]
    except NotPermittedError:
        raise
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError, UserError) as error:
        raise damaged(path, str(error)) from error
    wanted = [_has_rows(content.status[name]).tolist() for name in plan.modalities if not is_text(name)]
    if metadata != _metadata(plan, record.rows) or masks != wanted:
        raise damaged(path, "its content does not fit the items it is for")
    return ShardRecord(record.file, len(data), hashlib.sha256(data).hexdigest(), record.rows)


def read_content(store: Path, plan: Plan, index: int) -> ShardContent:
    """Read back what a shard holds; one that `read_record` has checked."""
    return _content(plan, *_read(read_regular(store / shard_file(index), LARGE)))


def _read(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    tensors = load(data)  # checks the header, which the library does not give out with it
    header = json.loads(data[_LENGTH : _LENGTH + int.from_bytes(data[:_LENGTH], "little")])
    metadata: dict[str, Any] = parse_json(header["__metadata__"][METADATA_KEY], _NOTE)
    checked(metadata, ShardMetadata, _NOTE)
    return metadata, tensors


def _content(plan: Plan, metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> ShardContent:
    return ShardContent(
        {name: tensors[name] for name in plan.modalities},
        metadata["status"],
        tensors.get("text.item", np.zeros(0, dtype=np.int64)),
        tensors.get("text.digest"),
    )


def _digests(content: ShardContent, n: int) -> dict[str, NDArray[np.int64]]:
    found = content.caption_digests
    if found is None:
        return {}
    if found.shape != (n,):
        raise UserError("embedding", f"caption_digests must have one entry per text row, {n}; got {list(found.shape)}.")
    return {"text.digest": np.ascontiguousarray(found, dtype=np.int64)}


def damaged(path: Path, why: str) -> UserError:
    """Return the error for a shard that cannot be used; raising is the caller's part.

    Args:
        path: The shard.
        why: What is wrong with it.
    """
    ours = is_shard_name(path.name) and path.is_file() and not path.is_symlink() and not path.parent.is_symlink()
    remedy = (
        "Delete this file and run the command that wrote the store again: only this shard is redone."
        if ours
        else "Restore it from a copy, or write the store anew under another name."
    )
    return UserError("store", f"{path} is damaged: {' '.join(why.split()).rstrip('.')}. {remedy}")


def _metadata(plan: Plan, rows: ItemColumns) -> dict[str, Any]:
    return {
        "ids": list(rows.ids),
        "splits": list(rows.splits),
        "labels": list(rows.labels),
        "status": {name: [one[name] for one in rows.status] for name in plan.modalities},
    }


def _as_json(value: Mapping[str, Any]) -> str:
    """Return `json.dumps` of lists of texts by name, which spells what all of a list are only once."""
    return "{" + ", ".join(f"{json.dumps(key)}: {_list_as_json(one)}" for key, one in value.items()) + "}"


def _list_as_json(value: Any) -> str:  # noqa: ANN401 - a list of texts, or a mapping of such
    if isinstance(value, dict):
        return _as_json(value)
    if value and value.count(value[0]) == len(value):
        return f"[{', '.join([json.dumps(value[0])] * len(value))}]"
    return json.dumps(value)


def _has_rows(status: Sequence[str]) -> NDArray[np.bool_]:
    """Which items have a vector, by their status: few differ."""
    known = {text: has_row(text) for text in set(status)}
    if all(known.values()):
        return np.ones(len(status), bool)
    return np.fromiter(map(known.__getitem__, status), bool, len(status))


def _item_rows(plan: Plan, positions: range, content: ShardContent, owners: NDArray[np.int64]) -> ItemColumns:
    for name in plan.modalities:
        given = content.status.get(name, ())
        wrong = [text for text in dict.fromkeys(given) if not is_status(text)]
        if len(given) != len(positions) or wrong:
            got = f"'{wrong[0]}'" if wrong else f"{len(given)} of them"
            rule = f"{len(positions)} times ok, absent or 'failed: reason'"
            raise UserError("embedding", f"The status of '{name}' must be {rule}; got {got}.")
    counts = np.bincount(owners - positions.start, minlength=len(positions)).tolist()
    states = list(zip(*(content.status[name] for name in plan.modalities), strict=True))
    # most items are alike: a million need no mapping each
    shared = {one: dict(zip(plan.modalities, one, strict=True)) for one in dict.fromkeys(states)}
    items = columns_of(plan.items, positions)
    splits, labels = ([text or None for text in column] for column in (items.splits, items.labels))
    return ItemColumns(items.ids, splits, labels, counts, [shared[one] for one in states])


def _checked(plan: Plan, name: str, content: ShardContent, n: int) -> NDArray[np.float32]:
    wanted = (n, plan.dims[name])
    given = content.embeddings.get(name)
    if given is None or given.shape != wanted:
        got = "nothing" if given is None else list(given.shape)
        raise UserError("embedding", f"The embedding '{name}' must have shape {list(wanted)}; got {got}.")
    return np.ascontiguousarray(given, dtype=np.float32)


def _check_owners(owners: NDArray[np.int64], positions: range) -> None:
    inside = owners.ndim == 1 and bool(np.all((owners >= positions.start) & (owners < positions.stop)))
    if not inside or bool(np.any(np.diff(owners) < 0)):
        rule = f"name items {positions.start} to {positions.stop - 1} in order"
        raise UserError("embedding", f"caption_items must {rule}, one per text row.")


def _check_captions(name: str, rows: ItemColumns) -> None:
    for row in rows:
        if (row.captions > 0) != (state(row.status[name]) == OK):
            got = f"{row.captions} caption rows and the status '{row.status[name]}'"
            raise UserError("embedding", f"Item {row.id!r} has {got}; text is ok exactly when it has a row.")


def _check_finite(
    name: str,
    vectors: NDArray[np.float32],
    holders: NDArray[np.int64],
    rows: ItemColumns,
    ok: NDArray[np.bool_],
) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(flat := vectors.reshape(-1), flat)):
            return  # one pass and no mask: a sum of squares is finite only where every number is
    bad = holders[~np.isfinite(vectors).all(axis=1)]
    bad = bad[ok[bad]]
    if len(bad):
        remedy = "Give it the status 'failed: ...' or fix the encoder."
        raise UserError("embedding", f"The '{name}' vector of item {rows[bad[0]].id!r} is not finite. {remedy}")
