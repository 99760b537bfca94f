"""`gram align`."""

from __future__ import annotations

from gramcli.cli.align_options import (
    AnchorOpt,
    DecayOpt,
    DimOpt,
    DropoutOpt,
    EpochsOpt,
    HeadsOut,
    HiddenOpt,
    InitOpt,
    JudgeOpt,
    LossOpt,
    ModalitiesOpt,
    PatienceOpt,
    RateOpt,
    RisingOpt,
    StepSizeOpt,
    StopMetricOpt,
    TemperatureOpt,
    TrainSplitOpt,
    ValCandidatesOpt,
    ValQueryOpt,
    ValSplitOpt,
    ValTaskOpt,
    WarmUpOpt,
)
from gramcli.cli.loading import heavy_imports
from gramcli.cli.options import DeviceOpt, OverwriteOpt, Relevance, RelevantOpt, ReportOpt, SeedOpt, StoreArg
from gramcli.cli.session import Session


def align_command(
    session: Session,
    store: StoreArg,
    *,
    loss: LossOpt,
    output: HeadsOut,
    modality: ModalitiesOpt = None,
    anchor: AnchorOpt = None,
    dim: DimOpt = 64,
    hidden: HiddenOpt = 0,
    init: InitOpt = None,
    warm_up: WarmUpOpt = None,
    epochs: EpochsOpt = 100,
    lr: RateOpt = 1e-3,
    batch_size: StepSizeOpt = 256,
    lr_warmup: RisingOpt = 0.1,
    weight_decay: DecayOpt = 0.01,
    dropout: DropoutOpt = 0.0,
    temperature: TemperatureOpt = None,
    train_split: TrainSplitOpt = "train",
    val_split: ValSplitOpt = None,
    metric: StopMetricOpt = "MRR",
    patience: PatienceOpt = 20,
    task: ValTaskOpt = None,
    method: JudgeOpt = None,
    query: ValQueryOpt = None,
    candidates: ValCandidatesOpt = None,
    relevant: RelevantOpt = Relevance.item,
    seed: SeedOpt = 0,
    device: DeviceOpt = "cpu",
    report: ReportOpt = None,
    overwrite: OverwriteOpt = False,
) -> None:
    """Train projection heads on a store by a method's loss.

    It trains on the train split and keeps the epoch that is best on the validation split. Losses that do not see signs
    (gram, span, pmrl, triangle, symile) start from a stage by the cosine loss, unless --init or --warm-up 0 is given.
    A stopped run resumes. Under torchrun every rank takes its part of each batch:
    torchrun --nproc-per-node 4 -m gramcli align ...

    Example: gram align clips_emb -o heads_gram --loss gram

    Example: gram align clips_emb -o heads_gram --loss gram --warm-up 20

    Example: gram align clips_emb -o heads_pmrl --loss pmrl --hidden 256 --relevant label

    Example: gram eval clips_emb --model heads:heads_gram
    """
    with heavy_imports():
        from gramcli.alignment.align import align
    from gramcli.alignment.ranks import is_first
    from gramcli.report.align import alignment_answer, write_curves

    session.check_suffixes(report, None)
    with session.watch() as watch:
        found = align(
            store, output, loss=loss, modalities=modality or (), anchor=anchor, dim=dim, hidden=hidden, epochs=epochs,
            lr=lr, weight_decay=weight_decay, dropout=dropout, init=init, warm_up=warm_up, lr_warmup=lr_warmup,
            batch_size=batch_size, temperature=temperature, seed=seed, train_split=train_split, val_split=val_split,
            task=task, query=query, candidates=candidates, method=method, metric=metric, patience=patience,
            relevant=relevant.value, device=device, overwrite=overwrite, watch=watch,
        )  # fmt: skip
    if is_first():
        write_curves(found)
        session.write_page(report, found)
        session.show(alignment_answer(found))
