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
    tasks_from,
)
from gramcli.cli.session import Session
from gramcli.errors import EXIT_LEFT_OUT, UserError


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
    from gramcli.evaluation.compare import compare, load_operand
    from gramcli.report.tables import comparison_answer

    if len(operands) < 2:
        raise UserError("usage", f"compare needs a baseline and at least one more; got only {operands[0]}.")
    tasks = tasks_from(task)
    loaded = [load_operand(text, tasks=tasks, methods=method or (), split=split, limit=limit) for text in operands]
    names, evaluations = [name for name, _ in loaded], [evaluation for _, evaluation in loaded]
    comparison = compare(evaluations, names, intersect=intersect)
    session.show(comparison_answer(comparison), output)
    session.finish(EXIT_LEFT_OUT if comparison.left_out else 0)
