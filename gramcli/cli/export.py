"""`gram export`."""

from __future__ import annotations

from gramcli.cli.options import (
    CandidatesOpt,
    ConfigOpt,
    ExportArg,
    ExportOut,
    HalfOpt,
    LimitOpt,
    MethodOpt,
    Missing,
    MissingOpt,
    PerModalityOpt,
    PickleOpt,
    ProjectOpt,
    QrelsOpt,
    QueryOpt,
    Relevance,
    RelevantOpt,
    SplitOpt,
    StepOpt,
    TaskOpt,
    ToOpt,
    TopOpt,
)
from gramcli.cli.session import Session
from gramcli.errors import EXIT_LEFT_OUT


def export_command(
    session: Session,
    source: ExportArg,
    *,
    output: ExportOut,
    to: ToOpt = None,
    per_modality: PerModalityOpt = False,
    project: ProjectOpt = None,
    qrels: QrelsOpt = None,
    task: TaskOpt = None,
    method: MethodOpt = "cosine",
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    top: TopOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    missing: MissingOpt = Missing.drop,
    relevant: RelevantOpt = Relevance.item,
    half: HalfOpt = False,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
) -> None:
    """Write a store, its ranked lists or a checkpoint as files of others.

    A STORE becomes .npz .safetensors .h5 .parquet or .csv, of which `gram import` makes the same store; with --task and
    a .parquet or .csv, ranks and neighbors too. As .trec with --task it becomes a TREC run. A CHECKPOINT becomes one
    .safetensors that describes itself and loads without unpickling anything.

    Example: gram export clips_emb -o clips.parquet --project pca --task t2v

    Example: gram export clips_emb --task t2va --method gram -o run.trec --qrels qrels.trec

    Example: gram export GRAM_pretrained_4modalities/ -o gram.safetensors --half
    """
    from gramcli.cli.exports import as_checkpoint, as_run, as_store, is_run, is_store

    if not is_store(source):
        how = {"half": half, "step": checkpoint_step, "config": config, "allow_pickle": allow_pickle}
        return session.show(as_checkpoint(source, output, how))
    asked = {"task": task, "method": method, "query": query, "candidates": candidates, "split": split, "limit": limit}
    asked |= {"top": top, "missing": missing.value, "relevant": relevant.value}
    if is_run(output, to):
        answer = as_run(source, output, qrels, asked)
        session.show(answer)
        return session.finish(EXIT_LEFT_OUT if answer.left_out else 0)
    with session.watch() as watch:
        answer = as_store(source, output, asked, to=to, per_modality=per_modality, project=project, watch=watch)
    session.show(answer)
