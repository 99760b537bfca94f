"""The pages: of an evaluation, of a comparison, of any other answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from gramcli.errors import UserError
from gramcli.heads.files import load_heads
from gramcli.report.align import alignment_answer
from gramcli.report.answer import Table, listing
from gramcli.report.page.cards import MAX_CARDS, best_per_task, rulings, sides_of, subtitle, subtitle_of
from gramcli.report.page.contenders import Contest, contests_between, contests_of
from gramcli.report.page.drawings import Shown, drawings_of, pictures_between, side_by_side, training_drawings
from gramcli.report.page.explorer import explorer
from gramcli.report.page.material import Material, material_of, materials_of
from gramcli.report.page.provenance import command_of, provenance_table
from gramcli.report.page.rendering import rendered
from gramcli.report.page.scope import UNLISTED, covered
from gramcli.report.scores import scores_answer
from gramcli.report.tables import comparison_answer, evaluation_answer, left_out_tables
from gramcli.report.trainings import MOST, Trained, settings_table, training_command, trainings_between, trainings_of
from gramcli.results.records import Comparison, Evaluation, LeftOut
from gramcli.results.runs import Alignment

if TYPE_CHECKING:
    from gramcli.report.answer import Answer
    from gramcli.results.scores import Scores

_LEFT_OUT: Final = ("id", "modality", "reason")
_FIRST_SEED: Final = (
    "Of a contender of several seeds this is the first seed alone; Results and Verdict have the means over seeds."
)
_NO_QUERIES: Final = (
    "This comparison's JSON holds no ranks, so its queries cannot be shown: an older gram wrote it. Compare again to "
    "see them."
)
_SECTIONS: Final = {
    "verdicts": ("verdict", "Verdict"),
    "tables": ("results", "Results"),
    "comparisons": ("comparison", "Comparison"),
    "data": ("queries", "Query by query"),
    "drawings": ("figures", "In pictures"),
    "trained": ("training", "How the heads were trained"),
    "further": ("further", "Further tables"),
    "notes": ("notes", "Notes"),
    "left_out": ("left-out", "Left out"),
    "provenance": ("provenance", "Provenance"),
}


def page(
    evaluation: Evaluation,
    comparison: Comparison | None = None,
    *,
    title: str = "How well are the modalities aligned?",
    remarks: Sequence[str] = (),
    material: Material | None = None,
) -> str:
    """Return the HTML page of an evaluation, with a comparison when there is one.

    Args:
        evaluation: What `gram eval` found.
        comparison: What `gram compare` found on the same store.
        title: The page's heading.
        remarks: Sentences above the figures, for what a reader must know first.
        material: What is behind the items; None looks for it where the provenance says.

    Returns:
        The page; every text in it is escaped.
    """
    material = material_of(evaluation.provenance) if material is None else material
    answer = evaluation_answer(evaluation)
    compared = comparison_answer(comparison) if comparison else None
    own = [table for table in answer.tables if table not in left_out_tables(evaluation.left_out)]
    between = contests_between(comparison, _bare(comparison, material)) if comparison else []
    contests = [_titled(one, ", compared") for one in between] + contests_of(evaluation, material)
    return _page(
        contests,
        title=title,
        subtitle=subtitle(evaluation.provenance),
        remarks=remarks,
        verdicts=rulings(comparison),
        sides=sides_of(comparison),
        cards=best_per_task(evaluation.results)[:MAX_CARDS],
        tables=own[:1],
        comparisons=compared.tables if compared else (),
        drawings=drawings_of(evaluation, comparison, material),
        trained=_trained(trainings_between(comparison) if comparison else trainings_of(evaluation.provenance)),
        further=(*own[1:], *_of_contenders(between)),
        notes=tuple(dict.fromkeys((*answer.notes, *(compared.notes if compared else ())))),
        left_out=_left_out(evaluation.left_out),
        covered=covered(evaluation.provenance, nothing=not evaluation.left_out),
        provenance=evaluation.provenance,
    )


def comparison_page(
    comparison: Comparison, *, title: str = "Which is better?", materials: Sequence[Material] | None = None
) -> str:
    """Return the HTML page of a comparison.

    Args:
        comparison: What `gram compare` found.
        title: The page's heading.
        materials: What is behind the items of each side; None looks for it where their provenance says.

    Returns:
        The page; every text in it is escaped.
    """
    answer = comparison_answer(comparison)
    unsaid = [table for table in answer.tables if table not in left_out_tables(comparison.left_out)]
    contests = contests_between(comparison, materials_of(comparison) if materials is None else materials)
    beside = side_by_side(contests)
    first = _FIRST_SEED if any(max(row.seeds_a, row.seeds_b) > 1 for row in comparison.rows) else ""
    return _page(
        contests,
        title=title,
        subtitle=subtitle_of(comparison),
        verdicts=rulings(comparison),
        sides=sides_of(comparison),
        tables=unsaid,
        said=_queries_said(comparison, first),
        drawings=drawings_of(beside, comparison, said=first, pictures=pictures_between(contests)),
        further=evaluation_answer(beside).tables if beside else (),
        trained=_trained(trainings_between(comparison)),
        notes=answer.notes,
        left_out=_left_out(comparison.left_out),
        covered=covered(comparison.provenance, nothing=not comparison.left_out, rows=comparison.rows),
        provenance=comparison.provenance,
    )


def answer_page(answer: Answer, title: str, provenance: Mapping[str, Any], drawings: Sequence[Shown] = ()) -> str:
    """Return the HTML page of any answer: its tables, figures, notes and provenance.

    Args:
        answer: Ready for every format; what it lists as left out is among its tables.
        title: The page's heading.
        provenance: Where its figures come from.
        drawings: Figures.

    Returns:
        The page; every text in it is escaped.
    """
    entries = answer.document.get("left_out", ())
    listed = "left_out" in answer.document
    said = covered(provenance, nothing=listed and not entries)
    return _page(
        [],
        title=title,
        remarks=answer.lead,
        tables=[table for table in answer.tables if not table.title.startswith("Left out")],
        drawings=drawings,
        notes=answer.notes,
        left_out=_left_out([LeftOut(one["id"], one["modality"], one["reason"]) for one in entries]),
        covered=said if listed else (*said, UNLISTED),
        provenance=provenance,
    )


def alignment_page(found: Alignment) -> str:
    """Return the HTML page of a training: its epochs and learning curves."""
    answer = alignment_answer(found)
    facts = {key: answer.document[key] for key in ("heads", "loss", "modalities", "n_train", "n_validation", "metric")}
    facts |= _recorded(found.path)
    return answer_page(answer, f"Training by the {found.loss} loss", facts, training_drawings(found))


def scores_page(found: Scores) -> str:
    """Return the HTML page of scores, the items that fit least with what their captions say."""
    material = material_of(found.provenance)
    answer = scores_answer(found, material.captions)
    notes = answer.notes if material.captions else (*answer.notes, *material.notes)
    return answer_page(replace(answer, notes=notes), "Which items are misaligned?", found.provenance)


def _recorded(heads: Path) -> dict[str, Any]:
    """What the folder of heads says of their training: its plan, and the data, model and versions behind it."""
    try:
        saved = load_heads(heads)
    except UserError:  # moved since: the page shows what the result holds
        return {}
    told = {name: saved.config[name] for name in ("plan", "model", "dataset", "versions") if name in saved.config}
    return {"weights_sha256": saved.sha256, **told}


def _page(contests: Sequence[Contest], *, provenance: Mapping[str, Any], **parts: Any) -> str:  # noqa: ANN401 - of many kinds
    nothing: dict[str, Any] = dict.fromkeys(
        ("remarks", "verdicts", "sides", "cards", "comparisons", "drawings", "further", "trained"), ()
    )
    whole = nothing | {"subtitle": "", "data": "", "said": ()} | parts
    whole |= {"provenance": provenance_table(provenance), "command": command_of(provenance)}
    if contests:
        bare = rendered(contents=(), **whole)
        if found := explorer(contests, len(bare.encode())):
            whole |= {"data": Markup(found.data), "said": (*whole["said"], *found.said)}  # noqa: S704 - escaped for a script element
    contents = [entry for key, entry in _SECTIONS.items() if whole[key] or (key == "data" and whole["said"])]
    return rendered(contents=contents, **whole)


@dataclass(frozen=True)
class _Training:
    """How heads were trained: a table, the command of each with a word on whose it is, learning curves."""

    table: Table
    commands: tuple[tuple[str, str], ...]
    drawings: Sequence[Shown]


def _trained(found: Sequence[Trained]) -> _Training | None:
    table = settings_table(found)
    if table is None:
        return None
    commands = tuple((_whose(one), command) for one in found[:MOST] if (command := training_command(one)))
    return _Training(table, commands, training_drawings(found))


def _whose(one: Trained) -> str:
    store = str(one.plan.get("store") or "")[:8]
    where = f"; STORE is the one of fingerprint {store}..., which gram inspect STORE says" if store else ""
    return f"The command that trains {f'the heads of {one.names}' if one.names else 'such heads'} again{where}:"


def _left_out(entries: Sequence[LeftOut]) -> Table:
    return listing(_LEFT_OUT, [(one.id, one.modality, one.reason) for one in entries], "What no figure covers, and why")


def _of_contenders(contests: Sequence[Contest]) -> list[Table]:
    """Gains, hubness and the like of every contender of a comparison that stands on an evaluation's page."""
    beside = side_by_side(contests)
    tables = evaluation_answer(beside).tables[1:] if beside else ()
    return [replace(table, title=f"Of the contenders of the comparison: {table.title}") for table in tables]


def _bare(comparison: Comparison, known: Material) -> list[Material]:
    """The items that are known, for each side; answers are not ranked anew from the store of another side."""
    return [replace(known, store=None)] * len(comparison.sides)


def _queries_said(comparison: Comparison, first: str) -> tuple[str, ...]:
    """What stands above the table of queries, or in its place where the sides are not known."""
    return ((first,) if first else ()) if comparison.sides else (_NO_QUERIES,)


def _titled(contest: Contest, more: str) -> Contest:
    return Contest(f"{contest.title}{more}", contest.task, contest.contenders, contest.compared)
