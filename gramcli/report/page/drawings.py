"""The figures of a page: every kind that its subject can serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

from markupsafe import Markup

from gramcli.errors import UserError
from gramcli.report.page.cards import stage_named
from gramcli.report.page.contenders import Contender, Contest
from gramcli.report.page.material import NOTHING, Material
from gramcli.report.plots.catalog import KINDS
from gramcli.report.plots.draw import drawings
from gramcli.report.plots.sources import pictures_for
from gramcli.report.plots.subject import Subject, breadth, history_of
from gramcli.report.trainings import Trained
from gramcli.results.pictures import Pictures
from gramcli.results.records import Comparison, Evaluation, RankVector, ResultRow
from gramcli.results.runs import Alignment


@dataclass(frozen=True)
class Shown:
    """A figure with the sentence that says how to read it."""

    svg: Markup
    caption: str
    slim: Markup | None = None


def drawings_of(
    evaluation: Evaluation | None,
    comparison: Comparison | None = None,
    material: Material = NOTHING,
    said: str = "",
    pictures: Pictures | None = None,
) -> list[Shown]:
    """Return every figure of an evaluation, of a comparison and of the store behind them.

    Args:
        evaluation: Whose figures and ranks.
        comparison: Whose differences.
        material: What is known of the items; vectors are those of its store.
        said: A sentence for the caption of each figure of the evaluation; not of the comparison, which has its own.
        pictures: What was computed from vectors already; None computes it from the store of the material.
    """
    captions = {name: text for name, texts in material.captions.items() if (text := next(filter(None, texts), None))}
    subject = Subject(evaluation, comparison, pictures, store=material.store, captions=captions)
    try:
        return _shown(subject, said)
    except UserError:  # of the store's vectors: the page says what the evaluation holds
        return _shown(replace(subject, store=None), said)


def training_drawings(found: Alignment | Sequence[Trained]) -> list[Shown]:
    """Return the learning curves of a training, or of those that made the heads of an evaluation."""
    if not isinstance(found, Alignment):
        return _shown(Subject(histories=tuple(one.history for one in found if one.history is not None)))
    return _shown(Subject(histories=(history_of(found),)))


def side_by_side(contests: Sequence[Contest]) -> Evaluation | None:
    """Return the sides of a comparison as one evaluation, whose methods are the contenders; None without sides."""
    named = [(contest, one) for contest in contests for one in contest.contenders]
    if not named:
        return None
    ranks = tuple(_renamed(one) for _, one in named)
    rows = tuple(row for _, one in named for row in _rows(one))
    gains = [gain for _, one in named for gain in _gains(one)]
    return Evaluation(provenance={"gains": gains} if gains else {}, results=rows, left_out=(), ranks=ranks)


def pictures_between(contests: Sequence[Contest]) -> Pictures | None:
    """Return what figures show of the vectors of each contender on the widest task; None where no store is there."""
    widest = max(contests, key=lambda one: breadth(one.task), default=None)
    found: list[Pictures] = []
    drawn: set[str] = set()
    contenders = [one for one in (widest.contenders if widest else ()) if one.material.store is not None]
    alone = len({_store_of(one) for one in contenders}) == 1
    for one in contenders:
        seen = Evaluation(dict(one.provenance), one.results, (), (one.vector,))
        if " " in one.vector.method:  # a second stage: its scores are not those of vectors
            continue
        subject = Subject(evaluation=seen, store=one.material.store, tasks=(one.vector.task,))
        try:
            made = pictures_for(subject)
        except UserError:  # of its vectors: the page says what the comparison holds
            continue
        once = _store_of(one) not in drawn
        drawn.add(_store_of(one))
        name = "" if alone else one.short
        found.append(
            Pictures(
                tuple(replace(each, method=one.short) for each in made.scores),
                tuple(replace(each, name=name) for each in made.spectra if once),
                tuple(replace(each, name=name) for each in made.maps if once),
                tuple(replace(each, method=one.short) for each in made.hubs),
                tuple(replace(each, method=one.short) for each in made.matrices),
            )
        )
    if not found:
        return None
    return Pictures(
        *(tuple(chain.from_iterable(getattr(one, kind.name) for one in found)) for kind in fields(Pictures))
    )


def _store_of(one: Contender) -> str:
    return str(one.provenance.get("store"))


def _renamed(one: Contender) -> RankVector:
    return replace(one.vector, method=one.short)


def _rows(one: Contender) -> list[ResultRow]:
    vector = one.vector
    own = [row for row in one.results if row.task == vector.task and stage_named(row) == vector.method]
    return [replace(row, method=one.short) for row in own]


def _gains(one: Contender) -> list[dict[str, Any]]:
    """What a contender's joint task is held against, under the name that figures give the contender."""
    vector, name = one.vector, one.short
    return [
        {
            **gain,
            "method": name,
            "pairs": [{**pair, "method": name} for pair in gain.get("pairs", ()) if pair["method"] == vector.method],
        }
        for gain in one.provenance.get("gains", ())
        if (gain["task"], gain["method"]) == (vector.task, vector.method)
    ]


def _shown(subject: Subject, said: str = "") -> list[Shown]:
    found = []
    for one in drawings(subject):
        more = "" if KINDS.row(one.name).needs == "comparison" else said
        # The SVG is matplotlib's own output, which escapes the names in it.
        found.append(Shown(Markup(one.svg), f"{one.caption} {more}".strip(), Markup(one.slim) if one.slim else None))  # noqa: S704
    return found
