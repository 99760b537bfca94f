"""`gram demo`."""

from __future__ import annotations

from dataclasses import replace

from gramcli.cli.options import DEMO_FOLDER, DemoOut, ItemsOpt, ReportOpt, SeedOpt
from gramcli.cli.session import Session


def demo_command(
    session: Session,
    output: DemoOut = DEMO_FOLDER,
    items: ItemsOpt = 300,
    seed: SeedOpt = 0,
    report: ReportOpt = None,
) -> None:
    """Make data, embed, align, evaluate, compare: all offline.

    Example: gram demo -o demo
    """
    from gramcli.demo import run_demo
    from gramcli.report.demo import demo_answer, demo_page
    from gramcli.report.files import write_beside, write_result

    session.check_suffixes(report, None)
    with session.stages() as stage:
        found = run_demo(output, seed=seed, items=items, stage=stage)
    result = replace(found, evaluation=session.signed(found.evaluation), comparison=session.signed(found.comparison))
    page = demo_page(result)
    if report:
        write_result(report, page)
    else:
        write_beside(output / "report.html", page)
    session.show(demo_answer(result))
    session.say(f"Wrote {report or output / 'report.html'}.")
