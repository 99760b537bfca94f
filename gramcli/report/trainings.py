"""How the heads behind figures were trained: settings side by side, the command of each, the learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any, Final

from gramcli.heads.remarks import known_outcome
from gramcli.report.answer import Table, counted
from gramcli.report.plots.subject import History
from gramcli.results.records import Comparison
from gramcli.results.runs import Epoch
from gramcli.results.wording import letter

MOST: Final = 8
"""Heads that a table sets side by side."""
_OPTIONS: Final = {
    "modalities": "modality", "train": "train-split", "validation": "val-split",
}  # fmt: skip
_ASKED: Final = (
    "loss", "modalities", "anchor", "dim", "hidden", "init", "warm_up", "epochs", "lr", "batch_size", "lr_warmup",
    "weight_decay", "dropout", "temperature", "train", "validation", "metric", "patience", "task", "method", "relevant",
    "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """Heads, and who was seen through them.

    Attributes:
        names: Letters of the contenders, comma between; empty where there is one evaluation.
        model: Id of the model that they made.
        heads: What the provenance of an evaluation says of them.
    """

    names: str
    model: str
    heads: Mapping[str, Any]

    @property
    def outcome(self) -> Mapping[str, Any]:
        """How the training went, as far as it is known."""
        return known_outcome({"heads": self.heads})

    @property
    def plan(self) -> Mapping[str, Any]:
        """The settings; empty where an older version trained them."""
        return _mapping(_mapping(self.heads.get("record")).get("plan"))

    @property
    def history(self) -> History | None:
        """The learning curve; None where an older version trained them."""
        record = _mapping(self.heads.get("record"))
        curve, kept = _mapping(record.get("curve")), _mapping(self.outcome.get("epochs")).get("kept")
        epochs = tuple(_epochs(curve))
        if not epochs or kept not in {one.epoch for one in epochs}:
            return None
        before = int(_mapping(record.get("warm_up")).get("done", 0))
        metric = str(self.plan.get("metric") or "MRR")
        name = f"{self.names} {self.heads.get('loss')}".strip() if self.names else ""
        return History(epochs, int(kept), metric, before, name)


def trainings_of(provenance: Mapping[str, Any], name: str = "") -> list[Trained]:
    """The heads that made the model of an evaluation, or parts of a joined one; none where there are none."""
    model = _mapping(provenance.get("model"))
    parts = [_mapping(one.get("model")) for one in model.get("parts") or () if isinstance(one, Mapping)]
    return [
        Trained(name, str(one.get("id")), heads) for one in (model, *parts) if (heads := _mapping(one.get("heads")))
    ]


def trainings_between(comparison: Comparison) -> list[Trained]:
    """The heads of a comparison's contenders in their order, those of every seed; the same heads once."""
    told = comparison.provenance.get("evaluations") or [one.provenance for one in comparison.sides]
    counts = _mapping(comparison.provenance.get("seeds"))
    found: dict[str, Trained] = {}
    parts = iter([_mapping(one) for one in told])
    for place, name in enumerate(comparison.names):
        n = counts.get(name, 1)
        for run in range(1, n + 1):
            label = letter(place) if n == 1 else f"{letter(place)} run {run}"
            for one in trainings_of(next(parts, {}), label):
                key = str(one.heads.get("sha256"))
                before = found.get(key)
                found[key] = one if before is None else replace(before, names=f"{before.names}, {label}")
    return list(found.values())


def settings_table(found: Sequence[Trained]) -> Table | None:
    """The settings of heads side by side, one column each; None where there are no heads.

    Args:
        found: At most `MOST` of them are shown.
    """
    shown = found[:MOST]
    told = [dict(_settings(one)) for one in shown]
    names = [name for name in dict(_settings_in_order(shown)) if any(one.get(name) for one in told)]
    if not names:
        return None
    columns = ("setting", *(one.names or "value" for one in shown))
    rows = tuple((name, *(one.get(name) or "-" for one in told)) for name in names)
    more = f"; the first {MOST} of {len(found)}" if len(found) > MOST else ""
    return Table(columns, rows, frozenset(columns), f"How the heads were trained{more}")


def training_command(one: Trained) -> str:
    """The command that trains such heads again on the same store; empty where the settings are not known."""
    if not one.plan:
        return ""
    words = ["gram align STORE -o HEADS"]
    for name in _ASKED:
        value = one.plan.get(name)
        option = _OPTIONS.get(name, name.replace("_", "-"))
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if each is not None:
                words.append(f"--{option} {'HEADS-OF-' + str(each)[:8] if name == 'init' else quote(str(each))}")
    return " ".join(words)


def _settings_in_order(found: Sequence[Trained]) -> Iterator[tuple[str, str]]:
    for one in found:
        yield from _settings(one)


def _settings(one: Trained) -> Iterator[tuple[str, str]]:
    """Name and value of each setting in a reader's order; empty values are not known."""
    plan, outcome, heads = one.plan, one.outcome, one.heads
    yield "heads", f"{one.model}, weights {str(heads.get('sha256'))[:8]}"
    yield "loss", str(heads.get("loss") or "")
    yield "started from", _start(one)
    yield "trained on", _items(heads.get("n_trained"), plan.get("train"))
    yield "chosen on", _chosen(one)
    yield "epochs", _epochs_said(one)
    yield "loss at first, kept, last epoch", _losses(one)
    yield "learning rate", _rate(plan)
    yield "weight decay", _number(plan.get("weight_decay"))
    yield "dropout", _number(plan.get("dropout"))
    yield "batch size", _number(plan.get("batch_size"))
    yield (
        "temperature at first",
        "the loss's own" if plan and plan.get("temperature") is None else _number(plan.get("temperature")),
    )
    yield "shape", _shape(plan)
    yield "seed", _number(plan.get("seed"))
    cosines = _mapping(outcome.get("mean_cosines"))
    yield "mean cosines", ", ".join(f"{pair} {value:.2f}" for pair, value in cosines.items())


def _start(one: Trained) -> str:
    plan = one.plan
    if not plan:
        return ""
    if plan.get("init"):
        return f"heads {str(plan['init'])[:8]}"
    stage = _mapping(_mapping(one.heads.get("record")).get("warm_up"))
    if not stage:
        return "random weights"
    return f"a stage by the cosine loss, epoch {stage.get('kept')} of {stage.get('done')} kept"


def _chosen(one: Trained) -> str:
    plan, outcome = one.plan, one.outcome
    by = f", by {plan['metric']} of {plan.get('task')} under {plan.get('method')}" if plan.get("metric") else ""
    n = outcome.get("n_validation")
    split = plan.get("validation") or (f"held out of {plan.get('train')}" if plan else None)
    before, after = outcome.get("before"), outcome.get("after")
    figures = "" if before is None or after is None else f": {before:.3f} at the start, {after:.3f} at the kept epoch"
    return f"{_items(n, split)}{by}{figures}" if n is not None else ""


def _epochs_said(one: Trained) -> str:
    epochs, patience = _mapping(one.outcome.get("epochs")), one.plan.get("patience")
    if not epochs:
        return ""
    why = "no end before the last"
    if epochs["done"] < epochs["most"]:
        why = f"ended after {counted(patience, 'epoch')} without a better one" if patience else "ended early"
    elif epochs["kept"] == epochs["most"]:
        why = "the last was the best: it had not converged"
    return f"{epochs['done']} of at most {epochs['most']}, epoch {epochs['kept']} kept; {why}"


def _losses(one: Trained) -> str:
    history = one.history
    if history is None:
        return ""
    at = {epoch.epoch: epoch for epoch in history.epochs}
    points = [history.epochs[0], at[history.best], history.epochs[-1]]
    said = ", ".join(f"{point.loss:.3f}" for point in points)
    if any(point.validation_loss is None for point in points):
        return f"training {said}"
    return f"training {said}; validation {', '.join(f'{point.validation_loss:.3f}' for point in points)}"


def _rate(plan: Mapping[str, Any]) -> str:
    if plan.get("lr") is None:
        return ""
    rising = plan.get("lr_warmup")
    more = f", rising over the first {100 * rising:g} % of the steps" if rising else ""
    return f"{plan['lr']:g} at most, AdamW{more}"


def _shape(plan: Mapping[str, Any]) -> str:
    if plan.get("dim") is None:
        return ""
    layer = f"a hidden layer of {plan['hidden']}" if plan.get("hidden") else "linear"
    return f"{layer}, into {plan['dim']} dimensions"


def _items(n: object, split: object) -> str:
    if not isinstance(n, int):
        return ""
    return counted(n, "item") + (f" ({split})" if split else "")


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(value or "")


def _epochs(curve: Mapping[str, Any]) -> Iterator[Epoch]:
    numbers, measures = curve.get("epoch") or (), _mapping(curve.get("measures"))
    for k, (number, loss) in enumerate(zip(numbers, curve.get("loss") or (), strict=False)):
        if loss is not None:
            figures = {name: values[k] for name, values in measures.items() if values[k] is not None}
            told = curve.get("validation_loss") or ()
            yield Epoch(number, 0.0, loss, None, figures, told[k] if k < len(told) else None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
