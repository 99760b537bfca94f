"""A run that can stop at any time: everything the next epoch depends on, in one file that is whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gramcli.errors import UserError
from gramcli.files.writing import disk_errors, make_folder, write_atomic
from gramcli.heads.unfinished import STATE, damaged_state, read_facts
from gramcli.results.runs import Curve, Epoch

__all__ = [
    "MAIN",
    "STATE",
    "WARM_UP",
    "Progress",
    "check_plan",
    "curve_of",
    "damaged_state",
    "load_progress",
    "save_progress",
]

WARM_UP: Final = "warm-up"
MAIN: Final = "main"


@dataclass
class Progress:
    """Where a run stands after an epoch.

    Attributes:
        history: All epochs of the stage so far.
        best: Number of the best one; 0 before the first.
        tensors: Current tensors under `now/`, those of the best epoch under `best/`, the optimiser's under `adam/`.
        stage: `WARM_UP` or `MAIN`.
        start: Validation figures before the stage's first epoch.
        before: The warm-up, once the main stage has begun.
    """

    history: list[Epoch] = field(default_factory=list)
    best: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)
    stage: str = MAIN
    start: Mapping[str, float] = field(default_factory=dict)
    before: Curve | None = None


def save_progress(folder: Path, plan: Mapping[str, Any], progress: Progress) -> None:
    """Write a run's progress.

    Raises:
        UserError: It cannot be written.
    """
    facts = {
        "plan": plan,
        "stage": progress.stage,
        "history": [asdict(one) for one in progress.history],
        "best": progress.best,
        "start": dict(progress.start),
        "before": asdict(progress.before) if progress.before else None,
    }
    data = save(
        {name: one.detach().cpu().contiguous() for name, one in progress.tensors.items()},
        {"progress": json.dumps(facts)},
    )
    with disk_errors(folder / STATE):
        make_folder(folder)
        write_atomic(folder / STATE, data)


def load_progress(folder: Path, plan: Mapping[str, Any]) -> Progress | None:
    """Read the progress of an earlier run of the same plan; None where there is none.

    Raises:
        UserError: What is there is of another plan, or damaged.
    """
    path = folder / STATE
    if not path.exists():
        return None
    facts = read_facts(folder)
    check_plan(folder, facts["plan"], plan)
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise damaged_state(folder, error) from error
    curve, before = curve_of(facts), facts["before"]
    earlier = None if before is None else curve_of(before)
    return Progress(list(curve.history), curve.best, tensors, facts["stage"], facts["start"], earlier)


def curve_of(facts: Mapping[str, Any]) -> Curve:
    """Take a stage's curve from what was read and checked."""
    history = tuple(Epoch(**{**one, "measures": dict(one["measures"])}) for one in facts["history"])
    return Curve(history, facts["best"])


def check_plan(folder: Path, found: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Refuse to go on with, or to replace, what was trained otherwise.

    Raises:
        UserError: The plans differ; names the first differences.
    """
    differing = [key for key in plan if found.get(key) != plan[key]]
    if differing:
        said = "; ".join(f"{key}: {_short(found.get(key))} there, {_short(plan[key])} now" for key in differing[:3])
        raise UserError(
            "usage", f"{folder} holds heads of another run ({said}). Name another -o, or add --overwrite to begin anew."
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."
