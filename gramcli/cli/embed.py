"""`gram embed`."""

from __future__ import annotations

from typing import Any

from gramcli.cli.options import (
    BatchOpt,
    CompileOpt,
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
    TextOnlyOpt,
    TimeoutOpt,
    TokenizerOpt,
    WorkersOpt,
)
from gramcli.cli.session import Session


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
    compile: CompileOpt = False,
    root: RootOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    text_only: TextOnlyOpt = False,
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

    Example: gram embed clips/ -o clips_clip --model hf:openai/clip-vit-base-patch32

    Example: gram embed clips/ -o clips_emb --retry-failed --timeout 2m

    Example: gram embed msrvtt --root DIR -o msrvtt_emb

    Example: gram embed msrvtt --root DIR --split all -o msrvtt_all

    Example: gram embed clips/ --model heads:heads_gram --from clips_emb -o clips_gram
    """
    from gramcli.embedding.embed import embed, opened_work, refuse_idle
    from gramcli.embedding.options import options_from
    from gramcli.embedding.writing import preview
    from gramcli.inspection.inspect import describe_dataset, inspect
    from gramcli.report.listings import description_answer
    from gramcli.report.tables import embed_answer

    what: dict[str, Any] = {
        "model": model, "root": root, "protocol": protocol, "split": split, "limit": limit, "frames": frames,
        "device": device, "precision": precision, "tokenizer": tokenizer, "checkpoint_step": checkpoint_step,
        "config": config, "text_only": text_only, "allow_pickle": allow_pickle, "stand_ins": stand_ins,
        "compile": compile,
    }  # fmt: skip
    if dry_run:
        refuse_idle({"--dry-run": from_store is not None})
        options_from(workers, timeout, batch_size, device)
        dataset, encoder = opened_work(data, **what)
        session.say(f"Nothing was embedded. {preview(dataset, encoder, output)}")
        return session.show(description_answer(describe_dataset(data, dataset)))
    how: dict[str, Any] = {"workers": workers, "timeout": timeout, "batch_size": batch_size}
    again: dict[str, Any] = {"overwrite": overwrite, "retry_failed": retry_failed}
    with session.watch() as watch:
        summary = embed(data, output, from_store=from_store, watch=watch, **what, **how, **again)
    session.show(description_answer(inspect(output)) if from_store else embed_answer(summary))
    if not summary.usable:
        session.complain(f"Nothing of {data} could be embedded; the reasons are in {output}/items.csv.")
    session.finish(summary.exit_code)
