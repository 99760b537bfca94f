"""Result files: whole or not there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gramcli.errors import UserError
from gramcli.files.owned import refuse_owned
from gramcli.files.writing import replacing, write_atomic, write_special
from gramcli.report import FRAME_SUFFIX, PAGE_SUFFIXES, SUFFIX_FORMATS, Format, known_suffixes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gramcli.report.answer import Answer


def write_result(path: Path, data: str | bytes) -> None:
    """Write a file under a temporary name, then rename it into place.

    A name that stands for a device or pipe (`/dev/stdout`) is written to directly.

    Args:
        path: Where to; the folder must exist.
        data: The content; text is written as UTF-8.

    Raises:
        UserError: The folder is missing, or the file system refuses; or it is a part of a store or of heads.
    """
    content = _content(data)
    refuse_owned(path)
    with written_errors(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            write_special(path, content)
        else:
            with replacing(path.resolve()) as file:
                file.write(content)


@contextmanager
def written_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a sentence about the file that the user named.

    Raises:
        UserError: The folder is missing, or the file system refuses.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        hint = "Make the folder first." if isinstance(error, FileNotFoundError) else "Name another file."
        raise UserError("failed", f"{path} could not be written: {error.strerror}. {hint}") from error


def write_beside(path: Path, data: str | bytes) -> None:
    """Write a file that gram itself names, inside a folder that the user named: a link there is replaced.

    Args:
        path: Where to; the folder must exist.
        data: The content; text is written as UTF-8.

    Raises:
        UserError: The file system refuses.
    """
    write_atomic(path, _content(data))


def _content(data: str | bytes) -> bytes:
    return data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data


def check_suffix(path: Path) -> None:
    """Refuse a suffix that stands for no form of an answer.

    Raises:
        UserError: It is another one.
    """
    if path.suffix.lower() not in {*SUFFIX_FORMATS, *PAGE_SUFFIXES, FRAME_SUFFIX}:
        advice = f"use one of {known_suffixes()}, or say --format"
        raise UserError("usage", f"-o {path}: '{path.suffix}' is no form of an answer; {advice}.")


def write_answer(path: Path, answer: Answer, chosen: Format | None) -> Format | None:
    """Write an answer in the form that `--format`, or else the suffix, names.

    Args:
        path: The file.
        answer: What a command found.
        chosen: What `--format` says; None leaves it to the suffix.

    Returns:
        The form; None for a page and for Parquet.

    Raises:
        UserError: An unknown suffix, Parquet without its library, or the file cannot be written.
    """
    from gramcli.report.formats import render  # noqa: PLC0415 - rich loads with it

    suffix = path.suffix.lower()
    if chosen is None:
        check_suffix(path)
        if suffix in PAGE_SUFFIXES:
            from gramcli.report.page import answer_page  # noqa: PLC0415 - jinja2 and matplotlib load here

            write_result(path, answer_page(answer, "gram", answer.document.get("provenance", {})))
            return None
        if suffix == FRAME_SUFFIX:
            write_result(path, _parquet(path, answer))
            return None
    form = chosen or SUFFIX_FORMATS[suffix]
    write_result(path, render(answer, form))
    return form


def _plain(cell: object) -> object:
    """A cell that a column of one type can hold: several values as one text."""
    return ", ".join(map(str, cell)) if isinstance(cell, list | tuple) else cell


def _parquet(path: Path, answer: Answer) -> bytes:
    import io  # noqa: PLC0415 - only here

    import pandas as pd  # noqa: PLC0415 - slow to load

    rows = [{name: _plain(cell) for name, cell in row.items()} for row in answer.rows]
    frame = pd.DataFrame(rows, columns=list(answer.columns))
    buffer = io.BytesIO()
    try:
        frame.to_parquet(buffer, index=False)
    except ImportError:
        raise UserError("usage", f"{path}: Parquet needs a library: pip install pyarrow. Or write .csv.") from None
    return buffer.getvalue()
