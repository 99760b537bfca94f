"""Whether an encoder that a spec names is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gramcli.encoders import load_encoder
from gramcli.encoders.base import Encoder
from gramcli.encoders.soundness.examine import examine
from gramcli.results.soundness import Soundness
from gramcli.results.watch import NOBODY, Watch


def examine_model(
    model: str | Path,
    *,
    device: str = "cpu",
    precision: str = "fp32",
    watch: Watch = NOBODY,
    **options: Any,  # noqa: ANN401 - those of load_encoder
) -> Soundness:
    """Load an encoder and examine it, as `gram doctor MODEL` does.

    Args:
        model: As for `load_encoder`.
        device: `cpu`, `cuda`, `cuda:i` or `auto`.
        precision: `fp32`, `bf16` or `fp16`; it is loaded a second time in another one.
        watch: Told of progress, and of a download before it begins.
        **options: Of `load_encoder`.

    Returns:
        What was found.

    Raises:
        UserError: The encoder cannot be loaded.
    """
    if device != "cpu":
        from gramcli.scoring.checks import device_named  # noqa: PLC0415 - torch, which a built-in encoder does without

        device = device_named(device)

    def load(wanted: str) -> Encoder:
        return load_encoder(model, device=device, precision=wanted, watch=watch, **options)

    encoder = load(precision)
    progress = watch.stage(f"Examining {model}", "checks")
    return examine(encoder, load, device=device, precision=precision, progress=progress)
