"""What was asked, and of what: digests by which `compare` knows that two evaluations answered the same questions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from gramcli.evaluation.selection import TEXT, Selection
from gramcli.results.records import KnownBy, Questions
from gramcli.store.layout import is_text
from gramcli.store.reader import Store

_CHARACTERS: Final = 16  # of 64: two of a million questions agree by chance once in 40 million galleries


def questions_of(store: Store, selections: Sequence[Selection]) -> list[Questions]:
    """The records of every direction of some tasks.

    Media are known by their item's id, texts by what they say, or by their embedding where the store does not know what
    they said; labels are part of an item where they decide what is right.

    Args:
        store: What the rows are of.
        selections: The tasks' rows.
    """
    known: dict[tuple[object, ...], tuple[tuple[str, ...], str]] = {}

    def side(selection: Selection, names: tuple[str, ...], ids: tuple[str, ...], rows: Tensor) -> tuple[Any, ...]:
        """Digests of a side that asks, of one that answers, and what it is known by; the same rows are read once."""
        by_label = selection.relevant == "label"
        key = (frozenset(names), by_label, rows.numpy().tobytes())
        if key not in known:
            digests = tuple(_digests(store, names, ids, rows, by_label=by_label))
            known[key] = digests, hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
        return *known[key], _known_by(store, names)

    found = []
    for one in selections:
        asking = side(one, one.task.query, one.query_ids, one.query_rows)
        answering = side(one, one.task.candidates, one.candidate_ids, one.candidate_rows)
        for forward in one.directions:
            (digests, _, asked_by), (_, gallery, answered_by) = (asking, answering)[:: 1 if forward else -1]
            found.append(Questions(one.label(forward=forward), digests, gallery, asked_by, answered_by))
    return found


def text_row(store: Store, rows: Iterable[int], digest: str, name: str, media: str, label: str) -> int | None:
    """The text row that a question came from; None where none of these asks just that.

    Args:
        store: What the rows are of.
        rows: Those that may be it.
        digest: Of the question, as `questions_of` recorded it.
        name: Its item.
        media: Names of the media that ask together with the text, in alphabetical order, a blank between.
        label: Of the item, where labels decide; else empty.
    """
    known = store.caption_digests()
    if known is None:
        return None
    return next((row for row in rows if _digest(name, media, f"text {int(known[row]):x}", label) == digest), None)


Rows = tuple[str, tuple[str, ...], Tensor]
"""A modality; the item of each of its rows, by id; and what each row is in the store."""


def pool_questions(store: Store, task: str, asking: Rows, answering: Sequence[Rows]) -> Questions:
    """The record of one modality's queries among candidates of several.

    Args:
        store: What the rows are of.
        task: As in the ranks.
        asking: The queries.
        answering: The candidates of each modality.
    """
    digests = _digests(store, (asking[0],), *asking[1:])
    found = [one for name, ids, rows in answering for one in _digests(store, (name,), ids, rows)]
    gallery = hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()
    names = tuple(name for name, _, _ in answering)
    return Questions(task, tuple(digests), gallery, _known_by(store, (asking[0],)), _known_by(store, names))


def class_questions(
    task: str, items: Mapping[str, str], classes: Sequence[str], learnt_from: Mapping[str, str]
) -> Questions:
    """The record of a classification: which items, what they are, among which classes, learnt from which others.

    Args:
        task: As in the ranks.
        items: Items that were classified, and the class of each.
        classes: All of them.
        learnt_from: Items the classifier was shown, and their classes; empty for zero-shot.
    """
    digests = tuple(_digest(name, label) for name, label in items.items())
    gallery = [*sorted(classes), "", *sorted(_digest(name, label) for name, label in learnt_from.items())]
    return Questions(task, digests, hashlib.sha256("\n".join(gallery).encode()).hexdigest(), "items", "items")


def _known_by(store: Store, names: tuple[str, ...]) -> KnownBy:
    if TEXT not in names:
        return "items"
    return "rows" if store.caption_digests() is None else "texts"


def _digests(
    store: Store, names: tuple[str, ...], ids: tuple[str, ...], rows: Tensor, *, by_label: bool = False
) -> list[str]:
    """One digest for each row of a side."""
    texts = _text_parts(store, rows) if TEXT in names else [""] * len(ids)
    labels = dict(zip(store.ids, store.labels, strict=True)) if by_label else {}
    media = " ".join(sorted(set(names) - {TEXT}))
    return [_digest(name, media, text, labels.get(name) or "") for name, text in zip(ids, texts, strict=True)]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_CHARACTERS]


def _text_parts(store: Store, rows: Tensor) -> list[str]:
    """What each text row says: its digest, or that of its embedding."""
    digests = store.caption_digests()
    if digests is not None:
        return [f"text {one:x}" for one in digests[rows].tolist()]
    name = next(filter(is_text, store.modalities))
    vectors = store.embeddings(name)[rows].contiguous().view(torch.uint8).numpy()
    return [f"row {hashlib.sha256(one.tobytes()).hexdigest()}" for one in vectors]
