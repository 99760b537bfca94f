"""`gram inspect`."""

from __future__ import annotations

from gramcli.cli.options import OutputOpt, PathArg, VerifyOpt
from gramcli.cli.session import Session


def inspect_command(session: Session, path: PathArg, *, verify: VerifyOpt = False, output: OutputOpt = None) -> None:
    """Say what a store, evaluation or dataset holds and lacks.

    Example: gram inspect clips_emb

    Example: gram inspect clips_emb --verify
    """
    from gramcli.describe import describe
    from gramcli.report.listings import description_answer

    session.show(description_answer(describe(path, verify=verify)), output)
