"""Pictures of items, as many as a page has room for."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from gramcli.embedding.workers import Lost, open_pool
from gramcli.errors import UserError
from gramcli.report.escaping import terminal
from gramcli.report.page.looking import Seen, look

MOST: Final = 400
"""Items that are looked at, for one page."""
WORKERS: Final = 4
TIME_LIMIT: Final = 20.0
"""Seconds for the files of one item."""
_TOGETHER: Final = 32
_JPEG: Final = b"\xff\xd8"


@dataclass
class Album:
    """Pictures by item, ready for the page's data.

    Attributes:
        pictures: One entry per item that was looked at.
        places: Item id -> its entry.
        said: What a reader must know, one sentence each.
    """

    pictures: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def album(wanted: Sequence[str], files: Mapping[str, Mapping[str, Path]], room: int) -> Album:
    """Look at the files of items, in processes that a hostile file may take down without harm.

    Args:
        wanted: Ids, the most interesting first.
        files: Item id -> modality -> file.
        room: Bytes of the page that pictures may take.

    Returns:
        What fits.
    """
    there = [name for name in dict.fromkeys(wanted) if files.get(name)]
    found, left = Album(), room
    try:
        with open_pool(look, min(WORKERS, os.cpu_count() or 1), TIME_LIMIT) as pool:
            pending = iter(there[:MOST])
            while left > 0 and (part := list(islice(pending, _TOGETHER))):
                asked = [pool.submit({kind: str(path) for kind, path in files[name].items()}) for name in part]
                for name, one in zip(part, asked, strict=True):
                    picture = _described(one.result())
                    left -= sum(len(str(value)) for value in picture.values()) + 100
                    if left > 0:
                        found.places[name] = len(found.pictures)
                        found.pictures.append(picture)
    except UserError as error:
        found.said.append(f"Pictures are missing: {error}")
    if len(found.pictures) < len(there):
        found.said.append(
            f"Pictures are of {len(found.pictures):,} of the {len(there):,} items that it names, so that it stays "
            "small: those of the queries that it is most about."
        )
    return found


def _described(seen: Seen | Lost) -> dict[str, Any]:
    if isinstance(seen, Lost):
        return {"why": [terminal(seen.reason)]}
    return {
        "frames": _inline(seen.frames),
        "shown": seen.shown,
        "length": None if seen.length is None else _seconds(seen.length),
        "sound": _inline(seen.sound),
        "seconds": _seconds(seen.seconds),
        "why": [terminal(reason) for reason in seen.reasons],
    }


def _inline(data: bytes) -> str | None:
    if not data:
        return None
    kind = "jpeg" if data.startswith(_JPEG) else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 600 else f"{value / 60:.0f} min"
