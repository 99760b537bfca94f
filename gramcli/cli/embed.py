"""`gram embed`."""

from __future__ import annotations

from gramcli.cli.options import (
    DataArg,
    DryRunOpt,
    FramesOpt,
    LimitOpt,
    ModelOpt,
    OverwriteOpt,
    RootOpt,
    SplitOpt,
    StoreOut,
    WorkersOpt,
)
from gramcli.cli.session import Session


def embed_command(
    session: Session,
    data: DataArg,
    *,
    output: StoreOut,
    model: ModelOpt = "signal",
    root: RootOpt = None,
    split: SplitOpt = None,
    limit: LimitOpt = None,
    frames: FramesOpt = 8,
    overwrite: OverwriteOpt = False,
    workers: WorkersOpt = None,
    dry_run: DryRunOpt = False,
) -> None:
    """Embed media into a store; a stopped run resumes.

    Example: gram embed clips/ -o clips_emb --model signal
    """
    from gramcli.datasets import open_dataset
    from gramcli.describe import describe_dataset
    from gramcli.embed import embed
    from gramcli.encoders import load_encoder
    from gramcli.encoders.base import Preprocessing
    from gramcli.report.listings import description_answer
    from gramcli.report.tables import embed_answer

    dataset = open_dataset(data, root, split=split, limit=limit)
    encoder = load_encoder(model, Preprocessing(frames=frames))
    if dry_run:
        session.say(f"Nothing was embedded: with {model} this would go into {output}.")
        return session.show(description_answer(describe_dataset(data, dataset)))
    with session.progress("Embedding") as progress:
        summary = embed(dataset, encoder, output, overwrite=overwrite, workers=workers, progress=progress)
    session.show(embed_answer(summary))
    if not summary.usable:
        session.complain(f"Nothing of {data} could be embedded; the reasons are in {output}/items.csv.")
    session.finish(summary.exit_code)
