"""Reading a store. Opening one reads manifest.json and items.csv; vectors are read, and checked, when asked for."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import NotPermittedError, check_regular, open_regular, read_regular
from gramcli.store.facts import check_facts, check_shard_names
from gramcli.store.items import ItemRow, parse_items
from gramcli.store.layout import (
    ITEMS,
    MANIFEST,
    OK,
    SHARDS,
    TEXT,
    Plan,
    PlannedItem,
    digest,
    has_row,
    is_text,
    read_manifest,
    shard_file,
    state,
    table_limit,
)
from gramcli.store.notes import read_notes
from gramcli.store.shards import damaged, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


@dataclass(frozen=True, repr=False)
class Store:
    """A finished embedding store; made by `open_store`.

    Attributes:
        path: Its directory.
        manifest: What manifest.json says.
        rows: items.csv, one row per item.
    """

    path: Path
    manifest: dict[str, Any]
    rows: tuple[ItemRow, ...]
    _loaded: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)
    _trusted: set[str] = field(default_factory=set, repr=False, compare=False)
    _stored_as: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        held = ", ".join(f"{name} {dim}" for name, dim in self.dims.items())
        return f"Store({str(self.path)!r}: {len(self.rows):,} items; {held})"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Item ids in order."""
        return tuple(row.id for row in self.rows)

    @cached_property
    def splits(self) -> tuple[str | None, ...]:
        """Split of each item, None where the dataset has none."""
        return tuple(row.split for row in self.rows)

    @cached_property
    def labels(self) -> tuple[str | None, ...]:
        """Class name of each item, None where the dataset has none."""
        return tuple(row.label for row in self.rows)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the embeddings, in the order they were stored."""
        return tuple(self.manifest["modalities"])

    @property
    def dims(self) -> dict[str, int]:
        """Modality -> dimension."""
        return {name: entry["dim"] for name, entry in self.manifest["modalities"].items()}

    @property
    def shared_space(self) -> bool:
        """Whether the model puts all modalities in one space, so that cosines across them mean something."""
        return bool(self.manifest["model"].get("shared_space", False))

    @property
    def space_unknown(self) -> bool:
        """Whether nobody said if the modalities share a space, as where features were imported without saying."""
        model = self.manifest["model"]
        return "shared_space" in model and model["shared_space"] is None

    @cached_property
    def findings(self) -> dict[str, str]:
        """What was found of the model while the store was made: what it is about -> one sentence.

        Raises:
            UserError: notes.json is damaged.
        """
        return read_notes(self.path)

    def status(self, modality: str) -> list[str]:
        """`ok`, `absent` (both perhaps with a remark after a colon) or `failed: reason` of each item.

        Args:
            modality: One of `modalities`.

        Raises:
            UserError: The store does not hold it.
        """
        self._check(modality)
        name = self._stored_as.get(modality, modality)
        return [row.status[name] for row in self.rows]

    def present(self, modality: str, *, stand_ins: bool = False) -> Tensor:
        """Which items have the embedding.

        Args:
            modality: One of `modalities`.
            stand_ins: Count rows that stand for silence or no words too.

        Returns:
            [items] bool; for text, whether the item has at least one caption.

        Raises:
            UserError: The store does not hold it.
        """
        found = self.status(modality)
        there = {one: has_row(one) if stand_ins else state(one) == OK for one in set(found)}
        return torch.tensor(list(map(there.__getitem__, found)), dtype=torch.bool)

    def embeddings(self, modality: str) -> Tensor:
        """The vectors of one modality, kept in memory once read; do not change them in place.

        Args:
            modality: One of `modalities`.

        Returns:
            [items, d] float32, zero rows where `present` is False; for text [captions, d].

        Raises:
            UserError: The store does not hold it, or a shard is damaged; names the file.
        """
        self._check(modality)
        entry = self.manifest["modalities"][modality]
        return self._tensor(modality, (entry["rows"], entry["dim"]))

    def in_memory(self, modality: str) -> Tensor | None:
        """The vectors of one modality where they are in memory already; None where only the files hold them."""
        return self._loaded.get(self._stored_as.get(modality, modality))

    def caption_items(self) -> Tensor:
        """Position of the item that owns each text row.

        Returns:
            [captions] int64; empty when the store holds no text.

        Raises:
            UserError: A shard is damaged; names the file.
        """
        if not any(map(is_text, self.modalities)):
            return torch.zeros(0, dtype=torch.int64)
        counts = torch.tensor([row.captions for row in self.rows])
        owners = self._tensor("text.item", (int(counts.sum()),))
        if not torch.equal(owners, torch.repeat_interleave(torch.arange(len(counts)), counts)):
            raise damaged(self.path / SHARDS, f"its rows of text are not those of the items that {ITEMS} names")
        return owners

    def caption_digests(self) -> Tensor | None:
        """What each text row was made from.

        Returns:
            [captions] int64, as `gramcli.store.layout.text_digest`; None where whoever wrote the store did not know the
            texts (`write_store` without `captions`), or did not record them.

        Raises:
            UserError: A shard is damaged; names the file.
        """
        if not any(map(is_text, self.modalities)) or not all(
            self._holds(shard, "text.digest") for shard in self.manifest["shards"]
        ):
            return None
        return self._tensor("text.digest", (self.manifest["counts"]["captions"],))

    def _holds(self, shard: Mapping[str, Any], name: str) -> bool:
        if name in self._loaded:
            return True
        path = self.path / shard["file"]
        try:
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                return name in file.keys()  # noqa: SIM118 - not a mapping
        except (SafetensorError, OSError) as error:
            raise damaged(path, str(error)) from error

    def fingerprint(self) -> str:
        """Return a sha256 over model, dataset, modalities and the shards' hashes: equal for equal content.

        The identity of the media files (their modification times) is left out, so that the same media
        embedded twice have one fingerprint.
        """
        parts = {key: self.manifest[key] for key in ("format", "model", "dataset", "modalities")}
        return digest({**parts, "shards": [shard["sha256"] for shard in self.manifest["shards"]]})

    def verify(self) -> None:
        """Compare every shard with the checksum it was written with, and with what items.csv says of its items.

        Raises:
            UserError: Some differ; names them all.
        """
        found = [self.path / shard["file"] for shard in self.manifest["shards"] if not self._is_whole(shard)]
        if found:
            raise damaged(found[0], f"its checksum is wrong{_more(found[1:])}")
        items = tuple(PlannedItem(row.id, row.split, row.label) for row in self.rows)
        plan = Plan(self.manifest["model"], self.manifest["dataset"], self.dims, items, self.manifest["shard_size"])
        for index in range(plan.n_shards):
            positions = plan.shard_range(index)
            if tuple(read_record(self.path, plan, index).rows) != self.rows[positions.start : positions.stop]:
                raise damaged(self.path / shard_file(index), f"it says of its items what {ITEMS} does not")

    def _is_whole(self, shard: Mapping[str, Any]) -> bool:
        try:
            self._trust(self.path / shard["file"], shard["sha256"])
        except NotPermittedError:
            raise
        except (UserError, OSError):
            return False
        return True

    def under(self, names: Mapping[str, str]) -> Store:
        """The same items with embeddings under other names; nothing is read or copied.

        Args:
            names: New name -> stored one, in the order wanted.
        """
        entries = {new: self.manifest["modalities"][stored] for new, stored in names.items()}
        stored_as = {new: self._stored_as.get(stored, stored) for new, stored in names.items()}
        return replace(self, manifest={**self.manifest, "modalities": entries}, _stored_as=stored_as)

    def stored_name(self, name: str) -> str:
        """What an embedding is called in the files, where `under` gave it another name."""
        return self._stored_as.get(name, name)

    def mapped(self, vectors: Mapping[str, Tensor], model: Mapping[str, Any] | None = None) -> Store:
        """The same items with other vectors, in memory; embeddings of other names are left out.

        Args:
            vectors: Embedding -> as many rows as the store has of it, of any dimension.
            model: What made them; None: that of this store.
        """
        known = self.manifest["modalities"]
        entries = {name: {**known[name], "dim": rows.shape[1]} for name, rows in vectors.items()}
        loaded = {self._stored_as.get(name, name): rows for name, rows in vectors.items()}
        if any(map(is_text, vectors)):
            loaded["text.item"] = self.caption_items()
        manifest = {**self.manifest, "model": self.manifest["model"] if model is None else dict(model)}
        return replace(self, manifest={**manifest, "modalities": entries}, _loaded=loaded)

    def _check(self, modality: str) -> None:
        if modality not in self.modalities:
            known = ", ".join(self.modalities)
            hint = did_you_mean(modality, self.modalities)
            raise UserError("store", f"{self.path} holds no '{modality}'.{hint} It holds: {known}.")

    def _tensor(self, name: str, shape: tuple[int, ...]) -> Tensor:
        name = self._stored_as.get(name, name)
        if name not in self._loaded:
            parts = [self._part(shard, name, shape[1:]) for shard in self.manifest["shards"]]
            rows = sum(map(len, parts))
            if rows != shape[0]:
                raise damaged(self.path / SHARDS, f"'{name}' has {rows} rows, not {shape[0]}")
            whole = torch.cat(parts)
            self._loaded[name] = whole
        return self._loaded[name]

    def _part(self, shard: Mapping[str, Any], name: str, row: tuple[int, ...]) -> Tensor:
        path = self.path / shard["file"]
        try:
            check_regular(path)
            with safe_open(path, framework="pt") as file:
                part: Tensor = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise damaged(path, str(error)) from error
        dtype = torch.int64 if name.startswith(f"{TEXT}.") else torch.float32
        if part.dtype != dtype or part.shape[1:] != row or not part.dim():
            raise damaged(path, f"'{name}' is {part.dtype} {list(part.shape)}, not {dtype} {['n', *row]}")
        if not torch.isfinite(part).all():
            raise damaged(path, f"'{name}' has a value that is not finite")
        self._trust(path, shard["sha256"])
        return part

    def _trust(self, path: Path, sha256: str) -> None:
        if path.name in self._trusted:
            return
        with open_regular(path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise damaged(path, "it is not the file that was written")
        self._trusted.add(path.name)


def open_store(path: str | Path) -> Store:
    """Open a finished store.

    Args:
        path: The directory that `gram embed` wrote.

    Returns:
        The store; its shards are there and have the size they were written with.

    Raises:
        UserError: Not a store, of a newer format, not finished (says how to resume), or a file is missing or damaged.
    """
    path = Path(path)
    loose = False
    try:
        loose = path.is_file()
        what = (
            None if (path / MANIFEST).exists() else "is not an embedding store" if path.exists() else "does not exist"
        )
    except OSError as error:
        what = f"cannot be opened ({error.strerror})"
    if what:
        others = (
            " Embeddings in a file become a store with: gram import FILE -o STORE, or gramcli.store.write_store."
            if loose
            else ""
        )
        raise UserError("store", f"{path} {what}. Write one with: gram embed DATA -o STORE --model MODEL.{others}")
    manifest = read_manifest(path)
    if not manifest["complete"]:
        raise UserError("store", f"{path} is not finished. Run the command that began it again: it resumes.")
    check_shard_names(path, manifest)
    _check_shards(path, manifest)
    rows = _read_items(path, manifest)
    check_facts(path, manifest, rows)
    return Store(path, manifest, rows)


def _more(others: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in others)
    return f", and so are those of {names}" if names else ""


def _check_shards(path: Path, manifest: Mapping[str, Any]) -> None:
    for shard in manifest["shards"]:
        file = path / shard["file"]
        if not file.is_file():
            what = "is no file" if os.path.lexists(file) else "is missing"
            remedy = "Run the command that wrote the store again: only this shard is redone."
            raise UserError("store", f"{file} {what}. {remedy}")
        size = file.stat().st_size
        if size != shard["bytes"]:
            refuse_pointer(file, "store")
            raise damaged(file, f"it has {size} bytes of {shard['bytes']}")


def _read_items(path: Path, manifest: Mapping[str, Any]) -> tuple[ItemRow, ...]:
    file = path / ITEMS
    remedy = "Run the command that wrote the store again: it is rebuilt from the shards."
    try:
        data = read_regular(file, table_limit(manifest["counts"]["items"]))
    except OSError as error:
        raise UserError("store", f"{file} cannot be read ({error.strerror}). {remedy}") from error
    if hashlib.sha256(data).hexdigest() != manifest["items_sha256"]:
        refuse_pointer(file, "store")
        raise UserError("store", f"{file} was changed after gram wrote it. {remedy}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError("store", f"{file} is damaged: it is not UTF-8 text. {remedy}") from error
    return parse_items(text, str(file))
