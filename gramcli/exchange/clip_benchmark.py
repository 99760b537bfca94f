"""`clip-benchmark`: `features_{train,val,test}.pt` and `targets_{train,val,test}.pt` of CLIP_benchmark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gramcli.exchange.arrays import ChainRows
from gramcli.exchange.base import Facts, Features, Operand, Recognised, Rows, wrong
from gramcli.exchange.values import is_rows
from gramcli.media.kinds import shown

_FILE: Final = re.compile(r"(features|targets)_(train|val|test)\.pt")
_ORDER: Final = ("train", "val", "test")
_IMAGES: Final = "image: features of CLIP_benchmark are taken for images; --rename image=NAME says otherwise."


def read_clip_benchmark(operands: Sequence[Operand]) -> Recognised | None:
    """Read the folder of one model, or its files."""
    paths = _paths(operands)
    if not any(kind == "features" for kind, _ in paths):
        return None
    rows: list[Rows] = []
    ids: list[str] = []
    facts, notes = Facts(), [_IMAGES]
    for split in [one for one in _ORDER if ("features", one) in paths]:
        path = paths["features", split]
        held = _tensor(path)
        rows.append(held)
        mine = [f"{split}/{k}" for k in range(held.n)]
        ids += mine
        facts.splits |= dict.fromkeys(mine, split)
        if ("targets", split) in paths:
            facts.labels |= _targets(paths["targets", split], mine, notes)
    source = shown(operands[0].path)
    return Recognised(
        "clip-benchmark",
        [Features("image", ChainRows(rows, source), source, ids)],
        facts,
        ids="split and row",
        notes=notes,
    )


def _paths(operands: Sequence[Operand]) -> dict[tuple[str, str], Path]:
    found = {}
    files: list[Path] = []
    for one in operands:
        files += sorted(one.path.glob("*.pt")) if one.is_folder else [one.path]
    for path in files:
        if match := _FILE.fullmatch(path.name):
            found[match[1], match[2]] = path
        elif not all(one.is_folder for one in operands):
            return {}
    return found


def _tensor(path: Path) -> Any:  # noqa: ANN401 - rows
    from gramcli.exchange.torch_files import torch_values  # noqa: PLC0415 - torch loads where a .pt file is read

    rows = torch_values(path).get("")
    if not is_rows(rows):
        raise wrong(shown(path), "holds no tensor", "Extract the features again")
    return rows


def _targets(path: Path, ids: Sequence[str], notes: list[str]) -> dict[str, str]:
    import numpy as np  # noqa: PLC0415 - with torch

    rows = _tensor(path)
    if rows.n != len(ids):
        raise wrong(shown(path), f"has {rows.n:,} targets for {len(ids):,} features", "Extract the features again")
    values = np.asarray(rows.read(np.arange(rows.n)))
    if values.ndim != 1:
        notes.append(
            f"{shown(path)} holds {list(values.shape[1:])} numbers for each item, which are no class: left out."
        )
        return {}
    return {one: str(int(value)) for one, value in zip(ids, values.tolist(), strict=True)}
