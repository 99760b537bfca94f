"""`gram.toml`: defaults of options by command, checked like the command line they stand in for."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, Final, get_args

from gramcli.catalog import did_you_mean
from gramcli.cli.commands import COMMANDS
from gramcli.errors import UserError, refuse_pointer
from gramcli.files.reading import UnreadableError, read_regular
from gramcli.report.escaping import terminal

FILE: Final = "gram.toml"
NO_FILE: Final = "none"
DEFAULTS: Final = "defaults"
_LARGEST: Final = 1 << 20
_OPERATING: Final = ("settings", "print-config")
_KINDS: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


@dataclass(frozen=True)
class OptionKey:
    """An option as a settings file sees it.

    Attributes:
        key: Its long name without dashes.
        name: The argument of the command's function.
        kind: bool, int, float, str, or an enumeration of words.
        repeats: Whether a list is taken.
        writes: Whether it names a file or a folder that is written.
    """

    key: str
    name: str
    kind: type
    repeats: bool
    writes: bool

    def wanted(self) -> str:
        """What a value must be, in words."""
        words = _KINDS.get(self.kind) or f"one of {', '.join(repr(one) for one in self.choices())}"
        return f"{words}, or a list of such" if self.repeats else words

    def choices(self) -> list[str]:
        """The words of an enumeration; empty for other kinds."""
        return [str(one.value) for one in self.kind] if issubclass(self.kind, Enum) else []

    def fits(self, value: object) -> bool:
        """Say whether a value is of the kind."""
        if self.repeats and isinstance(value, list):
            return all(not isinstance(one, list) and self.fits(one) for one in value)
        if self.choices():
            return value in self.choices()
        if self.kind is float:
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return type(value) is self.kind


def option_keys(function: Callable[..., Any]) -> dict[str, OptionKey]:
    """Return the options of a command that a file may set, by key.

    Args:
        function: As `gramcli.cli.command.command` made it.
    """
    found = {}
    for value in inspect.signature(function).parameters.values():
        kind, info = get_args(value.annotation)[:2]
        written = (info.default, *(info.param_decls or ()))  # Typer takes the first name for a default, at first
        long = next((one for one in written if isinstance(one, str) and one.startswith("--")), None)
        if long is None or (key := long[2:]) in _OPERATING:
            continue
        bare = next(one for one in (*get_args(kind), kind) if one is not NoneType) if _optional(kind) else kind
        repeats = getattr(bare, "__origin__", None) is list
        single = get_args(bare)[0] if repeats else bare
        writes = single is Path and info.rich_help_panel == "Output"
        found[key] = OptionKey(key, value.name, str if single is Path else single, repeats, writes)
    return found


def _optional(kind: Any) -> bool:  # noqa: ANN401 - an annotation
    return NoneType in get_args(kind)


@dataclass(frozen=True)
class Settings:
    """A settings file that was read.

    Attributes:
        path: Where.
        named: Whether `--settings` named it; a file that was merely found may do less.
        tables: Table -> key, with dashes -> value.
        text: What it says.
    """

    path: Path
    named: bool
    tables: Mapping[str, Mapping[str, Any]]
    text: str

    def check(self) -> None:
        """Check the tables and keys of all commands.

        Raises:
            UserError: One is not known, or a value is of another kind.
        """
        every = {name: option_keys(function) for name, function in COMMANDS.items()}
        anywhere = list(dict.fromkeys(key for keys in every.values() for key in keys))
        for table, values in self.tables.items():
            if table != DEFAULTS and table not in every:
                hint = did_you_mean(table, [*every, DEFAULTS])
                raise self.wrong(table, None, f"there is no command '{table}'.{hint} Tables: {DEFAULTS}, a command.")
            known = anywhere if table == DEFAULTS else list(every[table])
            for key, value in values.items():
                if key not in known:
                    what = "no command" if table == DEFAULTS else f"gram {table}"
                    verb = "has the" if table == DEFAULTS else "has no"
                    owner = next((name for name, keys in every.items() if key in keys), None)
                    hint = did_you_mean(key, known) or (f" gram {owner} has it." if owner else "")
                    raise self.wrong(table, key, f"{what} {verb} option --{key}.{hint}")
                if table != DEFAULTS:
                    self._check_value(table, every[table][key], value)

    def defaults(self, command: str) -> dict[str, tuple[Any, str]]:
        """Return argument -> value and table, for one command; its own table wins over `[defaults]`.

        Raises:
            UserError: A value is of another kind, or not for a file that was found by itself.
        """
        keys = option_keys(COMMANDS[command])
        found = {}
        for table in (DEFAULTS, command):
            for key, value in self.tables.get(table, {}).items():
                if key in keys:
                    self._check_value(table, keys[key], value)
                    listed = [value] if keys[key].repeats and not isinstance(value, list) else value
                    found[keys[key].name] = (listed, table)
        return found

    def _check_value(self, table: str, option: OptionKey, value: object) -> None:
        if not option.fits(value):
            hint = did_you_mean(value, option.choices()) if isinstance(value, str) and option.choices() else ""
            raise self.wrong(table, option.key, f"it must be {option.wanted()}; got {toml_value(value)[:60]}.{hint}")
        if not self.named and (why := not_for_found(option, value)):
            advice = f"Give it on the command line, or name the file: --settings {self.path}."
            raise self.wrong(table, option.key, f"{why}. {advice}")

    def wrong(self, table: str, key: str | None, sentence: str) -> UserError:
        """Return the error of a table or a key: file, line where it is known, key, what is wrong."""
        line = _line(self.text, table, key)
        where = f"{self.path}, line {line}" if line else str(self.path)
        return UserError("usage", f"{where}: [{table}]{f' {key}' if key else ''}: {sentence}")


def not_for_found(option: OptionKey, value: object) -> str:
    """Say why a file that was found by itself, in a folder of anyone's, may not set an option so; empty if it may.

    Example:
        >>> not_for_found(OptionKey("allow-pickle", "allow_pickle", bool, False, False), True)
        'a file that lies in the folder must not let weight files run code'
    """
    if option.key == "allow-pickle" and value is True:
        return "a file that lies in the folder must not let weight files run code"
    if option.key == "model":
        from gramcli.encoders.specs import runs_code  # only where a file names a model

        if runs_code(str(value)):
            return "a file that lies in the folder must not have code of anyone's run as a model"
    here = Path.cwd().resolve()
    if option.writes and not (here / str(value)).resolve().is_relative_to(here):
        return "a file that lies in the folder must not have files written outside of it"
    return ""


def read_settings(named: str | None) -> Settings | None:
    """Read the file that `--settings` names, or gram.toml where there is one; `none` reads none.

    Raises:
        UserError: It cannot be read, is no TOML, or says what no command knows.
    """
    path = Path(named or FILE)
    if named == NO_FILE or (named is None and not path.exists()):
        return None
    import tomllib  # only where there is a file

    text = _text_of(path)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        refuse_pointer(path, "usage")
        raise UserError("usage", f"{path} is not TOML: {error or 'nested too deeply'}.") from None
    for key, value in document.items():
        if not isinstance(value, dict):
            where = f"{path}, line {line}" if (line := _line(text, None, key)) else str(path)
            raise UserError("usage", f"{where}: {key} stands in no table; put it below [{DEFAULTS}] or [COMMAND].")
    tables = {table: {key.replace("_", "-"): one for key, one in values.items()} for table, values in document.items()}
    found = Settings(path, named is not None, tables, text)
    for table, values in document.items():
        spellings = Counter(key.replace("_", "-") for key in values)
        if twice := next((key for key, number in spellings.items() if number > 1), None):
            raise found.wrong(table, twice, f"it is there in two spellings, with - and with _; keep --{twice}.")
    found.check()
    return found


def _text_of(path: Path) -> str:
    try:
        found = read_regular(path, _LARGEST)
    except FileNotFoundError:
        raise UserError("usage", f"There is no settings file {path}; --settings {NO_FILE} reads none.") from None
    except (UnreadableError, IsADirectoryError) as error:  # no settings file at all
        raise UserError("usage", f"{path} cannot be read: {error.strerror}.") from None
    except OSError as error:
        raise UserError("input", f"{path} cannot be read: {error.strerror}.") from None
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        line = found[: error.start].count(b"\n") + 1
        raise UserError("usage", f"{path}, line {line}: not UTF-8 text, as TOML must be.") from None


def _line(text: str, table: str | None, key: str | None) -> int | None:
    """The line of a table's heading, or of a key below it; None where it is written another way."""
    current = None
    spelled = re.escape((key or "").replace("_", "-")).replace(r"\-", "[-_]")
    pattern = rf"\s*[\"']?{spelled}[\"']?\s*=" if key else None
    for number, line in enumerate(text.splitlines(), 1):
        if heading := re.match(r"\s*\[\s*[\"']?([^\]\"']+?)[\"']?\s*\]", line):
            current = heading[1]
            if key is None and current == table:
                return number
        elif pattern and current == table and re.match(pattern, line):
            return number
    return None


def toml_value(value: Any) -> str:  # noqa: ANN401 - options of every type
    """Return a value as TOML writes it.

    Example:
        >>> toml_value(["t2va"]), toml_value(True), toml_value(0.001)
        ('["t2va"]', 'true', '0.001')
    """
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_value(one) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)) and not isinstance(value, Enum):
        # Python writes no decimals of a number of thousands of digits, and reads it in base 16.
        return hex(value) if isinstance(value, int) and abs(value) >= 1 << 63 else repr(value)
    text = str(value.value if isinstance(value, Enum) else value)
    return "".join(_toml_letter(letter) for letter in json.dumps(text, ensure_ascii=False))


def _toml_letter(letter: str) -> str:
    """A letter that would not be seen, or would steer a terminal, as TOML writes it by its number."""
    if terminal(letter) == letter:
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 1 << 16 else f"\\U{ord(letter):08x}"
