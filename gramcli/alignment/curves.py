"""Learning curves as CSV, one line per epoch, and the stages they belong to."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from gramcli.alignment.state import MAIN, WARM_UP
from gramcli.alignment.validation import MEASURES
from gramcli.results.runs import Curve, Epoch

FACTS: Final = ("stage", "epoch", "lr", "loss", "temperature", "validation_loss")


def curves_csv(before: Curve | None, history: Iterable[Epoch]) -> str:
    """The epochs of both stages as CSV.

    Args:
        before: The warm-up, if there was one.
        history: The epochs of the main stage.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FACTS, *MEASURES])
    for stage, epochs in ((WARM_UP, before.history if before else ()), (MAIN, history)):
        for one in epochs:
            facts = [one.epoch, one.lr, one.loss, one.temperature, one.validation_loss]
            writer.writerow(
                [stage, *("" if fact is None else fact for fact in facts), *map(one.measures.get, MEASURES)]
            )
    return text.getvalue()
