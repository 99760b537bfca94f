"""One run of alignment: where it goes on, the stages it goes through, and what it writes."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch

import gramcli
from gramcli.alignment.curves import curves_csv
from gramcli.alignment.loop import Training
from gramcli.alignment.options import AlignOptions
from gramcli.alignment.ranks import Ranks, open_ranks
from gramcli.alignment.state import STATE, Progress, check_plan, curve_of, load_progress
from gramcli.alignment.work import Work
from gramcli.errors import UserError
from gramcli.files.writing import disk_errors, prepared, remove_files, remove_leftovers, write_atomic
from gramcli.heads.files import CONFIG, WEIGHTS, load_heads, save_heads
from gramcli.heads.model import Heads
from gramcli.heads.remarks import outcome_of, remarks
from gramcli.methods import get_method
from gramcli.results.runs import Alignment, Curve
from gramcli.store.reader import Store

__all__ = ["AlignOptions", "Alignment", "train_heads"]

CURVES: Final = "curves.csv"
_OURS: Final = frozenset({CONFIG, WEIGHTS, STATE, CURVES, "curves.svg"})

Tell = Callable[[int, int, str], None]


def train_heads(
    store: Store, output: Path | str, loss: str, *, options: AlignOptions | None = None, progress: Tell | None = None
) -> Alignment:
    """Train heads with a method's loss, going on where an earlier run of the same plan stopped.

    A loss that does not see signs comes after a stage by the cosine loss, which is what a run of that loss would be.
    On a CPU the same store, options and number of threads give the same heads, bit for bit, stopped in between or not.
    Under torchrun every rank takes its part of each batch.

    Args:
        store: Frozen embeddings with a train split.
        output: The folder of heads to write.
        loss: A method's name, with its options.
        options: How.
        progress: Called with (epochs done, epochs in all, loss and recall).

    Returns:
        The learning curve and which epoch was kept.

    Raises:
        UserError: Too few items, a loss that does not fit, heads of another run at `output`, a loss that is no number.
    """
    options, output = options or AlignOptions(), Path(output)
    method = get_method(loss)
    if not hasattr(method, "loss"):
        raise UserError("usage", f"Method '{loss}' has no loss to train with.")
    work = Work(store, options, loss)
    with open_ranks(options.device) as ranks:
        if done := _finished(output, work, ranks):
            return done
        stages = work.stages(output, ranks)
        heads = work.new_heads(ranks)
        if work.options.overwrite:
            _remove(output, ranks)
        reached = _through(stages, heads, ranks, progress or (lambda *_: None))
        config = _config(work, reached, work.validator(work.method).mean_cosines(heads))
        if ranks.rank == 0:
            _write(output, reached, heads, config)
        ranks.wait()
        return _alignment(output, work, config)


def _through(stages: Sequence[Training], heads: Heads, ranks: Ranks, tell: Tell) -> Progress:
    """Go through the stages, from the middle of one where an earlier run stopped there."""
    *first, last = stages
    found = load_progress(last.folder, last.plan)
    before = found.before if found else None
    for stage in first if before is None else ():
        done = stage.run(heads, ranks, tell)
        before = Curve(tuple(done.history), done.best)
    return last.run(heads, ranks, tell, before)


def _finished(output: Path, work: Work, ranks: Ranks) -> Alignment | None:
    """What an earlier run of the same plan finished; other heads are refused, unless they are to be replaced."""
    with disk_errors(output):
        strangers = (
            {one.name for one in output.iterdir() if not _is_ours(one.name)} if output.is_dir() else _files(output)
        )
    if strangers:
        example = min(strangers, key=lambda name: (name.startswith("."), name))
        raise UserError("usage", f"{output} holds something else than heads ({example}). Name another -o.")
    if work.options.overwrite or not (output / CONFIG).exists():
        return None
    saved = load_heads(output)
    check_plan(output, saved.config["plan"], work.plan)
    return _alignment(output, work, saved.config, "These heads were there already: nothing was trained.")


def _remove(output: Path, ranks: Ranks) -> None:
    """Remove heads of another run, now that everything about the new one was found to fit."""
    ranks.wait()
    if ranks.rank == 0:
        with disk_errors(output):
            remove_files(output, (CONFIG, STATE, WEIGHTS).__contains__)
    ranks.wait()


def _is_ours(name: str) -> bool:
    return name in _OURS or prepared(name) in _OURS


def _files(output: Path) -> set[str]:
    return {output.name} if output.exists() else set()


def _alignment(output: Path, work: Work, config: Mapping[str, Any], *first: str) -> Alignment:
    """The answer: what heads.json says of a run."""
    plan, curve = config["plan"], curve_of(config)
    warm_up = curve_of(config["warm_up"]) if config.get("warm_up") else None
    notes = (*first, *work.notes, *_started(config), _kept(work, curve), *remarks(outcome_of(config)))
    n, m = len(work.train), len(work.validation)
    return Alignment(
        output, work.loss, work.modalities, n, m, curve.history, curve.best, plan["metric"], notes, warm_up
    )


def _started(config: Mapping[str, Any]) -> list[str]:
    """What the training of the loss started from, where that was not at random."""
    plan, start, warm_up = config["plan"], config.get("start"), config.get("warm_up")
    if not start or not (plan["init"] or warm_up):
        return []
    figures = f"R@1 {100 * start['R@1']:.1f}, MRR {start['MRR']:.3f}"
    if not warm_up:
        return [f"The heads it started from had {figures} there."]
    kept = f"epoch {warm_up['best']} of {len(warm_up['history'])} was kept"
    return [f"A warm-up by the cosine loss came first: {kept}, whose heads had {figures} under {plan['method']}."]


def _kept(work: Work, curve: Curve) -> str:
    """Which epoch was kept, and why that one."""
    metric, best = work.options.metric, curve.history[curve.best - 1]
    tied = sum(one.measures[metric] == best.measures[metric] for one in curve.history)
    why = f"; of {tied} epochs alike the one of the lowest validation loss" if tied > 1 else ""
    return (
        f"Epoch {curve.best} of {len(curve.history)} was kept: {metric} {best.measures[metric]:.3f} of "
        f"{work.task.name} under {work.method} on {len(work.validation)} validation items, mean of both "
        f"directions{why}."
    )


def _config(work: Work, reached: Progress, mean_cosines: Mapping[str, float]) -> dict[str, Any]:
    """What heads.json says."""
    ids = work.store.ids
    return {
        "plan": work.plan,
        "model": work.store.manifest["model"],
        "dataset": work.store.manifest["dataset"],
        "trained": _seen(work, "trained", [ids[k] for k in work.train.tolist()]),
        "selected": _seen(work, "selected", [ids[k] for k in work.validation.tolist()]),
        "n_validation": len(work.validation),
        "history": [asdict(one) for one in reached.history],
        "best": reached.best,
        "warm_up": asdict(reached.before) if reached.before else None,
        "start": dict(reached.start),
        "mean_cosines": dict(mean_cosines),
        **({"inputs": work.inputs} if any(name != stored for name, stored in work.inputs.items()) else {}),
        "versions": {"gramcli": gramcli.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _write(output: Path, reached: Progress, heads: Heads, config: Mapping[str, Any]) -> None:
    with disk_errors(output):
        write_atomic(output / CURVES, curves_csv(reached.before, reached.history).encode())
    save_heads(output, heads, config)
    with disk_errors(output):
        remove_files(output, (STATE,).__contains__)
        remove_leftovers(output, _OURS.__contains__)


def _seen(work: Work, kind: str, own: list[str]) -> list[str]:
    """Ids of the items that these heads, those they started from, or those that made their store have seen."""
    dataset, before = work.store.manifest["dataset"].get("id"), []
    if work.start is not None and work.start.config["dataset"].get("id") == dataset:
        before += work.start.config[kind]
    made = work.store.manifest["model"].get("heads") or {}
    if made.get("dataset") == dataset:
        before += made.get(kind, [])
    return list(dict.fromkeys([*own, *before]))
