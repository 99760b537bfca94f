"""What `gram score` found: a summary and the worst for people, every row for programs, written piece by piece."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, overload

from gramcli.errors import UserError
from gramcli.files.owned import refuse_owned
from gramcli.files.writing import replacing
from gramcli.report import FRAME_SUFFIX, SUFFIX_FORMATS, Format
from gramcli.report.answer import Answer, Table
from gramcli.report.escaping import csv_cell
from gramcli.report.files import check_suffix, write_answer, written_errors
from gramcli.report.tables import left_out_tables
from gramcli.results.documents import strict
from gramcli.results.records import SCHEMA
from gramcli.results.scores import ItemScores, Scores

WORST: Final = 20
_LONGEST: Final = 120
_PIECE: Final = 20_000
_WORDS: Final = frozenset({"task", "method", "id", "misfit", "text"})


def scores_answer(found: Scores, captions: Mapping[str, Sequence[str | None]] | None = None) -> Answer:
    """Return what `gram score` found, ready for every format.

    Args:
        found: Of how many items soever; rows are made when they are asked for.
        captions: Item id -> its texts, for a table that shows them.

    Returns:
        A summary and the worst of each task and method; a row for every item in CSV and JSON.
    """
    return Answer(
        tables=(
            _summary(found),
            *(_worst(one, captions or {}) for one in found.scores),
            *left_out_tables(found.left_out),
        ),
        columns=found.fields,
        rows=_Rows(found),
        document=_Document(found),
        notes=(*_explained(found), *found.notes),
        left_out=len(found.left_out),
        lead=tuple(_verdict(one, found.provenance) for one in found.scores),
    )


def write_scores(path: Path, found: Scores, chosen: Format | None) -> Format | None:
    """Write what `gram score` found; CSV, JSON and Parquet piece by piece, so that they cost the memory of a piece.

    Args:
        path: The file; its suffix names the form where `chosen` does not.
        found: What was found.
        chosen: What `--format` says.

    Returns:
        The form; None for a page and for Parquet.

    Raises:
        UserError: An unknown suffix, or the file cannot be written.
    """
    if chosen is None:
        check_suffix(path)
    suffix = path.suffix.lower()
    form = chosen or SUFFIX_FORMATS.get(suffix)
    writer = _WRITERS.get(form.value if form else suffix)
    if writer is None or (path.exists() and not path.is_file()):
        return write_answer(path, scores_answer(found), chosen)
    refuse_owned(path)
    with written_errors(path), replacing(path.resolve()) as file:
        writer(file, found)
    return form


def _verdict(one: ItemScores, provenance: Mapping[str, Any]) -> str:
    """What was found, in one sentence."""
    what, flagged, n = f"{one.task} {one.method}", int(one.facts["flagged"] or 0), f"{one.facts['n']:,}"
    if not flagged:
        return f"{what}: none of {n} {provenance['per']}s is flagged as misaligned."
    named = Counter(one.modalities[k] for k in one.culprits.tolist() if k >= 0)
    misfit = ", ".join(f"{name} {count:,}" for name, count in named.most_common())
    return (
        f"{what}: {flagged:,} of {n} {provenance['per']}s are flagged as misaligned, of which on average at most "
        f"{100 * provenance['fdr']:g}% are aligned{f'; what does not fit: {misfit}' if misfit else ''}."
    )


def _summary(found: Scores) -> Table:
    rows = [
        (
            one.task,
            one.method,
            f"{one.facts['flagged']:,}",
            f"{one.facts['n']:,}",
            _per_cent(one.facts["mismatched_share"]),
            _per_cent(one.facts["detected"]),
            _per_cent(one.facts["culprit_right"]),
        )
        for one in found.scores
    ]
    rate, per = found.provenance["fdr"], found.provenance["per"]
    title = f"Misaligned {per}s: flagged at a false discovery rate of {rate:g}"
    columns = (
        "task",
        "method",
        "flagged",
        f"of {per}s",
        "misaligned %",
        "found %",
        "named %",
    )
    return Table(columns, tuple(rows), _WORDS, title)


def _worst(one: ItemScores, captions: Mapping[str, Sequence[str | None]]) -> Table:
    places = one.worst(WORST)
    texts = [_text(one, place, captions) for place in places]
    columns = ["id", *(["caption"] if one.captions is not None else []), "score", "z", "pctl", "q", "misfit"]
    columns += [f"z {name}" for name in one.modalities] + (["text"] if any(texts) else [])
    title = f"{one.task} {one.method}: the {len(places)} that fit least, of {len(one):,}; * flagged"
    rows = (_worst_row(one, place) for place in places)
    shown = tuple((*row, text or "-") if any(texts) else row for row, text in zip(rows, texts, strict=True))
    return Table(tuple(columns), shown, _WORDS, title)


def _text(one: ItemScores, place: int, captions: Mapping[str, Sequence[str | None]]) -> str:
    """What a row says, as far as it is known: its caption, or the first of its item's."""
    row = one.row(place)
    known = captions.get(str(row["id"]), ())
    number = int(row.get("caption", 0))
    text = (known[number] if number < len(known) else None) or ""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _worst_row(one: ItemScores, place: int) -> tuple[str, ...]:
    row = one.row(place)
    caption = [str(row["caption"])] if one.captions is not None else []
    z = [f"{row[f'z_{name}']:.1f}" for name in one.modalities]
    mark = "*" if row["flagged"] else ""
    figures = [f"{row['score']:.3f}", f"{row['z']:.1f}", f"{100 * row['percentile']:.1f}", f"{mark}{row['q']:.3f}"]
    return (row["id"], *caption, *figures, row["culprit"] or "-", *z)


def _per_cent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _explained(found: Scores) -> tuple[str, ...]:
    """How to read the columns, in as few sentences as say it."""
    if not found.scores:
        return ()
    return (
        "misaligned %: at least this share is. found %: of mismatched items made for reference, how many would be "
        "flagged. named %: of these, how often misfit names the modality that is another item's.",
        "z: how far an item's score is above those with another item's vector in one modality's place, in standard "
        "deviations of these; the smallest of its modalities'. About 0 is chance. pctl: share of mismatched items that "
        "fit worse.",
        f"q: flagged where it is at most {found.provenance['fdr']:g}, so that on average no larger share of the "
        "flagged is aligned (docs: how-to/misaligned). p_mismatched and p_aligned: --format csv.",
    )


class _Rows(Sequence[Mapping[str, Any]]):
    """Every row, made when it is asked for."""

    def __init__(self, found: Scores) -> None:
        self._found = found

    def __len__(self) -> int:
        return sum(map(len, self._found.scores))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return self._found.rows()

    @overload
    def __getitem__(self, place: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        return list(self)[place]


class _Document(Mapping[str, Any]):
    """The JSON document, whose rows are made when they are asked for."""

    def __init__(self, found: Scores) -> None:
        self._found = found
        self._head = head(found)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON
        return list(self._found.rows()) if name == "results" else self._head[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._head, "results"))

    def __len__(self) -> int:
        return len(self._head) + 1


def head(found: Scores) -> dict[str, Any]:
    """The JSON document but for its rows."""
    return {
        "schema": SCHEMA,
        "provenance": found.provenance,
        "summary": [{"task": one.task, "method": one.method, **one.facts} for one in found.scores],
        "left_out": [asdict(entry) for entry in found.left_out],
        "notes": list(found.notes),
    }


def _write_csv(file: IO[bytes], found: Scores) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, found.fields, restval="", lineterminator="\n")
    writer.writeheader()
    rows = found.rows()
    while piece := list(islice(rows, _PIECE)):
        writer.writerows({name: csv_cell(cell) for name, cell in strict(row).items()} for row in piece)
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))
        text.seek(0)
        text.truncate()
    file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _write_json(file: IO[bytes], found: Scores) -> None:
    start = json.dumps(strict(head(found)), indent=2, allow_nan=False).replace("\x7f", "\\u007f")
    file.write(start.removesuffix("\n}").encode("ascii") + b',\n  "results": [')
    mark = "\n    "
    rows = found.rows()
    while piece := list(islice(rows, _PIECE)):
        lines = (json.dumps(strict(row), allow_nan=False).replace("\x7f", "\\u007f") for row in piece)
        file.write((mark + ",\n    ".join(lines)).encode("ascii"))
        mark = ",\n    "
    file.write(b"\n  ]\n}\n")


def _write_parquet(file: IO[bytes], found: Scores) -> None:
    import pandas as pd  # noqa: PLC0415 - slow to load

    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above
    except ImportError:
        raise UserError("usage", "Parquet needs a library: pip install pyarrow. Or write .csv.") from None
    writer = None
    schema = pa.schema([(name, _kind(pa, name)) for name in found.fields])
    rows = found.rows()
    while piece := list(islice(rows, _PIECE)):
        table = pa.Table.from_pandas(pd.DataFrame(piece, columns=list(found.fields)), schema, preserve_index=False)
        writer = writer or pq.ParquetWriter(file, schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


def _kind(pa: Any, name: str) -> Any:  # noqa: ANN401 - a library without types
    if name in ("task", "method", "id", "culprit"):
        return pa.string()
    if name == "flagged":
        return pa.bool_()
    return pa.int64() if name == "caption" else pa.float64()


_WRITERS: Final[Mapping[str, Callable[[IO[bytes], Scores], None]]] = {
    Format.csv.value: _write_csv,
    Format.json.value: _write_json,
    FRAME_SUFFIX: _write_parquet,
}
