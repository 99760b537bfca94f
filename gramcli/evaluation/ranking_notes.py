"""What a reader must know of one ranking beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from gramcli.evaluation.selection import TEXT, Selection
from gramcli.scoring.ranking import Ranks
from gramcli.scoring.ties import Ties

TIE_RULES: Final[dict[Ties, str]] = {
    "mean": "figures are expectations over all orders of the tied ones",
    "optimistic": "ranks take the best place of the tied range",
    "pessimistic": "ranks take the last place of the tied range",
}


def ranking_notes(selection: Selection, name: str, ranks: Ranks, duplicates: int, ties: Ties) -> list[str]:
    """Sentences about one task under one method.

    Args:
        selection: The task's rows.
        name: The method.
        ranks: Its ranks.
        duplicates: Texts whose vector is that of a text of another item.
        ties: Where a right answer stands that ties.
    """
    notes, task = [], selection.label()
    forwards = True in selection.directions
    if ranks.n_degenerate and forwards:
        notes.append(degenerate_note(selection, ranks.n_degenerate))
    if duplicates and forwards:
        notes.append(
            f"{task}: {duplicates} texts have, bit for bit, the vector of a text of another item, so no method can "
            "tell their items apart: equal captions, or a model that makes one vector of several."
        )
    if selection.task.candidates == (TEXT,) and len(selection.candidate_ids) > len(selection.query_ids):
        other = selection.task.reversed().name
        notes.append(f"{task}: items have several captions; --task {other} also gives {task}_maxpool.")
    if forwards and (tied := int((ranks.forward_ties > 0).sum())):
        notes.append(
            f"{task} {name}: {tied} of {len(selection.query_ids)} queries tie with their best answer; "
            f"{TIE_RULES[ties]}."
        )
    for forward in selection.directions:
        size = len(selection.candidate_ids if forward else selection.query_ids)
        if size <= 10:
            label = selection.label(forward=forward)
            notes.append(f"{label}: {size} to choose from, so R@k with k >= {size} is 1 by construction.")
    return notes


def degenerate_note(selection: Selection, found: int) -> str:
    """Say that items have linearly dependent modality vectors, and which of them by `--missing zero` alone.

    Args:
        selection: The rows of a task.
        found: How many such items there are.
    """
    zeroed = _zeroed(selection.present.candidates) if selection.present.absent_as_zero else 0
    if selection.present.absent_as_zero and len(selection.queries) > 1:
        zeroed += _zeroed(selection.present.queries)
    among = f", {zeroed} of them because a zero vector stands for an absent modality (--missing zero)" if zeroed else ""
    advice = "Use span, or find out why." if found > zeroed else "Use --missing drop or --missing present."
    return (
        f"{selection.label()}: {found} items have linearly dependent modality vectors{among}; their volume is 0, or "
        f"mere rounding, for every query, so they win every gram query and are hubs for pmrl. {advice}"
    )


def _zeroed(present: Mapping[str, Tensor] | None) -> int:
    """Rows of a side that lack a modality."""
    masks = list((present or {}).values())
    return int((~torch.stack(masks).all(dim=0)).sum()) if masks else 0
