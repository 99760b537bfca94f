"""The commands as plain rows: `gram --help` is made from them and imports none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal

Group = Literal["Start here", "Measure", "Bring and take", "Look"]
GROUPS: Final[tuple[Group, ...]] = ("Start here", "Measure", "Bring and take", "Look")


@dataclass(frozen=True)
class CommandRow:
    """One command.

    Attributes:
        name: The word after `gram`; its function is `NAME_command`.
        group: Where `gram --help` lists it.
        summary: The first line of the function's docstring.
        on_interrupt: What Ctrl-C leaves behind, said when it happens.
        module: Where the function is, below `gramcli.cli`; by default in the module of its name.
    """

    name: str
    group: Group
    summary: str
    on_interrupt: str = "Nothing was written."
    module: str | None = None

    def load(self) -> Callable[..., None]:
        """Import the command's function."""
        function: Callable[..., None] = getattr(
            import_module(f"gramcli.cli.{self.module or self.name}"), f"{self.name}_command"
        )
        return function


_RESUMES: Final = "Finished {} are kept: run the same command again and it resumes."
_STARTS_OVER: Final = "Run the same command again: it starts over."

_ROWS: Final = (
    CommandRow(
        "embed",
        "Bring and take",
        "Embed media into a store; a stopped run resumes.",
        _RESUMES.format("shards"),
    ),
    CommandRow(
        "import",
        "Bring and take",
        "Turn features that other tools wrote into a store.",
        _RESUMES.format("shards"),
        "importing",  # `import` is a word of the language
    ),
    CommandRow("eval", "Measure", "Evaluate a store, or a model on a dataset."),
    CommandRow("compare", "Measure", "Say which is better, by how much, and whether it is real."),
    CommandRow("leaderboard", "Measure", "Put evaluations into one table, in comparable groups."),
    CommandRow("matrix", "Measure", "Write or summarise the alignment matrix of a store."),
    CommandRow("score", "Measure", "Say which items' modalities do not belong together."),
    CommandRow(
        "align",
        "Measure",
        "Train projection heads on a store by a method's loss.",
        _RESUMES.format("epochs"),
    ),
    CommandRow(
        "join",
        "Bring and take",
        "Put stores of the same items side by side, by id.",
        _RESUMES.format("shards"),
    ),
    CommandRow("export", "Bring and take", "Write a store, its ranked lists or a checkpoint as files of others."),
    CommandRow("report", "Look", "Render a saved result as one HTML page."),
    CommandRow("plot", "Look", "Draw one figure of a store, an evaluation, a comparison or heads."),
    CommandRow("inspect", "Look", "Say what a checkpoint, store, result or dataset holds."),
    CommandRow("datasets", "Look", "List the known datasets, or look for one in a folder."),
    CommandRow("methods", "Look", "List the alignment methods with formula and paper."),
    CommandRow("metrics", "Look", "List the metrics with range, formula and source."),
    CommandRow("demo", "Start here", "Make data, embed, align, evaluate, compare: all offline.", _STARTS_OVER),
    CommandRow("doctor", "Start here", "Check what works here; with MODEL, whether that encoder is sound."),
)
ROWS: Final = {row.name: row for row in _ROWS}


class Commands(Mapping[str, Callable[..., None]]):
    """Name to function, ready for Typer; a command's module is imported when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Callable[..., None]] = {}

    def __getitem__(self, name: str) -> Callable[..., None]:
        if name not in self._made:
            from gramcli.cli.command import command

            row = ROWS[name]
            self._made[name] = command(row.load(), on_interrupt=row.on_interrupt)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ROWS)

    def __len__(self) -> int:
        return len(ROWS)


COMMANDS: Final = Commands()
