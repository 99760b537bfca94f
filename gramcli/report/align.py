"""What `gram align` found: a table of the epochs that matter, and the learning curve as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gramcli.report.answer import Answer, Table, counted
from gramcli.report.files import write_beside
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from gramcli.results.runs import Alignment, Epoch

FIGURE: Final = "curves.svg"
SHOWN: Final = ("epoch", "lr", "loss", "temperature", "R@1", "R@5", "R@10", "MRR")
COLUMNS: Final = ("stage", *SHOWN[:4], "validation_loss", *SHOWN[4:])


def alignment_answer(found: Alignment) -> Answer:
    """Return a run ready for every format.

    Args:
        found: What `align` returned.

    Returns:
        A table of the first, the best and the last epoch of the loss asked for; CSV rows and JSON of all.
    """
    before = found.warm_up.history if found.warm_up else ()
    rows = (*(_row("warm-up", one) for one in before), *(_row("main", one) for one in found.history))
    shown = sorted({1, found.best, len(found.history)})
    cells = tuple(_cells(found.history[k - 1], best=k == found.best) for k in shown)
    title = (
        f"{found.path}: {found.loss} heads of {', '.join(found.modalities)}; "
        f"{counted(found.n_train, 'train item')}, {counted(found.n_validation, 'validation item')}; recall in per cent"
    )
    return Answer(
        tables=(Table(SHOWN, cells, frozenset({"epoch"}), title),),
        columns=COLUMNS,
        rows=rows,
        document={
            "schema": SCHEMA,
            "heads": str(found.path),
            "loss": found.loss,
            "modalities": list(found.modalities),
            "n_train": found.n_train,
            "n_validation": found.n_validation,
            "best": found.best,
            "warm_up_best": found.warm_up.best if found.warm_up else None,
            "metric": found.metric,
            "results": rows,
            "notes": list(found.notes),
        },
        notes=tuple(found.notes),
        left_out=0,
    )


def write_curves(found: Alignment) -> None:
    """Draw the learning curve beside the heads, as `curves.svg`."""
    from gramcli.report.plots.draw import picture  # noqa: PLC0415 - matplotlib loads here only
    from gramcli.report.plots.subject import Subject, history_of  # noqa: PLC0415 - as above

    subject = Subject(histories=(history_of(found),))
    write_beside(found.path / FIGURE, picture(subject, "training").document())


def _row(stage: str, one: Epoch) -> dict[str, Any]:
    return {"stage": stage, **{name: getattr(one, name) for name in COLUMNS[1:6]}, **one.measures}


def _cells(one: Epoch, *, best: bool) -> tuple[str, ...]:
    recalls = tuple(f"{100 * one.measures[name]:.1f}" for name in SHOWN[4:7])
    temperature = "-" if one.temperature is None else f"{one.temperature:.4f}"
    mark = " (best)" if best else ""
    return (
        f"{one.epoch}{mark}",
        f"{one.lr:.2g}",
        f"{one.loss:.4f}",
        temperature,
        *recalls,
        f"{one.measures['MRR']:.3f}",
    )
