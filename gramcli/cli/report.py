"""`gram report`."""

from __future__ import annotations

from gramcli.cli.options import PageOut, ResultArg, RootOpt, SourceOpt
from gramcli.cli.session import Session
from gramcli.errors import UserError


def report_command(
    session: Session, file: ResultArg, *, output: PageOut = None, dataset: SourceOpt = None, root: RootOpt = None
) -> None:
    """Render a saved result as one HTML page.

    The store that the result names is opened where it still is what was evaluated, for captions, pictures and answers;
    else the page says what is missing. --dataset and --root say where media have moved.

    Example: gram report run.json

    Example: gram report run.json -o page.html --dataset clips/
    """
    from gramcli.report import PAGE_SUFFIXES
    from gramcli.report.page.saved import write_with_notes

    if output and output.suffix.lower() not in PAGE_SUFFIXES:
        raise UserError("usage", f"-o {output}: the report is an HTML page; name it .html.")
    session.check_suffixes(output, None)
    written, notes = write_with_notes(file, output=output, dataset=dataset, root=root)
    for note in notes:
        session.say(f"Note: {note}")
    session.say(f"Wrote {written}.")
