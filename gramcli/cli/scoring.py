"""Where the answer of `gram score` goes: the terminal or a file, a page, a manifest of what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.cli.session import Session

if TYPE_CHECKING:
    from gramcli.results.scores import Scores

Files = tuple[Path | None, Path | None, Path | None]


def check_files(session: Session, keep: Path | None, report: Path | None, output: Path | None) -> None:
    """Refuse names of files that nothing is written to, before any work is done.

    Raises:
        UserError: A suffix is foreign.
    """
    session.check_output(output)
    session.check_suffixes(report, None)
    if keep:
        from gramcli.cli.inputs import check_apart
        from gramcli.exchange.kept import check_manifest_path

        check_manifest_path(keep)
        check_apart(keep)


def give(session: Session, store: Path, found: Scores, files: Files) -> None:
    """Write the manifest and the page that were asked for, then show the answer or write it.

    Args:
        session: The run.
        store: What was scored.
        found: What was found.
        files: `--keep`, `--report` and `--output`.
    """
    from gramcli.report.scores import scores_answer, write_scores

    keep, report, output = files
    if keep:
        from gramcli.exchange.kept import write_kept

        for sentence in write_kept(keep, store, found):
            session.say(sentence)
    if report:
        found.report(report)
        session.say(f"Wrote {report}.")
    if output is None:
        session.show(scores_answer(found))
        return
    write_scores(output, found, session.output_format)
    session.say(f"Wrote {output}: {sum(map(len, found.scores)):,} rows.")
    session.tell(scores_answer(found))
