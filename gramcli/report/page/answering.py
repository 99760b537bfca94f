"""The first few answers of every query: those that were kept with the ranks, else ranked again from the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gramcli.errors import UserError
from gramcli.evaluation.lists import ranked_lists
from gramcli.modalities import LETTERS, Task, parse_task
from gramcli.report.page.contenders import Contender, Key, keys_of

ANSWERS: Final = 5
MOST_PAIRS: Final = 10**8
"""Pairs of a query and a candidate that are ranked again for a page; beyond it would take minutes."""

Answers = Mapping[Key, tuple[str, ...]]


def answers_of(contender: Contender) -> Answers:
    """Return the first answers of a contender's queries by id; empty where they are not known and cannot be had."""
    vector = contender.vector
    if vector.best:
        found = zip(keys_of(vector.query_ids), vector.best, strict=True)
        return {key: best[:ANSWERS] for key, best in found}
    store, how = contender.material.store, dict(contender.provenance)
    if store is None or not _can_be_ranked(contender):
        return {}
    try:
        lists = ranked_lists(
            store, task_named(vector.task), vector.method, top=ANSWERS, split=how.get("split"),
            limit=how.get("limit"), missing=how.get("missing") or "drop", relevant=how.get("relevant") or "item",
        )  # fmt: skip
    except UserError:
        return {}
    names = lists.candidates.ids
    rows = (tuple(names[column] for column in row) for row in lists.columns.tolist())
    return dict(zip(keys_of(lists.queries.ids), rows, strict=True))


def task_named(name: str) -> Task:
    """Return the task of a name in results, `t2va` or `text2vas`.

    Raises:
        UserError: It is none that a store can be asked for, such as a part of one.
    """
    query, _, candidates = name.partition("2")
    if set(query + candidates) <= set(LETTERS):
        return parse_task(name)
    return Task(tuple(query.split("+")), tuple(candidates.split("+")))


def _can_be_ranked(contender: Contender) -> bool:
    """Whether raw scores of the store are what the ranks are of, and few enough."""
    vector, how = contender.vector, contender.provenance
    pairs = len(vector.ranks) * vector.n_candidates
    raw = how.get("stage", "raw") == "raw" and not how.get("normalize") and " rerank" not in vector.method
    return raw and how.get("missing") != "present" and pairs <= MOST_PAIRS
