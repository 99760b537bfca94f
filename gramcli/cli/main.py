"""`gram`: one Typer app made of the commands beside this file."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from gramcli import __version__
from gramcli.catalog import did_you_mean
from gramcli.cli.align import align_command
from gramcli.cli.command import command
from gramcli.cli.compare import compare_command
from gramcli.cli.datasets import datasets_command
from gramcli.cli.demo import demo_command
from gramcli.cli.doctor import doctor_command
from gramcli.cli.embed import embed_command
from gramcli.cli.eval import eval_command
from gramcli.cli.export import export_command
from gramcli.cli.inspect import inspect_command
from gramcli.cli.matrix import matrix_command
from gramcli.cli.methods import methods_command

RESUMES = "Finished shards are kept: run the same command again and it resumes."
EPOCHS_RESUME = "Finished epochs are kept: run the same command again and it resumes."
COMMANDS = {
    "embed": command(embed_command, on_interrupt=RESUMES),
    "eval": command(eval_command),
    "compare": command(compare_command),
    "matrix": command(matrix_command),
    "align": command(align_command, on_interrupt=EPOCHS_RESUME),
    "export": command(export_command),
    "inspect": command(inspect_command),
    "datasets": command(datasets_command),
    "methods": command(methods_command),
    "demo": command(demo_command, on_interrupt="Run the same command again: it starts over."),
    "doctor": command(doctor_command),
}


# The public names of Typer hold only this kind of wrong command line; its base is all of them.
_WRONG_COMMAND_LINE = cast("type[typer.BadParameter]", typer.BadParameter.__base__)


_PARSER_WORDS = (
    (r"Input should be greater than or equal to ([\d.]+)\.?", r"It must be at least \1."),
    (r"Input should be less than or equal to ([\d.]+)\.?", r"It must be at most \1."),
    (r"Input should be a valid integer[^;]*", "It must be a whole number."),
)


class Group(TyperGroup):
    """The command group; a wrong command line is a JSON document too when JSON was asked for."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's Context differs between its versions
        """Run the subcommand."""
        arguments = list(ctx.args) + list(getattr(ctx, "_protected_args", ()))
        try:
            return super().invoke(ctx)
        except _WRONG_COMMAND_LINE as error:
            error.message = clear_message(error.message)
            if asks_for_json(arguments):
                from gramcli.cli.session import emit
                from gramcli.results.documents import dump_json

                emit(dump_json({"error": {"kind": "usage", "message": error.format_message()}}))
            raise


def clear_message(message: str) -> str:
    """Return the message of a wrong command line without words of its parser, and with a hint for a near miss.

    Example:
        >>> clear_message("Value error, 'Zero' is not one of 'drop', 'zero'.")
        "'Zero' is not one of 'drop', 'zero'. Did you mean 'zero'?"
        >>> clear_message("Input should be greater than or equal to 1")
        'It must be at least 1.'
    """
    clear = message.replace("Value error, ", "")
    for theirs, ours in _PARSER_WORDS:
        clear = re.sub(theirs, ours, clear)
    found = re.search(r"'([^']*)' is not one of (.*)", clear)
    return clear + (did_you_mean(found[1], re.findall(r"'([^']*)'", found[2])) if found else "")


def asks_for_json(arguments: list[str]) -> bool:
    """Say whether `--format json` is among arguments that could not be parsed.

    Example:
        >>> asks_for_json(["store", "--format", "json"]), asks_for_json(["--format=csv"])
        (True, False)
    """
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gram {__version__}")
        raise typer.Exit


VersionOpt = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]

# Plain help: rendering it with rich would take longer than everything else `--help` does.
app = typer.Typer(
    name="gram",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def gram(version: VersionOpt = False) -> None:
    """Measure how well a model aligns its modalities.

    Media become a store of embeddings (`gram embed`), a store becomes figures (`gram eval`), and
    figures are compared (`gram compare`).

    \b
    Example: gram demo -o demo
    """  # noqa: D301 - \b tells Typer to keep the line


for _name, _function in COMMANDS.items():
    app.command(_name)(_function)


def main() -> None:
    """Run the command line; the console script `gram`."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be valid text; an answer must not fail over one letter of a name.
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
