"""What is said in timed cues, each line once where captions roll.

Automatic captions repeat: a line that was shown stays while the next one is spoken, so a cue begins with what the cue
before it ended with, or grows word by word. Speech repeats words too; so it takes a file of which most cues do this.
"""

from __future__ import annotations

import html
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIME: Final = r"(?:(\d+):)?(\d+):(\d+)[.,](\d+)"
_TIMING: Final = re.compile(rf"^\s*{_TIME}\s*-->(?:\s*{_TIME})?")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
# A time inside a line: its words are spoken now, so they are new.
_SPOKEN_NOW: Final = re.compile(r"<\d[\d:.]*>")
_HEADING: Final = re.compile(r"^(WEBVTT|NOTE|STYLE|REGION)\b")
# Seconds between cues that belong together.
_GAP: Final = 0.05


@dataclass(frozen=True)
class _Cue:
    """One cue: when it is shown, its lines as they are read, and how many of them may have been said before."""

    start: float
    end: float
    lines: tuple[str, ...]
    old: int

    @property
    def words(self) -> list[str]:
        """Its lines, word by word."""
        return [word for line in self.lines for word in line.split()]


def is_timed(lines: Sequence[str]) -> bool:
    """Say whether a file holds cues."""
    return any(_TIMING.match(line) for line in lines)


def said_lines(lines: Sequence[str]) -> list[str]:
    r"""Return what is said in the cues of a file, in order; a line that stays on screen counts once.

    Args:
        lines: The file's lines.

    Returns:
        Lines without times, numbers, headings, comments and markup.

    Example:
        >>> rolling = "00:01.000 --> 00:02.000\nwe\n\n00:02.000 --> 00:03.000\nwe\nchop"
        >>> said_lines(rolling.split("\n"))
        ['we', 'chop']
    """
    cues = [cue for cue in _cues(lines) if cue.lines]
    if not cues:
        return []
    overlaps = [0, *(_overlap(before, after) for before, after in itertools.pairwise(cues))]
    if not _rolls(cues, overlaps):
        return [line for cue in cues for line in cue.lines]
    return [line for cue, n in zip(cues, overlaps, strict=True) for line in _after(cue.lines, n)]


def _cues(lines: Sequence[str]) -> list[_Cue]:
    cues: list[_Cue] = []
    in_cue = False
    for block in _blocks(lines):
        timed = any(_TIMING.match(line) for line in block)
        # A block without times goes on with the cue before it, which held a blank line.
        in_cue = timed or (in_cue and not _HEADING.match(block[0]))
        if timed:
            cues += _timed(block)
        elif in_cue:
            cues[-1] = _cue(cues[-1].start, cues[-1].end, block, cues[-1])
    return cues


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    return [list(group) for blank, group in itertools.groupby(lines, lambda line: not line.strip()) if not blank]


def _timed(block: list[str]) -> list[_Cue]:
    """Cut a block at its times; what precedes the first is no speech, nor is a bare number before a later one."""
    places = [number for number, line in enumerate(block) if _TIMING.match(line)]
    cues = []
    for place, following in zip(places, [*places[1:], len(block)], strict=True):
        body = block[place + 1 : following]
        if following < len(block) and body and body[-1].strip().isdigit():
            body = body[:-1]
        found = _TIMING.match(block[place])
        times = found.groups() if found else ()
        start = _seconds(times[:4])
        cues.append(_cue(start, _seconds(times[4:]) or start, body))
    return cues


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in (*parts, *("0",) * (4 - len(parts))))
    return int(hours) * 3600.0 + int(minutes) * 60 + float(f"{seconds}.{fraction}")


def _cue(start: float, end: float, body: Sequence[str], before: _Cue | None = None) -> _Cue:
    """Build a cue, or one that goes on with another."""
    lines = [html.unescape(_TAG.sub("", line)) for line in body]
    old = next((number for number, line in enumerate(body) if _SPOKEN_NOW.search(line)), len(lines))
    if before is not None:
        old = before.old if before.old < len(before.lines) else len(before.lines) + old
        lines = [*before.lines, *lines]
    return _Cue(start, end, tuple(lines), old)


def _overlap(before: _Cue, after: _Cue) -> int:
    """Count the words with which a cue repeats the end of the cue before it.

    They must be whole lines in both, or all of the cue before, which then grew; and the two must follow closely unless
    whole lines of a longer cue repeat.
    """
    ended, words = before.words, after.words
    spoken = sum(len(line.split()) for line in after.lines[: after.old])
    ends = list(itertools.accumulate(len(line.split()) for line in after.lines))
    starts = [len(ended) - n for n in [0, *itertools.accumulate(len(line.split()) for line in before.lines)]]
    close = after.start - before.end <= _GAP
    for n in range(min(len(ended), len(words), spoken), 0, -1):
        if ended[-n:] != words[:n] or n not in starts:
            continue
        lines = n in ends
        if (lines and (close or len(ends) > 1)) or (n == len(ended) and close):
            return n
    return 0


def _rolls(cues: Sequence[_Cue], overlaps: Sequence[int]) -> bool:
    """Say whether cues repeat as automatic captions do: half of them or more, and some to go on from there."""
    repeats = sum(n > 0 for n in overlaps)
    goes_on = any(0 < n < len(cue.words) for cue, n in zip(cues, overlaps, strict=True))
    return goes_on and 2 * repeats >= len(cues) - 1


def _after(lines: Sequence[str], n: int) -> list[str]:
    """Drop the first n words of some lines."""
    kept = []
    for line in lines:
        words = line.split()
        if n < len(words):
            kept.append(" ".join(words[n:]))
        n = max(0, n - len(words))
    return kept
