"""Heads whose training has not ended: what the state that a run goes on from says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import check_regular
from gramcli.heads.schema import State, check_curves
from gramcli.results.schema import Source, checked, parse_json

STATE: Final = "training.safetensors"
_ANEW: Final = "Add --overwrite to begin anew."


def read_facts(folder: Path) -> dict[str, Any]:
    """Read what a state says, without its tensors.

    Args:
        folder: Of the heads.

    Returns:
        What `gramcli.heads.schema.State` declares, as it was written.

    Raises:
        UserError: It is damaged.
    """
    source = Source(folder / STATE, "input", _ANEW)
    try:
        check_regular(folder / STATE)
        with safe_open(folder / STATE, framework="pt") as file:
            text = (file.metadata() or {}).get("progress", "null")
    except (SafetensorError, OSError) as error:
        raise damaged_state(folder, error) from error
    facts: dict[str, Any] = parse_json(text, source)
    check_curves(checked(facts, State, source), source)
    return facts


def damaged_state(folder: Path, error: Exception) -> UserError:
    """What to say of a state that no run can go on from."""
    refuse_pointer(folder / STATE, "input")
    return UserError("input", f"{folder / STATE} is damaged ({error}). {_ANEW}")
