"""`gram eval`."""

from __future__ import annotations

from gramcli.cli.options import (
    AllowTrainedOpt,
    CandidatesOpt,
    Classifier,
    ClassifiersOpt,
    ConfigOpt,
    DatasetOpt,
    DeviceOpt,
    ExpectOpt,
    FramesOpt,
    Intervals,
    IntervalsOpt,
    Kind,
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
    Ties,
    TiesOpt,
    TimeoutOpt,
    TokenizerOpt,
    WorkersOpt,
    seconds_from,
    tasks_from,
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
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    dataset: DatasetOpt = None,
    root: RootOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    protocol: ProtocolOpt = None,
    missing: MissingOpt = Missing.drop,
    allow_trained: AllowTrainedOpt = False,
    model: SeenThroughOpt = None,
    frames: FramesOpt = None,
    precision: PrecisionOpt = "fp32",
    tokenizer: TokenizerOpt = None,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
    normalize: NormalizeOpt = None,
    rerank: RerankOpt = None,
    rerank_top: RerankTopOpt = 50,
    relevant: RelevantOpt = Relevance.item,
    ties: TiesOpt = Ties.mean,
    intervals: IntervalsOpt = Intervals.bootstrap,
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

    Example: gram eval clips_emb --model heads:heads_gram --split test
    """
    from gramcli.cli.effects import refuse_without_effect
    from gramcli.cli.expectations import failures, parse_expectations
    from gramcli.cli.targets import ModelOptions, chosen_dataset, device_named, open_target, seen_through
    from gramcli.embedding.embed import EmbedOptions
    from gramcli.evaluation.evaluate import EvalOptions, evaluate
    from gramcli.evaluation.options import ClassOptions
    from gramcli.metrics.prompts import read_templates
    from gramcli.report.tables import evaluation_answer

    classifying = {"--classifier": classifier, "--templates": templates, "--knn": knn}
    refuse_without_effect(metrics, classifying, per_query, root, dataset)
    tasks, expected = tasks_from(task, query, candidates), parse_expectations(expect)
    how = EmbedOptions(workers=workers, time_limit=seconds_from(timeout, "--timeout"))
    prompts = read_templates(templates or "plain")
    where, zero = device_named(device), missing is Missing.zero
    wanted = ModelOptions(frames, where, precision, tokenizer, checkpoint_step, config, allow_pickle, zero)
    learns = Kind.classification in (metrics or ()) and classifier != [Classifier.zero_shot]
    chosen = chosen_dataset(dataset, root, split, limit, protocol, with_train=learns) if dataset else None
    opened_target = open_target(target, chosen, wanted)
    store = seen_through(opened_target.store(session, how, tasks), model)
    with session.stages() as stage:
        second = opened_target.reranker(rerank, rerank_top, how, stage("Re-ranking")) if rerank else None
        options = EvalOptions(
            split,
            limit,
            missing.value,
            wanted.device,
            protocol,
            stage("Evaluating"),
            normalize,
            second,
            ties=ties.value,
            intervals=intervals.value,
            best=5 if per_query else 0,
            kinds=tuple(kind.value for kind in metrics or (Kind.retrieval,)),
            seed=seed,
            classes=ClassOptions(
                opened_target.class_texts(),
                prompts,
                knn,
                tuple(one.value for one in classifier) if classifier else None,
            ),
            reference=reference,
            relevant=relevant.value,
            allow_trained=allow_trained,
        )
        evaluation = evaluate(store, tasks=tasks, methods=method or (), options=options)
    failed = failures(expected, evaluation)
    session.write_page(report, evaluation)
    session.write_per_query(per_query, evaluation)
    session.show(evaluation_answer(evaluation), output)
    session.complain(*failed)
    session.finish(EXIT_EXPECTATION if failed else EXIT_LEFT_OUT if evaluation.left_out else 0)
