"""What a command line that cannot be read was probably meant to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gramcli.catalog import did_you_mean
from gramcli.cli.commands import ROWS
from gramcli.cli.help import examples
from gramcli.cli.starts import command_line, embeddings_of, kind_of

_OTHER_WORDS: Final = {
    "evaluate": "eval", "test": "eval", "benchmark": "eval", "retrieve": "eval", "classify": "eval",
    "extract": "embed", "encode": "embed", "features": "embed", "train": "align", "fit": "align",
    "diff": "compare", "score": "matrix", "scores": "matrix", "similarity": "matrix", "convert": "export",
    "info": "inspect", "describe": "inspect", "show": "inspect", "check": "doctor", "version": "--version",
    "help": "--help", "list": "--help",
}  # fmt: skip
_RENAMED: Final = {"warmup": "lr-warmup"}  # the nearest name by letters, --warm-up, is something else


def unknown_command(words: Sequence[str]) -> str:
    """Return the message for a word that is no command.

    Args:
        words: The command line, the wrong word first.

    Example:
        >>> unknown_command(["evl", "clips_emb"])
        "No such command 'evl'. Did you mean: gram eval clips_emb"
    """
    word, rest = words[0], words[1:]
    kind = kind_of(word)
    if kind:
        verb = {"store": ("eval", word), "media folder": ("embed", word, "-o", embeddings_of(word))}.get(kind)
        meant = command_line(*(verb or ("inspect", word)), *rest)
    elif word == "help" and rest and rest[0] in ROWS:
        meant = command_line(rest[0], "--help")
    elif word.lower() in _OTHER_WORDS:
        meant = command_line(_OTHER_WORDS[word.lower()], *rest)
    else:
        near = did_you_mean(word, list(ROWS)).partition("'")[2].partition("'")[0]
        meant = command_line(near, *rest) if near else ""
    known = f"Did you mean: {meant}" if meant else f"Commands: {', '.join(ROWS)}."
    return f"No such command '{word}'. {known}"


def explain(error: Any, words: Sequence[str]) -> None:  # noqa: ANN401 - Typer's
    """Add to a wrong command line's message what was probably meant.

    Args:
        error: Typer's; its message is changed.
        words: The command line after `gram`.
    """
    kind = type(error).__name__
    if kind == "NoSuchOption":
        known = [name[2:] for one in error.ctx.command.params for name in one.opts if name.startswith("--")]
        name = error.option_name.lstrip("-")
        renamed = _RENAMED.get(name)
        hint = f" Did you mean '{renamed}'?" if renamed in known else did_you_mean(name, known)
        hint = hint.replace("'", "'--", 1)
        error.possibilities = None
        error.message = f"No such option: {error.option_name}.{hint}"
    elif kind == "MissingParameter" and error.param is not None:
        option = error.param.param_type_name == "option"
        meant = _missing(words, error.ctx) if option else examples(ROWS[str(error.ctx.command.name)].load())[0]
        error.message = f"Such as: {meant}" if meant else error.message


def _missing(words: Sequence[str], context: Any) -> str:  # noqa: ANN401 - Typer's
    """The command line with what each needed option that is missing could be."""
    command, given = context.command, context.params
    operand = next((given[one.name] for one in command.params if given.get(one.name) and one.required), None)
    suggestions = _suggestions(str(command.name), str(operand or ""), given)
    parser = command.make_parser(context)
    present, _, _ = parser.parse_args(args=list(words[1:]))
    more = [word for name, added in suggestions.items() if present.get(name) is None for word in added]
    return command_line(*words, *more) if operand else ""


def _suggestions(command: str, operand: str, given: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    if command == "embed":
        return {"output": ("-o", embeddings_of(operand))}
    if command == "export":
        suffix = ".npz" if kind_of(operand) == "store" else ".safetensors"
        return {"output": ("-o", f"{Path(operand).resolve().stem}{suffix}")}
    if command == "align":
        loss = given.get("loss") or "gram"
        return {"loss": ("--loss", loss), "output": ("-o", f"heads_{loss}")}
    return {}
