"""`gram metrics`."""

from __future__ import annotations

from gramcli.cli.options import MetricArg, OutputOpt
from gramcli.cli.session import Session


def metrics_command(session: Session, name: MetricArg = None, *, output: OutputOpt = None) -> None:
    """List the metrics with range, formula and source.

    With NAME one of them alone.

    Example: gram metrics

    Example: gram metrics R@1

    Example: gram metrics -o metrics.csv
    """
    from gramcli.report.metrics import metrics_answer

    session.show(metrics_answer(name), output)
