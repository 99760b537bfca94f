"""`gram methods`."""

from __future__ import annotations

from gramcli.cli.options import OutputOpt
from gramcli.cli.session import Session


def methods_command(session: Session, output: OutputOpt = None) -> None:
    """List the alignment methods with formula and paper.

    Example: gram methods --format json
    """
    from gramcli.report.listings import methods_answer

    session.show(methods_answer(), output)
