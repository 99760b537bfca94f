"""Help as plain text: options in panels, examples last, no word broken. Rendering it with rich would cost a second."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from gramcli.cli.panels import EVERY_COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

_NAMES: Final = 28  # columns of the names; longer ones get a line of their own
_EXAMPLE: Final = "Example: "
Rows = list[tuple[str, str]]


def examples(function: Callable[..., Any]) -> list[str]:
    """Return the examples of a command, one command line each: the `Example:` paragraphs of its docstring."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return [" ".join(one.removeprefix(_EXAMPLE).split()) for one in paragraphs if one.startswith(_EXAMPLE)]


def about(function: Callable[..., Any]) -> str:
    """Return the docstring of a command without its examples."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(one for one in paragraphs if not one.startswith(_EXAMPLE))


def page(usage: str, text: str, sections: Iterable[tuple[str, Rows]], shown: Sequence[str], width: int) -> str:
    """Lay a help page out.

    Args:
        usage: What follows `Usage: `.
        text: Paragraphs, an empty line between.
        sections: Headings with their rows (name, explanation).
        shown: Examples; each keeps its line.
        width: Columns to fill.

    Returns:
        The page; it ends with a newline.
    """
    paragraphs = [_wrapped(one, width, "  ") for one in text.split("\n\n") if one.strip()]
    lists = [f"{title}:\n{_listed(rows, width)}" for title, rows in sections if rows]
    last = ["\n".join([f"Example{'s' if len(shown) > 1 else ''}:", *(f"  {one}" for one in shown)])] if shown else []
    return "\n\n".join([_wrapped(f"Usage: {usage}", width, "", " " * 7), *paragraphs, *lists, *last]) + "\n"


def _wrapped(text: str, width: int, indent: str, rest: str | None = None) -> str:
    """Fill lines; a word longer than a line stays whole."""
    return textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _listed(rows: Rows, width: int) -> str:
    column = min(_NAMES, max(len(name) for name, _ in rows)) + 4
    lines = []
    for name, explanation in rows:
        filled = _wrapped(explanation, width, " " * column)
        lines.append(f"  {name:{column - 2}}{filled[column:]}" if len(name) + 4 <= column else f"  {name}\n{filled}")
    return "\n".join(line.rstrip() for line in lines)


def option_sections(parameters: Iterable[Any], context: Any) -> list[tuple[str, Rows]]:  # noqa: ANN401 - Typer's differ
    """Group the parameters of a command by panel, in the order in which the command declares them.

    Args:
        parameters: Of the command, the help option too.
        context: Typer's context.

    Returns:
        Heading and rows; operands first, what all commands share last.
    """
    panels: dict[str, Rows] = {"Operands": []}
    for parameter in parameters:
        record = parameter.get_help_record(context)
        if record is None:
            continue
        operand = parameter.param_type_name == "argument"
        panel = "Operands" if operand else getattr(parameter, "rich_help_panel", None) or EVERY_COMMAND
        names = parameter.metavar or record[0] if operand else _plain(record[0])
        needed = "" if operand else " Needed."
        panels.setdefault(panel, []).append((names, _without_brackets(record[1], needed)))
    panels[EVERY_COMMAND] = panels.pop(EVERY_COMMAND, [])
    return list(panels.items())


def _plain(names: str) -> str:
    """Return the names of an option without marks of its type.

    Example:
        >>> _plain("--metrics <list[retrieval|geometry]>"), _plain("--ties [mean|first]")
        ('--metrics retrieval|geometry', '--ties mean|first')
    """
    return re.sub(r" (?:<list\[(.*)\]>|<(.*)>|\[([^\]]*\|[^\]]*)\])$", lambda m: f" {m[1] or m[2] or m[3]}", names)


def _without_brackets(text: str, needed: str = "") -> str:
    """Return an explanation with its default in words of ours; ranges are left to the message of a wrong value.

    Example:
        >>> _without_brackets("How many.  [default: 50; x>=1]"), _without_brackets("A store.  [required]")
        ('How many. Default: 50.', 'A store.')
    """
    found = re.fullmatch(r"(.*?)\s*\\?\[((?:default: |required|\d*<?=?x|x)[^\[\]]*)\]", text, re.S)
    if not found:
        return text
    default = re.match(r"default: ([^;]*)", found[2])
    more = f" Default: {default[1]}." if default else needed if "required" in found[2] else ""
    return f"{found[1]}{more}"
