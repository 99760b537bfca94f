"""One command line over one settings file: what is used, where it came from, and `--print-config`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer

from gramcli.cli.commands import COMMANDS
from gramcli.cli.effects import idle_defaults
from gramcli.cli.errors import report_errors
from gramcli.cli.parsing import WRONG_COMMAND_LINE, asks_for_json, clear_message
from gramcli.cli.session import Session
from gramcli.cli.settings import OptionKey, not_for_found, option_keys, read_settings, toml_value
from gramcli.cli.streams import emit, tell
from gramcli.report import Format
from gramcli.report.escaping import terminal

_SOURCES = {"COMMANDLINE": "command line", "ENVIRONMENT": "environment"}


class Configuration:
    """The options of one run.

    Args:
        context: Typer's, of the command; its defaults are set here.
        words: The command's part of the command line.
        given: What the parser made of the words.

    Raises:
        Exit: The settings file is wrong; said on stderr.
    """

    def __init__(self, context: Any, words: list[str], given: Mapping[str, Any]) -> None:  # noqa: ANN401 - Typer's
        self.context, self.words, self.given = context, list(words), given  # the parser empties what it is given
        self.command = str(context.command.name)
        with self._reported():
            self.settings = read_settings(given.get("settings"))
            found = self.settings.defaults(self.command) if self.settings else {}
        self.tables = {name: table for name, (_, table) in found.items()}
        context.default_map = {name: value for name, (value, _) in found.items()}

    @contextmanager
    def _reported(self) -> Iterator[None]:
        wants = Format.json if asks_for_json(self.words) else None
        with report_errors(Session(wants, debug=bool(self.given.get("debug")))):
            yield

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the settings file where a value of its is refused in the block.

        Raises:
            Exit: One was; said on stderr.
        """
        try:
            yield
        except WRONG_COMMAND_LINE as error:
            name = getattr(getattr(error, "param", None), "name", None)
            if self.settings is None or name not in self.tables or self._source(name) != "DEFAULT_MAP":
                raise
            key = next(option.key for option in self._options() if option.name == name)
            with self._reported():
                raise self.settings.wrong(self.tables[name], key, clear_message(error.message)) from None

    def settle(self) -> None:
        """Drop defaults of the file that the command line leaves without effect, and say which are used."""
        if self.settings is None:
            return
        params, own = self.context.params, {one.name: one.default for one in self.context.command.params}
        from_file = {name for name in self.tables if self._source(name) == "DEFAULT_MAP"}
        typed = {name for name in params if self._source(name) == "COMMANDLINE"}
        idle = idle_defaults(self.command, params, from_file, typed)
        params.update({name: own[name] for name in idle})
        self.tables = {name: table for name, table in self.tables.items() if name in from_file - idle}
        if self.tables and not params.get("quiet") and not self.given.get("print_config"):
            used = [option.key for option in self._options() if option.name in self.tables]
            tell(f"Defaults from {self.settings.path}: {', '.join(used)}.")

    def show(self) -> NoReturn:
        """Write what would be used as TOML, and end.

        Raises:
            Exit: Always.
        """
        with self.blamed():
            for parameter in self.context.command.params:
                try:
                    parameter.handle_parse_result(self.context, self.given, [])
                except WRONG_COMMAND_LINE as error:
                    if type(error).__name__ != "MissingParameter":
                        raise
                    self.context.params[parameter.name] = None
        self.settle()
        operands = [word for word in self.words if word != "--print-config"]
        lines = [f"# {terminal(shlex.join(['gram', self.command, *operands]))}", f"[{self.command}]"]
        lines += [self._entry(option, self.context.params.get(option.name)) for option in self._options()]
        emit("\n".join(lines) + "\n")
        raise typer.Exit

    def _options(self) -> list[OptionKey]:
        return list(option_keys(COMMANDS[self.command]).values())

    def _source(self, name: str) -> str:
        found = self.context.get_parameter_source(name)
        return found.name if found else "DEFAULT"

    def _entry(self, option: OptionKey, value: Any) -> str:  # noqa: ANN401 - options of every type
        source = _SOURCES.get(self._source(option.name), "default")
        if self.settings and option.name in self.tables:
            table = self.tables[option.name]
            source = f"{terminal(self.settings.path)}{'' if table == self.command else f' [{table}]'}"
        if value is None or (isinstance(value, (list, tuple)) and not value):
            return f"# {option.key} is not set  # {source}"
        entry = f"{option.key} = {toml_value(value)}  # {source}"
        plain = str(value) if isinstance(value, Path) else value
        return f"# {entry}, which a gram.toml may not set" if not_for_found(option, plain) else entry
