"""What `gram score` found: a row for every item, in columns of numbers, so that a million of them are small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gramcli.results.readable import Readable
from gramcli.results.records import LeftOut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLAIN: Final = ("score", "z", "percentile", "p_mismatched", "p_aligned", "q", "flagged")
"""Columns that every task has, in order, after those that name the row."""


@dataclass(frozen=True)
class ItemScores:
    """One task under one method.

    Attributes:
        task: Task name.
        method: Method name.
        modalities: Of the task, query first.
        ids: Item of each row.
        captions: Number of the caption within its item, from 0, where captions are scored; None where items are.
        texts: Row of the store's text of each row, where captions are scored.
        columns: Name -> a number for each row: those of `PLAIN`, and of every modality `z_X`, and with three or more
            `without_X` and `z_without_X`.
        culprits: Number of the modality that does not fit, of flagged rows; else -1.
        facts: What was found of all rows together: `n`, `flagged`, `mismatched_share` (of the items, at least),
            `mismatched_share_likeliest`, `lower_quality` (1 where a group of items fits badly, but better than
            mismatched ones: then nothing is flagged), `mismatched_made`, `detected` (share of mismatched items that
            would be flagged), `culprit_right` (how often the modality is named rightly, None where none is).
    """

    task: str
    method: str
    modalities: tuple[str, ...]
    ids: Sequence[str]
    captions: NDArray[np.int64] | None
    texts: NDArray[np.int64] | None
    columns: Mapping[str, NDArray[Any]]
    culprits: NDArray[np.int64]
    facts: Mapping[str, float | int | None]

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, place: int) -> dict[str, Any]:
        """One row, as CSV and JSON have it; what a task has no column of is not in it."""
        culprit = int(self.culprits[place])
        named: dict[str, Any] = {"task": self.task, "method": self.method, "id": self.ids[place]}
        if self.captions is not None:
            named["caption"] = int(self.captions[place])
        plain = {name: self.columns[name][place].item() for name in PLAIN}
        more = {name: values[place].item() for name, values in self.columns.items() if name not in PLAIN}
        return {**named, **plain, "culprit": self.modalities[culprit] if culprit >= 0 else None, **more}

    def worst(self, count: int) -> list[int]:
        """Places of the rows that fit least, worst first."""
        import numpy as np  # noqa: PLC0415 - records are light

        z = self.columns["z"]
        few = np.argpartition(z, min(count, len(z)) - 1)[:count]
        found: list[int] = few[np.lexsort((few, z[few]))].tolist()
        return found


@dataclass(frozen=True, repr=False)
class Scores(Readable):
    """What `gram score` found.

    Attributes:
        provenance: Store, model, versions, rate and seed.
        scores: One entry for each task and method.
        left_out: Items that a task does not cover, and why.
        notes: What a reader must know.
    """

    provenance: dict[str, Any]
    scores: tuple[ItemScores, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def flagged(self) -> frozenset[str]:
        """Ids of items that any task and method flags."""
        return frozenset(
            one.ids[place] for one in self.scores for place in one.columns["flagged"].nonzero()[0].tolist()
        )

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        named = (
            "task",
            "method",
            "id",
            *(("caption",) if any(one.captions is not None for one in self.scores) else ()),
        )
        more = dict.fromkeys(name for one in self.scores for name in one.columns if name not in PLAIN)
        return (*named, *PLAIN, "culprit", *more)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row, one after the other."""
        for one in self.scores:
            for place in range(len(one)):
                yield one.row(place)
