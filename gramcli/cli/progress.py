"""Progress bars on stderr; this module loads rich, so it is imported only when a bar will show."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

_BAR: Final = 12  # columns: what is counted, how fast and how long must fit beside it at 80
_WIDE: Final = 110
_ECHO: Final = 3  # columns that stay free: the terminal writes ^C there, and a full line would become two


class Told(ProgressColumn):
    """How far it is, how fast, for how long and how much longer; a few words, below where there is no room beside."""

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._console = console

    def render(self, task: Task) -> Text:
        """Return for instance `3/12 items, 79.1 items/s, 0:07 so far, 0:01 left`."""
        unit, words = task.fields["unit"], task.fields["words"]
        total = "?" if task.total is None else f"{task.total:,.0f}"
        speed = task.finished_speed or task.speed
        parts = [f"{task.completed:,.0f}/{total} {unit}"]
        parts += [f"{speed:,.1f} {unit}/s"] if speed else []
        parts += [f"{_clock(task.elapsed)} so far"]
        parts += [f"{_clock(task.time_remaining)} left"] if task.time_remaining is not None else []
        line = Text(", ".join(parts))
        if words:
            line.append(f", {words}" if self._console.width >= _WIDE else f"\n{words}", style="dim")
        return line


def _clock(seconds: float | None) -> str:
    """Return `0:07`, or `1:02:03` from an hour on."""
    text = str(timedelta(seconds=int(seconds or 0)))
    return text.removeprefix("0:").removeprefix("0") if text.startswith("0:") else text


def bars() -> Progress:
    """Return the bars, to be used as a context; they vanish when done."""
    console = Console(stderr=True)
    console.width = max(1, console.width - _ECHO)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=_BAR),
        Told(console),
        console=console,
        transient=True,
    )
