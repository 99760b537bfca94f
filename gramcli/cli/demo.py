"""`gram demo`."""

from __future__ import annotations

from gramcli.cli.options import DEMO_FOLDER, DemoOut, ItemsOpt, SeedOpt
from gramcli.cli.session import Session


def demo_command(session: Session, output: DemoOut = DEMO_FOLDER, items: ItemsOpt = 300, seed: SeedOpt = 0) -> None:
    """Make data, embed, align, evaluate, compare: all offline.

    Example: gram demo -o demo
    """
    from gramcli.demo import run_demo
    from gramcli.report.demo import demo_answer, demo_page
    from gramcli.report.files import write_beside

    with session.stages() as stage:
        result = run_demo(output, seed=seed, items=items, stage=stage)
    write_beside(output / "report.html", demo_page(result))
    session.show(demo_answer(result))
    session.say(f"Wrote {output / 'report.html'}.")
