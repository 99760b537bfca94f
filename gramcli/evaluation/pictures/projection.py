"""The map of the modalities: principal components of the unit vectors of items, all modalities together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.pictures.pairs import first_of_each_item
from gramcli.evaluation.selection import Selection
from gramcli.metrics.geometry.pair import modality_gap, modality_gap_chance
from gramcli.metrics.geometry.rows import subsample, unit
from gramcli.results.pictures import Gap, ModalityMap, Point

SHOWN: Final = 200
"""Items that are drawn."""

FITTED: Final = 2_000
"""Items that the components are fitted to."""


def principal_components(x: Tensor, k: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Centre, leading principal directions and their shares of the variance, in float64.

    Args:
        x: Rows, shape [n, d].
        k: How many directions, at most d.

    Returns:
        The mean [d], the directions [k, d] with the largest entry of each positive, and the shares [k]; where rows
        do not vary, shares of 0.

    Example:
        >>> _, directions, shares = principal_components(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), k=1)
        >>> directions.tolist(), shares.tolist()
        ([[1.0, 0.0]], [1.0])
    """
    x = x.double()
    centre = x.mean(dim=0)
    _, sizes, directions = torch.linalg.svd(x - centre, full_matrices=len(x) < k)
    directions = directions[:k]
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    squares = torch.nn.functional.pad(sizes.square(), (0, max(0, k - len(sizes))))
    total = float(squares.sum())
    shares = squares[:k] / total if total > 0 else torch.zeros(k, dtype=torch.float64)
    return centre, directions * torch.where(largest < 0, -1.0, 1.0), shares


def modality_map(selection: Selection, seed: int) -> ModalityMap:
    """Place some items of a task, with one vector of each modality, in the plane of two principal components.

    Args:
        selection: Rows of the task; of several captions of an item the first.
        seed: Of the choice of items.

    Raises:
        UserError: Vectors of one dimension, which make no plane.
    """
    query, candidate = first_of_each_item(selection)
    fitted = subsample(len(query), FITTED, seed)
    shown = fitted[subsample(len(fitted), SHOWN, seed)]
    sides = ((selection.queries, query), (selection.candidates, candidate))
    named = {name: (x, rows) for side, rows in sides for name, x in side.items()}
    if min(x.shape[1] for x, _ in named.values()) < 2:
        raise UserError("embedding", "A map needs vectors of 2 dimensions or more.")
    every = torch.cat([unit(x[rows[fitted]]) for x, rows in named.values()])
    centre, directions, shares = principal_components(every)
    points = tuple(_points(unit(x[rows[shown]]), centre, directions) for x, rows in named.values())
    total = len(query)
    some = f"all {total:,} items" if len(shown) == total else f"{len(shown):,} of {total:,} items (seed {seed})"
    plane = "" if len(fitted) == len(shown) else f"; the plane is that of {len(fitted):,} of them"
    ids = tuple(selection.candidate_ids[k] for k in candidate[shown].tolist())
    explained = (float(shares[0]), float(shares[1]))
    gaps = tuple(_gaps({name: unit(x[rows[fitted]]) for name, (x, rows) in named.items()}))
    return ModalityMap(selection.label(), tuple(named), ids, points, explained, some + plane, gaps)


def _gaps(rows: Mapping[str, Tensor]) -> Iterator[Gap]:
    """Of each pair, over the items that have both: an absent modality is a row of zeros under `--missing zero`."""
    for a, b in combinations(rows, 2):
        both = rows[a].any(dim=1) & rows[b].any(dim=1)
        x, y = rows[a][both], rows[b][both]
        if len(x):
            yield Gap(a, b, modality_gap(x, y), modality_gap_chance(x, y) if len(x) > 1 else None)


def _points(x: Tensor, centre: Tensor, directions: Tensor) -> tuple[Point, ...]:
    return tuple((float(a), float(b)) for a, b in ((x - centre) @ directions.T).tolist())
