"""What a comparison says of its primary figures, in words with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gramcli.results.records import Verdict
from gramcli.results.wording import letters_of, p_sentence

if TYPE_CHECKING:
    from gramcli.evaluation.duels import Duel
    from gramcli.results.records import ComparisonRow, Outcome

LEVEL: Final = 0.05


def verdicts(rows: Sequence[ComparisonRow], duels: Sequence[Duel], names: tuple[str, ...]) -> list[Verdict]:
    """One verdict for each primary figure that is tested.

    Args:
        rows: Every figure, adjusted by Holm.
        duels: What they were made of.
        names: Of the contenders.
    """
    primary = [row for row in rows if row.family == "primary"]
    several = len({(row.task, row.b) for row in primary}) > len({row.task for row in primary}) * (len(names) - 1)
    found = []
    for row in primary:
        own = next(one for one in duels if (one.task, *one.labels) == (row.task, row.a, row.b))
        detectable = own.detectable(row.metric, LEVEL / len(primary))
        found.append(_verdict(row, detectable, names, len(primary), method=several))
    return found


def _verdict(
    row: ComparisonRow, detectable: float | None, names: tuple[str, ...], family: int, *, method: bool
) -> Verdict:
    low, high, p_holm = row.low or 0.0, row.high or 0.0, 1.0 if row.p_holm is None else row.p_holm
    outcome: Outcome = "no difference shown"
    if p_holm < LEVEL:
        outcome = "better" if row.delta > 0 else "worse"
    under = f" under {row.b.rpartition('@')[2]}" if method else ""
    said = _found(row, outcome, names, family)
    power = f"; {_power(row, detectable)}" if outcome == "no difference shown" else ""
    return Verdict(
        task=row.task, metric=row.metric, a=row.a, b=row.b, outcome=outcome, delta=row.delta, low=low, high=high,
        p_holm=p_holm, wins=row.wins, losses=row.losses, n=row.n, detectable=detectable,
        sentence=f"{row.task} {row.metric}{under}: {said}{_seeds(row)}{power}.",
    )  # fmt: skip


def _found(row: ComparisonRow, outcome: Outcome, names: tuple[str, ...], family: int) -> str:
    a, b = letters_of((row.a, row.b), names)
    low, high = row.low or 0.0, row.high or 0.0
    tested = p_sentence(row.p_holm) + (f" (Holm over {family})" if family > 1 else "")
    counts = f"{row.wins} of {row.n} queries gained{_on_average(row)}, {row.losses} lost"
    if outcome == "no difference shown":
        alone = row.p_value is not None and row.p_value < LEVEL
        tested += f", though {p_sentence(row.p_value)} alone" if alone else ""
        gained = f"{b} - {a} is {_signed(row.metric, row.delta)} [{_signed(row.metric, low, unit=False)}, "
        gained += f"{_signed(row.metric, high, unit=False)}]"
        return f"no difference between {a} and {b} is shown: {gained}, {tested}, {counts}"
    ends = (low, high) if outcome == "better" else (-high, -low)
    interval = f"[{_figure(row.metric, ends[0])}, {_figure(row.metric, ends[1])}]"
    return (
        f"{b} is {outcome} than {a} by {_figure(row.metric, abs(row.delta))}{_unit(row)} {interval}, {tested}, {counts}"
    )


def _power(row: ComparisonRow, detectable: float | None) -> str:
    if detectable is None:
        return f"with n = {row.n} no difference could have been seen (power 80 %)"
    size = f"{_figure(row.metric, detectable)}{_unit(row)}"
    room = 1 - row.value_a
    beyond = f", more than the {_figure(row.metric, room)} that A leaves above it" if detectable > room else ""
    return f"with n = {row.n} a difference of {size} could have been seen (power 80 %){beyond}"


def _on_average(row: ComparisonRow) -> str:
    """What gained means over seeds, where a query hits under some of them only."""
    return "" if row.seeds_a == row.seeds_b == 1 else " (higher in their mean over seeds)"


def _seeds(row: ComparisonRow) -> str:
    if row.seeds_a == row.seeds_b == 1:
        return ""
    return f", over {row.seeds_a} and {row.seeds_b} seeds"


def _unit(row: ComparisonRow) -> str:
    return " points" if row.metric.startswith("R@") else ""


def _figure(metric: str, value: float) -> str:
    """A share in points, another figure as it is, with as many digits as show it."""
    number, digits = (100 * value, 1) if metric.startswith("R@") else (value, 3)
    text = f"{number:.{digits}f}"
    return f"{number:.1g}" if number and not float(text) else text


def _signed(metric: str, value: float, *, unit: bool = True) -> str:
    text = _figure(metric, value)
    return (text if text.startswith("-") else f"+{text}") + (" points" if unit and metric.startswith("R@") else "")
