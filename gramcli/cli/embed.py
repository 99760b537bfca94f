"""`gram embed`."""

from __future__ import annotations

from gramcli.cli.options import (
    BatchOpt,
    ConfigOpt,
    DataArg,
    DeviceOpt,
    DryRunOpt,
    FramesOpt,
    FromOpt,
    LimitOpt,
    ModelOpt,
    OverwriteOpt,
    PickleOpt,
    PrecisionOpt,
    ProtocolOpt,
    RetryOpt,
    RootOpt,
    SplitOpt,
    StandInsOpt,
    StepOpt,
    StoreOut,
    TimeoutOpt,
    TokenizerOpt,
    WorkersOpt,
    seconds_from,
)
from gramcli.cli.session import Session
from gramcli.errors import UserError


def embed_command(
    session: Session,
    data: DataArg,
    *,
    output: StoreOut,
    model: ModelOpt = "signal",
    from_store: FromOpt = None,
    frames: FramesOpt = None,
    precision: PrecisionOpt = "fp32",
    tokenizer: TokenizerOpt = None,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
    stand_ins: StandInsOpt = False,
    root: RootOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    protocol: ProtocolOpt = None,
    device: DeviceOpt = "cpu",
    workers: WorkersOpt = None,
    batch_size: BatchOpt = 16,
    timeout: TimeoutOpt = "60s",
    retry_failed: RetryOpt = False,
    overwrite: OverwriteOpt = False,
    dry_run: DryRunOpt = False,
) -> None:
    """Embed media into a store; a stopped run resumes.

    A file that does not decode, hangs or crashes costs its item that modality and is named; exit code 3.

    Example: gram embed clips/ -o clips_emb --model signal

    Example: gram embed clips/ -o clips_emb --retry-failed --timeout 2m

    Example: gram embed msrvtt --root DIR -o msrvtt_emb

    Example: gram embed clips/ --model heads:heads_gram --from clips_emb -o clips_gram
    """
    from gramcli.cli.targets import ModelOptions, device_named
    from gramcli.datasets import open_dataset
    from gramcli.embedding.embed import EmbedOptions, embed, preview
    from gramcli.inspection.describe import describe_dataset
    from gramcli.report.listings import description_answer
    from gramcli.report.tables import embed_answer

    if from_store is not None:
        from gramcli.cli.projected import embed_through_heads

        idle = {"--retry-failed": retry_failed, "--stand-ins": stand_ins, "--frames": frames, "--dry-run": dry_run}
        items = {"root": root, "split": split, "limit": limit, "protocol": protocol}
        return embed_through_heads(session, data, items, (model, from_store), (output, overwrite), idle)
    options = EmbedOptions(workers, seconds_from(timeout, "--timeout"), batch_size)
    dataset = open_dataset(data, root, split=split, limit=limit, protocol=protocol)
    where = device_named(device)
    wanted = ModelOptions(frames, where, precision, tokenizer, checkpoint_step, config, allow_pickle, stand_ins)
    encoder = wanted.load(model)
    if stand_ins and not encoder.stand_ins:
        raise UserError("usage", f"--stand-ins: {model} has no encoding of silence or of no words. Leave it out.")
    if dry_run:
        session.say(f"Nothing was embedded. {preview(dataset, encoder, output, options)}")
        return session.show(description_answer(describe_dataset(data, dataset)))
    with session.progress("Embedding") as progress:
        how = {"overwrite": overwrite, "retry_failed": retry_failed}
        summary = embed(dataset, encoder, output, **how, options=options, progress=progress)
    session.show(embed_answer(summary))
    if not summary.usable:
        session.complain(f"Nothing of {data} could be embedded; the reasons are in {output}/items.csv.")
    session.finish(summary.exit_code)
