"""How heads were trained: loss and validation figure of every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gramcli.report.answer import counted
from gramcli.report.plots.panels import headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, colour, dashes, faint_grid, marker, name_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import History, Subject


def training(subject: Subject) -> Picture | None:
    """Draw loss and validation figure against the epoch, the epoch that was kept marked.

    Args:
        subject: With a history.

    Returns:
        None where there is none.
    """
    history = subject.history
    if history is None or not history.epochs:
        return None
    with styled("training"):
        figure = new_figure(2.9)
        left, right = figure.subplots(1, 2)
        _losses(left, history)
        _measures(right, history)
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.axvline(history.best, color=INK, linewidth=1, linestyle=":", alpha=0.7)
            axes.locator_params(axis="x", integer=True)
            axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderaxespad=0)
            faint_grid(axes)
        headed(figure, subject.title)
    kept = history.epochs[history.best - 1]
    value = kept.measures.get(history.metric)
    figures = "" if value is None else f", validation {history.metric} {100 * value:.1f} %"
    caption = (
        f"Loss and validation figures of {len(history.epochs)} epochs; dotted: epoch {history.best}, which was kept "
        f"(loss {kept.loss:.3g}{figures}). The training loss is of batches, under dropout where "
        "there is any; the validation loss of the validation items, without it and among other negatives."
    )
    if history.warm_up:
        caption += f" A stage by the cosine loss of {counted(history.warm_up, 'epoch')} came first and is not shown."
    return Picture("training", caption, figure)


def _losses(axes: Axes, history: History) -> None:
    epochs = [one.epoch for one in history.epochs]
    _curve(axes, epochs, [one.loss for one in history.epochs], 0, "training", history)
    told = [(one.epoch, one.validation_loss) for one in history.epochs if one.validation_loss is not None]
    if told:
        _curve(axes, [at for at, _ in told], [loss for _, loss in told], 1, "validation", history)
    axes.set_ylabel("loss")


def _measures(axes: Axes, history: History) -> None:
    epochs = [one.epoch for one in history.epochs]
    for number, name in enumerate(dict.fromkeys(("R@1", history.metric)), 2):
        values = [100 * one.measures[name] for one in history.epochs if name in one.measures]
        if len(values) == len(epochs):
            _curve(axes, epochs, values, number, name, history)
    axes.set_ylabel("validation, per cent")
    axes.set_ylim(0, 103 if axes.get_ylim()[1] > 90 else None)


def _curve(axes: Axes, x: list[int], y: list[float], look: int, name: str, history: History) -> None:
    at = x.index(history.best) if history.best in x else len(x) - 1
    axes.plot(
        x, y, linestyle=dashes(look), color=colour(look), linewidth=1.8, marker=marker(look), markevery=[at],
        label=name_of(name),
    )  # fmt: skip
