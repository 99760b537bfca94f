"""A look at the encoder while `gram embed` runs: does an item give one vector, alone and in a batch?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gramcli.embedding.reading import Missing
from gramcli.encoders.soundness.difference import UNIT, array_of, cosine_difference, tolerance

if TYPE_CHECKING:
    from gramcli.encoders.base import Encoder

_SHARE: Final = 0.02  # of a run's items
_SOON: Final = 0.1  # seconds that nobody minds, however short the run

Inputs = Mapping[str, Sequence[Any]]
Row = dict[str, NDArray[Any]]


@dataclass
class Glance:
    """Encodes one item a second time for each set of modalities, and compares: the cheap part of `gram doctor`.

    Of the first batch of several items the first, which padding would reach, is encoded alone; where items come one by
    one, the first two are encoded together. Inputs are prepared already, so a crop that `prepare` draws at random goes
    unseen. Nothing is done where it would take more than 2 % of the run's items, unless it takes no time. What is
    found is a note; no vector of the store is touched, and what the encoder raises here is let be.

    Attributes:
        encoder: The encoder.
        items: How many the run embeds.
        found: What was found: what it is about -> one sentence.
    """

    encoder: Encoder
    items: int
    found: dict[str, str] = field(default_factory=dict)
    _done: set[frozenset[str]] = field(default_factory=set)
    _first: dict[frozenset[str], tuple[Inputs, Row]] = field(default_factory=dict)

    def look(self, inputs: Inputs, found: Mapping[str, Sequence[Any]], seconds: float) -> None:
        """Look at a batch that was encoded.

        Args:
            inputs: What was encoded: modality to n inputs.
            found: Embedding to n rows, or `Missing` where there is none.
            seconds: How long it took.
        """
        key, n = frozenset(inputs), len(next(iter(inputs.values())))
        row = {name: rows[0] for name, rows in found.items() if not isinstance(rows[0], Missing)}
        if key in self._done or not row:
            return
        earlier = self._first.pop(key, None)
        if n == 1 and earlier is None:
            self._first[key] = ({name: list(given) for name, given in inputs.items()}, row)
            return
        self._done.add(key)
        extra = 1 if n > 1 else 2
        if extra > _SHARE * self.items and extra * seconds / n > _SOON:
            return
        one, before = (_only(inputs), row) if earlier is None else earlier
        batch = one if n > 1 else {name: [*one[name], *inputs[name]] for name in one}
        try:
            self._compare(one, before, batch)
        except Exception:  # a note is not worth a run; what matters is raised where the rows are made
            return

    def _compare(self, one: Inputs, before: Row, again: Inputs) -> None:
        lengths = {name: said for name, row in before.items() if (said := _length_said(row))}
        self.found |= {f"length of {name}": f"{name}: {said}" for name, said in lengths.items()}
        bound = tolerance("cuda", self._precision()).cosine
        after = self.encoder.encode(again)
        moved = {name: self._moved(row, after[name]) for name, row in before.items()}
        if not any(one > bound for one in moved.values()):
            return
        alone = self.encoder.encode(one)
        twice = self.encoder.encode(one)
        for name, gap in moved.items():
            if gap > bound:
                random = self._moved(array_of(alone[name])[0], twice[name]) > bound
                why = "one input gives another vector each time" if random else "a row depends on its batch"
                self.found[f"sameness of {name}"] = (
                    f"{name}: an item's vector differs from itself, alone against in a batch (1 - cos = {gap:.2g}): "
                    f"{why}. See: gram doctor {self.encoder.spec}"
                )

    def _moved(self, before: NDArray[Any], after: Any) -> float:  # noqa: ANN401 - an array or a tensor
        return cosine_difference(np.asarray(before)[None], array_of(after)[:1])

    def _precision(self) -> str:
        """`bf16` where any part of the encoder says so: its rounding is the coarsest."""
        said = self.encoder.describe()
        parts = [said, *(part for part in said.get("encoders", {}).values() if isinstance(part, Mapping))]
        return "bf16" if any(part.get("precision") == "bf16" for part in parts) else "fp32"


def _only(inputs: Inputs) -> Inputs:
    return {name: [given[0]] for name, given in inputs.items()}


def _length_said(row: NDArray[Any]) -> str:
    length = float(np.sqrt((np.asarray(row, dtype=np.float64) ** 2).sum()))
    return "" if abs(length - 1) <= UNIT else f"rows are not of unit length, but for instance {length:.4g}."
