"""Pages of the reference that are made from the command line, the catalogs and the public names at every build.

MkDocs loads this file as a hook. Nothing of these pages is written down, so nothing of them can be out of date.
"""

from __future__ import annotations

import inspect
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
    """Return a text as code in a cell; empty for an empty text."""
    return f"`{str(text).replace('|', chr(92) + '|')}`" if str(text) else ""


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
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts)


# --- Commands


def commands() -> dict[str, Any]:
    """Return the commands by name, as Typer parses them."""
    import typer

    from gramcli.cli.main import app

    return dict(typer.main.get_command(app).commands)


def commands_page() -> str:
    """Return every command with its operands and options."""
    parts = ["# Commands\n", "Made from the command line itself; `gram COMMAND --help` says the same.\n"]
    for name, command in commands().items():
        parts += [f"## gram {name}\n", *_help(command.help or ""), *_operands(command), *_options(command)]
    return "\n".join(parts)


def _help(text: str) -> Iterator[str]:
    text = inspect.cleandoc(text).replace("\b\n", "")
    examples = re.findall(r"^Example: (.*(?:\n(?!\n).*)*)$", text, re.M)
    words = re.sub(r"^Examples?: .*(?:\n(?!\n).*)*$", "", text, flags=re.M).strip()
    yield f"{prose(words)}\n"
    if examples:
        lines = "\n".join(f"$ {' '.join(example.split())}" for example in examples)
        yield f"```console\n{lines}\n```\n"


def _operands(command: Any) -> Iterator[str]:  # noqa: ANN401 - Typer's own type
    rows = [
        [code(one.metavar or one.name), prose(one.help or "").replace("|", "\\|")]
        for one in command.params
        if one.param_type_name == "argument"
    ]
    if rows:
        yield table(["operand", "what it is"], rows)


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401 - Typer's own type
    panels: dict[str, list[list[str]]] = {}
    for one in command.params:
        if one.param_type_name == "option" and not one.hidden:
            panel = getattr(one, "rich_help_panel", None) or "Options"
            panels.setdefault(panel, []).append(_option(one))
    for panel, rows in panels.items():
        yield f"**{panel}**\n"
        yield table(["option", "what it does", "default"], rows)


def _option(one: Any) -> list[str]:  # noqa: ANN401 - Typer's own type
    takes = "" if one.is_flag else f" {one.metavar or _choices(one) or one.type.name.upper()}"
    names = ", ".join([*one.opts, *one.secondary_opts])
    default = one.default
    shown = "" if default in (None, False, (), []) or callable(default) else str(getattr(default, "value", default))
    required = "required" if one.required else code(shown)
    return [code(names + takes), prose(one.help or "").replace("|", "\\|"), required]


def _choices(one: Any) -> str:  # noqa: ANN401 - Typer's own type
    return "|".join(str(getattr(choice, "value", choice)) for choice in getattr(one.type, "choices", ()))


# --- Catalogs


def metrics_page() -> str:
    """Return every figure of geometry: name, formula, range, direction and source."""
    from gramcli.metrics.geometry.catalog import measures

    parts = ["# Metrics\n"]
    for kind in ("modality", "pair", "joint"):
        rows = [
            [code(one.name), code(one.formula), escaped(one.range), escaped(one.reading), escaped(one.source)]
            for one in measures(kind)
        ]
        parts += [f"## Of {kind}\n", table(["metric", "formula", "range", "reading", "source"], rows)]
    return "\n".join(parts)


def methods_page() -> str:
    """Return the methods and the score normalisations."""
    from gramcli.report.listings import methods_answer

    shown = frozenset({"method", "formula", "options", "normalize", "defaults"})
    where = "What misleads in each: [The methods, one by one](../understand/methods.md).\n"
    return "\n".join(["# Methods\n", where, answer_tables(methods_answer(), as_code=shown)])


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


def python_page() -> str:
    """Return the public names of the package, for mkdocstrings to fill from their docstrings."""
    import gramcli

    parts = [
        "# Python\n",
        "`import gramcli` offers these names. They are imported when they are first used.\n",
        *(f"::: gramcli.{name}\n" for name in gramcli.__all__),
    ]
    return "\n".join(parts)


def changes_page() -> str:
    """Return the changelog."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("# Changelog", "# Changes", 1)
