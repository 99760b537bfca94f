"""`gram compare`."""

from __future__ import annotations

from gramcli.cli.compare_options import (
    AllowOpt,
    AskedMissingOpt,
    AskedRelevantOpt,
    AskedTiesOpt,
    BaselineOpt,
    DiffQueriesOpt,
    IntersectOpt,
    ModelDatasetOpt,
    OnOpt,
    OperandsArg,
    PrimaryOpt,
)
from gramcli.cli.loading import heavy_imports
from gramcli.cli.options import (
    AllowTrainedOpt,
    CandidatesOpt,
    CompileOpt,
    ConfigOpt,
    DeviceOpt,
    FramesOpt,
    LimitOpt,
    MethodsOpt,
    NormalizeOpt,
    OutputOpt,
    PickleOpt,
    PrecisionOpt,
    ProtocolOpt,
    QueryOpt,
    ReportOpt,
    RootOpt,
    SplitOpt,
    StepOpt,
    TasksOpt,
    TextOnlyOpt,
    TimeoutOpt,
    TokenizerOpt,
    WorkersOpt,
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
    baseline: BaselineOpt = None,
    primary: PrimaryOpt = "R@1",
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    dataset: ModelDatasetOpt = None,
    root: RootOpt = None,
    on: OnOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    text_only: TextOnlyOpt = False,
    protocol: ProtocolOpt = None,
    missing: AskedMissingOpt = None,
    allow_trained: AllowTrainedOpt = False,
    intersect: IntersectOpt = False,
    allow_different: AllowOpt = None,
    frames: FramesOpt = None,
    precision: PrecisionOpt = "fp32",
    compile: CompileOpt = False,
    tokenizer: TokenizerOpt = None,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
    normalize: NormalizeOpt = None,
    relevant: AskedRelevantOpt = None,
    ties: AskedTiesOpt = None,
    device: DeviceOpt = "cpu",
    workers: WorkersOpt = None,
    timeout: TimeoutOpt = "60s",
    output: OutputOpt = None,
    report: ReportOpt = None,
    diff_queries: DiffQueriesOpt = 0,
) -> None:
    """Say which is better, by how much, and whether it is real.

    First a verdict on each task, then every figure: the difference to the baseline A, query by query, with a paired
    test and its 95 % interval. All must have asked the same questions of the same gallery under the same rules; what
    differs is refused by name. One figure of each task is primary, R@1 of the direction that is evaluated first;
    Holm's p-values are among the primary figures, and among the others. A RULE is one of relevant, stage, ties,
    missing, dataset, protocol, gallery, questions.

    Example: gram compare clips_emb@cosine clips_emb@gram --task t2va

    Example: gram compare before.json after.json --diff-queries 20

    Example: gram compare --on clips_emb heads:heads_cosine@cosine heads:heads_gram@gram

    Example: gram compare 'cosine=runs/cosine_s*.json' 'gram=runs/gram_s*.json'

    Example: gram compare CKPT_A CKPT_B --dataset msrvtt --root DIR --method gram

    Example: gram compare raw.json dsl.json --allow-different stage --primary MRR
    """
    with heavy_imports():
        from gramcli.evaluation.compare import compare
    from gramcli.report.tables import comparison_answer

    session.check_output(output)
    session.check_suffixes(report, None)
    with session.watch() as watch:
        found = compare(
            *operands, baseline=baseline, on=on, tasks=task or (), methods=method or (), query=query,
            candidates=candidates, primary=primary, intersect=intersect, allow_different=values(allow_different),
            diff_queries=diff_queries, per_query=report is not None, dataset=dataset, root=root, protocol=protocol,
            split=split, limit=limit,
            text_only=text_only, missing=missing, allow_trained=allow_trained, normalize=normalize, relevant=relevant,
            ties=ties, frames=frames, device=device, precision=precision, compile=compile, tokenizer=tokenizer,
            checkpoint_step=checkpoint_step, config=config, allow_pickle=allow_pickle, workers=workers,
            timeout=timeout, watch=watch,
        )  # fmt: skip
    found = session.signed(found)
    session.write_page(report, found)
    session.show(comparison_answer(found), output)
    session.finish(EXIT_LEFT_OUT if found.left_out else 0)
