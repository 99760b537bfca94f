"""What a store directory holds: file names, the plan that decides its content, and the manifest that records it.

Content identity. A run is resumed only on the plan it was begun with: format, model, dataset, dimensions, shard
size, and one digest each for ids, splits and labels, captions, subtitles and media files. A media file counts as
unchanged while its relative path, size and modification time stay: reading every video again to hash it would cost
as much as decoding it. Modification times live in the manifest only, never in a shard, so shards depend on content.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.files.reading import LARGE, read_regular
from gramcli.modalities import base_of
from gramcli.results.schema import Source, checked, parse_json, read_json
from gramcli.store.planned import check_items, pieces_of
from gramcli.store.schema import COLUMNS, Inputs, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from gramcli.store.planned import Columns

FORMAT: Final = 2
"""The newest that is read: 2 has views, such as `text@video`; a store without them is written as 1."""
MANIFEST: Final = "manifest.json"
ITEMS: Final = "items.csv"
INPUTS: Final = "inputs.json"
SHARDS: Final = "shards"
LOCK: Final = ".lock"
TEXT: Final = "text"
OK: Final = "ok"
ABSENT: Final = "absent"
STAND_IN: Final = "stand-in"
FAILED: Final = "failed"

CAPTIONS: Final = "captions"
SUBTITLES: Final = "subtitles"
MEDIA_FILES: Final = "media files"

_SHORT_DIGEST: Final = 16  # of 64: enough to notice a change
_LONGEST_REASON: Final = 500
_LARGEST_SHARD: Final = 65_536
_LONGEST_ITEM: Final = 2**16  # bytes of one item in items.csv or inputs.json, on average
_AROUND: Final = 2**20
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:@[A-Za-z][A-Za-z0-9_+-]*)?")
_SHARD_FILE: Final = re.compile(r"\d{5,}\.safetensors")


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item of a plan.

    Attributes:
        id: Unique in the store, not empty.
        split: For instance `train`; None or empty when there is none.
        label: Class name, or None.
    """

    id: str
    split: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that decides a store's content before it is computed.

    Attributes:
        model: `encoder.describe()`: JSON-able.
        dataset: `id`, `protocol`, `annotation_sha256`.
        dims: Modality -> dimension, in the order of the columns of items.csv. Any name can be stored.
        items: The items in order.
        shard_size: Items per shard; the last one may be shorter.
        sources: What was read -> digest of its identity (`captions`, `subtitles`, `media files`).
        inputs: Per item, modality -> identity of what it is made from (a file, its texts): JSON-able. Empty where the
            embeddings came from memory.
        digests: The digests of `inputs`, as `input_digests` gives them, where a store is made of another's embeddings.

    Raises:
        UserError: No items, an empty, repeated or unprintable id, a modality name that cannot be a column, a shard size
            outside 1..65536.
    """

    model: Mapping[str, Any]
    dataset: Mapping[str, Any]
    dims: Mapping[str, int]
    items: Sequence[PlannedItem]
    shard_size: int = 64
    sources: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Mapping[str, Any], ...] = ()
    digests: Sequence[Mapping[str, str]] = ()

    def __post_init__(self) -> None:
        check_items(self.items)
        if not 1 <= self.shard_size <= _LARGEST_SHARD:
            raise UserError("usage", f"A shard holds 1 to {_LARGEST_SHARD} items; got {self.shard_size}.")
        for name, dim in self.dims.items():
            if not _NAME.fullmatch(name) or name in COLUMNS:
                rule = f"use letters, digits, _, + and -, @ before what a view is for, and none of {', '.join(COLUMNS)}"
                raise UserError("input", f"'{name}' cannot name an embedding: {rule}.")
            if dim < 1:
                raise UserError("embedding", f"The embedding '{name}' has dimension {dim}; it needs at least 1.")

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the embeddings, in order."""
        return tuple(self.dims)

    @property
    def n_shards(self) -> int:
        """How many shards the store has when it is finished."""
        return -(-len(self.items) // self.shard_size)

    def shard_range(self, index: int) -> range:
        """Positions of the items of shard `index`."""
        return range(index * self.shard_size, min((index + 1) * self.shard_size, len(self.items)))

    def input_digests(self) -> list[dict[str, str]]:
        """Per item, modality -> a short digest of its input's identity: what inputs.json holds."""
        if not self.inputs:
            return [dict(item) for item in self.digests]
        return [{name: input_digest(one) for name, one in item.items()} for item in self.inputs]

    @cached_property
    def _digests(self) -> dict[str, str]:
        """What the items are, as `digest` has it of the whole list, taken piece by piece."""
        ids = (canonical(list(piece.ids)) for piece in pieces_of(self.items))
        labels = map(_canonical_labels, pieces_of(self.items))
        return {"ids": _digest_lists(ids), "splits and labels": _digest_lists(labels)}

    def identity(self) -> dict[str, Any]:
        """The plan as it stands in the manifest, compared before a run is resumed."""
        sources = {**self._digests, **self.sources}
        dims = {name: {"dim": dim, "dtype": "float32"} for name, dim in self.dims.items()}
        plan = {
            "format": FORMAT if any("@" in name for name in self.dims) else 1,
            "model": dict(self.model),
            "dataset": dict(self.dataset),
            "modalities": dims,
            "shard_size": self.shard_size,
            "sources": sources,
        }
        normal: dict[str, Any] = json.loads(json.dumps(plan, allow_nan=False))  # tuples become lists, as on disk
        return normal


def is_text(name: str) -> bool:
    """Whether an embedding is of captions, of which an item has any number: `text`, or a view of it.

    Example:
        >>> is_text("text"), is_text("text@video"), is_text("subtitle")
        (True, True, False)
    """
    return base_of(name) == TEXT


def state(status: str) -> str:
    """Return the first word of a status, before the colon and the reason or remark.

    `ok`; `absent`: the item never had it; `stand-in`: it never had it, and the row is what the encoder makes of
    silence or of no words; `failed`.

    Example:
        >>> state("ok"), state("ok: partial: 20 of 50 frames decode"), state("absent: no audio track")
        ('ok', 'ok', 'absent')
    """
    return status.partition(":")[0]


def has_row(status: str) -> bool:
    """Whether the store holds a vector: of the item's own input, or a stand-in."""
    return state(status) in (OK, STAND_IN)


def is_status(text: str) -> bool:
    """Whether items.csv may hold this as a status: a failure has a reason."""
    return state(text) in (OK, ABSENT, STAND_IN) or text.startswith(f"{FAILED}: ")


def reason_of(status: str) -> str:
    """Return what follows the state, or the state itself where nothing does.

    Example:
        >>> reason_of("failed: a.mp4: file not found"), reason_of("absent")
        ('a.mp4: file not found', 'absent')
    """
    return status.partition(": ")[2] or status


def absent(reason: str) -> str:
    """Return the status of a modality that the item never had."""
    return f"{ABSENT}: {reason}"


def stand_in(reason: str) -> str:
    """Return the status of a modality that the item never had, whose row is the encoding of silence or no words."""
    return f"{STAND_IN}: {reason}"


def failed(reason: str) -> str:
    r"""Return the status of a modality that could not be embedded: one printable line.

    Args:
        reason: Why, for instance the message of a UserError.

    Example:
        >>> failed("a.mp4 is not a video:\n  moov atom not found")
        'failed: a.mp4 is not a video: moov atom not found'
    """
    line = " ".join(reason.split()).encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
    return f"{FAILED}: {line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 3] + '...'}"


def shard_file(index: int) -> str:
    """Name of a shard relative to the store.

    Example:
        >>> shard_file(3)
        'shards/00003.safetensors'
    """
    return f"{SHARDS}/{index:05d}.safetensors"


def is_shard_name(name: str) -> bool:
    """Whether a file of this name in the shards folder is ours."""
    return _SHARD_FILE.fullmatch(name) is not None


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """One byte string per JSON value, whatever the order of its keys; NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the sha256 of a JSON value, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _digest_lists(pieces: Iterable[bytes]) -> str:
    """Return `digest` of a list that need not be in memory: of its pieces as `canonical` writes them, none empty.

    Example:
        >>> _digest_lists([b'["a","b"]', b'["c"]']) == digest(["a", "b", "c"]), _digest_lists([]) == digest([])
        (True, True)
    """
    found = hashlib.sha256(b"[")
    mark = b""
    for piece in pieces:
        found.update(mark + piece[1:-1])
        mark = b","
    found.update(b"]")
    return found.hexdigest()


def _canonical_labels(piece: Columns) -> bytes:
    """Split and label of each item as a canonical list; most stores have none."""
    if not any(piece.splits) and not any(piece.labels):
        return b"[" + b",".join([b"[null,null]"] * len(piece.ids)) + b"]"
    pairs = zip(piece.splits, piece.labels, strict=True)
    return canonical([[split or None, label or None] for split, label in pairs])


def input_digest(identity: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return what inputs.json says of one input."""
    return digest(identity)[:_SHORT_DIGEST]


def text_digest(text: str) -> int:
    """The first 8 bytes of a text's sha256 as an int64: whether two stores embedded the same caption.

    Example:
        >>> text_digest("a dog barks") == text_digest("a dog barked")
        False
    """
    data = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(data[:8], "big", signed=True)


def seal(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest's file content, with the digest by which edits are noticed."""
    sealed = {**manifest, "content_sha256": digest(dict(manifest))}
    return (json.dumps(sealed, indent=2, allow_nan=False) + "\n").encode("ascii")


def read_manifest(store: Path) -> dict[str, Any]:
    """Read and check a store's manifest.json.

    Args:
        store: The store's directory.

    Returns:
        The manifest, of this version's format, as it was written.

    Raises:
        UserError: Unreadable, not a store's, of a newer format, or changed by hand.
    """
    path = store / MANIFEST
    source = Source(path, "store", _restore(store))
    try:
        data = read_regular(path)
    except OSError as error:
        raise source.wrong(f" cannot be read ({error.strerror})") from error
    manifest = parse_json(data, source)
    written = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(written, int) or isinstance(written, bool) or "plan_sha256" not in manifest:
        raise UserError("store", f"{path} is not the manifest of an embedding store; name a directory written by gram.")
    if written > FORMAT:
        versions = f"format {written}, this one reads {FORMAT}"
        raise UserError("store", f"{store} was written by a newer gramcli: {versions}; upgrade gramcli to use it.")
    content = {key: value for key, value in manifest.items() if key != "content_sha256"}
    if manifest.get("content_sha256") != digest(content):
        raise source.wrong(" was changed after gram wrote it")
    checked(content, Manifest, source)
    return content


def read_inputs(store: Path, items: int) -> Inputs:
    """Read what a store's items were made from: inputs.json.

    Args:
        store: The store's directory.
        items: How many it holds.

    Returns:
        Per item, modality -> digest; empty where there is no such file, as in a store made from memory.

    Raises:
        UserError: It is damaged, or of other items.
    """
    path = store / INPUTS
    source = Source(path, "store", "Restore it from a copy, or start anew with --overwrite.")
    try:
        data = read_regular(path, table_limit(items))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise source.wrong(f" cannot be read ({error.strerror})") from error
    found = read_json(data, Inputs, source)
    if len(found) != items:
        raise source.wrong(f" is of {len(found)} items, the store of {items}")
    return found


def table_limit(items: int) -> int:
    """Return how many bytes a file with an entry for each item may have, which is held in memory whole.

    Args:
        items: How many the manifest counts.
    """
    return min(LARGE, _AROUND + items * _LONGEST_ITEM)


def _restore(store: Path) -> str:
    return f"Restore it from a copy, or write the store anew under another name than {store}."
