"""The data of the table of queries: ranks, answers, captions and pictures, within the size of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any, Final

from gramcli.report.escaping import script_json, terminal
from gramcli.report.page.album import album
from gramcli.report.page.answering import answers_of
from gramcli.report.page.contenders import Contest, Key

MOST_QUERIES: Final = 2000
"""Of one task in a page."""
MOST_TEXT: Final = 1_400_000
"""Bytes of ranks, answers and captions; queries are left out until they fit."""
MOST_BYTES: Final = 2_900_000
"""Of the whole page."""
LEAST_PICTURES: Final = 200_000
_LONGEST_CAPTION: Final = 300
_MOST_CAPTIONS: Final = 20
_PICTURED_ANSWERS: Final = 3


@dataclass
class _Items:
    """Items by number, in the order in which they are first named."""

    contests: Sequence[Contest]
    numbers: dict[str, int] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def number(self, name: str, *, whole: bool = False) -> int:
        """The item's number; `whole` where all of its captions are wanted."""
        if whole:
            self.whole.add(name)
        return self.numbers.setdefault(name, len(self.numbers))

    def rows(self, places: Mapping[str, int]) -> list[list[Any]]:
        """Id, label, split, captions and number of the picture of each."""
        return [self._row(name, places.get(name, -1)) for name in self.numbers]

    def _row(self, name: str, place: int) -> list[Any]:
        materials = (one.material for contest in self.contests for one in contest.contenders)
        material = next((one for one in materials if name in one.facts), None)
        label, split = material.facts[name] if material else (None, None)
        captions = list(material.captions.get(name, ())) if material else []
        shown = captions[: _MOST_CAPTIONS if name in self.whole else 1]
        return [
            _short(name),
            label and _short(label),
            split and _short(split),
            [_short(one or "") for one in shown],
            place,
        ]


@dataclass(frozen=True)
class Explorer:
    """The table of queries.

    Attributes:
        data: JSON that may stand in a script element.
        said: What a reader must know of it, one sentence each.
    """

    data: str
    said: tuple[str, ...]


def explorer(contests: Sequence[Contest], used: int) -> Explorer | None:
    """Return the data of the table of queries.

    Args:
        contests: What to show; the first is shown first.
        used: Bytes that the rest of the page takes.

    Returns:
        The data; None where there are no queries.
    """
    contests = [one for one in contests if one.queries]
    if not contests:
        return None
    answers = [[answers_of(one) for one in contest.contenders] for contest in contests]
    most = MOST_QUERIES
    while True:
        chosen = [_chosen(contest, most) for contest in contests]
        items = _Items(contests)
        tasks = [_task(*one, items) for one in zip(contests, chosen, answers, strict=True)]
        text = script_json({"tasks": tasks, "items": items.rows({})})
        if len(text.encode()) <= MOST_TEXT or most <= 50:
            break
        most //= 2
    files = {
        name: paths for contest in contests for one in contest.contenders for name, paths in one.material.files.items()
    }
    room = max(LEAST_PICTURES, MOST_BYTES - used - len(text.encode()))
    found = album(list(_wanted(contests, chosen, answers)), files, room)
    data = script_json(
        {"first": _first(contests), "tasks": tasks, "items": items.rows(found.places), "pictures": found.pictures}
    )
    notes = (note for contest in contests for one in contest.contenders for note in one.material.notes)
    said = [*_sampled(contests, chosen), *found.said, *notes]
    return Explorer(data, tuple(dict.fromkeys(said)))


def _first(contests: Sequence[Contest]) -> int:
    """The contest that is shown first: one that is compared, else the first of those with the most modalities."""
    weights = [(one.compared, len(one.task.partition("/")[0])) for one in contests]
    return weights.index(max(weights))


def _chosen(contest: Contest, most: int) -> list[Key]:
    """The queries of a contest that a page shows: half of them the most interesting, half spread over the others."""
    if len(contest.queries) <= most:
        return list(contest.queries)
    ordered = sorted(contest.queries, key=contest.interest, reverse=True)
    first, rest = ordered[: most // 2], set(ordered[most // 2 :])
    others = [key for key in contest.queries if key in rest]
    spread = {others[k * len(others) // (most - len(first))] for k in range(most - len(first))}
    kept = spread | set(first)
    return [key for key in contest.queries if key in kept]


def _sampled(contests: Sequence[Contest], chosen: Sequence[Sequence[Key]]) -> Iterator[str]:
    for contest, kept in zip(contests, chosen, strict=True):
        n, shown = len(contest.queries), len(kept)
        if shown < n:
            what = "changed most" if len(contest.contenders) > 1 else "are ranked worst"
            yield (
                f"Of {contest.title} the table shows {shown:,} of {n:,} queries: the {shown // 2:,} that {what} and "
                "others spread evenly; --per-query writes all."
            )


def _task(
    contest: Contest, chosen: Sequence[Key], answers: Sequence[Mapping[Key, tuple[str, ...]]], items: _Items
) -> dict[str, Any]:
    a, b = contest.shown_first
    places = range(len(contest.contenders))
    return {
        "task": terminal(contest.title),
        "asks": contest.asks,
        "gallery": max(one.vector.n_candidates for one in contest.contenders),
        "contenders": [_short(f"{one.letter} {one.name}".strip()) for one in contest.contenders],
        "short": [one.letter or _short(one.name) for one in contest.contenders],
        "a": a,
        "b": b,
        "queries": [items.number(name, whole=True) for name, _ in chosen],
        "captions": [number for _, number in chosen],
        "ranks": [[_compact(contest.rank(place, key)) for place in places] for key in chosen],
        "best": [_shared([[items.number(name) for name in found.get(key, ())] for found in answers]) for key in chosen],
    }


def _shared(lists: Sequence[list[int]]) -> list[list[int] | int]:
    """The lists, those that another contender has already as its place.

    Example:
        >>> _shared([[1, 2], [2, 1], [1, 2]])
        [[1, 2], [2, 1], 0]
    """
    places = [lists.index(one) for one in lists]
    return [one if place == number else place for number, (one, place) in enumerate(zip(lists, places, strict=True))]


def _wanted(
    contests: Sequence[Contest],
    chosen: Sequence[Sequence[Key]],
    answers: Sequence[Sequence[Mapping[Key, tuple[str, ...]]]],
) -> Iterator[str]:
    """Ids in the order in which they deserve a picture: the contests in turn, their most interesting queries first."""
    ordered = [sorted(kept, key=contest.interest, reverse=True) for contest, kept in zip(contests, chosen, strict=True)]
    for turn in zip_longest(*ordered):
        for key, found in zip(turn, answers, strict=True):
            if key is not None:
                yield key[0]
                yield from chain.from_iterable(one.get(key, ())[:_PICTURED_ANSWERS] for one in found)


def _compact(rank: float | None) -> float | int | None:
    return int(rank) if rank is not None and rank == int(rank) else rank


def _short(text: str) -> str:
    found = terminal(text)
    return found if len(found) <= _LONGEST_CAPTION else f"{found[: _LONGEST_CAPTION - 1]}\u2026"
