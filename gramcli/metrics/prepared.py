"""One side of the fast pass, walked in an order that keeps its tiles' error bounds tight."""

from __future__ import annotations

import torch

from gramcli.scoring import index, parts
from gramcli.screening import Embeddings, Operand, Screen


class Prepared:
    """A side's operands by position in `order`, built once and kept, or built when asked for.

    A tile's bound grows with the largest scale in it (for gram the squared volume of a candidate's own
    modalities), so rows of similar scale are walked together: near-collapsed candidates get tiles of
    their own, with a bound as small as their keys.

    Args:
        side: The embeddings.
        screen: The fast pass; where its method has none, only `order` and `n_degenerate` are made.
        keep: Hold the operand of all rows, k n d numbers, instead of building each part anew.

    Attributes:
        order: Rows in the order they are walked, shape [n], int64.
        n_degenerate: Rows whose own vectors are linearly dependent.
        vectors_per_item: Vectors of each item in the product.
    """

    def __init__(self, side: Embeddings, screen: Screen, keep: bool) -> None:
        self._side, self._screen = side, screen
        self._kept: Operand | None = None
        self.vectors_per_item = 1
        self.n_degenerate = 0
        scale = torch.ones(side.n, dtype=torch.float64)
        for part in parts(side.n, side.chunk):
            prepared = side.side(screen.method, index(part))
            scale[part] = prepared.scale.cpu()
            self.n_degenerate += int(prepared.degenerate.sum())
            self.vectors_per_item = prepared.vectors.shape[0]
            if keep and screen.usable(side.d):
                self._store(part, screen.operand(prepared))
        self.order = torch.arange(side.n)
        if bool((scale != scale[0]).any()):
            self.order = torch.argsort(scale, stable=True)
            self._permute()

    def operand(self, part: slice) -> Operand | None:
        """The operand of positions `part` of the order; None where the method has no fast pass."""
        if self._kept is not None:
            return self._kept.take(part)
        if not self._screen.usable(self._side.d):
            return None
        return self._screen.operand(self._side.side(self._screen.method, self.order[part]))

    def _permute(self) -> None:
        if self._kept is not None:
            self._kept = self._kept.take(self.order.to(self._screen.device))

    def _store(self, part: slice, operand: Operand) -> None:
        if self._kept is None:
            self._kept = operand.room_for(self._side.n)
        self._kept.put(part, operand)
