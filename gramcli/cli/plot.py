"""`gram plot`."""

from __future__ import annotations

from gramcli.cli.options import LimitOpt, MethodsOpt, SeenThroughOpt, SplitOpt, TasksOpt
from gramcli.cli.plot_options import FigureOut, PlotArg, TitleOpt
from gramcli.cli.session import Session


def plot_command(
    session: Session,
    operands: PlotArg,
    *,
    task: TasksOpt = None,
    method: MethodsOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    model: SeenThroughOpt = None,
    title: TitleOpt = "",
    output: FigureOut = None,
) -> None:
    """Draw one figure of a store, an evaluation, a comparison or heads.

    FILE alone lists the kinds that it can serve. Several evaluations are compared with the first.

    Example: gram plot run.json

    Example: gram plot run.json recall -o recall.svg --task t2va

    Example: gram plot clips_emb map -o map.png --task t2va

    Example: gram plot a.json b.json differences -o differences.pdf
    """
    from gramcli.cli.plot_options import needed
    from gramcli.report.plots.plot import kinds_answer, plot, split_kind

    files, kind = split_kind(operands)
    if kind is None:
        session.show(kinds_answer(files, model))
        return
    found = plot(
        *files, kind=kind, output=needed(output, files, kind), tasks=task or (), methods=method or (), split=split,
        limit=limit, model=model, title=title,
    )  # fmt: skip
    session.say(found.caption)
    session.say(f"Wrote {output}.")
