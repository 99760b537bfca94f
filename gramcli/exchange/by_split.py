"""A file whose outermost keys are splits, as one set of items: the splits one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gramcli.exchange.arrays import ChainRows
from gramcli.exchange.base import Features, Recognised, wrong
from gramcli.exchange.values import ALL_STEPS
from gramcli.store.layout import TEXT

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_split(parts: Mapping[str, Recognised], source: str) -> Recognised:
    """Put the splits of a file one after the other.

    Items without ids are called SPLIT/ROW. Where one id comes in two splits, as numbers of rows do, those are two
    items, and all are called SPLIT/ID. A modality that a split lacks is absent there.

    Args:
        parts: Split -> what was recognised of it.
        source: The file, for messages.

    Raises:
        UserError: A split holds no features, or rows without ids that are not as many for each modality.
    """
    if empty := next((split for split, part in parts.items() if not part.features), None):
        raise wrong(source, f"holds no features in {empty}", "Name a file with arrays of floats")
    first = next(iter(parts.values()))
    notes = [note for part in parts.values() for note in part.notes]
    whole = Recognised(first.format, [], ids=first.ids, notes=notes)
    splits = [_Split(split, part) for split, part in parts.items()]
    if twice := _in_two(splits):
        for one in splits:
            one.apart = True
        whole.notes.append(f"{source} has the item '{twice}' in more than one split: items are called SPLIT/ID.")
    for name in dict.fromkeys(one.name for part in parts.values() for one in part.features):
        whole.features.append(_chained(name, splits, source))
    for one in splits:
        one.tell(whole)
    if all(one.ids is None for one in first.features):
        whole.ids = "split and row"
    return whole


@dataclass
class _Split:
    """One split of a file.

    Attributes:
        name: Of the split.
        part: What was recognised of it.
        apart: Whether its ids are those of other items in other splits.
    """

    name: str
    part: Recognised
    apart: bool = False

    def called(self, identity: str) -> str:
        """What an item is called among those of all splits."""
        return f"{self.name}/{identity}" if self.apart else identity

    @property
    def own_ids(self) -> set[str]:
        """The ids that the file gives."""
        return {identity for one in self.part.features for identity in one.ids or ()}

    @property
    def rows(self) -> list[str]:
        """What rows without ids are called."""
        media = [one for one in self.part.features if one.name != TEXT] or self.part.features
        return [f"{self.name}/{k}" for k in range(media[0].rows.n)]

    def ids_of(self, one: Features) -> list[str]:
        """The items of the rows of a modality.

        Raises:
            UserError: They have no ids, and are more or fewer than those of another.
        """
        if one.ids is not None:
            return list(map(self.called, one.ids))
        rows = self.rows
        if one.rows.n != len(rows):
            said = f"has {one.rows.n:,} rows for {len(rows):,} items in {self.name}"
            raise wrong(one.source, said, "Give the ids of its rows")
        return rows

    def tell(self, whole: Recognised) -> None:
        """Add what this split says of its items."""
        ids = dict.fromkeys(identity for one in self.part.features for identity in self.ids_of(one))
        whole.facts.splits |= dict.fromkeys(ids, self.name)
        for role in ("labels", "captions"):
            target: dict[str, Any] = getattr(whole.facts, role)
            target.update({self.called(one): value for one, value in getattr(self.part.facts, role).items()})
            target.update(self._by_row(role, self.part.row_facts.get(role) or ()))

    def _by_row(self, role: str, values: Sequence[Any]) -> dict[str, Any]:
        rows = self.rows
        if not values:
            return {}
        if len(values) != len(rows):
            raise wrong(self.part.features[0].source, f"has {len(values)} {role} for {len(rows)} items in {self.name}")
        alone = role == "captions"
        return {
            one: (value,) if alone and isinstance(value, str) else value
            for one, value in zip(rows, values, strict=True)
            if value is not None
        }


def _in_two(splits: Iterable[_Split]) -> str | None:
    """An id that comes in two splits."""
    seen: set[str] = set()
    for one in splits:
        ids = one.own_ids
        if twice := seen & ids:
            return min(twice)
        seen |= ids
    return None


def _chained(name: str, splits: Sequence[_Split], source: str) -> Features:
    """A modality of all splits that have it."""
    held = [(split, one) for split in splits for one in split.part.features if one.name == name]
    where = f"{source}, {name}"
    rows = ChainRows([one.rows for _, one in held], where)
    ids = [identity for split, one in held for identity in split.ids_of(one)]
    return Features(name, rows, where, ids, _lengths([one for _, one in held]))


def _lengths(found: Sequence[Features]) -> NDArray[Any] | None:
    """The lengths of all splits; of one that says none, all steps."""
    if all(one.lengths is None for one in found):
        return None
    return np.concatenate(
        [np.full(one.rows.n, ALL_STEPS) if one.lengths is None else one.lengths for one in found], dtype=np.int64
    )
