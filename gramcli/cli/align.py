"""`gram align`."""

from __future__ import annotations

from gramcli.cli.options import (
    AnchorOpt,
    CandidatesOpt,
    DecayOpt,
    DeviceOpt,
    DimOpt,
    DropoutOpt,
    EpochsOpt,
    HeadsOut,
    HiddenOpt,
    InitOpt,
    JudgeOpt,
    LossOpt,
    ModalitiesOpt,
    OverwriteOpt,
    PatienceOpt,
    QueryOpt,
    RateOpt,
    Relevance,
    RelevantOpt,
    SeedOpt,
    StepSizeOpt,
    StopMetricOpt,
    StoreArg,
    TaskOpt,
    TemperatureOpt,
    TrainSplitOpt,
    ValSplitOpt,
    WarmupOpt,
)
from gramcli.cli.session import Session


def align_command(
    session: Session,
    store: StoreArg,
    *,
    output: HeadsOut,
    loss: LossOpt,
    modality: ModalitiesOpt = None,
    anchor: AnchorOpt = None,
    dim: DimOpt = 64,
    hidden: HiddenOpt = 0,
    epochs: EpochsOpt = 100,
    lr: RateOpt = 1e-3,
    weight_decay: DecayOpt = 0.01,
    dropout: DropoutOpt = 0.0,
    init: InitOpt = None,
    warmup: WarmupOpt = 0.1,
    batch_size: StepSizeOpt = 256,
    temperature: TemperatureOpt = None,
    seed: SeedOpt = 0,
    train_split: TrainSplitOpt = "train",
    val_split: ValSplitOpt = None,
    task: TaskOpt = None,
    query: QueryOpt = None,
    candidates: CandidatesOpt = None,
    method: JudgeOpt = None,
    metric: StopMetricOpt = "MRR",
    patience: PatienceOpt = 20,
    relevant: RelevantOpt = Relevance.item,
    device: DeviceOpt = "cpu",
    overwrite: OverwriteOpt = False,
) -> None:
    """Train projection heads on a store by a method's loss.

    It trains on the train split and keeps the epoch that is best on the validation split. A stopped run resumes. Under
    torchrun every rank takes its part of each batch: torchrun --nproc-per-node 4 -m gramcli align ...

    Example: gram align clips_emb -o heads_gram --loss gram

    Example: gram align clips_emb -o heads_pmrl --loss pmrl --dim 128 --hidden 256 --relevant label

    Example: gram eval clips_emb --model heads:heads_gram
    """
    from gramcli.alignment.align import align
    from gramcli.alignment.ranks import is_first
    from gramcli.report.align import alignment_answer, write_curves

    with session.watch() as watch:
        found = align(
            store, output, loss=loss, modalities=modality or (), anchor=anchor, dim=dim, hidden=hidden, epochs=epochs,
            lr=lr, weight_decay=weight_decay, dropout=dropout, init=init, warmup=warmup, batch_size=batch_size,
            temperature=temperature, seed=seed, train_split=train_split, val_split=val_split, task=task, query=query,
            candidates=candidates, method=method, metric=metric, patience=patience, relevant=relevant.value,
            device=device, overwrite=overwrite, watch=watch,
        )  # fmt: skip
    if is_first():
        write_curves(found)
        session.show(alignment_answer(found))
