"""`gram leaderboard`."""

from __future__ import annotations

from typing import Annotated

import typer

from gramcli.cli.options import OutputOpt, ReportOpt
from gramcli.cli.panels import measuring
from gramcli.cli.session import Session

RunsArg = Annotated[list[str], typer.Argument(metavar="RUN.json...", help="Evaluations: what `gram eval -o` wrote.")]
OnlyTasksOpt = Annotated[
    list[str] | None, measuring("--task", metavar="TASK", help="Only this task, as results name it; repeats.")
]
OnlyMethodsOpt = Annotated[list[str] | None, measuring("--method", metavar="METHOD", help="Only this; repeats.")]
ColumnsOpt = Annotated[
    list[str] | None,
    measuring("--metric", metavar="NAME", help="A column; repeats. The first is the order. Default: R@1 R@5 R@10 MRR."),
]


def leaderboard_command(
    session: Session,
    runs: RunsArg,
    *,
    task: OnlyTasksOpt = None,
    method: OnlyMethodsOpt = None,
    metric: ColumnsOpt = None,
    output: OutputOpt = None,
    report: ReportOpt = None,
) -> None:
    """Put evaluations into one table, in comparable groups.

    One row per run, task and method, best first. Runs are put into one group only where they asked the same questions
    of the same gallery under the same rules; others stand in a table of their own, which says why. Rows of a group that
    share a letter are told apart by no paired test.

    Example: gram leaderboard runs/*.json --task t2va

    Example: gram leaderboard runs/*.json --metric MRR --report table.html
    """
    from gramcli.evaluation.leaderboard import leaderboard
    from gramcli.report.reading import answer_of

    session.check_output(output)
    session.check_suffixes(report, None)
    found = session.signed(leaderboard(*runs, tasks=task or (), methods=method or (), metrics=metric or ()))
    if report:
        session.say(f"Wrote {found.report(report)}.")
    session.show(answer_of(found), output)
