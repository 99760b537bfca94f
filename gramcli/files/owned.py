"""Files that a store or heads are made of: an answer that is written over one of them destroys the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

_RECORDS: Final = ("manifest.json", "heads.json")
"""By either a folder is known for a store, or for heads."""
_NAMES: Final = frozenset({*_RECORDS, "items.csv", "inputs.json", "origin.json", "heads.safetensors"})
_SHARDS: Final = "shards"


def refuse_owned(path: Path) -> None:
    """Refuse a name under which a store or heads keep something, in a folder that is one.

    Args:
        path: Where an answer is to be written.

    Raises:
        UserError: It is one of these.
    """
    place = path.resolve()
    folder = place.parent
    within = folder.parent if folder.name == _SHARDS else folder
    own = folder.name == _SHARDS or place.name in _NAMES
    if own and place.is_file() and any((within / name).is_file() for name in _RECORDS):
        raise UserError(
            "usage", f"{path} is a part of {within.name}, which cannot be read without it. Name another file."
        )
