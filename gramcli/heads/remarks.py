"""What a reader of any figure of heads must know of how their training went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gramcli.methods import METHODS

FEW: Final = 30
OPPOSITE: Final = -0.05  # a mean cosine below is no chance of a few items


def outcome_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take from heads.json what `remarks` needs; short enough for the manifest of every store that heads make.

    Args:
        config: What heads.json says. Heads of older versions lack some of it.

    Returns:
        `loss`, `warm_up` (its epochs), `epochs` (done, at most, kept), `n_validation`, `mean_cosines` by pair, the
        `metric` that chose with its values before training and at the kept epoch; what is not known is left out.
    """
    plan, history, best = config["plan"], config.get("history") or (), config.get("best")
    found: dict[str, Any] = {
        "loss": plan["loss"],
        "warm_up": plan.get("warm_up", 0),
        "n_validation": config.get("n_validation", len(config["selected"])),
        "mean_cosines": dict(config.get("mean_cosines") or {}),
    }
    if history and best and "epochs" in plan:
        found["epochs"] = {"done": len(history), "most": plan["epochs"], "kept": best}
    if history and best and plan.get("metric") in (start := config.get("start") or {}):
        metric = plan["metric"]
        found |= {"metric": metric, "before": start[metric], "after": history[best - 1]["measures"][metric]}
    return found


def known_outcome(model: object) -> Mapping[str, Any]:
    """Find how the training of the heads in a store's `model` went; empty where there are none or nothing is known.

    Args:
        model: As the manifest of a store or the provenance of an evaluation has it.
    """
    heads = model.get("heads") if isinstance(model, Mapping) else None
    training = heads.get("training") if isinstance(heads, Mapping) else None
    return training if isinstance(training, Mapping) else {}


def remarks(outcome: Mapping[str, Any]) -> list[str]:
    """Say what of a training limits what its heads' figures mean, one sentence each.

    Args:
        outcome: As `outcome_of` returns it.

    Example:
        >>> remarks({"loss": "gram", "n_validation": 20, "mean_cosines": {"text and video": 0.4}})
        ["The heads' epoch was chosen on 20 validation items: on fewer than 30, others may be as good."]
        >>> remarks({"loss": "gram", "n_validation": 99, "metric": "MRR", "before": 0.3, "after": 0.25})
        ['The heads rank no better than before training: MRR 0.300 before, 0.250 after.']
    """
    said = [
        f"{pair} of an item point opposite ways in these heads (mean cosine {value:.2f}){_why(outcome)}."
        for pair, value in outcome.get("mean_cosines", {}).items()
        if value < OPPOSITE
    ]
    before, after = outcome.get("before"), outcome.get("after")
    if before is not None and after is not None and after <= before and after < 1:
        metric = outcome["metric"]
        said.append(f"The heads rank no better than before training: {metric} {before:.3f} before, {after:.3f} after.")
    if epochs := outcome.get("epochs"):
        said += _ending(epochs)
    n = outcome.get("n_validation", FEW)
    if n < FEW:
        items = "1 validation item" if n == 1 else f"{n} validation items"
        said.append(f"The heads' epoch was chosen on {items}: on fewer than {FEW}, others may be as good.")
    return said


def _ending(epochs: Mapping[str, int]) -> list[str]:
    if epochs["done"] < epochs["most"]:
        return [
            f"The heads' training ended early, after epoch {epochs['done']} of {epochs['most']}; epoch "
            f"{epochs['kept']} was kept."
        ]
    if epochs["kept"] == epochs["most"]:
        return ["The heads' last epoch was their best: more --epochs may help."]
    return []


def _why(outcome: Mapping[str, Any]) -> str:
    """The reason, where the loss is known to be one that does not see signs, and the remedy that was not tried."""
    name = str(outcome.get("loss")).partition(":")[0]
    if name not in METHODS.names() or not METHODS.row(name).sign_blind:
        return ""
    remedy = "" if outcome.get("warm_up") else ". gram align --warm-up N begins by cosine and avoids it"
    return f": {name} does not see signs, cosine does{remedy}"
