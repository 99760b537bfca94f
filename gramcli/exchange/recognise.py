"""Which reader knows the files: the one that is named, or the first of the catalog that takes them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Final

from gramcli.errors import UserError
from gramcli.exchange.base import Operand, Reader, Recognised, wrong
from gramcli.exchange.catalog import FORMATS
from gramcli.media.kinds import shown

_BY_THEMSELVES: Final = (".parquet", ".h5", ".hdf5", ".csd", ".safetensors", ".tar")
_SHOWN: Final = 3  # files that a message names
_DEEPEST: Final = 3  # levels of folders that are looked at for a hint
_MOST_FOLDERS: Final = 50
_MOST_ENTRIES: Final = 1000


def recognised(operands: Sequence[Operand], named: str | None) -> list[Recognised]:
    """Read what some files hold, without their numbers.

    Args:
        operands: The files.
        named: The format, where the user names it; else it is recognised from what the files hold.

    Returns:
        One entry, or one for each group of files of one format.

    Raises:
        UserError: A file is of no known format, not of the named one, or damaged.
    """
    if named is None and not any(one.name for one in operands):
        for row in FORMATS:
            found = _reader(row.name)(operands)
            if found is not None:
                return [found]
    groups: dict[tuple[str, str | None], list[Operand]] = {}
    for one in operands:
        name = named or _format_of(one)
        groups.setdefault((name, None if name in ("arrays", "gram") else one.name), []).append(one)
    return [part for (name, _), group in groups.items() for part in _read(group, name)]


def _reader(name: str) -> Reader:
    reader: Reader = FORMATS.load(name)
    return reader


def _format_of(one: Operand) -> str:
    for row in FORMATS:
        if _reader(row.name)([one]) is not None:
            return row.name
    what = "a folder" if one.is_folder else "a file"
    known = ", ".join(FORMATS.names())
    start = "" if one.is_folder else f" (it starts with {_printable(one.head[:16])!r})"
    hint = _below(one) or _inside(one.path) if one.is_folder else ""
    raise UserError(
        "input",
        f"{shown(one.path)} is {what} of no known format{start}.{hint} "
        f"Name it with --from; known: {known} (gram import --formats tells what each looks like).",
    )


def _below(one: Operand) -> str:
    """Name a folder below that is of a known format."""
    for folder in _folders_below(one.path):
        row = next((row.name for row in FORMATS if _takes(row.name, replace(one, path=folder))), None)
        if row is not None:
            return f" Its folder {shown(folder)} is of the format '{row}': name that."
    return ""


def _inside(folder: Path) -> str:
    """Name the files of a folder that might be of a known format by themselves."""
    counts = Counter(Path(entry.name).suffix for entry in _scanned(folder) if entry.is_file())
    held = [(n, suffix) for suffix, n in counts.items() if suffix in _BY_THEMSELVES]
    if not held:
        return ""
    n, suffix = max(held)
    return (
        f" It holds {n:,} {suffix} file{'s' * (n > 1)}: name {'those' if n > 1 else 'that'}, {shown(folder)}/*{suffix}."
    )


def _folders_below(path: Path) -> list[Path]:
    """Some folders below a folder, the nearest first."""
    found, level = list[Path](), [path]
    for _ in range(_DEEPEST):
        level = [Path(entry) for folder in level for entry in _scanned(folder) if entry.is_dir(follow_symlinks=False)]
        level = level[: _MOST_FOLDERS - len(found)]
        found += level
    return found


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, _MOST_ENTRIES), key=lambda entry: entry.name)
    except OSError:
        return []


def _takes(name: str, one: Operand) -> bool:
    try:
        return _reader(name)([one]) is not None
    except UserError:
        return False  # damaged, or its library is missing: it is not what was asked for


def _printable(head: bytes) -> str:
    return "".join(c if " " <= c <= "~" else "." for c in head.decode("latin-1"))


def _read(operands: Sequence[Operand], name: str) -> list[Recognised]:
    found = _reader(name)(operands)
    if found is None and len(operands) > 1 and all(_reader(name)([one]) is not None for one in operands):
        each = " ".join(f"NAME={quote(shown(one.path))}" for one in operands[:_SHOWN])
        raise wrong(_listed(operands), f"are each of the format '{name}', not one of it together", f"Write {each}")
    if found is None:
        raise wrong(_listed(operands), f"is not of the format '{name}'", "Leave --from out, or name another")
    own = next((one.name for one in operands if one.name), None)
    if own is not None and name not in ("arrays", "gram") and all(one.name == own for one in operands):
        if len(found.features) != 1:
            held = ", ".join(one.name for one in found.features)
            raise wrong(f"{own}={_listed(operands)}", f"names one modality, and it holds {held}", "Leave the name out")
        found.features[0].name = own
    return [found]


def _listed(operands: Sequence[Operand]) -> str:
    first = shown(operands[0].path)
    return first if len(operands) == 1 else f"{first} (with {len(operands) - 1} more)"
