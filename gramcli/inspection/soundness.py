"""Whether an encoder that a spec names is sound."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from gramcli.encoders import load_encoder
from gramcli.encoders.base import Encoder
from gramcli.encoders.soundness.elsewhere import SecondProcess
from gramcli.encoders.soundness.examine import examine
from gramcli.results.soundness import Soundness
from gramcli.results.watch import NOBODY, Watch

_LONG: Final = 5.0  # seconds of loading that someone wants to know the reason of
_WIDEST: Final = 32  # columns


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
        precision: `fp32`, `bf16` or `fp16`; it is loaded again in a second process, and in another precision.
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

    start = time.monotonic()
    encoder = load(precision)
    if time.monotonic() - start > _LONG:
        watch.say("It is loaded three times: here, again in a second process, and in another precision.")
    given = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    second = SecondProcess(str(model), {**given, "device": device, "precision": precision})
    progress = watch.stage(f"Examining {_short(str(model))}", "checks")
    return examine(encoder, load, second=second, device=device, precision=precision, progress=progress)


def _short(model: str) -> str:
    """A spec that leaves room for what a line of progress is about."""
    return model if len(model) <= _WIDEST else "the model"
