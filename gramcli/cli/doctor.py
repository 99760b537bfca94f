"""`gram doctor`."""

from __future__ import annotations

from gramcli.cli.options import OutputOpt
from gramcli.cli.session import Session
from gramcli.errors import EXIT_FAILED


def doctor_command(session: Session, output: OutputOpt = None) -> None:
    """Check versions, devices, decoders, cache: what works here.

    Example: gram doctor
    """
    from gramcli.inspection.doctor import diagnose
    from gramcli.report.listings import doctor_answer

    with session.watch() as watch:
        checks = diagnose(watch.stage("Trying packages", "packages"))
    session.show(doctor_answer(checks), output)
    session.finish(0 if all(check.works for check in checks) else EXIT_FAILED)
