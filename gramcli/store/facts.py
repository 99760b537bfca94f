"""What a store's files must say of each other. A seal tells that nobody edited a file by accident, not who wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gramcli.errors import UserError
from gramcli.store.layout import ITEMS, MANIFEST, OK, is_status, is_text, shard_file, state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gramcli.store.items import ItemRow


def check_shard_names(store: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a manifest whose shards are not those that gram writes: its names, in its folder, as many as it needs.

    Args:
        store: The store's directory.
        manifest: Of a finished store.

    Raises:
        UserError: It names others, or says something else of them than size and checksum.
    """
    try:
        items, size, shards = manifest["counts"]["items"], manifest["shard_size"], manifest["shards"]
        fits = _is_count(items) and _is_count(size) and size > 0
        fits = fits and isinstance(shards, list) and len(shards) == -(-items // size)
        fits = fits and all(one["file"] == shard_file(index) for index, one in enumerate(shards))
        fits = fits and all(_is_count(one["bytes"]) and isinstance(one["sha256"], str) for one in shards)
    except (KeyError, TypeError):
        fits = False
    if not fits:
        raise _contradiction(store / MANIFEST, "its shards are not those that gram writes for so many items")


def check_facts(store: Path, manifest: Mapping[str, Any], rows: Sequence[ItemRow]) -> None:
    """Refuse a store whose manifest and items.csv contradict themselves or each other.

    Args:
        store: The store's directory.
        manifest: Of a finished store.
        rows: Its items.csv.

    Raises:
        UserError: They do; names the file and the first contradiction.
    """
    try:
        found = next(_wrong_rows(manifest, rows), None)
        if found:
            raise _contradiction(store / ITEMS, found)
        found = next(_wrong_counts(manifest, rows), None)
    except (KeyError, TypeError, AttributeError):
        found = "a fact is missing or of another kind"
    if found:
        raise _contradiction(store / MANIFEST, found)


def _wrong_rows(manifest: Mapping[str, Any], rows: Sequence[ItemRow]) -> Iterator[str]:
    """Say what is wrong with items.csv in itself."""
    if rows and list(rows[0].status) != list(manifest["modalities"]):  # every row has the columns of the header
        yield f"its columns are not the modalities of {MANIFEST}"
    seen: set[str] = set()
    statuses: set[str] = set()
    for row in rows:
        if not row.id or row.id in seen:
            yield f"two items have the id {row.id!r}" if row.id else "an item has no id"
        seen.add(row.id)
        statuses.update(row.status.values())
        texts = [status for name, status in row.status.items() if is_text(name)] or [""]
        if row.captions < 0 or any((row.captions > 0) != (state(status) == OK) for status in texts):
            yield f"item {row.id!r} has {row.captions} rows of text, which its status does not allow"
    if bad := next((status for status in statuses if not is_status(status)), None):
        yield f"it has the status {bad[:40]!r}, which gram does not write"


def _wrong_counts(manifest: Mapping[str, Any], rows: Sequence[ItemRow]) -> Iterator[str]:
    """Say where the manifest counts otherwise than items.csv."""
    captions = sum(row.captions for row in rows)
    counts = manifest["counts"]
    if counts["items"] != len(rows):
        yield f"it counts {counts['items']} items, and {ITEMS} has {len(rows)}"
    if counts["captions"] != captions:
        yield f"it counts {counts['captions']} captions, and {ITEMS} has {captions}"
    for name, entry in manifest["modalities"].items():
        held = (captions if is_text(name) else len(rows), sum(state(row.status[name]) == OK for row in rows))
        if not _is_count(entry["dim"]) or entry["dim"] < 1 or (entry["rows"], entry["present"]) != held:
            yield f"what it says of '{name}' does not fit {ITEMS}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _contradiction(path: Path, why: str) -> UserError:
    remedy = "Restore the store from a copy, or write it anew under another name."
    return UserError("store", f"{path} is not what gram wrote: {why}. {remedy}")
