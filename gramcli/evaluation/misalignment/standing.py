"""Where rows stand among mismatched ones: each modality of a row in turn is replaced by that of other items.

The score of a row, the modality in question asking for all others, is held against those of the same row with other
items' vectors in that modality's place. (Who asks matters to cosine, centroid and span; not to the others.) The
distance to their mean in their standard deviations is its z: whatever makes a row a hub or an anti-hub (vectors that
agree with everything, or with nothing) is in both, and cancels. If that modality is of another item too, the row is one
of those that it is held against, so its z is a draw from theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.misalignment.part import Block, Places
from gramcli.methods import get_method
from gramcli.methods.base import AlignmentMethod, Side
from gramcli.modalities import Task
from gramcli.scoring.scores import fast_tile, score_pairs
from gramcli.scoring.screening import Embeddings, Operand, Screen, open_sides, reference_tile

Floats = NDArray[np.float64]

DRAWS: Final = 1000
"""Other items that stand in for each modality of a row; all others where there are fewer."""
_ROUNDING: Final = 2.0**-21  # of the scores of a row: what float32 leaves of others that are all alike


@dataclass(frozen=True)
class Pool:
    """Items of a part whose vectors stand in for those of others.

    Attributes:
        items: Their positions in the store, increasing, shape [P].
        vectors: Modality -> one row of each, [P, d].
    """

    items: Places
    vectors: dict[str, Tensor]

    def own(self, drawn: Places, owners: tuple[Places, ...]) -> tuple[Places, Places]:
        """Place among the drawn ones, and row, wherever a row would be given back a vector of its own items."""
        place = np.full(len(self.items), -1)
        place[drawn] = np.arange(len(drawn))
        found: list[tuple[Places, Places]] = []
        for items in owners:
            near = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
            hit = np.flatnonzero((self.items[near] == items) & (place[near] >= 0))
            found.append((place[near[hit]], hit))
        columns, rows = (np.concatenate(side) for side in zip(*found, strict=True))
        return columns, rows


@dataclass(frozen=True)
class Held:
    """What a method finds of the rows of a block, by unit.

    Attributes:
        score: The method's own measure, exact, [units].
        z: Of each modality, [m, units].
        without: The measure of the others without each modality, [m, units]; NaN where two are all there are.
        z_without: How well these others fit each other: the smallest of their z, [m, units].
    """

    score: Floats
    z: NDArray[np.floating]
    without: Floats
    z_without: NDArray[np.floating]


@dataclass
class Measure:
    """One method on one task's modalities.

    Attributes:
        task: Its modalities.
        method: The measure.
        pool: What stands in for others.
        rest: The method of what is left without a modality: itself, or `cosine` where it takes no two.
    """

    task: Task
    method: AlignmentMethod
    pool: Pool
    rest: AlignmentMethod = field(init=False)
    _prepared: dict[tuple[str, ...], Operand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        m = len(self.task.modalities)
        d = next(iter(self.pool.vectors.values())).shape[1]
        self.rest = self.method if m > 2 and _takes(self.method, m - 1, d) else get_method("cosine")

    def hold(self, block: Block, drawn: Places, *, exact: bool = True) -> Held:
        """Find where the rows of a block stand.

        Args:
            block: The rows.
            drawn: Which of the pool stand in, increasing.
            exact: Whether the scores themselves are wanted, and not only the z.
        """
        names = self.task.modalities
        z = self._z(self.method, names, block, drawn)
        score = self._scores(self.method, self.task, block) if exact else np.full(z.shape[1], np.nan)
        left, z_left = np.full(z.shape, np.nan), np.full(z.shape, np.nan)
        if len(names) > 2:
            for k, name in enumerate(names):
                others = _without(self.task, name)
                z_left[k] = self._z(self.rest, others.modalities, block, drawn).min(axis=0)
                if exact:
                    left[k] = self._scores(self.rest, others, block)
        return Held(score, z, left, z_left)

    def _scores(self, method: AlignmentMethod, task: Task, block: Block) -> Floats:
        sides = ({name: block.vectors[name] for name in side} for side in (task.query, task.candidates))
        return block.mean(score_pairs(method, *sides).numpy())

    def _z(self, method: AlignmentMethod, names: tuple[str, ...], block: Block, drawn: Places) -> Floats:
        own = self.pool.own(drawn, block.owners)
        return np.stack([block.mean(self._z_of(method, name, names, block, drawn, own)) for name in names])

    def _z_of(
        self,
        method: AlignmentMethod,
        name: str,
        names: tuple[str, ...],
        block: Block,
        drawn: Places,
        own: tuple[Places, Places],
    ) -> Floats:
        """Z of one modality of every row, shape [rows]."""
        others = tuple(one for one in names if one != name)
        asking, answering = open_sides(method, {name: block.vectors[name]}, {one: block.vectors[one] for one in others})
        every = torch.arange(len(block))
        side = answering.side(method, every)
        tile = self._tile(method, name, others, side, answering, drawn)
        return _standing(_matched(method, asking.side(method, every), side), tile, own)

    def _tile(
        self,
        method: AlignmentMethod,
        name: str,
        others: tuple[str, ...],
        side: Side,
        answering: Embeddings,
        drawn: Places,
    ) -> Tensor:
        """Scores of the drawn vectors with the rest of each row, higher is better, shape [drawn, rows]."""
        screen = Screen(method, 1, len(others), answering.d, torch.float32, answering.device)
        chosen = torch.from_numpy(drawn)
        if not screen.usable:
            return method.ordered(reference_tile(method, self._pool_side(method, name, others, chosen), side))
        key = (method.name, name, *others)
        if key not in self._prepared:
            everyone = torch.arange(len(self.pool.items))
            self._prepared[key] = screen.operand(self._pool_side(method, name, others, everyone))
        return method.ordered(fast_tile(screen, self._prepared[key].take(chosen), screen.operand(side)))

    def _pool_side(self, method: AlignmentMethod, name: str, others: tuple[str, ...], rows: Tensor) -> Side:
        held = self.pool.vectors
        asking, _ = open_sides(method, {name: held[name]}, {one: held[one] for one in others})
        return asking.side(method, rows)


def _matched(method: AlignmentMethod, asking: Side, answering: Side) -> Tensor:
    """Scores of matched rows in float64, higher is better, shape [rows]; without the last bit's guarantee."""
    cross = (asking.vectors.unsqueeze(1) * answering.vectors.unsqueeze(0)).sum(dim=-1)
    return method.ordered(method.keys(cross, asking, answering))


def _standing(matched: Tensor, tile: Tensor, own: tuple[Places, Places]) -> Floats:
    """Distance of each row's score to the mean of its column, in standard deviations, its own vectors left out.

    0 where only rounding tells the others of a column apart.
    """
    largest = torch.maximum(tile.amax(dim=0), -tile.amin(dim=0)).double()
    centre = tile.mean(dim=0)
    tile -= centre  # in its own dtype: sums of centred values lose nothing that a z has
    columns, rows = (torch.from_numpy(one) for one in own)
    again = tile[columns, rows].double()
    counts = torch.full((tile.shape[1],), float(tile.shape[0]), dtype=torch.float64)
    counts.index_add_(0, rows, -torch.ones_like(again))
    sums = tile.sum(dim=0).double().index_add_(0, rows, -again)
    squares = tile.square_().sum(dim=0).double().index_add_(0, rows, -again.square())
    mean = sums / counts
    spread = ((squares - sums * mean) / (counts - 1)).clamp(min=0).sqrt()
    told = spread > _ROUNDING * largest
    found: Floats = torch.where(told, (matched - centre.double() - mean) / torch.where(told, spread, 1.0), 0.0).numpy()
    return found


def _without(task: Task, name: str) -> Task:
    """The task of the other modalities; the first of them asks where nobody else does."""
    query, candidates = (tuple(one for one in side if one != name) for side in (task.query, task.candidates))
    rest = (*query, *candidates)
    return Task(query, candidates) if query and candidates else Task(rest[:1], rest[1:])


def _takes(method: AlignmentMethod, m: int, d: int) -> bool:
    try:
        method.check(1, m - 1, d)
    except UserError:
        return False
    return True
