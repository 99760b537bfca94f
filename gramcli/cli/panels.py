"""Panels of the help: what an option is about, written where the option is declared."""

from __future__ import annotations

from functools import partial
from typing import Final

import typer

EVERY_COMMAND: Final = "Every command"
"""The last panel, of the options that all commands share."""

measuring = partial(typer.Option, rich_help_panel="What to measure")
data = partial(typer.Option, rich_help_panel="Data")
model = partial(typer.Option, rich_help_panel="Model")
retrieval = partial(typer.Option, rich_help_panel="Retrieval")
classification = partial(typer.Option, rich_help_panel="Classification")
training = partial(typer.Option, rich_help_panel="Training")
validation = partial(typer.Option, rich_help_panel="Validation")
running = partial(typer.Option, rich_help_panel="Running")
output = partial(typer.Option, rich_help_panel="Output")
every_command = partial(typer.Option, rich_help_panel=EVERY_COMMAND)
