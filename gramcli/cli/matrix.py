"""`gram matrix`."""

from __future__ import annotations

from gramcli.cli.loading import heavy_imports
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
    with heavy_imports():
        from gramcli.evaluation.matrix import matrix
    from gramcli.report.matrices import check_matrix_path, matrix_answer, write_matrix

    check_matrix_path(output)
    sides = {"query": query, "candidates": candidates}
    found = matrix(store, task, method, **sides, split=split, limit=limit, missing=missing.value)
    answer = matrix_answer(found)
    if output:
        write_matrix(found, output)
        session.tell(answer)
        session.say(f"Wrote {output}: {found.scores.shape[0]} queries x {found.scores.shape[1]} candidates, float32.")
    else:
        session.show(answer)
    session.finish(EXIT_LEFT_OUT if found.left_out else 0)
