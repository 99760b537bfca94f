"""`gram compare`."""

from __future__ import annotations

from gramcli.cli.options import (
    AllowOpt,
    IntersectOpt,
    LimitOpt,
    MethodsOpt,
    OperandsArg,
    OutputOpt,
    PrimaryOpt,
    ReportOpt,
    SplitOpt,
    TasksOpt,
    values,
)
from gramcli.cli.session import Session
from gramcli.errors import EXIT_LEFT_OUT


def compare_command(
    session: Session,
    operands: OperandsArg,
    *,
    task: TasksOpt = None,
    method: MethodsOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    intersect: IntersectOpt = False,
    allow_different: AllowOpt = None,
    primary: PrimaryOpt = "R@1",
    output: OutputOpt = None,
    report: ReportOpt = None,
) -> None:
    """Compare evaluations with the first one, query by query.

    Every difference has a paired test and its 95 % interval. Both must have asked the same questions of the same
    gallery under the same rules; what differs is refused by name. One figure of each task is primary, R@1 of the
    direction that is evaluated first; Holm's p-values are among the primary figures, and among the others.
    A RULE is one of relevant, stage, ties, missing, dataset, protocol, gallery, questions.

    Example: gram compare clips_emb@cosine clips_emb@gram --task t2va

    Example: gram compare before.json after.json

    Example: gram compare raw.json dsl.json --allow-different stage --primary MRR
    """
    from gramcli.evaluation.compare import compare
    from gramcli.report.tables import comparison_answer

    session.check_output(output)
    session.check_suffixes(report, None)
    found = compare(
        *operands, tasks=task or (), methods=method or (), split=split, limit=limit, intersect=intersect,
        allow_different=values(allow_different), primary=primary,
    )  # fmt: skip
    session.write_page(report, found)
    session.show(comparison_answer(found), output)
    session.finish(EXIT_LEFT_OUT if found.left_out else 0)
