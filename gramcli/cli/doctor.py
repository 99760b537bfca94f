"""`gram doctor`."""

from __future__ import annotations

from typing import Any

from gramcli.cli.options import (
    ConfigOpt,
    DeviceOpt,
    EncoderArg,
    FramesOpt,
    OutputOpt,
    PickleOpt,
    PrecisionOpt,
    StepOpt,
    TokenizerOpt,
)
from gramcli.cli.session import Session
from gramcli.errors import EXIT_FAILED, UserError


def doctor_command(
    session: Session,
    model: EncoderArg = None,
    *,
    frames: FramesOpt = None,
    precision: PrecisionOpt = "fp32",
    tokenizer: TokenizerOpt = None,
    checkpoint_step: StepOpt = None,
    config: ConfigOpt = None,
    allow_pickle: PickleOpt = False,
    device: DeviceOpt = "cpu",
    output: OutputOpt = None,
) -> None:
    """Check what works here; with MODEL, whether that encoder is sound.

    Without MODEL: versions, devices, decoders, cache. With it: does one input give one vector, alone and in any batch,
    padded or not? Exit code 1 where a check failed.

    Example: gram doctor

    Example: gram doctor signal
    """
    how: dict[str, Any] = {
        "frames": frames, "device": device, "precision": precision, "tokenizer": tokenizer,
        "checkpoint_step": checkpoint_step, "config": config, "allow_pickle": allow_pickle,
    }  # fmt: skip
    session.check_output(output)
    with session.watch() as watch:
        if model is None:
            _refuse_idle(how)
            from gramcli.inspection.doctor import diagnose
            from gramcli.report.listings import doctor_answer

            checks = diagnose(watch.stage("Trying packages", "packages"))
            answer, code = doctor_answer(checks), 0 if all(check.works for check in checks) else EXIT_FAILED
        else:
            from gramcli.inspection.soundness import examine_model
            from gramcli.report.soundness import soundness_answer

            found = examine_model(model, watch=watch, **how)
            answer, code = soundness_answer(found), found.exit_code
    session.show(answer, output)
    session.finish(code)


def _refuse_idle(how: dict[str, Any]) -> None:
    given = {**how, "device": how["device"] != "cpu", "precision": how["precision"] != "fp32"}
    if idle := next((name for name, value in given.items() if value), None):
        option = f"--{idle.replace('_', '-')}"
        raise UserError("usage", f"{option} has no effect without MODEL: name an encoder, such as gram doctor signal.")
