"""Looking at the files of a command line before a reader sees them: what each is, and which reader knows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gramcli.errors import UserError, pointer_said
from gramcli.exchange.base import Operand
from gramcli.files.reading import open_regular
from gramcli.media.kinds import shown

_HEAD: Final = 4096
_NAMED: Final = re.compile(r"([A-Za-z][A-Za-z0-9_+-]*)=(.+)", re.DOTALL)


def operands_of(files: Sequence[str | Path], texts: Path | None = None, time_axis: int = 0) -> list[Operand]:
    """Look at each file; `name=file` names its modality.

    Raises:
        UserError: One is not there, a pipe, a device, empty, a pointer of Git LFS, or cannot be read.
    """
    if not files:
        raise UserError("usage", "Name at least one file or folder to import.")
    return [_operand(file, texts, time_axis) for file in files]


def _operand(file: str | Path, texts: Path | None, time_axis: int) -> Operand:
    named = _NAMED.fullmatch(str(file))
    named = None if named and Path(file).exists() else named
    path = Path(named[2] if named else file)
    name = named[1] if named else None
    try:
        if path.is_dir():
            return Operand(path, name, b"", texts, time_axis)
        with open_regular(path) as opened:
            head = opened.read(_HEAD)
    except FileNotFoundError:
        raise UserError("input", f"{shown(path)} does not exist. Name a file or a folder of features.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError("input", f"{shown(path)} cannot be read: {reason}. Name another file.") from error
    if not head:
        raise UserError("input", f"{shown(path)} is empty (0 bytes). Copy or download it again.")
    if said := pointer_said(head, shown(path)):
        raise UserError("input", said)
    return Operand(path, name, head, texts, time_axis)
