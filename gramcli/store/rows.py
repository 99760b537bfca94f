"""Rows of a store read where they lie, so that what is read in pieces costs the memory of a piece."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from gramcli.errors import UserError
from gramcli.files.reading import check_regular, open_regular
from gramcli.store.layout import TEXT, is_text, read_manifest, shard_file
from gramcli.store.shards import damaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.store.reader import Store

OWNERS: Final = f"{TEXT}.item"
DIGESTS: Final = f"{TEXT}.digest"


@dataclass(frozen=True)
class StoreRows:
    """Any rows of an open store; a shard's checksum is compared once, before anything of it is used.

    Attributes:
        store: The store.

    Raises:
        UserError: The store is seen through heads: its vectors are in memory only.
    """

    store: Store
    _trusted: set[int] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        if read_manifest(self.store.path)["model"] != self.store.manifest["model"]:
            advice = "Write what the heads make of it: gram embed DATA --model heads:DIR --from STORE -o SEEN"
            raise UserError("usage", f"{self.store.path} is seen through heads, which are not in its files. {advice}")

    @property
    def n_shards(self) -> int:
        """How many shards the store has."""
        return len(self.store.manifest["shards"])

    @cached_property
    def caption_starts(self) -> NDArray[np.int64]:
        """First text row of each item, and one past the last row, shape [items + 1]."""
        counts = np.array([row.captions for row in self.store.rows], dtype=np.int64)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])

    @cached_property
    def knows_texts(self) -> bool:
        """Whether every shard says which texts its rows were made from."""
        return is_captioned(self.store.modalities) and all(
            DIGESTS in self._held(index) for index in range(self.n_shards)
        )

    def edges(self, name: str) -> NDArray[np.int64]:
        """First row of each shard of a tensor, and one past the last row, shape [shards + 1].

        Args:
            name: A modality, or `text.item` or `text.digest`.
        """
        n, size = len(self.store.rows), self.store.manifest["shard_size"]
        items = np.minimum(np.arange(self.n_shards + 1, dtype=np.int64) * size, n)
        found: NDArray[np.int64] = self.caption_starts[items] if is_text(name) or name in (OWNERS, DIGESTS) else items
        return found

    def take(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read some rows of a tensor, in the order asked for.

        Args:
            name: A modality, or `text.digest`.
            rows: Their numbers, shape [n].

        Returns:
            Shape [n, d] float32, or [n] int64.

        Raises:
            UserError: A shard is damaged; names the file.
        """
        edges = self.edges(name)
        shards = np.searchsorted(edges, rows, side="right") - 1
        dim = self.store.dims.get(name)
        out: NDArray[Any] = np.empty(len(rows), np.int64) if dim is None else np.empty((len(rows), dim), np.float32)
        for index in np.unique(shards).tolist():
            here = np.flatnonzero(shards == index)
            out[here] = self._of_shard(index, name, rows[here] - edges[index])
        return out

    def shard(self, name: str, index: int) -> NDArray[Any]:
        """Read all rows of a tensor that one shard holds.

        Args:
            name: As for `take`.
            index: The shard's number.

        Raises:
            UserError: As `take`.
        """
        first, last = self.edges(name)[index : index + 2].tolist()
        return self.take(name, np.arange(first, last))

    def _of_shard(self, index: int, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        path = self.store.path / shard_file(index)
        self._trust(index)
        dim, count = self.store.dims.get(name), int(np.diff(self.edges(name)[index : index + 2])[0])
        wanted = ("I64", [count]) if dim is None else ("F32", [count, dim])
        order = np.argsort(rows, kind="stable")
        runs = np.split(order, np.flatnonzero(np.diff(rows[order]) != 1) + 1)
        try:
            with safe_open(path, framework="np") as file:
                tensor = file.get_slice(self.store.stored_name(name))
                if (tensor.get_dtype(), list(tensor.get_shape())) != wanted:
                    raise damaged(path, f"'{name}' is {tensor.get_dtype()} {list(tensor.get_shape())}, not {wanted}")
                parts = [tensor[int(rows[run[0]]) : int(rows[run[-1]]) + 1] for run in runs]
        except (SafetensorError, OSError) as error:
            raise damaged(path, str(error)) from error
        found = np.concatenate(parts)
        if not np.isfinite(found).all():
            raise damaged(path, f"'{name}' has a value that is not finite")
        return found[np.argsort(order, kind="stable")]

    def _held(self, index: int) -> list[str]:
        path = self.store.path / shard_file(index)
        try:
            check_regular(path)
            with safe_open(path, framework="np") as file:
                return list(file.keys())
        except (SafetensorError, OSError) as error:
            raise damaged(path, str(error)) from error

    def _trust(self, index: int) -> None:
        if index in self._trusted:
            return
        shard = self.store.manifest["shards"][index]
        path = self.store.path / shard["file"]
        try:
            with open_regular(path) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise damaged(path, str(error.strerror)) from error
        if found != shard["sha256"]:
            raise damaged(path, "it is not the file that was written")
        self._trusted.add(index)


def is_captioned(names: tuple[str, ...]) -> bool:
    """Whether a store of these embeddings has rows for captions."""
    return any(map(is_text, names))
