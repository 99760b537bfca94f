"""What `gram join` is given: stores, and under which names their embeddings are to stand beside each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.store.layout import is_text
from gramcli.store.reader import Store, open_store

Part = str | Path | Store | tuple[str | Path | Store, Mapping[str, str]]
"""A store, by its path or open; with `{stored name: new name}`, or as text `STORE:video=video_b,audio=audio_b`."""

_RENAMES: Final = re.compile(r"(?P<path>.+):(?P<renames>[^:/=,]+=[^:/=,]+(?:,[^:/=,]+=[^:/=,]+)*)", re.DOTALL)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Operand:
    """One of the stores to join.

    Attributes:
        label: What messages call it.
        store: The store.
        names: New name -> stored name, in the store's order.
    """

    label: str
    store: Store
    names: Mapping[str, str]


def parse_operand(text: str) -> tuple[str, dict[str, str]]:
    """Split an operand into a path and what it renames; a path may have colons itself.

    Args:
        text: `STORE` or `STORE:OLD=NEW,OLD=NEW`; what is there under this very name is a path.

    Raises:
        UserError: A name is given two new ones.

    Example:
        >>> parse_operand("runs/a:b:video=video_b,audio=audio_b")
        ('runs/a:b', {'video': 'video_b', 'audio': 'audio_b'})
        >>> parse_operand("runs/a:b")
        ('runs/a:b', {})
    """
    found = _RENAMES.fullmatch(text)
    if not found or _exists(Path(text)):
        return text, {}
    pairs = [pair.split("=") for pair in found["renames"].split(",")]
    renames = {old.strip(): new.strip() for old, new in pairs}
    if len(renames) < len(pairs):
        raise UserError("usage", f"{text} gives one embedding two new names; name each once.")
    return found["path"], renames


def open_operands(parts: Sequence[Part]) -> list[Operand]:
    """Open the stores and put their embeddings under their new names.

    Args:
        parts: At least two.

    Returns:
        One operand for each, in order.

    Raises:
        UserError: Fewer than two, a path that is no store, a name that a store does not hold, a new name for captions
            that is none of a text or the reverse, or two embeddings of one name; names all of these and how to rename.
    """
    if len(parts) < 2:
        raise UserError("usage", "join needs at least two stores, such as: gram join A B:video=video_b -o STORE")
    found = [_opened(part) for part in parts]
    _refuse_doubles(found)
    return found


def _opened(part: Part) -> Operand:
    given, renames = part if isinstance(part, tuple) else (part, {})
    if isinstance(given, str) and not renames:
        given, renames = parse_operand(given)
    store = given if isinstance(given, Store) else open_store(given)
    label = str(store.path)
    for old, new in renames.items():
        if old not in store.modalities:
            hint = did_you_mean(old, store.modalities)
            raise UserError(
                "usage", f"{label} holds no '{old}' to rename.{hint} It holds: {', '.join(store.modalities)}."
            )
        if is_text(old) != is_text(new):
            what = "has a row for each caption" if is_text(old) else "has one row for each item"
            other = "text, or text@ with a word, such as text@b" if is_text(old) else "a name without text before an @"
            raise UserError("usage", f"'{old}' of {label} {what}, so it cannot be called '{new}': call it {other}.")
    names = [renames.get(name, name) for name in store.modalities]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError("usage", f"Two embeddings of {label} would be called '{twice}'; rename them apart.")
    return Operand(label, store, dict(zip(names, store.modalities, strict=True)))


def _refuse_doubles(operands: Sequence[Operand]) -> None:
    """Refuse a name that two stores have; every store's remedy is in the one sentence.

    Raises:
        UserError: There is one.
    """
    holder: dict[str, str] = {}
    for place, operand in enumerate(operands):
        doubles = [name for name in operand.names if name in holder]
        if doubles:
            first = holder[doubles[0]]
            renames = ",".join(f"{operand.names[name]}={_apart(name, place, holder)}" for name in doubles)
            both = f"'{doubles[0]}'" if len(doubles) == 1 else ", ".join(f"'{name}'" for name in doubles)
            raise UserError(
                "usage",
                f"{both} would come from both {first} and {operand.label}; rename one side, such as: "
                f"{operand.label}:{renames}",
            )
        holder |= dict.fromkeys(operand.names, operand.label)


def _apart(name: str, place: int, taken: Mapping[str, str]) -> str:
    """A free name to propose for an embedding of the store in a place."""
    letter = _LETTERS[place % len(_LETTERS)]
    proposed = f"text@{letter}" if is_text(name) else f"{name}_{letter}"
    return proposed if proposed not in taken else f"{proposed}{place + 1}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
