"""How figures vary where items are redrawn as queries and candidates together: `--population items`.

An item that is near many queries (a hub) pushes all their answers down. New queries of the same gallery meet the same
hubs; a new gallery has others, so that figures vary by more than their queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gramcli.metrics.intervals import Floats, Integers

HALVES: Final = 400
LISTED: Final = 64
"""Best candidates of each query that have to be known; of a half gallery the first ten are among them."""

_BLOCK_NUMBERS: Final = 1 << 24


@dataclass(frozen=True)
class Rivals:
    """What stands before each query's best right answer.

    Attributes:
        items: Item of each of the wrong answers that score better, the first few of them, -1 behind them; shape [n, L].
        unlisted: Further ones, ties counted half; shape [n].
        owner: Item of each query, shape [n].
        n_items: Items in all.
    """

    items: Integers
    unlisted: Floats
    owner: Integers
    n_items: int


def rivals(best: Integers, above: Floats, owner: Integers, item_of: Integers) -> Rivals:
    """Cut each query's list of best candidates at its best right answer, which is its own item's.

    Args:
        best: Candidates of each query, best first, shape [n, L].
        above: Wrong answers with a better score, those that tie counted half, shape [n].
        owner: Item of each query, shape [n].
        item_of: Item of each candidate, shape [N].
    """
    items = item_of[best]
    wrong = items != owner[:, None]
    before = wrong & (np.cumsum(wrong, axis=1) <= np.floor(above)[:, None])
    n_items = int(max(item_of.max(), owner.max())) + 1
    return Rivals(np.where(before, items, -1), above - before.sum(axis=1), owner, n_items)


def variances(found: Rivals, figures: dict[str, Callable[[Floats], Floats]], seed: int = 0) -> dict[str, float]:
    """Variance of the means of figures of ranks, by leaving out halves of the items: queries and candidates.

    Args:
        found: What stands before the answers.
        figures: Metric to its value at ranks counted from 1.
        seed: Of the halves.

    Returns:
        Metric to the variance of its mean over the queries.

    Source: the delete-d jackknife of Shao and Wu, Annals of Statistics 17 (1989), d = n / 2. It is rather too large
    than too small (Efron and Stein, ibid. 9, 1981).
    """
    generator = np.random.default_rng(seed)
    half = found.n_items // 2
    if half < 1:
        return dict.fromkeys(figures, 0.25)
    order = generator.random((HALVES, found.n_items)).argpartition(half - 1, axis=1)[:, :half]
    kept = np.zeros((HALVES, found.n_items + 1), dtype=bool)  # the last is nobody's: -1
    np.put_along_axis(kept, order, values=True, axis=1)
    by_item = np.ascontiguousarray(kept.T).view(np.uint8)
    sums = {metric: np.zeros(HALVES) for metric in figures}
    asked = np.zeros(HALVES)
    step = max(1, _BLOCK_NUMBERS // (HALVES * found.items.shape[1]))
    for start in range(0, len(found.owner), step):
        part = slice(start, start + step)
        mine = kept[:, found.owner[part]]
        ranks = 1 + _kept_before(by_item, found.items[part]) + found.unlisted[part] / 2
        asked += mine.sum(axis=1)
        for metric, figure in figures.items():
            sums[metric] += (figure(ranks) * mine).sum(axis=1)
    scale = half / (found.n_items - half)
    return {metric: float(np.var(total / np.maximum(asked, 1)) * scale) for metric, total in sums.items()}


def _kept_before(kept: NDArray[np.uint8], items: Integers) -> Integers:
    """How many of the items before each answer are in each half: kept [items, halves], items [n, L] -> [halves, n]."""
    before = items >= 0
    some = before.any(axis=1)
    counts = np.zeros((len(items), kept.shape[1]), dtype=np.int64)
    if some.any():
        starts = np.cumsum(before.sum(axis=1)[some])
        first = np.concatenate([[0], starts[:-1]])
        counts[some] = np.add.reduceat(kept[items[before]], first, axis=0, dtype=np.int64)
    return counts.T  # not copied: sums over queries run in the order of memory, and so do their roundings
