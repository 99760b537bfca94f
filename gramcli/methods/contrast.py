"""InfoNCE in both directions, under any measure: how cosine, centroid, gram, span and triangle learn.

One modality, the anchor, asks; the others of an item answer together. An item's own answer competes with those of all
other items, and its anchor with theirs:

    L = 1/2 mean_i [ CE(s(a_i, m_j) / T over j; i) + CE(s(a_j, m_i) / T over j; i) ]

with s the measure, higher for what is better aligned, T the temperature and CE the cross-entropy with label smoothing.

Source: van den Oord et al., arXiv:1807.03748, eq. 4; as in Cicchetti et al., arXiv:2412.11959, eq. 8 and 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.methods.batch import Batch, World, anchors, items

TEMPERATURE = 0.07
SMOOTHING = 0.1
OPTIONS = ("anchor", "label_smoothing")
"""What these losses take beside the options that all take."""

Measure = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(queries [n, d], candidates [p, N, d], which of them are present [p, N]) -> [n, N], higher is better aligned."""


def info_nce(batch: Batch, measure: Measure, options: Mapping[str, Any]) -> Tensor:
    """Mean loss over the anchors, each against all other modalities of an item.

    Args:
        batch: The rank's rows.
        measure: The differentiable score.
        options: `anchor`, `temperature`, `label_smoothing`, `detach_gathered`.

    Returns:
        The loss, a scalar; 0 where no item has an anchor and another modality.

    Raises:
        UserError: A temperature that is not above 0, or an unknown anchor.
    """
    everything = range(len(batch.names))
    return contrast(batch, measure, [(a, [k for k in everything if k != a]) for a in anchors(batch, options)], options)


def contrast(
    batch: Batch,
    measure: Measure,
    parts: Sequence[tuple[int, list[int]]],
    options: Mapping[str, Any],
    needed: Callable[[Tensor], Tensor] = lambda present: present.any(dim=0),
) -> Tensor:
    """Mean of the losses of several (anchor, other modalities).

    Args:
        batch: The rank's rows.
        measure: The differentiable score.
        parts: Positions of modalities: who asks, and who answers.
        options: As for `info_nce`.
        needed: Which items can answer, [p, N] -> [N]; by default those that have any of the modalities.

    Returns:
        The loss, a scalar; under torch.distributed its mean over the ranks is the loss of the whole batch.
    """
    temperature = temperature_of(options, TEMPERATURE)
    smoothing = options.get("label_smoothing", SMOOTHING)
    if not 0 <= smoothing < 1:
        raise UserError("usage", f"label_smoothing must be at least 0 and below 1; got {smoothing}.")
    detach = bool(options.get("detach_gathered", False))
    world = batch.gathered(detach=detach)
    losses = []
    for anchor, others in parts:
        can = world.present[anchor] & needed(world.present[others])
        if bool(can.any()):
            both = _both_directions(batch, world, (anchor, others), can, measure, detach=detach)
            losses.append(_reduced(both, world, can, temperature, smoothing))
    return torch.stack(losses).mean() if losses else batch.vectors.sum() * 0.0


def _both_directions(
    batch: Batch, world: World, part: tuple[int, list[int]], can: Tensor, measure: Measure, *, detach: bool
) -> tuple[Tensor, Tensor]:
    """Scores of this rank's anchors against all answers, and of its answers against all anchors, both [n, N]."""
    anchor, others = part
    own = can[world.start : world.start + batch.vectors.shape[1]]
    everyone, present = items(world.vectors, can), items(world.present, can)[others]
    asks, answers = everyone[anchor], everyone[others]
    if world.ranks == 1 and not detach:
        scores = measure(asks, answers, present)
        return scores, scores.T
    ours, here = items(batch.vectors, own), items(batch.present, own)[others]
    return measure(ours[anchor], answers, present), measure(asks, ours[others], here).T


def _reduced(
    scores: tuple[Tensor, Tensor], world: World, can: Tensor, temperature: float | Tensor, smoothing: float
) -> Tensor:
    """Mean over the rank's rows and both directions, weighted so that the mean over ranks is that over all rows."""
    forward, backward = scores
    n_all = int(can.sum())
    first = int(can[: world.start].sum())
    own = torch.arange(first, first + forward.shape[0], device=can.device)
    groups = world.groups[can]
    rows = sum(cross_entropy(one / temperature, own, groups, smoothing) for one in (forward, backward))
    return torch.as_tensor(rows).sum() * (0.5 * world.ranks / n_all)


def cross_entropy(logits: Tensor, own: Tensor, groups: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each row with its own column, leaving out other columns of the row's group.

    Args:
        logits: Shape [n, N].
        own: Column of each row's item, shape [n], int64.
        groups: Group of each column's item, shape [N], int64.
        smoothing: Share of the target that is spread over all columns that count.

    Returns:
        Shape [n].
    """
    ordered = groups.sort().values
    if not bool((ordered[1:] == ordered[:-1]).any()):
        return torch.nn.functional.cross_entropy(logits, own, reduction="none", label_smoothing=smoothing)
    excluded = groups[own].unsqueeze(1) == groups.unsqueeze(0)
    excluded[torch.arange(len(own), device=own.device), own] = False
    log_p = logits.masked_fill(excluded, -math.inf).log_softmax(dim=1)
    right = -log_p.gather(1, own.unsqueeze(1)).squeeze(1)
    if not smoothing:
        return right
    evenly = -log_p.masked_fill(excluded, 0.0).sum(dim=1) / (~excluded).sum(dim=1)
    return (1.0 - smoothing) * right + smoothing * evenly


def temperature_of(options: Mapping[str, Any], default: float) -> float | Tensor:
    """The temperature given, or the method's own.

    Raises:
        UserError: It is not above 0, or a tensor of more than one value.
    """
    given: float | Tensor | None = options.get("temperature")
    value = default if given is None else given
    if isinstance(value, Tensor) and value.numel() != 1:
        raise UserError("usage", f"A temperature is one number; got a tensor {list(value.shape)}.")
    number = float(value.detach()) if isinstance(value, Tensor) else float(value)
    if not 0 < number < math.inf:
        raise UserError("usage", f"A temperature must be above 0 and finite; got {number:g}.")
    return value
