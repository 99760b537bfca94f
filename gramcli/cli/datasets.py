"""`gram datasets`."""

from __future__ import annotations

from gramcli.cli.options import DatasetNameArg, OutputOpt, ProtocolOpt, RootOpt
from gramcli.cli.session import Session
from gramcli.errors import EXIT_LEFT_OUT, UserError


def datasets_command(
    session: Session,
    name: DatasetNameArg = None,
    *,
    root: RootOpt = None,
    protocol: ProtocolOpt = None,
    output: OutputOpt = None,
) -> None:
    """List the known datasets, or look for one in a folder.

    Exit code 3 when something is missing: what, and what to rename or point to, is said.

    Example: gram datasets msrvtt

    Example: gram datasets msrvtt --root data/MSRVTT --protocol msrvtt-full
    """
    from gramcli.datasets.survey import survey
    from gramcli.report.datasets import benchmark_answer, datasets_answer, known_benchmark, survey_answer

    if name is None and (root or protocol):
        raise UserError("usage", "--root and --protocol need the NAME of a dataset: gram datasets msrvtt --root DIR")
    if name is None:
        return session.show(datasets_answer(), output)
    row, benchmark = known_benchmark(name)
    if root is None:
        return session.show(benchmark_answer(row, benchmark, protocol), output)
    beside = [one.name for one in benchmark.protocol(protocol).beside]
    found = survey(benchmark, root, protocol, beside=beside)
    session.show(survey_answer(found), output)
    session.finish(0 if found.complete else EXIT_LEFT_OUT)
