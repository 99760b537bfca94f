"""The `plot` verb: one figure alone, or the kinds that something can serve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.errors import UserError
from gramcli.report.answer import Answer, listing
from gramcli.report.plots.catalog import KINDS, Kind
from gramcli.report.plots.sources import Source, Target, open_source, subject_for
from gramcli.report.plots.subject import LEAST_DIRECTIONS, Subject, ends_of
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from gramcli.report.plots.picture import Picture


def plot(  # noqa: PLR0913 - a keyword for each option of the command
    *targets: Target,
    kind: str,
    output: str | Path | None = None,
    tasks: Sequence[str] = (),
    methods: Sequence[str] = (),
    split: str | None = None,
    limit: int | None = None,
    model: str | None = None,
    title: str = "",
) -> Picture:
    """Draw one figure, as `gram plot` does.

    Args:
        *targets: A store, an evaluation, a comparison (opened or by its path), or a folder of heads; or evaluations,
            which are compared with the first.
        kind: As `gram plot --help` lists them.
        output: Where to write it too: .svg, .pdf or .png.
        tasks: Only these; none means that the figure chooses.
        methods: Only these.
        split: Of a store: only the items of this split.
        limit: Of a store: only the first so many items.
        model: `heads:DIR`, to see a store through heads.
        title: A line above the figure.

    Returns:
        The figure: `figure` is matplotlib's, `svg()` an element for a page, `save()` writes it; notebooks show it.

    Raises:
        UserError: What the command says in one sentence.

    Example:
        >>> plot("run.json", kind="recall", output="recall.svg")  # doctest: +SKIP
    """
    from gramcli.evaluation.options import EvalOptions  # noqa: PLC0415 - torch loads here
    from gramcli.report.plots.draw import picture  # noqa: PLC0415 - matplotlib loads here
    from gramcli.report.plots.picture import checked_suffix  # noqa: PLC0415 - as above

    row = KINDS.row(kind)
    if output is not None:
        checked_suffix(Path(output))
    source = open_source(targets, model)
    _refuse_without_store(source, split, limit)
    asked = Subject(tasks=tuple(_named(tasks)), methods=tuple(_named(methods)), title=title)
    found = picture(subject_for(source, row, asked, EvalOptions(split, limit)), kind)
    if output is not None:
        found.save(output)
    return found


def split_kind(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Tell files from the kind of figure, which comes last.

    Args:
        words: Operands of the command.

    Raises:
        UserError: The last of several is no kind and no file; or a kind stands alone.
    """
    *before, last = words
    is_file = Path(last).exists()
    if last in KINDS.names() and (before or not is_file):
        if not before:
            raise UserError("usage", f"{last} of what? Name a file first: gram plot FILE {last} -o {last}.svg.")
        return before, last
    if before and not is_file and "@" not in last:
        KINDS.row(last)  # says which kinds there are
    return list(words), None


def kinds_answer(targets: Sequence[Target], model: str | None = None) -> Answer:
    """The kinds of figures that a target can serve, and of the others what would.

    Raises:
        UserError: As `plot`.
    """
    source, why = open_source(targets, model).with_store()
    served = [kind for kind in KINDS if _serves(source, kind)]
    rows = [(kind.name, kind.summary) for kind in served]
    others = [kind for kind in KINDS if kind not in served]
    notes = [
        f"{', '.join(k.name for k in others if k.source == source)}: from {source}."
        for source in dict.fromkeys(one.source for one in others)
    ]
    if why:
        notes.append(why)
    results = tuple({"kind": name, "shows": shows} for name, shows in rows)
    return Answer(
        tables=(listing(("kind", "shows"), rows),),
        columns=("kind", "shows"),
        rows=results,
        document={"schema": SCHEMA, "results": results, "notes": notes},
        notes=tuple(notes),
    )


def _serves(source: Source, kind: Kind) -> bool:
    """Whether a kind is worth naming: of an evaluation, also whether the kind has figures in it."""
    if kind.needs not in source.offers:
        return False
    evaluation = source.subject.evaluation
    if kind.name == "accuracy":
        return "classes" in source.offers if evaluation is None else _has(source, "accuracy")
    if evaluation is not None and kind.name == "directions":
        every = [row for row in evaluation.results if row.metric == "R@1" and row.stage == "raw" and ends_of(row.task)]
        counts = Counter(row.method for row in every if row.value is not None)
        return max(counts.values(), default=0) >= LEAST_DIRECTIONS
    if evaluation is not None and kind.name == "forest":
        return _has(source, "R@1")
    return True


def _has(source: Source, metric: str) -> bool:
    evaluation = source.subject.evaluation
    return evaluation is not None and any(row.metric == metric and row.value is not None for row in evaluation.results)


def _named(names: Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else [str(getattr(one, "name", one)) for one in names]


def _refuse_without_store(source: Source, split: str | None, limit: int | None) -> None:
    """An evaluation was made of its items; only a store can be narrowed.

    Raises:
        UserError: Something that is no store was to be.
    """
    there = source.subject
    measured = there.evaluation or there.comparison or (there.histories and there.store is None)
    given = next((name for name, value in (("--split", split), ("--limit", limit)) if value is not None), None)
    if measured and given:
        raise UserError("usage", f"{given} is about the items of a STORE; leave it out, or name the store.")
