"""`gram`: the app, and what runs it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gramcli import __version__
from gramcli.cli.commands import COMMANDS
from gramcli.cli.parsing import Group, asks_for_json, clear_message
from gramcli.cli.streams import prepare_streams, tell_block
from gramcli.errors import EXIT_FAILED

__all__ = ["COMMANDS", "app", "asks_for_json", "clear_message", "main"]


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
    figures are compared (`gram compare`). `gram COMMAND --help` explains a command.

    Example: gram demo -o demo

    Example: gram embed clips/ -o clips_emb

    Example: gram eval clips_emb --task t2va
    """


def main() -> None:
    """Run the command line; the console script `gram`."""
    prepare_streams()
    try:
        app(prog_name="gram")
    except Exception:
        import traceback

        tell_block(traceback.format_exc())
        sys.exit(EXIT_FAILED)
