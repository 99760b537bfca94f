"""Heads whose training has not ended: what the state that a run goes on from says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import check_regular

STATE: Final = "training.safetensors"


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what a state says, without its tensors.

    Args:
        folder: Of the heads.

    Returns:
        `plan`, a mapping, and `history`, a list with at least one epoch; the rest as it was written.

    Raises:
        UserError: It is damaged.
    """
    try:
        check_regular(folder / STATE)
        with safe_open(folder / STATE, framework="pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["progress"])
        facts["plan"] = dict(facts["plan"])
        if not isinstance(facts["history"], list) or not facts["history"]:
            raise ValueError("no epochs")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise damaged_state(folder, error) from error
    return facts


def damaged_state(folder: Path, error: Exception) -> UserError:
    """What to say of a state that no run can go on from."""
    refuse_pointer(folder / STATE, "input")
    return UserError("input", f"{folder / STATE} is damaged ({error}). Add --overwrite to begin anew.")
