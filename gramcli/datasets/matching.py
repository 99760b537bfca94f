"""Which file belongs to which id: the spellings in circulation, tried one by one, and the best of them taken."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gramcli.datasets.tree import File, without_suffix

_TWO_TIMES: Final = re.compile(r"(.{11,})_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)", re.DOTALL)
_ONE_TIME: Final = re.compile(r"(.{11,})_(\d+(?:\.\d+)?)", re.DOTALL)
_Key = Callable[[str], Hashable | None]


@dataclass(frozen=True)
class Rule:
    """One way file names are spelled.

    Attributes:
        name: For people: how the file's name follows from the id.
        of_id: What an id becomes; None where the rule does not apply to it.
        of_stem: What a file's name without its suffix becomes; the two are compared.
    """

    name: str
    of_id: _Key
    of_stem: _Key


@dataclass(frozen=True)
class Match:
    """The files of a set of ids.

    Attributes:
        rule: Name of the rule that finds most of them; None when none finds any.
        files: Id to file.
        rates: Rule to how many ids it finds: the best, and those that find others than it does.
        doubles: Ids for which there are several files; that of the folder with most matches is taken.
    """

    rule: str | None
    files: Mapping[str, File]
    rates: Mapping[str, int]
    doubles: int = 0


def match(ids: Sequence[str], files: Sequence[File]) -> Match:
    """Find the file of each id under the rule that finds most; the earlier rule where two find the same number.

    Two ids that a rule does not tell apart have no file under it: a segment is never answered by its whole video.

    Args:
        ids: Ids, each once.
        files: Video files, or sound files.

    Returns:
        Files by id, and how many ids each rule finds.

    Example:
        >>> found = match(["v_abc", "v_def"], [File("clips", "abc.mp4"), File("clips", "def.webm")])
        >>> found.rule, dict(found.rates)
        ('id without v_', {'id without v_': 2})
    """
    stems = [(file, file.stem) for file in files]
    found = {rule.name: _candidates(rule, ids, stems) for rule in RULES}
    rates = {name: len(candidates) for name, candidates in found.items() if candidates}
    if not rates:
        return Match(None, {}, {})
    best = max(rates, key=lambda name: rates[name])
    rates = {name: n for name, n in rates.items() if name == best or found[name].keys() != found[best].keys()}
    return Match(best, _chosen(found[best]), rates, sum(len(files) > 1 for files in found[best].values()))


def _candidates(rule: Rule, ids: Sequence[str], stems: Sequence[tuple[File, str]]) -> dict[str, list[File]]:
    keys = {one: rule.of_id(one) for one in ids}
    shared = Counter(keys.values())
    wanted = {key: one for one, key in keys.items() if key is not None and shared[key] == 1}
    found: dict[str, list[File]] = defaultdict(list)
    if wanted:
        for file, stem in stems:
            one = wanted.get(rule.of_stem(stem))
            if one is not None:
                found[one].append(file)
    return found


def _chosen(candidates: Mapping[str, Sequence[File]]) -> dict[str, File]:
    """Of several files of one id, that in the folder which holds most of them."""
    folders = Counter(file.folder for files in candidates.values() for file in files)
    return {
        one: min(files, key=lambda file: (-folders[file.folder], file.folder, file.name))
        for one, files in candidates.items()
    }


def times(text: str) -> tuple[str, float, float] | None:
    """Split `YTID_000179_000189` into what comes before the times, start and end in seconds; None without times.

    Example:
        >>> times("G9zN5TTuGO4_000179_000189"), times("GOD8Bt5LfDE_100.000_110.000"), times("video7010")
        (('G9zN5TTuGO4', 179.0, 189.0), ('GOD8Bt5LfDE', 100.0, 110.0), None)
    """
    found = _TWO_TIMES.fullmatch(text)
    return (found[1], float(found[2]), float(found[3])) if found else None


def _milliseconds(text: str) -> Hashable | None:
    found = times(text)
    return (found[0], found[1] / 1000, found[2] / 1000) if found else None


def _start(text: str) -> Hashable | None:
    if found := times(text):
        return found[:2]
    one = _ONE_TIME.fullmatch(text)
    return (one[1], float(one[2])) if one else None


def _base(text: str) -> Hashable | None:
    found = times(text) or _start(text)
    return found[0] if isinstance(found, tuple) else None


def _same(text: str) -> Hashable:
    return text


def _bare(text: str) -> Hashable | None:
    stem = without_suffix(text)
    return stem if stem != text else None


def _marks_as_underscores(text: str) -> Hashable:
    return re.sub(r"[^a-z0-9]+", "_", without_suffix(text).lower()).strip("_")


RULES: Final = (
    Rule("id", _same, _same),
    Rule("id without its suffix", _bare, _same),
    Rule("v_ before the id", lambda text: f"v_{text}", _same),
    Rule("id without v_", lambda text: text[2:] if text.startswith("v_") else None, _same),
    Rule("Y before the id", lambda text: f"Y{text}", _same),
    Rule("id, times spelled otherwise", times, times),
    Rule("Y before the id, times spelled otherwise", lambda text: times(f"Y{text}"), times),
    Rule("id, times in milliseconds", times, _milliseconds),
    Rule("id, start without end", _start, _start),
    Rule("id without times", _base, _same),
    Rule("Y before the id, without times", lambda text: f"Y{base}" if (base := _base(text)) else None, _same),
    Rule("id in other upper and lower case", str.lower, str.lower),
    Rule("id, other marks written as _", _marks_as_underscores, _marks_as_underscores),
)
"""In order of preference."""
