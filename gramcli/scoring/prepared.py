"""One side of a pass, walked in an order that keeps its tiles' error bounds tight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gramcli.scoring.scores import parts
from gramcli.scoring.screening import Embeddings, Operand, Screen

_KEPT_BYTES = 224 << 20


@dataclass
class Prepared:
    """A side's operand for one pass, by position in `order`: kept where small, else built when asked for.

    Attributes:
        side: The embeddings.
        screen: The pass.
        order: Rows in the order they are walked, shape [n], int64.
        n_degenerate: Rows whose own vectors are linearly dependent, as `Embeddings.n_degenerate`.
        vectors_per_item: Vectors of each item in the product.
        kept: The operand of all rows, in order, or None.
    """

    side: Embeddings
    screen: Screen
    order: Tensor
    n_degenerate: int
    vectors_per_item: int
    kept: Operand | None
    _latest: tuple[slice, Operand] | None = field(default=None, init=False)

    def operand(self, part: slice) -> Operand:
        """The operand of positions `part` of the order."""
        if self.kept is not None:
            return self.kept.take(part)
        if self._latest is None or self._latest[0] != part:
            self._latest = part, self.screen.operand(self.side.side(self.screen.method, self.order[part]))
        return self._latest[1]

    def chosen(self, part: slice, positions: Tensor) -> tuple[Operand, Tensor]:
        """An operand that holds some positions of a part, and where in it they are.

        Args:
            part: A part of the order.
            positions: Positions within the part, shape [K], int64; they may repeat.
        """
        if self.kept is not None:
            return self.kept.take(part), positions
        few, where = torch.unique(positions, return_inverse=True)
        rows = self.order[part][few.cpu()]
        return self.screen.operand(self.side.side(self.screen.method, rows)), where


def prepare(side: Embeddings, screens: Sequence[Screen], rows: Tensor | None = None) -> list[Prepared]:
    """Look at all rows once, for the passes of one method.

    A tile's bound grows with the largest scale in it (for gram the squared volume of a candidate's own
    modalities), so rows of similar scale are walked together: near-collapsed candidates get tiles of
    their own, with a bound as small as their keys.

    Args:
        side: The embeddings.
        screens: Passes over them; all of one method.
        rows: Only these, int64; None for all.
    """
    method = screens[0].method
    rows = torch.arange(side.n) if rows is None else rows
    keep = _kept(side, len(rows), screens)
    kept: list[Operand | None] = [None] * len(screens)
    scale = torch.ones(len(rows), dtype=torch.float64)
    n_degenerate, vectors_per_item = 0, 1
    for part in parts(len(rows), side.chunk):
        prepared = side.side(method, rows[part])
        scale[part] = prepared.scale.cpu()
        n_degenerate += side.n_degenerate(prepared)
        vectors_per_item = prepared.vectors.shape[0]
        for k, screen in enumerate(screens):
            if keep[k]:
                kept[k] = _store(kept[k], len(rows), part, screen.operand(prepared))
    order = torch.arange(len(rows))
    if bool((scale != scale[0]).any()):
        order = torch.argsort(scale, stable=True)
        kept = [None if operand is None else operand.take(order.to(side.device)) for operand in kept]
    return [
        Prepared(side, screen, rows[order], n_degenerate, vectors_per_item, operand)
        for screen, operand in zip(screens, kept, strict=True)
    ]


def _budget(device: torch.device) -> int:
    """Bytes one side's operands may take together: both sides fill half of what a GPU has free."""
    return int(torch.cuda.mem_get_info(device)[0]) // 4 if device.type == "cuda" else _KEPT_BYTES


def _kept(side: Embeddings, n: int, screens: Sequence[Screen]) -> list[bool]:
    """Which passes' operands are held: in order, as long as they fit the room for them."""
    room, keep = _budget(side.device), []
    for screen in screens:
        size = side.k * n * side.d * screen.storage.itemsize
        keep.append(screen.usable and size <= room)
        room -= size if keep[-1] else 0
    return keep


def _store(kept: Operand | None, n: int, part: slice, operand: Operand) -> Operand:
    if kept is None:
        kept = operand.room_for(n)
    kept.put(part, operand)
    return kept
