"""The queries that a contender gains and loses most against the baseline, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gramcli.embedding.origin import Originals, originals
from gramcli.errors import UserError
from gramcli.evaluation.questions import text_row
from gramcli.evaluation.selection import TEXT
from gramcli.metrics.paired import query_gains
from gramcli.modalities import LETTERS
from gramcli.results.records import Evaluation, QueryChange
from gramcli.store import open_store

if TYPE_CHECKING:
    from gramcli.evaluation.duels import Duel
    from gramcli.store import Store


def changes(duel: Duel, most: int) -> list[QueryChange]:
    """The queries gained most, then those lost most, by the difference of their reciprocal ranks.

    Args:
        duel: What is compared.
        most: How many of each at most.
    """
    a, b = duel.figures("MRR")
    gained = query_gains(a.mean(axis=0), b.mean(axis=0))
    places, gains = np.flatnonzero(duel.asked), np.zeros(len(duel.asked))
    gains[places] = gained
    order = np.argsort(-gained, kind="stable")
    best = [k for k in order if gained[k] > 0][:most]
    worst = [k for k in order[::-1] if gained[k] < 0][:most]
    vectors = duel.found.vectors
    ranks = np.array([one.ranks for one in vectors])
    sides = ranks[: duel.runs].mean(axis=0), ranks[duel.runs :].mean(axis=0)
    first, second = vectors[0], vectors[duel.runs]
    return [
        QueryChange(
            task=duel.task,
            a=duel.labels[0],
            b=duel.labels[1],
            query=first.query_ids[k],
            caption=duel.found.captions[k],
            text=None,
            rank_a=float(sides[0][k]),
            rank_b=float(sides[1][k]),
            best_a=first.best[k] if first.best else (),
            best_b=second.best[k] if second.best else (),
            gain=float(gains[k]),
        )
        for k in places[[*best, *worst]].tolist()
    ]


def with_texts(found: Sequence[QueryChange], evaluation: Evaluation) -> tuple[list[QueryChange], list[str]]:
    """Changes with what their queries say, as far as the store of an evaluation knows where that is written.

    Args:
        found: Changes of tasks of the evaluation.
        evaluation: The baseline's.

    Returns:
        The changes in their order, and a note on what is missing.
    """
    asking = [one for one in found if TEXT in _asking(one.task)]
    if not asking:
        return list(found), []
    try:
        store = open_store(str((evaluation.provenance.get("store") or {}).get("path")))
    except UserError:
        return list(found), ["Captions are not shown: the store of the baseline is not where it was."]
    behind = originals(store)
    told = [_with_text(one, evaluation, store, behind) if one in asking else one for one in found]
    lacking = sum(one.text is None for one in told if TEXT in _asking(one.task))
    note = behind.note or "the store is no longer what was evaluated."
    return told, [f"{lacking} of {len(asking)} queries are shown by their ids alone: {note}"] if lacking else []


def _asking(task: str) -> tuple[str, ...]:
    """Names of the embeddings that ask: of letters, or by name; those of the part where a task is one."""
    side = task.removesuffix("_maxpool").rpartition("/")[2].partition("2")[0]
    return tuple(LETTERS[letter] for letter in side) if set(side) <= set(LETTERS) else tuple(side.split("+"))


def _with_text(change: QueryChange, evaluation: Evaluation, store: Store, behind: Originals) -> QueryChange:
    recorded = next((one for one in evaluation.questions if one.task == change.task), None)
    vector = next(one for one in evaluation.ranks if one.task == change.task)
    if recorded is None or change.query not in store.ids:
        return change
    places = [place for place, name in enumerate(vector.query_ids) if name == change.query]
    item = store.ids.index(change.query)
    label = (store.labels[item] or "") if evaluation.provenance.get("relevant") == "label" else ""
    media = " ".join(sorted(set(_asking(change.task)) - {TEXT}))
    rows = (store.caption_items() == item).nonzero().flatten().tolist()
    row = text_row(store, rows, recorded.digests[places[change.caption]], change.query, media, label)
    return change if row is None else replace(change, text=behind.captions.get(row))
