"""`gram compare`."""

from __future__ import annotations

from gramcli.cli.options import (
    IntersectOpt,
    LimitOpt,
    MethodsOpt,
    OperandsArg,
    OutputOpt,
    SplitOpt,
    TasksOpt,
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
    output: OutputOpt = None,
) -> None:
    """Compare evaluations with the first one, query by query.

    Every difference has its 95 % interval and a paired test.

    Example: gram compare clips_emb@cosine clips_emb@gram --task t2va

    Example: gram compare before.json after.json
    """
    from gramcli.evaluation.compare import compare
    from gramcli.report.tables import comparison_answer

    session.check_output(output)
    found = compare(*operands, tasks=task or (), methods=method or (), split=split, limit=limit, intersect=intersect)
    session.show(comparison_answer(found), output)
    session.finish(EXIT_LEFT_OUT if found.left_out else 0)
