"""`gram inspect`."""

from __future__ import annotations

from gramcli.cli.options import ConfigOpt, OutputOpt, PathArg, PickleOpt, StepOpt, VerifyOpt
from gramcli.cli.session import Session


def inspect_command(
    session: Session,
    path: PathArg,
    *,
    verify: VerifyOpt = False,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
    output: OutputOpt = None,
) -> None:
    """Say what a checkpoint, store, result or dataset holds.

    Example: gram inspect clips_emb

    Example: gram inspect clips_emb --verify

    Example: gram inspect GRAM_pretrained_4modalities/

    Example: gram inspect hf:openai/clip-vit-base-patch32
    """
    from gramcli.inspection.inspect import inspect
    from gramcli.report.listings import description_answer

    with session.watch() as watch:
        found = inspect(
            path, verify=verify, checkpoint_step=checkpoint_step, config=config, allow_pickle=allow_pickle, watch=watch
        )
    session.show(description_answer(found), output)
