"""Symile: the multilinear inner product of all modality vectors.

Formula: sum over dimensions of q_1 .. q_r m_1 .. m_p. Higher is better; range [-1, 1]; any number of modalities
on either side; with one on each side it is the cosine.

Traps: two sign flips cancel, so MIP(-t, -v, a) = MIP(t, v, a); of unit vectors its size shrinks like
d^(1 - m/2), so values are comparable only at one d and one m.

Loss: each modality in turn asks, -log softmax of MIP / T over its own item and N - 1 negatives made by permuting the
other modalities of the batch independently; the mean over who asks. A negative whose parts are all of the asking
item (or its group) is left out. Items that lack a modality take no part: products of fewer factors are of another size.

Source: Saporta et al., Contrasting with Symile, arXiv:2411.01053, eq. 4 and algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

import torch
from torch import Tensor

from gramcli.methods.base import Formula, ScreenSide, Side, plain_side, spread
from gramcli.methods.batch import LossOptions, anchors, items, read_batch
from gramcli.methods.contrast import temperature_of
from gramcli.methods.product import InnerProduct, product_formula

if TYPE_CHECKING:
    from collections.abc import Mapping


class Symile(InnerProduct):
    """Multilinear inner product: each side multiplies its vectors elementwise once."""

    name = "symile"
    anchored = False

    def check(self, r: int, p: int, d: int) -> None:
        """Every split is accepted."""

    def side(self, z: Tensor, present: Tensor) -> Side:
        """Elementwise product of the vectors that are present, with a power of two taken out of each row.

        A product of k unit vectors has entries of about d^(-k/2), far below the absolute resolution of
        the exact products; brought to [0.5, 1) they keep their digits, and the power goes to `scale`.

        Args:
            z: Unit vectors, shape [k, n, d], float64; zero rows where absent.
            present: Shape [k, n], bool.

        Returns:
            One vector per item, its largest entry in [0.5, 1) (or all zeros).
        """
        product = torch.ones_like(z[0])
        total = torch.zeros_like(z[0, :, :1], dtype=torch.int32)
        for vector, here in zip(z, present, strict=True):
            product = product * torch.where(here.unsqueeze(-1), vector, 1.0)
            exponent = torch.frexp(product.abs().amax(dim=-1, keepdim=True)).exponent
            product, total = torch.ldexp(product, -exponent), total + exponent
        scale = torch.ldexp(torch.ones_like(product[:, 0]), total.squeeze(-1))
        return replace(plain_side(product.unsqueeze(0)), scale=scale)

    def formula(self, gram: Tensor, present: Tensor) -> Formula:
        """The product with the elementwise product of the vectors."""
        return product_formula(torch.ones_like(gram[:1, :1, :]), multiplied=True)

    def keys(self, cross: Tensor, queries: Side, candidates: Side) -> Tensor:
        """The exact products, times both sides' powers of two, which rounds nothing."""
        own_query, own_candidate = spread(queries.scale, candidates.scale, cross)
        return cross[0, 0] * own_query * own_candidate

    def screen_side(self, side: Side, r: int, p: int) -> ScreenSide:
        """The product vectors at their own size: thresholds are keys, and a kernel may compare products with them."""
        return ScreenSide(side.vectors * side.scale.unsqueeze(-1), side.extra[:0])

    def loss(self, embeddings: Mapping[str, Tensor], **options: Unpack[LossOptions]) -> Tensor:
        """Mean over who asks of the loss with sampled negatives; `generator` draws them."""
        batch = read_batch(self.name, embeddings, options, ("anchor",))
        chosen, temperature = anchors(batch, options), temperature_of(options, self.temperature)
        complete = batch.present.all(dim=0)
        with batch.full_precision():
            world = batch.gathered(detach=bool(options.get("detach_gathered", False)))
            can = world.present.all(dim=0)
            if not bool(can.any()):
                return batch.vectors.sum() * 0.0
            own = items(batch.vectors, complete)
            first = int(can[: world.start].sum())
            rows = torch.arange(first, first + own.shape[1], device=can.device)
            groups, everyone = world.groups[can], items(world.vectors, can)
            total = [
                _asked(own, everyone, a, (rows, groups), temperature, options.get("generator")).sum() for a in chosen
            ]
            return torch.stack(total).mean() * (world.ranks / int(can.sum()))


def _asked(
    own: Tensor,
    everyone: Tensor,
    anchor: int,
    places: tuple[Tensor, Tensor],
    temperature: float | Tensor,
    generator: torch.Generator | None,
) -> Tensor:
    """Loss of each of the rank's items [n] when modality `anchor` asks.

    Args:
        own: The rank's rows, shape [m, n, d].
        everyone: All rows, shape [m, N, d].
        anchor: Who asks.
        places: Where the rank's rows are among all, shape [n], and the group of all, shape [N].
        temperature: Divides the logits.
        generator: Draws the permutations; on the CPU, the same on every rank.
    """
    rows, groups = places
    others = [k for k in range(len(own)) if k != anchor]
    positive = own.prod(dim=0).sum(dim=-1)
    negatives = torch.ones_like(everyone[0])
    same = torch.ones(len(rows), len(groups), dtype=torch.bool, device=groups.device)
    for k in others:
        order = torch.randperm(len(groups), generator=generator).to(groups.device)
        negatives = negatives * everyone[k, order]
        same &= groups[rows].unsqueeze(1) == groups[order].unsqueeze(0)
    right = positive / temperature
    logits = (own[anchor] @ negatives.T / temperature).masked_fill(same, -math.inf)
    return logits.scatter(1, rows.unsqueeze(1), right.unsqueeze(1)).logsumexp(dim=1) - right
