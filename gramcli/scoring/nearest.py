"""Lists of the best of every asking item as a walk goes, and the k best once it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from gramcli.methods.base import AlignmentMethod
from gramcli.scoring.asked import Nearest
from gramcli.scoring.best import ROWS_AT_ONCE, best_by_reference, best_of
from gramcli.scoring.pairs import pair_keys
from gramcli.scoring.screening import Embeddings

_SPARE: Final = 8


@dataclass
class Lists:
    """The k and a few spare that may be best, by the most their keys can be.

    Attributes:
        n: Items that ask.
        k: How many are wanted.
        high: What keys can be at most, best first, shape [n, k + spare], float32; -inf where there are fewer.
        low: What they are at least.
        place: Rows of the answering side, int32.
    """

    n: int
    k: int
    high: NDArray[np.float32] = field(init=False)
    low: NDArray[np.float32] = field(init=False)
    place: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        shape = (self.n, self.k + _SPARE)
        self.high = np.full(shape, -np.inf, dtype=np.float32)
        self.low, self.place = self.high.copy(), np.zeros(shape, dtype=np.int32)

    def settled(self, method: AlignmentMethod, asking: Embeddings, answering: Embeddings, *, in_order: bool) -> Nearest:
        """The k best of each, by reference keys where bounds do not tell.

        Args:
            method: The measure.
            asking: Side of the n items.
            answering: The other side.
            in_order: Best first, with their keys; else by row.
        """
        high, low = torch.from_numpy(self.high), torch.from_numpy(self.low)
        place = torch.from_numpy(self.place).long()
        k = self.k
        certain_of = low.topk(k, dim=1).values[:, -1:]  # k keys are at least this: whoever stays below is out
        possible = (high >= certain_of) & high.isfinite()
        full = (high[:, -1:] >= certain_of)[:, 0] & high[:, -1].isfinite()
        out_of = high[:, k : k + 1]
        sure = possible & (low > out_of)  # at most k keys can be above the (k + 1)-th highest bound
        ask = possible if in_order else possible & ~sure & (possible.sum(dim=1, keepdim=True) > k)
        keys = torch.where(possible, torch.inf, -torch.inf).double()
        row, slot = ask.nonzero(as_tuple=True)
        keys[row, slot] = pair_keys(method, asking, answering, row, place[row, slot])
        keys[sure & ~ask] = torch.inf
        best, rows = best_of(method, keys, place, k)
        for some in torch.split((full & (answering.n > high.shape[1])).nonzero().flatten(), ROWS_AT_ONCE):
            best[some], rows[some] = best_by_reference(method, answering, asking.side(method, some), k)
        return Nearest(rows, best) if in_order else Nearest(rows.sort(dim=1).values, None)
