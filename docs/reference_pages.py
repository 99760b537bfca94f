"""Pages of the reference that are made from the command line, the catalogs and the public names at every build.

MkDocs loads this file as a hook. Nothing of these pages is written down, so nothing of them can be out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gramcli.report.answer import Answer, Table


def pages() -> dict[str, str]:
    """Return the generated pages: path below docs/ -> Markdown."""
    return {
        "reference/commands.md": commands_page(),
        "reference/metrics.md": metrics_page(),
        "reference/methods.md": methods_page(),
        "reference/datasets.md": datasets_page(),
        "reference/encoders.md": encoders_page(),
        "reference/formats.md": formats_page(),
        "reference/figures.md": figures_page(),
        "reference/python.md": python_page(),
        "reference/changes.md": changes_page(),
    }


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - MkDocs' own types are not needed to read this
    """Add the generated pages to those of docs/."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


# --- Markdown


def escaped(text: object) -> str:
    """Return a text as it reads in a cell of a Markdown table."""
    return re.sub(r"([|*_<\[\]])", r"\\\1", str(text)).replace("\n", " ")


def code(text: object) -> str:
    """Return a text as code in a cell, where pipes are no borders; a dash and an empty text stay as they are."""
    return f"`{text}`" if str(text) not in ("", "-") else str(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table of cells that are Markdown already."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def answer_tables(answer: Answer, level: str = "##", as_code: frozenset[str] = frozenset()) -> str:
    """Return the tables of an answer of the command line as Markdown, and its notes."""
    parts = []
    for one in answer.tables:
        title = f"{level} {one.title}\n\n" if one.title else ""
        parts.append(title + _answer_table(one, as_code))
    return "\n".join([*parts, *(f"{note}\n" for note in answer.notes)])


def _answer_table(one: Table, as_code: frozenset[str]) -> str:
    rows = [
        [code(cell) if name in as_code else escaped(cell) for name, cell in zip(one.columns, row, strict=True)]
        for row in one.rows
    ]
    return table([escaped(name) for name in one.columns], rows)


def prose(text: str) -> str:
    """Return plain help text as Markdown: words of the command line that look like markup are kept as they are."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([|*_<\[\]])", r"\\\1", part) for part in parts)


# --- Commands


def commands_page() -> str:
    """Return every command with its operands and options: the words of `gram COMMAND --help`."""
    import typer

    from gramcli.cli.commands import GROUPS, ROWS
    from gramcli.cli.main import app
    from gramcli.cli.panels import EVERY_COMMAND

    every: dict[str, str] = {}
    parts = ["# Commands\n", "`gram COMMAND --help` says the same.\n"]
    commands = typer.main.get_command(app).commands
    for group in GROUPS:
        rows = [row for row in ROWS.values() if row.group == group]
        listed = [[f"[`gram {row.name}`](#gram-{row.name})", prose(row.summary)] for row in rows]
        parts.append(table([group, ""], listed))
    for row in sorted(ROWS.values(), key=lambda row: GROUPS.index(row.group)):
        parts += _command(row.name, commands[row.name], every)
    parts += [f"## {EVERY_COMMAND}\n", table(["option", "what it does"], [[*row] for row in every.items()])]
    return "\n".join(parts)


def _command(name: str, command: Any, every: dict[str, str]) -> Iterator[str]:  # noqa: ANN401 - Typer's own type
    """One command as Markdown; the options that all have are put into `every` instead."""
    from gramcli.cli.commands import COMMANDS
    from gramcli.cli.help import about, examples, option_sections
    from gramcli.cli.panels import EVERY_COMMAND

    yield f"## gram {name}\n"
    yield f"{prose(about(COMMANDS[name]))}\n"
    if shown := examples(COMMANDS[name]):
        yield "```console\n{}\n```\n".format("\n".join(f"$ {example}" for example in shown))
    context = command.make_context(name, [], resilient_parsing=True)
    for panel, options in option_sections(command.get_params(context), context):
        rows = [[code(names), prose(words)] for names, words in options]
        if panel == EVERY_COMMAND:
            every.update(dict(rows))
        elif rows:
            yield table([panel, ""], rows)


# --- Catalogs


def metrics_page() -> str:
    """Return every metric: name, range, direction, formula and source."""
    from gramcli.report.metrics import metrics_answer

    return "\n".join(["# Metrics\n", answer_tables(metrics_answer(), as_code=frozenset({"name", "formula"}))])


def methods_page() -> str:
    """Return the methods and the score normalisations."""
    from gramcli.report.listings import methods_answer

    shown = frozenset({"method", "formula", "options", "normalize", "defaults"})
    words = (
        "q is the query's vector, m_k are the candidate's, G is their Gram matrix; m is the number of modalities on "
        "both sides together. Options follow a colon: `--method pmrl:value=share`. Input that is not of unit length is "
        "normalised first. What misleads in each: [The methods, one by one](../understand/methods.md).\n"
    )
    return "\n".join(["# Methods\n", words, answer_tables(methods_answer(), as_code=shown)])


def datasets_page() -> str:
    """Return the datasets known by name, then what each expects."""
    from gramcli.datasets.catalog import DATASETS
    from gramcli.report.datasets import benchmark_answer, datasets_answer, known_benchmark

    shown = frozenset({"dataset", "protocol", "annotation file", "media files"})
    parts = ["# Datasets\n", answer_tables(datasets_answer(), as_code=shown)]
    for name in DATASETS.names():
        about = answer_tables(benchmark_answer(*known_benchmark(name)), "###", shown)
        parts += [f"## {name}\n", re.sub(r"^### (.*)$", r"**\1**", about, flags=re.M)]
    return "\n".join(parts)


def encoders_page() -> str:
    """Return the model families."""
    from gramcli.encoders import ENCODERS

    rows = [[code(row.name), ", ".join(row.modalities), prose(row.summary), escaped(row.source)] for row in ENCODERS]
    words = (
        "A MODEL is the name of an encoder, `name:argument`, or the path of a checkpoint: "
        "[Evaluate a checkpoint](../how-to/checkpoint.md).\n"
    )
    return "\n".join(["# Encoders\n", words, table(["encoder", "modalities", "what it is", "source"], rows)])


def formats_page() -> str:
    """Return the formats that `gram import` reads: the words of `gram import --formats`."""
    from gramcli.report.imports import formats_answer

    words = (
        "What `gram import` reads, in the order in which formats are tried; `gram import --formats` says the same: "
        "[Features of other tools](../how-to/import.md).\n"
    )
    return "\n".join(["# Formats\n", words, answer_tables(formats_answer(), as_code=frozenset({"format", "layout"}))])


def figures_page() -> str:
    """Return the kinds of figures that `gram plot` draws, in the order in which a page shows them."""
    from gramcli.report.plots.catalog import KINDS, SOURCES

    rows = [[code(row.name), prose(row.summary), prose(SOURCES[row.needs])] for row in KINDS]
    words = "The kinds of `gram plot FILE KIND -o FIG.svg`: [Draw a figure](../how-to/plot.md).\n"
    return "\n".join(["# Figures\n", words, table(["kind", "what it shows", "drawn from"], rows)])


RESULTS = (
    "results.runs.EmbedSummary",
    "results.imports.Imported",
    "results.imports.ImportedModality",
    "results.records.Evaluation",
    "results.records.ResultRow",
    "results.records.RankVector",
    "results.records.Comparison",
    "results.records.ComparisonRow",
    "results.runs.Alignment",
    "results.matrices.AlignmentMatrix",
    "results.descriptions.Description",
    "store.reader.Store",
)
"""What the verbs return, in the order of the verbs."""
MEMBERS = """    options:
      inherited_members: true
      filters: ["!^_"]
"""


def python_page() -> str:
    """Return the public names of the package, for mkdocstrings to fill from their docstrings."""
    import gramcli

    parts = [
        "# Python\n",
        "`import gramcli` offers these names. They are imported when they are first used. "
        "How they go together: [The same from Python](../tutorial.md).\n",
        *(f"::: gramcli.{name}\n" for name in sorted(gramcli.__all__, key=lambda name: (name == "UserError", name))),
        "## What they return\n",
        *(f"::: gramcli.{name}\n{MEMBERS}" for name in RESULTS),
    ]
    return "\n".join(parts)


def changes_page() -> str:
    """Return the changelog."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("# Changelog", "# Changes", 1)
