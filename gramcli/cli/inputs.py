"""What a command reads must not be what it writes: the files that its words name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gramcli.cli.words import WORDS
from gramcli.errors import UserError
from gramcli.files.owned import refuse_owned

_PATTERN: Final = re.compile(r"[*?\[]")


def check_apart(*outputs: Path | None) -> None:
    """Refuse a folder that is not there, and a file that the command line also names otherwise, or that a store needs.

    Args:
        outputs: Where the command writes to; None where nothing is.

    Raises:
        UserError: One of them is.
    """
    for one in outputs:
        if one is not None and not one.parent.is_dir():
            raise UserError(
                "failed", f"{one} could not be written: there is no folder {one.parent}. Make the folder first."
            )
    there = [one for one in outputs if one is not None and one.is_file()]
    if not there:
        return
    named = [file for word in WORDS.get() for file in _files(word)]
    for output in there:
        refuse_owned(output)
        also = sum(output.samefile(other) for other in there)  # each is one of the words itself
        if sum(output.samefile(file) for file in named) > also:
            raise UserError("usage", f"{output} is read by this command, and would be written over. Name another file.")


def _files(word: str) -> Iterator[Path]:
    """The files that a word names: `FILE`, `NAME=FILE,FILE`, `FILE@METHOD`, `--option=FILE`, a pattern."""
    whole = [word] if Path(word).is_file() else word.rpartition("=")[2].split(",")
    for part in whole:
        for text in dict.fromkeys((part, part.rpartition("@")[0])):
            yield from map(Path, _fitting(text))


def _fitting(text: str) -> Iterator[str]:
    if text and Path(text).is_file():
        yield text
    elif _PATTERN.search(text):
        root = Path(Path(text).anchor)
        try:
            yield from (str(one) for one in root.glob(str(Path(text).relative_to(root))) if one.is_file())
        except ValueError:  # `**` within a name
            return
