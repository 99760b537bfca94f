"""`gram datasets`: the table of datasets, one of them explained, and what was found of it below a root."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from gramcli.datasets.benchmark import Benchmark
from gramcli.datasets.catalog import DATASETS, DatasetRow, spelled
from gramcli.errors import UserError
from gramcli.report.answer import Answer, Table, listing
from gramcli.results.records import SCHEMA

if TYPE_CHECKING:
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
        {"protocol": one.id, "n": one.n, "captions": one.captions, "about": one.about, "files": _files(one)}
        for one in chosen
    ]
    cells = [(one["protocol"], one["n"] or "-", one["captions"], one["about"]) for one in about]
    files = [
        (name, ", ".join(one["protocol"] for one in about if name in one["files"]))
        for name in dict.fromkeys(name for one in about for name in one["files"])
    ]
    facts = [("source", row.source), ("licence", row.licence), ("splits", row.splits)]
    return Answer(
        tables=(
            listing(("fact", "value"), facts, f"{row.title} ({row.tasks})"),
            listing(("protocol", "n", "captions", "about"), cells, "Protocols; the first is the default"),
            listing(("annotation file", "protocols"), files, "Annotation files; a protocol takes the first it finds"),
            listing(("media files",), [(layout,) for layout in benchmark.layouts], "Anywhere below --root"),
        ),
        columns=("protocol", "n", "captions", "about"),
        rows=tuple(about),
        document={"schema": SCHEMA, **asdict(row), "layouts": benchmark.layouts, "results": about},
    )


def _files(protocol: Any) -> list[str]:  # noqa: ANN401 - a Protocol, whose name typing has taken
    return [f"{one.pattern} + {one.ids[0]} or alike" if one.ids else one.pattern for one in protocol.annotations]


def survey_answer(found: Survey) -> Answer:
    """Return what was found of a dataset below a root, what is missing and what to do."""
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
        listing(("modality", "missing", "ids"), missing, "Without a file"),
    ]
    return Answer(
        tables=tuple(table for table in (*tables, _rates(found), todo) if table.rows),
        columns=("fact", "value"),
        rows=tuple({"fact": name, "value": value} for name, value in facts),
        document=document,
        notes=tuple(found.tree.notes),
    )


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
