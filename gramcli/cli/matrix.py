"""`gram matrix`."""

from __future__ import annotations

from gramcli.cli.options import (
    CandidatesOpt,
    LimitOpt,
    MethodOpt,
    Missing,
    MissingOpt,
    OutputOpt,
    QueryOpt,
    SplitOpt,
    StoreArg,
    TaskOpt,
    one_task,
)
from gramcli.cli.session import Session
from gramcli.errors import EXIT_LEFT_OUT


def matrix_command(
    session: Session,
    store: StoreArg,
    *,
    task: TaskOpt = None,
    method: MethodOpt = "cosine",
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    missing: MissingOpt = Missing.drop,
    output: OutputOpt = None,
) -> None:
    """Write or summarise the alignment matrix of a store.

    The suffix of -o decides the form: .npy .npz .csv .safetensors.

    Example: gram matrix clips_emb --task t2va --method gram -o scores.npy
    """
    from gramcli.evaluation.matrix import alignment_matrix
    from gramcli.evaluation.measure import EvalOptions
    from gramcli.report.matrices import check_matrix_path, matrix_answer, write_matrix
    from gramcli.store import open_store

    asked = one_task(task, query, candidates)
    check_matrix_path(output)
    options = EvalOptions(split, limit, missing.value)
    matrix = alignment_matrix(open_store(store), asked, method, options)
    answer = matrix_answer(matrix, f"{asked.name}, {method}")
    if output:
        write_matrix(matrix, output)
        session.tell(answer)
        session.say(f"Wrote {output}: {matrix.scores.shape[0]} queries x {matrix.scores.shape[1]} candidates, float32.")
    else:
        session.show(answer)
    session.finish(EXIT_LEFT_OUT if matrix.left_out else 0)
