"""From words to arguments: the group of commands, and a command with its settings file."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator, MutableMapping
from itertools import pairwise
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from gramcli.cli.commands import COMMANDS, GROUPS, ROWS
from gramcli.cli.words import WORDS
from gramcli.errors import EXIT_FAILED

# The public names of Typer hold only this kind of wrong command line; its base is all of them.
WRONG_COMMAND_LINE = cast("type[typer.BadParameter]", typer.BadParameter.__base__)

_PARSER_WORDS = (
    (r"Input should be greater than or equal to ([\d.]+)\.?", r"It must be at least \1."),
    (r"Input should be less than or equal to ([\d.]+)\.?", r"It must be at most \1."),
    (r"Input should be a valid integer[^;]*", "It must be a whole number."),
)


def _without_braces(piece: str) -> str:
    """Return a piece of the usage line without marks of the parser; dots that a name has are not said twice.

    Example:
        >>> _without_braces("{A B...}..."), _without_braces("{FILE... KIND}..."), _without_braces("{A}...")
        ('A B...', 'FILE... KIND', 'A...')
    """
    name = piece.strip("{}").partition("}")[0]
    return f"{name}..." if piece.endswith("}...") and "..." not in name else name


class Command(TyperCommand):
    """A command: its help in panels, its defaults from gram.toml, no words at all its help."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(*arguments, **attributes)
        self.no_args_is_help = any(
            one.param_type_name == "argument" and (one.required or one.nargs == -1) for one in self.params
        )

    def _flags(self) -> list[Any]:
        return [one for one in self.params if getattr(one, "is_flag", False) and not one.secondary_opts]

    def make_parser(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's
        """Make the parser; every flag can be turned off again with --no-FLAG, for one that a file turned on."""
        parser = super().make_parser(ctx)
        for flag in self._flags():
            negatives = [f"--no-{name[2:]}" for name in flag.opts if name.startswith("--")]
            parser.add_option(obj=flag, opts=negatives, dest=flag.name, action="store_const", const=False)
        return parser

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's
        """Read the words, and below them the settings file; `--print-config` ends here."""
        if ctx.resilient_parsing or not args:
            return super().parse_args(ctx, args)
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        _refuse_repeated(ctx, order)
        _refuse_empty(ctx, given)
        if given.get("help"):
            return super().parse_args(ctx, args)
        from gramcli.cli.configuration import Configuration

        configuration = Configuration(ctx, args, given)
        if given.get("print_config"):
            configuration.show()
        with configuration.blamed():
            rest = super().parse_args(ctx, args)
            _refuse_beyond(ctx)
        configuration.settle()
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's
        """Return what follows the name in the usage line, without braces round what is needed."""
        return [_without_braces(piece) for piece in super().collect_usage_pieces(ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's
        """Write the help page."""
        from gramcli.cli.help import about, examples, option_sections, page

        function = ROWS[str(self.name)].load()
        usage = f"{ctx.command_path} {' '.join(self.collect_usage_pieces(ctx))}"
        sections = option_sections(self.get_params(ctx), ctx)
        formatter.write(page(usage, about(function), sections, examples(function), formatter.width))


def _refuse_repeated(ctx: Any, order: list[Any]) -> None:  # noqa: ANN401 - Typer's
    """Refuse an option that is given twice and holds one value: the last would win without a word."""
    for one in order:
        if one.param_type_name == "option" and not one.multiple and not one.is_flag and order.count(one) > 1:
            raise typer.BadParameter("it is given more than once and takes one value.", ctx=ctx, param=one)


def _refuse_empty(ctx: Any, given: dict[str, Any]) -> None:  # noqa: ANN401 - Typer's
    """Refuse an operand without a letter: as a path it would be the folder that one stands in."""
    for one in ctx.command.params:
        value = given.get(one.name) if one.param_type_name == "argument" else None
        words = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(word, str) and not word.strip() for word in words):
            raise typer.BadParameter("it is empty. Is a variable of the shell not set?", ctx=ctx, param=one)


def _refuse_beyond(ctx: Any) -> None:  # noqa: ANN401 - Typer's
    """Refuse numbers that are not finite or beyond all sense, before anything is made of them."""
    from gramcli.cli.bounds import beyond

    for one in ctx.command.params:
        if wrong := beyond(one.name, ctx.params.get(one.name)):
            raise typer.BadParameter(wrong, ctx=ctx, param=one)


class _Commands(MutableMapping[str, Any]):
    """Typer's commands by name, each made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - Typer's
        if name not in self._made:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(name, cls=Command)(COMMANDS[name])
            self._made[name] = typer.main.get_command(single)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in ROWS

    def __setitem__(self, name: str, command: Any) -> None:  # noqa: ANN401 - Typer's
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]


class Group(TyperGroup):
    """All commands; a wrong command line says what was probably meant, in JSON too when JSON was asked for."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(**attributes)
        self.commands = _Commands()

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's
        """Write the overview: commands in groups, their options below."""
        from gramcli.cli.help import about, examples, option_sections, page

        function = cast("Callable[..., Any]", self.callback)
        groups = [(group, [(row.name, row.summary) for row in ROWS.values() if row.group == group]) for group in GROUPS]
        options = [("Options", rows) for title, rows in option_sections(self.get_params(ctx), ctx) if rows]
        usage = f"{ctx.command_path} COMMAND ..."
        formatter.write(page(usage, about(function), [*groups, *options], examples(function), formatter.width))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - Typer's
        """Find the command, or say which one may be meant."""
        if args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            from gramcli.cli.meant import unknown_command

            ctx.fail(unknown_command(args))
        return super().resolve_command(ctx, args)

    def main(self, *words: Any, standalone_mode: bool = True, **more: Any) -> Any:  # noqa: ANN401 - Typer's
        """Run a command line; what Typer would write itself leaves by our own ways out."""
        from gramcli.cli.streams import lost_answer, tell, tell_block

        try:
            run: Callable[..., Any] = super().main
            code = run(*words, standalone_mode=False, **more)
        except WRONG_COMMAND_LINE as error:
            if not standalone_mode:
                raise
            from gramcli.report.escaping import shortened, terminal

            if type(error).__name__ != "NoArgsIsHelpError":  # whose message is the help page
                error.message = shortened(terminal(error.message))
            text = io.StringIO()
            error.show(file=text)
            tell_block(text.getvalue())
            code = error.exit_code
        except OSError as error:
            message = lost_answer(error)
            if message is None:
                raise
            tell(f"gram: error: {message}", red=True)
            code = EXIT_FAILED
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's
        """Run the subcommand."""
        first = getattr(ctx, "_protected_args", None) or getattr(ctx, "protected_args", None) or ()  # by Typer's age
        arguments = [*first, *ctx.args]
        WORDS.set(tuple(arguments))
        try:
            return super().invoke(ctx)
        except WRONG_COMMAND_LINE as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                raise
            from gramcli.cli.meant import explain

            explain(error, arguments)
            error.message = clear_message(error.message)
            if asks_for_json(arguments):
                from gramcli.cli.streams import emit
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
    from gramcli.catalog import did_you_mean

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
