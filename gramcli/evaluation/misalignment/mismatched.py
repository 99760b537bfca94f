"""Mismatched items made of a store's own: the reference that every item is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from gramcli.evaluation.misalignment.part import Block, Part, Places
from gramcli.evaluation.misalignment.standing import DRAWS, Pool
from gramcli.evaluation.selection import TEXT

POOL: Final = 4096
"""Items whose vectors stand in for those of others, at most."""
_POOL_ROWS: Final = 32_768  # captions of them
_BLOCK_ROWS: Final = 4096
MADE: Final = 3000
"""Mismatched items that are made, at least."""


@dataclass(frozen=True)
class Draw:
    """What is drawn at random for one part, once, from a seed.

    Attributes:
        part: The items.
        chosen: Numbers of the pool's items among the part's, increasing.
        pool: Their vectors.
    """

    part: Part
    chosen: Places
    pool: Pool

    def stand_ins(self, seed: int, number: int) -> Places:
        """Which of the pool stand in for the vectors of a block: all, or some drawn for this block.

        Args:
            seed: Of all that is drawn.
            number: Of the block.
        """
        size = len(self.chosen)
        if size <= DRAWS + 1:
            return np.arange(size)
        return np.sort(np.random.default_rng([seed, 1, number]).choice(size, DRAWS, replace=False))

    def mismatched(self, seed: int) -> Iterator[tuple[str, Block]]:
        """Items of the pool with one modality of another item, each modality as often.

        Args:
            seed: Of all that is drawn.

        Yields:
            The modality that does not belong, and rows; in blocks.
        """
        names, size = self.part.task.modalities, len(self.chosen)
        draw = np.random.default_rng([seed, 2])
        rounds = -(-MADE // (size * len(names)))
        step = max(1, int(_BLOCK_ROWS / max(1.0, float(self.part.captions.mean()))))
        for _ in range(rounds):
            for name in names:
                others = (np.arange(size) + draw.integers(1, size, size)) % size
                for start in range(0, size, step):
                    own, other = self.chosen[start : start + step], self.chosen[others[start : start + step]]
                    sources = {one: other if one == name else own for one in names}
                    yield name, self.part.mixed(sources, own, other)


def draw_pool(part: Part, seed: int) -> Draw:
    """Choose the items whose vectors stand in for others, and read them.

    Args:
        part: The items.
        seed: Of all that is drawn.
    """
    draw = np.random.default_rng([seed, 0])
    mean = float(part.captions.mean()) if TEXT in part.task.modalities else 1.0
    size = min(len(part.items), POOL, max(DRAWS + 1, int(_POOL_ROWS / mean)))
    chosen = np.sort(draw.choice(len(part.items), size, replace=False))
    block = part.block(chosen)
    counts = part.captions[chosen]
    rows = np.cumsum(counts) - counts + draw.integers(0, counts)
    vectors = {name: one[rows] for name, one in block.vectors.items()}
    return Draw(part, chosen, Pool(part.items[chosen], vectors))
