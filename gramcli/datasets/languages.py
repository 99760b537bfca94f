"""Subtitles named after a video and a language: `talk.en.vtt` beside `talk.mp4`."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

# A language as players name it, with a region or script, and what kind of subtitle it is.
_LANGUAGE: Final = re.compile(
    r"(?P<stem>.+?)\.[a-z]{2,3}(?:[-_][a-z0-9]+)*(?:\.(?:auto|cc|forced|orig|sdh))*", re.IGNORECASE
)
_MEDIA: Final = frozenset({"video", "audio", "image"})
_NAMED: Final = 3


def take_by_language(stems: dict[str, dict[str, Path]]) -> list[str]:
    """Give items the subtitles that are named after them and a language, where they have none of their own.

    Args:
        stems: Per stem, the files by their kind; changed in place.

    Returns:
        Notes on what was taken, and on what was not because several languages are there.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for stem, files in stems.items():
        named = _LANGUAGE.fullmatch(stem)
        if named and files.keys() == {"subtitle"} and stems.get(named["stem"], {}).keys() & _MEDIA:
            found[named["stem"]].append(stem)
    taken: list[Path] = []
    unclear: list[Path] = []
    for item, named_so in found.items():
        subtitles = [stems[stem]["subtitle"] for stem in named_so]
        if len(subtitles) == 1 and "subtitle" not in stems[item]:
            stems[item]["subtitle"] = subtitles[0]
            taken += subtitles
        else:
            unclear += subtitles
        for stem in named_so:
            del stems[stem]
    return [
        *_note("Subtitles named after a language were taken for the item beside them", taken),
        *_note("Subtitles of several languages beside one item, or besides its own, were left out", unclear),
    ]


def _note(what: str, files: list[Path]) -> list[str]:
    if not files:
        return []
    names = sorted(shown(path).rpartition("/")[2] for path in files)
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return [f"{what}: {', '.join(names[:_NAMED])}{more}."]
