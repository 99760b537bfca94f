"""Whether several stores embedded the same captions of the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gramcli.errors import UserError
from gramcli.exchange.common_items import Matched
from gramcli.exchange.operands import Operand
from gramcli.store.rows import DIGESTS, StoreRows, is_captioned

_REMEDY = "Embed the same captions, or join stores of which only one has text."


@dataclass(frozen=True)
class Captions:
    """The captions of the joined items.

    Attributes:
        counts: How many each item has, shape [items].
        source: Number of the store that says which texts they are, -1 where an item has none, shape [items].
        known: Whether every item's source says so.
        order: Number of a store -> the row that stands in the place of each of its caption rows, where its captions
            stand in another order than in their source.
        notes: What was decided, one sentence each.
    """

    counts: NDArray[np.int64]
    source: NDArray[np.int64]
    known: bool
    order: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def match_captions(operands: Sequence[Operand], rows: Sequence[StoreRows], matched: Matched) -> Captions:
    """Hold the captions of all stores that have texts against each other.

    Args:
        operands: The stores.
        rows: Their rows.
        matched: Their items.

    Raises:
        UserError: An item has other captions, or another number of them, in two stores; names the first case.
    """
    texts = [k for k, operand in enumerate(operands) if is_captioned(tuple(operand.names))]
    work = _Matching(operands, rows, matched)
    for k in sorted(texts, key=lambda k: not rows[k].knows_texts):  # those that say which texts they are come first
        work.add(k)
    for k in texts:
        work.refuse_gaps(k)
    used = {int(k) for k in np.unique(work.source[work.counts > 0])}
    known = bool(texts) and all(rows[k].knows_texts for k in used or texts)
    return Captions(work.counts, work.source, known, work.order, tuple(work.notes))


def caption_rows(starts: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the caption rows of some items, one item after the other.

    Args:
        starts: First row of each item of a store, and one past the last.
        places: Positions of the items.

    Example:
        >>> caption_rows(np.array([0, 2, 2, 5]), np.array([2, 0])).tolist()
        [2, 3, 4, 0, 1]
    """
    counts = np.diff(starts)[places]
    before = np.cumsum(counts) - counts
    found: NDArray[np.int64] = np.arange(int(counts.sum())) + np.repeat(starts[places] - before, counts)
    return found


@dataclass
class _Matching:
    """What is known of the captions after some of the stores."""

    operands: Sequence[Operand]
    rows: Sequence[StoreRows]
    matched: Matched
    counts: NDArray[np.int64] = field(init=False)
    source: NDArray[np.int64] = field(init=False)
    notes: list[str] = field(default_factory=list)
    order: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.matched.items)
        self.counts, self.source = np.zeros(n, np.int64), np.full(n, -1, np.int64)

    def add(self, k: int) -> None:
        """Take the captions of store k, which must be those known before.

        Raises:
            UserError: They are not.
        """
        here, there = self.matched.places[k] >= 0, self.source >= 0
        own = np.zeros_like(self.counts)
        own[here] = np.diff(self.rows[k].caption_starts)[self.matched.places[k][here]]
        both, new = here & there, here & ~there
        self._refuse_counts(k, both & (own != self.counts), own)
        if not self._are_same(k, np.flatnonzero(both & (own > 0))):
            others = ", ".join(self.operands[one].label for one in np.unique(self.source[both]).tolist())
            self.notes.append(
                f"Which texts were embedded is not known of both {self.operands[k].label} and {others}: their captions "
                "were taken for the same by their number and order."
            )
        self.counts[new], self.source[new] = own[new], k

    def refuse_gaps(self, k: int) -> None:
        """Refuse a union in which a caption would have a vector in one text embedding and none in that of store k.

        Raises:
            UserError: It is so.
        """
        gaps = (self.matched.places[k] < 0) & (self.counts > 0)
        if gaps.any():
            first = int(np.argmax(gaps))
            other, label = self.operands[int(self.source[first])].label, self.operands[k].label
            raise UserError(
                "usage",
                f"{self._item(first)} has captions in {other} and is not in {label}, whose text has no row for "
                f"them (items: {int(gaps.sum())}). Join with --items intersection.",
            )

    def _refuse_counts(self, k: int, wrong: NDArray[np.bool_], own: NDArray[np.int64]) -> None:
        if wrong.any():
            first, more = int(np.argmax(wrong)), int(wrong.sum()) - 1
            other, label = self.operands[int(self.source[first])].label, self.operands[k].label
            numbers = f"{self.counts[first]} in {other}, {own[first]} in {label}"
            said = f"{self._item(first)} has another number of captions: {numbers}"
            raise UserError("usage", f"{said}{f', and {more} more differ' if more else ''}. {_REMEDY}")

    def _are_same(self, k: int, items: NDArray[np.int64]) -> bool:
        """Whether the texts of some items are known to be the same in store k and in the items' sources.

        Raises:
            UserError: They are known to differ.
        """
        known = True
        for other in np.unique(self.source[items]).tolist():
            here = items[self.source[items] == other]
            if not (self.rows[k].knows_texts and self.rows[other].knows_texts):
                known = False
                continue
            own, theirs = self._texts(k, here), self._texts(other, here)
            if bool((own != theirs).any()):
                self._reorder(k, other, here, own, theirs)
        return known

    def _reorder(
        self, k: int, other: int, items: NDArray[np.int64], own: NDArray[np.int64], theirs: NDArray[np.int64]
    ) -> None:
        """Take the captions of store k in the order of their source, where they are the same.

        Raises:
            UserError: They are not.
        """
        owner = np.repeat(items, self.counts[items])
        sorted_own, sorted_theirs = np.lexsort((own, owner)), np.lexsort((theirs, owner))
        wrong = np.unique(owner[own[sorted_own] != theirs[sorted_theirs]])
        if len(wrong):
            more = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
            where = f"{self.operands[other].label} than in {self.operands[k].label}"
            raise UserError("usage", f"{self._item(int(wrong[0]))} has other captions in {where}{more}. {_REMEDY}")
        starts = self.rows[k].caption_starts
        rows = caption_rows(starts, self.matched.places[k][items])
        order = self.order.setdefault(k, np.arange(int(starts[-1])))
        order[rows[sorted_theirs]] = rows[sorted_own]
        n, label = len(np.unique(owner[own != theirs])), self.operands[k].label
        has = "item has" if n == 1 else "items have"
        self.notes.append(f"{n:,} {has} the captions in another order in {label}: they were matched by their words.")

    def _texts(self, k: int, items: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self.rows[k]
        found: NDArray[np.int64] = rows.take(DIGESTS, caption_rows(rows.caption_starts, self.matched.places[k][items]))
        return found

    def _item(self, place: int) -> str:
        return f"Item {self.matched.items[place].id!r}"
