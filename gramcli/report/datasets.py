"""`gram datasets`: the table of datasets, one of them explained, and what was found of it below a root."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from gramcli.datasets.benchmark import Benchmark
from gramcli.datasets.beside import Part
from gramcli.datasets.catalog import DATASETS, DatasetRow, spelled
from gramcli.errors import UserError
from gramcli.report.answer import Answer, Table, listing
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gramcli.datasets.benchmark import Annotation
    from gramcli.datasets.survey import Survey

NAMED = 10
_MISSING = {"audio": "audio, nor a video to take it from"}


def datasets_answer() -> Answer:
    """Return the catalog of datasets."""
    rows = tuple(asdict(row) for row in DATASETS)
    about = [(row.name, row.title, row.tasks, row.splits) for row in DATASETS]
    protocols = [(row.name, *pair) for row in DATASETS for pair in zip(row.protocols, row.sizes, strict=True)]
    terms = [(row.name, row.source, row.licence) for row in DATASETS]
    return Answer(
        tables=(
            listing(("dataset", "title", "tasks", "splits"), about),
            listing(("dataset", "protocol", "items x captions"), protocols, "The first protocol is the default"),
            listing(("dataset", "source", "licence to accept"), terms),
        ),
        columns=tuple(field.name for field in fields(DatasetRow)),
        rows=rows,
        document={"schema": SCHEMA, "results": rows},
        notes=(
            "Expected files and protocols of one: gram datasets NAME; look for it: gram datasets NAME --root DIR.",
            "Licences as far as known; the source has the last word.",
        ),
    )


def known_benchmark(name: str) -> tuple[DatasetRow, Benchmark]:
    """Return a dataset's row and description.

    Raises:
        UserError: No such dataset, or a plug-in that describes itself by a function only.
    """
    name = spelled(name)
    row, found = DATASETS.row(name), DATASETS.load(name)
    if not isinstance(found, Benchmark):
        raise UserError("usage", f"The dataset '{name}' opens with --root, but its plug-in does not describe it.")
    return row, found


def benchmark_answer(row: DatasetRow, benchmark: Benchmark, protocol: str | None = None) -> Answer:
    """Return a dataset's protocols, annotation files and media layouts.

    Args:
        row: Its row in the catalog.
        benchmark: Its description.
        protocol: One protocol only.

    Raises:
        UserError: No such protocol.
    """
    chosen = benchmark.protocols if protocol is None else (benchmark.protocol(protocol),)
    about: list[dict[str, Any]] = [
        {
            "protocol": one.name if one.same_as else one.id,
            "n": one.n,
            "captions": one.captions,
            "about": one.about,
            "files": _files(one.annotations),
            "beside": [
                {"split": beside.name, "n": beside.n, "files": _files(beside.annotations)} for beside in one.beside
            ],
        }
        for one in chosen
    ]
    cells = [(one["protocol"], one["n"] or "-", one["captions"], one["about"]) for one in about]
    files = [
        (name, ", ".join(one["protocol"] for one in about if name in one["files"]))
        for name in dict.fromkeys(name for one in about for name in one["files"])
    ]
    beside = _groups_beside(about)
    facts = [("source", row.source), ("licence", row.licence), ("splits", row.splits)]
    return Answer(
        tables=_with_rows(
            listing(("fact", "value"), facts, f"{row.title} ({row.tasks})"),
            listing(("protocol", "n", "captions", "about"), cells, "Protocols; the first is the default"),
            listing(("annotation file", "protocols"), files, "Annotation files; a protocol takes the first it finds"),
            listing(("split", "n", "annotation file", "protocols"), beside, "Splits that --split adds"),
            listing(("media files",), [(layout,) for layout in benchmark.layouts], "Anywhere below --root"),
        ),
        columns=("protocol", "n", "captions", "about"),
        rows=tuple(about),
        document={"schema": SCHEMA, **asdict(row), "layouts": benchmark.layouts, "results": about},
    )


def _with_rows(*tables: Table) -> tuple[Table, ...]:
    return tuple(table for table in tables if table.rows)


def _groups_beside(about: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Split, its size, its files, and the protocols that have it so."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in about:
        for beside in one["beside"]:
            size = f"{beside['n']:,}" if beside["n"] else "-"
            found.setdefault((beside["split"], size, ", ".join(beside["files"])), []).append(one["protocol"])
    return [(*key, ", ".join(protocols)) for key, protocols in found.items()]


def _files(annotations: Sequence[Annotation]) -> list[str]:
    names = [f"{one.pattern} + {one.ids[0]} or alike" if one.ids else one.pattern for one in annotations]
    return list(dict.fromkeys(names))


def survey_answer(found: Survey) -> Answer:
    """Return what was found of a dataset below a root, what is missing and what to do."""
    splits = [_split(part) for part in _parts(found)]
    document = {
        "schema": SCHEMA,
        "dataset": found.benchmark.name,
        "protocol": found.protocol.id,
        "root": str(found.tree.root),
        "complete": found.complete,
        "annotation": found.found.file if found.found else None,
        "n": len(found.found.entries) if found.found else 0,
        "media": {name: _media(found, name) for name in found.matches},
        "missing": {name: list(ids) for name, ids in found.missing.items()},
        "advice": list(found.advice),
        "splits": splits,
        "shared": [one.document() for one in found.shared],
    }
    facts = _facts(found)
    todo = Table(("to do",), tuple((one,) for one in found.advice), frozenset({"to do"}))
    title = f"{found.benchmark.name} below {found.tree.root}: "
    title += "complete" if found.complete else "something is missing"
    missing = [
        (_MISSING.get(name, name), f"{len(ids):,}", f"{', '.join(ids[:NAMED])}{' ...' if len(ids) > NAMED else ''}")
        for name, ids in found.missing.items()
    ]
    tables = [
        listing(("fact", "value"), facts, title),
        _splits(splits),
        listing(("modality", "missing", "ids"), missing, "Without a file"),
    ]
    return Answer(
        tables=_with_rows(*tables, _rates(found), todo),
        columns=("fact", "value"),
        rows=tuple({"fact": name, "value": value} for name, value in facts),
        document=document,
        notes=(*found.tree.notes, *(one.sentence for one in found.shared if one.what != "item")),
    )


def _parts(found: Survey) -> tuple[Part, ...]:
    """The evaluated split and those beside it, where there are any."""
    protocol = found.protocol
    expected = tuple(one.expected for one in protocol.annotations)
    own = Part(protocol.evaluated, found.found, found.matches, found.missing, expected, protocol.n)
    return (own, *found.parts) if found.parts else ()


def _split(part: Part) -> dict[str, Any]:
    """A split as a JSON object."""
    return {
        "split": part.name,
        "annotation": part.found.files if part.found else None,
        "expected": list(part.expected),
        "trouble": part.trouble.message if part.trouble else None,
        "n": len(part.entries),
        "definition": part.n,
        "media": {kind: len(match.files) for kind, match in part.matches.items()},
        "with_media": len({one for match in part.matches.values() for one in match.files}),
    }


def _missing(expected: Sequence[str]) -> str:
    first, *others = expected
    return f"missing: {first} or alike" if others else f"missing: {first}"


def _splits(splits: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            one["split"],
            one["annotation"] or one["trouble"] or _missing(one["expected"]),
            *((f"{one['n']:,}", f"{one['with_media']:,}") if one["annotation"] else ("-", "-")),
            "-" if one["definition"] is None else f"{one['definition']:,}",
        )
        for one in splits
    ]
    return listing(("split", "annotation", "items", "with a file", "by definition"), rows, "Splits (--split)")


def _facts(found: Survey) -> list[tuple[str, str]]:
    facts = [("protocol", found.protocol.id), ("files below the root", f"{len(found.tree.files):,}")]
    if found.found is None:
        return [*facts, ("annotation", "none")]
    entries = found.found.entries
    captions = sum(len(entry.captions) for entry in entries)
    facts += [("annotation", found.found.file), ("items", f"{len(entries):,}"), ("captions in it", f"{captions:,}")]
    if found.found.others:
        facts.append(("not used", ", ".join(found.found.others)))
    for name, match in found.matches.items():
        said = f"{len(match.files):,} of {len(entries):,}, named by the rule '{match.rule}'" if match.rule else "none"
        facts.append((f"{name} files", said))
        if match.doubles:
            facts.append((f"{name} files twice", f"{match.doubles:,} items; that of the fullest folder is taken"))
    if found.borrowed:
        rest = f" for the {found.borrowed:,} without a sound file" if found.matches["audio"].rule else ""
        facts.append(("sound", f"the videos' own tracks{rest}"))
    return facts


def _media(found: Survey, name: str) -> dict[str, Any]:
    match = found.matches[name]
    return {"rule": match.rule, "found": len(match.files), "rates": dict(match.rates), "doubles": match.doubles}


def _rates(found: Survey) -> Table:
    n = len(found.found.entries) if found.found else 0
    rows = [
        (name, rule, f"{number:,}", f"{100 * number / n:.1f}")
        for name, match in found.matches.items()
        for rule, number in match.rates.items()
    ]
    return listing(("modality", "rule", "found", "%"), rows, "Rules by which file names were compared with ids")
