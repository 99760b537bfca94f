"""`gram export`."""

from __future__ import annotations

from gramcli.cli.options import CheckpointArg, ConfigOpt, HalfOpt, PickleOpt, StepOpt, WeightsOut
from gramcli.cli.session import Session


def export_command(
    session: Session,
    checkpoint: CheckpointArg,
    *,
    output: WeightsOut,
    half: HalfOpt = False,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
) -> None:
    """Rewrite a checkpoint as one self-describing file.

    The safetensors file loads at once, without the folder it came from and without unpickling anything; with --half in
    half the memory.

    Example: gram export GRAM_pretrained_4modalities/ -o gram.safetensors --half
    """
    from gramcli.encoders.vast.export import export_safetensors
    from gramcli.report.listings import export_answer

    written = export_safetensors(
        checkpoint, output, half=half, step=checkpoint_step, config=config, allow_pickle=allow_pickle
    )
    session.show(export_answer(written))
