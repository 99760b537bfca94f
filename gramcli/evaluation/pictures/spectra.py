"""Singular values of the vectors of an item, and what they are when one side is another item's."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from gramcli.errors import UserError
from gramcli.evaluation.pictures.histograms import histogram
from gramcli.evaluation.pictures.pairs import positive_rows
from gramcli.evaluation.selection import Selection
from gramcli.metrics.geometry import joint
from gramcli.metrics.geometry.rows import subsample
from gramcli.results.pictures import Spectrum, Spread

MOST: Final = 20_000
"""Matched instances beyond which a seeded sample is taken."""

_TAILS: Final = (0.05, 0.95)


def spectrum(selection: Selection, seed: int) -> Spectrum:
    """Singular values of matched instances, and of each query with the candidate side of another item.

    Args:
        selection: Rows of the task.
        seed: Of the sample and of which other item.

    Raises:
        UserError: The vectors are no instances: unequal dimensions.
    """
    query, candidate = positive_rows(selection)
    total, chosen = len(query), subsample(len(query), MOST, seed)
    query, candidate = query[chosen], candidate[chosen]
    matched = _instances(selection, query, candidate)
    others = _others(selection, candidate, seed)
    shuffled = None if others is None else _instances(selection, query, others)
    m = len(selection.task.modalities)
    what = f"all {total:,}" if len(chosen) == total else f"{len(chosen):,} of {total:,} (seed {seed})"
    return Spectrum(
        task=selection.label(),
        modalities=selection.task.modalities,
        n=len(chosen),
        matched=_spreads(matched.singular_values),
        shuffled=() if shuffled is None else _spreads(shuffled.singular_values),
        share=histogram(matched.share.clamp(1 / m, 1.0), 1 / m, 1.0),
        share_shuffled=None if shuffled is None else histogram(shuffled.share.clamp(1 / m, 1.0), 1 / m, 1.0),
        mean_share=float(matched.share.mean()),
        mean_share_shuffled=None if shuffled is None else float(shuffled.share.mean()),
        note=f"{what} matched pairs; shuffled: each with the other side of another item (seed {seed})",
    )


def _instances(selection: Selection, query: Tensor, candidate: Tensor) -> joint.Instances:
    sides = ((selection.queries, query), (selection.candidates, candidate))
    vectors = [x for side, _ in sides for x in side.values()]
    return joint.instances(vectors, [rows for side, rows in sides for _ in side])


def _others(selection: Selection, candidate: Tensor, seed: int) -> Tensor | None:
    """A candidate row of another item for each; None where there is one item only."""
    numbers = {name: k for k, name in enumerate(dict.fromkeys(selection.candidate_ids))}
    item = torch.tensor([numbers[name] for name in selection.candidate_ids])
    try:
        moved = joint.derangements(len(numbers), seed)[0]
    except UserError:
        return None
    first = torch.full((len(numbers),), len(item), dtype=torch.int64)
    first.scatter_reduce_(0, item, torch.arange(len(item)), "amin")
    return first[moved[item[candidate]]]


def _spreads(values: Tensor) -> tuple[Spread, ...]:
    ends = torch.quantile(values, torch.tensor(_TAILS, dtype=values.dtype), dim=0)
    rows = zip(values.mean(dim=0).tolist(), ends[0].tolist(), ends[1].tolist(), strict=True)
    return tuple(Spread(*row) for row in rows)
