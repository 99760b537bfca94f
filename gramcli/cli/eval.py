"""`gram eval`."""

from __future__ import annotations

from gramcli.cli.loading import heavy_imports
from gramcli.cli.options import (
    AllowTrainedOpt,
    CandidatesOpt,
    ClassifiersOpt,
    CompileOpt,
    ConfigOpt,
    DatasetOpt,
    DeviceOpt,
    Directions,
    DirectionsOpt,
    ExpectOpt,
    FramesOpt,
    Intervals,
    IntervalsOpt,
    KnnOpt,
    LimitOpt,
    MethodsOpt,
    MetricsOpt,
    Missing,
    MissingOpt,
    NormalizeOpt,
    OutputOpt,
    PerQueryOpt,
    PickleOpt,
    Pool,
    PoolOpt,
    Population,
    PopulationOpt,
    PrecisionOpt,
    ProtocolOpt,
    QueryOpt,
    ReferenceOpt,
    Relevance,
    RelevantOpt,
    ReportOpt,
    RerankOpt,
    RerankTopOpt,
    RootOpt,
    SeedOpt,
    SeenThroughOpt,
    SplitOpt,
    StepOpt,
    TargetArg,
    TasksOpt,
    TemplatesOpt,
    TextOnlyOpt,
    Ties,
    TiesOpt,
    TimeoutOpt,
    TokenizerOpt,
    WorkersOpt,
    values,
)
from gramcli.cli.session import Session
from gramcli.errors import EXIT_EXPECTATION, EXIT_LEFT_OUT


def eval_command(
    session: Session,
    target: TargetArg,
    *,
    task: TasksOpt = None,
    method: MethodsOpt = None,
    metrics: MetricsOpt = None,
    directions: DirectionsOpt = Directions.named,
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    dataset: DatasetOpt = None,
    root: RootOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    text_only: TextOnlyOpt = False,
    protocol: ProtocolOpt = None,
    missing: MissingOpt = Missing.drop,
    allow_trained: AllowTrainedOpt = False,
    model: SeenThroughOpt = None,
    frames: FramesOpt = None,
    precision: PrecisionOpt = "fp32",
    compile: CompileOpt = False,
    tokenizer: TokenizerOpt = None,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
    normalize: NormalizeOpt = None,
    rerank: RerankOpt = None,
    rerank_top: RerankTopOpt = 50,
    relevant: RelevantOpt = Relevance.item,
    ties: TiesOpt = Ties.mean,
    intervals: IntervalsOpt = Intervals.plus_four,
    population: PopulationOpt = Population.queries,
    pool: PoolOpt = Pool.task,
    classifier: ClassifiersOpt = None,
    templates: TemplatesOpt = None,
    knn: KnnOpt = None,
    device: DeviceOpt = "cpu",
    workers: WorkersOpt = None,
    timeout: TimeoutOpt = "60s",
    seed: SeedOpt = 0,
    output: OutputOpt = None,
    report: ReportOpt = None,
    per_query: PerQueryOpt = None,
    reference: ReferenceOpt = False,
    expect: ExpectOpt = None,
) -> None:
    """Evaluate a store, or a model on a dataset.

    Retrieval in both directions, with 95 % intervals, for every task and method that fits. With --metrics
    classification: zero-shot, nearest neighbours and linear probe by the labels; a label may be several, `rain|wind`.

    Example: gram eval clips_emb

    Example: gram eval clips_emb --task t2va --method gram --method pmrl -o run.json

    Example: gram eval CKPT --dataset msrvtt --root DIR --protocol msrvtt-1k-av

    Example: gram eval signal --dataset clips/ --metrics classification

    Example: gram eval clips_emb --metrics geometry --format csv

    Example: gram eval clips_emb --task t2v --normalize dsl:tau=20

    Example: gram eval clips_emb --directions all --method gram --method cosine

    Example: gram eval clips_emb --model heads:heads_gram --split test
    """
    from gramcli.cli.expectations import failures, parse_expectations

    with heavy_imports():
        from gramcli.evaluation.evaluate import evaluate
    from gramcli.report.tables import evaluation_answer

    session.check_output(output)
    session.check_suffixes(report, per_query)
    expected = parse_expectations(expect)
    answers = per_query or (report and "retrieval" in (values(metrics) or ("retrieval",)))
    with session.watch() as watch:
        evaluation = evaluate(
            target, dataset=dataset, root=root, protocol=protocol, split=split, limit=limit, text_only=text_only,
            missing=missing.value,
            model=model, allow_trained=allow_trained, tasks=task or (), methods=method or (), query=query,
            candidates=candidates, metrics=values(metrics), normalize=normalize, rerank=rerank, rerank_top=rerank_top,
            relevant=relevant.value, ties=ties.value, intervals=intervals.value, population=population.value,
            per_query=bool(answers), reference=reference, classifiers=values(classifier),
            templates=templates, knn=knn, seed=seed,
            frames=frames, device=device, precision=precision, tokenizer=tokenizer, checkpoint_step=checkpoint_step,
            config=config, allow_pickle=allow_pickle, compile=compile, directions=directions.value, pool=pool.value,
            workers=workers, timeout=timeout, watch=watch,
        )  # fmt: skip
    evaluation = session.signed(evaluation)
    failed = failures(expected, evaluation)
    session.write_page(report, evaluation)
    session.write_per_query(per_query, evaluation)
    session.show(evaluation_answer(evaluation), output)
    session.complain(*failed)
    session.finish(EXIT_EXPECTATION if failed else EXIT_LEFT_OUT if evaluation.left_out else 0)
