"""How heads were trained, short enough to travel with every store and figure that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MOST_POINTS: Final = 200
"""Epochs of the learning curve that are kept; of a longer run they are spread evenly."""
_DIGITS: Final = 6


def record_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take from heads.json what a reader needs to train the same heads again and to see how it went.

    Args:
        config: What heads.json says. Heads of older versions lack some of it.

    Returns:
        `plan`, the settings; `curve`, by column: `epoch`, `loss`, `validation_loss` and `measures` (R@1 and the figure
        that chose), six digits of each; `warm_up` (epochs done and kept of a stage before). What is not known is left
        out.
    """
    plan, history, before = config["plan"], config.get("history") or (), config.get("warm_up")
    found: dict[str, Any] = {"plan": {name: value for name, value in plan.items() if _is_plain(value)}}
    if history:
        found["curve"] = _curve(_thinned(history, config.get("best")), str(plan.get("metric") or "MRR"))
    if before:
        found["warm_up"] = {"done": len(before["history"]), "kept": before["best"]}
    return found


def _thinned(history: Sequence[Mapping[str, Any]], best: int | None) -> list[Mapping[str, Any]]:
    """At most `MOST_POINTS` epochs: the first, the last and the kept one among them."""
    n = len(history)
    if n <= MOST_POINTS:
        return list(history)
    places = {round(k * (n - 1) / (MOST_POINTS - 2)) for k in range(MOST_POINTS - 1)}
    return [history[k] for k in sorted(places | ({best - 1} if best else set()))]


def _curve(epochs: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    measures = [name for name in dict.fromkeys(("R@1", metric)) if all(name in one["measures"] for one in epochs)]
    return {
        "epoch": [one["epoch"] for one in epochs],
        "loss": [_short(one["loss"]) for one in epochs],
        "validation_loss": [_short(one.get("validation_loss")) for one in epochs],
        "measures": {name: [_short(one["measures"][name]) for one in epochs] for name in measures},
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _is_plain(value: object) -> bool:
    """Whether a setting is a word, a number, nothing, or a list of words: all that a plan holds."""
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    return value is None or isinstance(value, (str, int, float))
