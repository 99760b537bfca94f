"""Which item each row is of: one list of items for all modalities, and for each modality where its rows are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from gramcli.errors import UserError
from gramcli.exchange.arrays import refuse_beyond
from gramcli.exchange.base import Facts, Features, Recognised, wrong
from gramcli.exchange.folding import captions_of_each, folded
from gramcli.exchange.repeats import first_rows
from gramcli.store.layout import TEXT, PlannedItem
from gramcli.store.planned import Columns
from gramcli.store.split_names import normal_splits, split_notes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gramcli.exchange.item_tables import Told


@dataclass
class Placed:
    """One modality whose rows have found their items.

    Attributes:
        features: As recognised.
        rows: Of text: the row of each caption in the order of items, [N]. Else the row of each item, [n], -1 where it
            has none; None where row k is item k's.
        owners: Of text: the position of the item of each caption, never decreasing, [N].
    """

    features: Features
    rows: NDArray[np.int64] | None
    owners: NDArray[np.int64] | None = None


@dataclass
class Matched:
    """Everything that is imported, item by item.

    Attributes:
        ids: Of the items, in order.
        ids_from: Where they come from, in words.
        placed: The modalities.
        facts: Splits, labels and captions by id; splits by their normal names.
        notes: What a reader should know.
    """

    ids: Sequence[str]
    ids_from: str
    placed: list[Placed]
    facts: Facts
    notes: list[str] = field(default_factory=list)


class Places:
    """Id -> position, made when it is first asked for: rows that are told apart by number need none."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids

    @cached_property
    def all(self) -> dict[str, int]:
        """Of all items."""
        return {one: k for k, one in enumerate(self._ids)}


class LazyItems(Sequence[PlannedItem]):
    """The items of a plan, made when they are looked at: of a million only the ids are held.

    Args:
        ids: In order.
        facts: Splits and labels by id.
    """

    def __init__(self, ids: Sequence[str], facts: Facts) -> None:
        self._ids, self._splits, self._labels = ids, facts.splits, facts.labels

    def __len__(self) -> int:
        return len(self._ids)

    def columns(self, positions: range) -> Columns:
        """Return some, one after the other, as columns."""
        ids = self._ids[positions.start : positions.stop]
        return Columns(ids, *(_told_of(ids, facts) for facts in (self._splits, self._labels)))

    @overload
    def __getitem__(self, place: int) -> PlannedItem: ...

    @overload
    def __getitem__(self, place: slice) -> list[PlannedItem]: ...

    def __getitem__(self, place: int | slice) -> PlannedItem | list[PlannedItem]:
        """Return an item, or a list of some."""
        if not isinstance(place, slice):
            one = self._ids[place]
            return PlannedItem(one, self._splits.get(one), self._labels.get(one))
        ids = self._ids[place]
        return list(map(PlannedItem, ids, _told_of(ids, self._splits), _told_of(ids, self._labels)))


def _told_of(ids: Sequence[str], facts: Mapping[str, str]) -> list[str | None]:
    return list(map(facts.get, ids)) if facts else [None] * len(ids)


_UNKNOWN: Final = "Correct the ids, or leave what is not needed out"


def matched(parts: Sequence[Recognised], told: Told, *, fold: bool = True) -> Matched:
    """Bring what several files hold under one list of items.

    Args:
        parts: What the readers found.
        told: What the user's own files say.
        fold: Whether an axis of text that has as many places as each item has captions counts these.

    Returns:
        Items in the order of `--ids` or `--table` where rows have no ids of their own, else as they first come.

    Raises:
        UserError: Rows are more or fewer than ids, an id comes twice, captions are of unknown items, or two files say
            different things of one item.
    """
    features = [one for part in parts for one in part.features]
    _refuse_twice(features)
    for one in features:
        refuse_beyond(one.rows.n, one.source)
    facts = _facts(parts)
    ids, ids_from = _items(features, parts, told)
    _name_rows(parts, ids, told)
    for part in parts:
        _merge(facts, part.facts)
    told.notes += _replaced(facts, told)
    _merge(facts, told.facts)
    known = Places(ids)
    if fold:
        features = [_folded(one, ids, facts, told) for one in features]
    suspect = next((one for one in features if one.meant), None)
    placed = [_placed(one, ids, known, told, facts, suspect) for one in features]
    if facts.splits or facts.labels or facts.captions:
        _check_known(facts, known.all, told)
    names = normal_splits(facts.splits.values())
    facts.splits = {one: names[split] for one, split in facts.splits.items()}
    notes = [*told.notes, *(note for part in parts for note in part.notes), *split_notes(names)]
    notes += [f"{taken_for(one)}." for one in features if one.meant]
    return Matched(ids, ids_from, placed, facts, notes)


def _folded(one: Features, ids: Sequence[str], facts: Facts, told: Told) -> Features:
    """Text of which each item has as many captions as an axis has places, with a row for each."""
    owners = ids if one.ids is None else one.ids
    counts = captions_of_each(one, owners, facts.captions) if one.name == TEXT else None
    if counts is None:
        return one
    fewest, most = int(counts.min()), int(counts.max())
    k = f"{most} captions" if fewest == most else f"{fewest} to {most} captions"
    told.notes.append(f"{one.name}: axis 0 of an item was taken for the {k} of each item; --time-axis 0 pools it.")
    return folded(one, owners, counts)


def taken_for(one: Features) -> str:
    """Say that a modality may be another than its name."""
    either = f"If it is {one.meant}, write {one.meant}=FILE or --rename {one.name}={one.meant}"
    return f"'{one.name}' was taken for a modality of its own. {either}"


def _facts(parts: Sequence[Recognised]) -> Facts:
    return Facts()


def _refuse_twice(features: Sequence[Features]) -> None:
    counts = Counter(one.name for one in features)
    if twice := next((name for name, n in counts.items() if n > 1), None):
        where = [one.source for one in features if one.name == twice]
        raise UserError(
            "input",
            f"Two sources hold the modality '{twice}': {where[0]} and {where[1]}. Name them apart: "
            f"a={where[0].partition(',')[0]}, or --rename.",
        )


def _items(features: Sequence[Features], parts: Sequence[Recognised], told: Told) -> tuple[Sequence[str], str]:
    """All items in order, and where their ids come from."""
    named = [one for one in features if one.ids is not None]
    media = [one for one in named if one.name != TEXT] or named
    listed = next((part.item_ids for part in parts if part.item_ids is not None), None)
    if listed is not None:
        return listed, parts[0].ids
    if named:
        every = list(dict.fromkeys(identity for one in media for identity in one.ids or ()))
        every += _only_text(features, every, told)
        own = next(part.ids for part in parts if any(one.ids is not None for one in part.features))
        if told.ids is not None and (told.by_ids or len(named) < len(features)):
            return _told_items(features, every, told.ids, told) or (every, own)
        return every, own
    if told.ids is not None:
        return told.ids, told.ids_source
    media = [one for one in features if one.name != TEXT] or list(features)
    return list(map(str, range(media[0].rows.n))), "by row"


def _only_text(features: Sequence[Features], others: Sequence[str], told: Told) -> list[str]:
    """Items of which there is text and nothing else; none where text is of other items altogether."""
    text = next((one for one in features if one.name == TEXT), None)
    if text is None:
        return []
    owners = text.ids
    if owners is None:
        owners = told.text_ids if told.text_ids is not None and len(told.text_ids) == text.rows.n else []
    known = set(others)
    alone = [identity for identity in dict.fromkeys(owners) if identity not in known]
    if not alone or known.isdisjoint(owners):
        return []
    has = "item has" if len(alone) == 1 else "items have"
    told.notes.append(f"text: {len(alone):,} {has} text and nothing else, such as '{alone[0]}'.")
    return alone


def _told_items(
    features: Sequence[Features], every: Sequence[str], ids: Sequence[str], told: Told
) -> tuple[Sequence[str], str] | None:
    """Items where some rows have ids of their own and the user names ids too; None where those do not fit the rows.

    Raises:
        UserError: The user's ids are others than those of the files.
    """
    known, unnamed = set(ids), [one for one in features if one.ids is None]
    stranger = next((identity for identity in every if identity not in known), None)
    if stranger is None and len(known) == len(every):
        return ids, told.ids_source
    if told.by_ids and (stranger is not None or not unnamed):
        where = next(one for one in features if one.ids is not None)
        other = stranger if stranger is not None else min(known.difference(every))
        has = "has the item" if stranger is not None else "has ids of its own without"
        lacks = ", which --ids does not name" if stranger is not None else ", which --ids names"
        raise wrong(where.source, f"{has} '{other}'{lacks}", "Leave --ids out, or name the same items")
    if told.by_ids:
        return ids, told.ids_source
    fitting = [one for one in unnamed if one.name != TEXT and one.rows.n == len(ids)]
    if not fitting or known.isdisjoint(every):
        return None
    for one in fitting:
        one.ids = ids
    return list(dict.fromkeys([*ids, *every])), told.ids_source


def _name_rows(parts: Sequence[Recognised], everything: Sequence[str], told: Told) -> None:
    """Give facts that files tell by row to the items of the rows."""
    for part in parts:
        ids = everything
        if told.ids is not None and any(one.ids is told.ids for one in part.features):
            ids = told.ids
        for role, values in part.row_facts.items():
            target: dict[str, Any] = getattr(part.facts, role)
            if len(values) != len(ids):
                if role == "captions":
                    part.notes.append(
                        f"{len(values)} captions for {len(ids)} items were left out: whose they are is not said."
                    )
                    continue
                raise wrong(part.features[0].source, f"has {len(values)} {role} for {len(ids)} items")
            for identity, value in zip(ids, values, strict=True):
                if value is not None:
                    target[identity] = (value,) if role == "captions" and isinstance(value, str) else value


def _merge(into: Facts, more: Facts) -> None:
    """Add facts.

    Raises:
        UserError: They say something else of an item.
    """
    for role in ("splits", "labels"):
        known, added = getattr(into, role), getattr(more, role)
        for identity, value in added.items():
            if known.setdefault(identity, value) != value:
                said = f"'{known[identity]}' and '{value}'"
                raise UserError("input", f"Item '{identity}' has two {role}, {said}. Correct one of the files.")
    into.captions.update(more.captions)


def _replaced(facts: Facts, told: Told) -> list[str]:
    """Say of which items the user's table has other captions than the features' files."""
    other = [one for one, texts in told.facts.captions.items() if facts.captions.get(one, texts) != texts]
    if not other:
        return []
    items = f"{len(other):,} item{'s' * (len(other) > 1)}, such as '{other[0]}'"
    return [f"{told.source} has other captions than the features of {items}: those of {told.source} were taken."]


def _placed(
    one: Features, ids: Sequence[str], known: Places, told: Told, facts: Facts, suspect: Features | None
) -> Placed:
    if one.name == TEXT:
        return _placed_text(one, ids, known, told, facts)
    if one.ids is None:
        if one.rows.n != len(ids):
            raise _unequal(one, len(ids), suspect)
        return Placed(one, None)
    if len(one.ids) != one.rows.n:
        raise wrong(one.source, f"has {one.rows.n:,} rows and {len(one.ids):,} ids")
    more = len(one.ids) - len(set(one.ids))
    if not more and (one.ids is ids or (len(one.ids) == len(ids) and one.ids == ids)):
        return Placed(one, None)
    rows = np.full(len(ids), -1, np.int64)
    if more:
        told.notes.append(f"{one.name}: {more:,} rows that repeat a row of their item were merged with it.")
        for identity, row in first_rows(one, one.ids).items():
            rows[known.all[identity]] = row
        return Placed(one, rows)
    for row, identity in enumerate(one.ids):
        rows[known.all[identity]] = row
    return Placed(one, rows)


def _placed_text(one: Features, ids: Sequence[str], known: Places, told: Told, facts: Facts) -> Placed:
    owners = one.ids
    if owners is None:
        n = one.rows.n
        if told.by_ids and n == len(ids) and (told.text_ids is None or set(told.text_ids) == set(ids)):
            return Placed(one, None, np.arange(n, dtype=np.int64))  # a caption each, and --ids says whose
        if told.text_ids is not None and len(told.text_ids) == n:
            owners = told.text_ids
        elif (counts := [len(facts.captions.get(identity, ())) for identity in ids]) and sum(counts) == n != len(ids):
            owners = [identity for identity, count in zip(ids, counts, strict=True) for _ in range(count)]
        elif n == len(ids):
            return Placed(one, None, np.arange(n, dtype=np.int64))
        else:
            raise _whose(one, len(ids), told)
    if len(owners) != one.rows.n:
        raise wrong(one.source, f"has {one.rows.n:,} rows and {len(owners):,} ids")
    if stranger := next((identity for identity in owners if identity not in known.all), None):
        raise wrong(one.source, f"has a caption of '{stranger}', which is no item", _UNKNOWN)
    places = np.fromiter((known.all[identity] for identity in owners), np.int64, len(owners))
    if len(places) > 1 and (np.diff(places) < 0).any():
        rows = np.argsort(places, kind="stable")
        return Placed(one, rows, places[rows])
    return Placed(one, None, places)


def _whose(one: Features, n: int, told: Told) -> UserError:
    if told.text_ids is not None:
        said = f"has {one.rows.n:,} rows, and {told.source} {len(told.text_ids):,} captions of {n:,} items"
        return wrong(one.source, said, "Give the table of the captions that were embedded, in their order")
    said = f"has {one.rows.n:,} rows for {n:,} items"
    return wrong(one.source, said, "Say whose each is: --table FILE with id and caption, one row per text row")


def _unequal(one: Features, n: int, suspect: Features | None) -> UserError:
    said = f"has {one.rows.n:,} rows for {n:,} items"
    if suspect is not None:
        return wrong(one.source, f"{said}: {taken_for(suspect)}", "Else give the ids of its rows")
    return wrong(one.source, said, "Give the ids of its rows, or features of the same items")


def _check_known(facts: Facts, known: dict[str, int], told: Told) -> None:
    """Refuse captions of items without features; other facts of them are only not needed."""
    told_of = told.facts.captions
    stranger = next((identity for identity in told_of if identity not in known), None)
    if stranger is not None and not any(identity in known for identity in told_of):
        raise UserError(
            "input",
            f"{told.source} has captions of '{stranger}' and no item of the features. {_UNKNOWN}: the ids differ.",
        )
    if told.facts.splits or told.facts.labels or told_of:
        every = {*told.facts.splits, *told.facts.labels, *told_of}
        more = len(every - known.keys())
        if more:
            told.notes.append(
                f"{told.source} names {more:,} items without features, for instance '{min(every - known.keys())}'."
            )
    for role in ("splits", "labels", "captions"):
        held = getattr(facts, role)
        for identity in [one for one in held if one not in known]:
            del held[identity]
