"""What every command is told (format, quiet, verbose, debug) and how it answers."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from gramcli.cli.streams import emit, tell
from gramcli.cli.words import WORDS
from gramcli.errors import UserError
from gramcli.report import Format
from gramcli.report.escaping import terminal
from gramcli.results.watch import Progress, Watch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    from gramcli.report.answer import Answer
    from gramcli.results.leaderboards import Leaderboard
    from gramcli.results.readable import Readable
    from gramcli.results.records import Comparison, Evaluation
    from gramcli.results.scores import Scores

RecordT = TypeVar("RecordT", "Evaluation", "Comparison", "Leaderboard", "Scores")

_TABLE_SUFFIXES: Final = (".csv", ".txt", "")


@dataclass(frozen=True)
class Session:
    """One run of a command.

    Attributes:
        output_format: What `--format` asked for, None when it was not given.
        quiet: No progress and no messages on stderr; errors still are.
        verbose: Log what is done, on stderr.
        debug: Show the traceback of an error.
        on_interrupt: What Ctrl-C leaves behind, for the message.
    """

    output_format: Format | None = None
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    on_interrupt: str = "Nothing was written."

    @property
    def wants_json(self) -> bool:
        """Whether stdout must hold one JSON document, whatever happens."""
        return self.output_format is Format.json

    def say(self, message: str) -> None:
        """Write one line to stderr, unless the run is quiet."""
        if not self.quiet:
            tell(message)

    def tell(self, answer: Answer) -> None:
        """Say an answer's notes, and how many entries are left out, on stderr; for what is written to a file."""
        for note in answer.notes:
            self.say(f"Note: {note}")
        if answer.left_out:
            self.say(f"Note: {answer.left_out} left out (items x modalities); without -o, --format json lists them.")

    def show(self, answer: Answer, output: Path | None = None) -> None:
        """Give the answer: to `output` when there is one, else to stdout.

        Args:
            answer: What the command found.
            output: A file; its suffix decides the format when `--format` was not given.

        Raises:
            UserError: `output` cannot be written.
        """
        from gramcli.report.formats import render

        chosen: Format | None = self.output_format or Format.table
        if output:
            from gramcli.report.files import write_answer

            chosen = write_answer(output, answer, self.output_format)
            self.say(f"Wrote {output}.")
        elif chosen is Format.table and (console := _terminal()):
            from gramcli.report.terminal import print_answer

            print_answer(console, answer)
        elif chosen:
            emit(render(answer, chosen))
        if output or chosen is Format.csv:
            for line in answer.lead:
                self.say(line)
        if chosen in {Format.csv, Format.markdown, Format.latex}:
            for note in answer.notes:
                self.say(f"Note: {note}")
        if answer.left_out and (output or chosen is Format.csv):
            where = f"{output} lists them" if output and chosen is Format.json else "--format json lists them"
            self.say(f"Note: {answer.left_out} left out (items x modalities); {where}.")

    def check_output(self, output: Path | None) -> None:
        """Refuse a file of no known form, or one that the command reads, before any work is done for it.

        Raises:
            UserError: Its suffix is unknown and no `--format` was given; or it is what the command reads.
        """
        from gramcli.cli.inputs import check_apart

        check_apart(output)
        if output and self.output_format is None:
            from gramcli.report.files import check_suffix

            check_suffix(output)

    def check_suffixes(self, report: Path | None, per_query: Path | None) -> None:
        """Refuse other suffixes than those of a page and of a table of queries, before any work is done.

        Raises:
            UserError: One of them is foreign, or a file that the command reads.
        """
        from gramcli.cli.inputs import check_apart
        from gramcli.report import PAGE_SUFFIXES

        check_apart(report, per_query)

        if report and report.suffix.lower() not in PAGE_SUFFIXES:
            raise UserError("usage", f"--report {report}: the report is an HTML page; name it .html.")
        if per_query and per_query.suffix.lower() not in _TABLE_SUFFIXES:
            raise UserError("usage", f"--per-query {per_query}: the queries are a CSV table; name it .csv.")

    def complain(self, *messages: str) -> None:
        """Write error lines to stderr, in red on a terminal."""
        for message in messages:
            tell(f"gram: error: {message}", red=True)

    def signed(self, found: RecordT) -> RecordT:
        """Return a result whose provenance names the command line instead of the call behind it."""
        from gramcli.results.making import MADE

        made = found.provenance.get(MADE)
        if not WORDS.get() or not isinstance(made, dict):
            return found
        command = shlex.join(["gram", *WORDS.get()])
        return replace(found, provenance={**found.provenance, MADE: {**made, "command": command}})

    def write_page(self, path: Path | None, found: Readable) -> None:
        """Write the HTML page of a result, when `--report` names a file."""
        if path:
            found.report(path)
            self.say(f"Wrote {path}.")

    def write_per_query(self, path: Path | None, evaluation: Evaluation) -> None:
        """Write the ranks and best answers of every query, when `--per-query` names a file."""
        if path:
            from gramcli.report.files import write_result
            from gramcli.report.per_query import per_query_csv

            write_result(path, per_query_csv(evaluation))
            self.say(f"Wrote {path}.")

    @contextmanager
    def stages(self) -> Iterator[Callable[..., Progress]]:
        """Give a function that starts a labelled progress bar; off a terminal, a line every few seconds."""
        if self.quiet:
            yield lambda _label, _unit="items": _silent
            return
        if not sys.stderr.isatty():
            yield lambda label, unit="items": Lines(label, unit, self.say)
            return
        from gramcli.cli.progress import bars

        with bars() as shown:
            yield lambda label, unit="items": _advance(shown, label, unit)

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Give what a verb tells of its work: bars, or off a terminal a line every few seconds, and messages."""
        with self.stages() as stage:
            yield Shown(stage, self.say)

    def finish(self, code: int) -> None:
        """End the command with an exit code other than 0; 0 just goes on.

        Raises:
            Exit: `code` is not 0.
        """
        if code:
            raise typer.Exit(code)


@dataclass(frozen=True)
class Shown:
    """A `Watch` of the command line.

    Attributes:
        stage: Begins a labelled bar.
        say: Writes one line to stderr.
    """

    stage: Callable[..., Progress]
    say: Callable[[str], None]


def _silent(*_: object) -> None:
    return


class Lines:
    """Progress where there is no terminal: one line every few seconds, none for what is soon done."""

    EVERY: Final = 5.0  # seconds

    def __init__(self, label: str, unit: str, say: Callable[[str], None]) -> None:
        self._label, self._unit, self._say = label, unit, say
        self._made = self._start = self._told = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """Say how far it is, when it is time to."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._start = done, now
        if now - self._told < self.EVERY:
            return
        self._told = now
        spent, unit = now - self._start, self._unit
        rate = (done - self._first) / max(spent, 1e-9)
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
        speed = f"{rate:,.1f} {unit}/s, " if rate > 0 else ""
        times = f"{speed}{now - self._made:.0f} s so far{left}"
        self._say(f"{self._label}: {done:,} of {total:,} {unit}, {times}{f'; {words}' if words else ''}")


def _advance(shown: RichProgress, label: str, unit: str) -> Progress:
    bar = shown.add_task(terminal(label), total=None, words="", unit=unit)

    def advance(done: int, total: int, words: str = "") -> None:
        """Move the bar."""
        shown.update(bar, completed=done, total=total, words=terminal(words))

    return advance


def _terminal() -> Console | None:
    """Return a console when stdout is a terminal (or FORCE_COLOR says to take it for one)."""
    if not sys.stdout.isatty() and not os.environ.get("FORCE_COLOR"):
        return None
    from rich.console import Console

    return Console()
