"""How heads were trained: loss and validation figure of every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gramcli.report.answer import counted
from gramcli.report.plots.panels import headed
from gramcli.report.plots.picture import Picture
from gramcli.report.plots.style import INK, colour, dashes, faint_grid, marker, name_of, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gramcli.report.plots.subject import History, Subject

MOST_LINES: Final = 6
_LINE: Final = 2.5  # inches


def training(subject: Subject) -> Picture | None:
    """Draw loss and validation figure against the epoch, the epoch that was kept marked; a line of panels per heads.

    Args:
        subject: With histories.

    Returns:
        None where there is none.
    """
    shown = [one for one in subject.histories if one.epochs][:MOST_LINES]
    if not shown:
        return None
    with styled("training"):
        figure = new_figure(0.4 + _LINE * len(shown))
        panels = figure.subplots(len(shown), 2, squeeze=False)
        for (left, right), history in zip(panels, shown, strict=True):
            _losses(left, history)
            _measures(right, history)
            for axes in (left, right):
                axes.set_xlabel("epoch")
                axes.axvline(history.best, color=INK, linewidth=1, linestyle=":", alpha=0.7)
                axes.locator_params(axis="x", integer=True)
                axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderaxespad=0)
                faint_grid(axes)
        headed(figure, subject.title)
    told = "; ".join(_words(one) for one in shown)
    caption = (
        f"Loss and validation figures of {told}. Dotted: the epoch that was kept. The training loss is of batches, "
        "under dropout where there is any; the validation loss of the validation items, without it and among other "
        "negatives."
    )
    stages = [_stage(one) for one in shown if one.warm_up]
    more = len([one for one in subject.histories if one.epochs]) - len(shown)
    caption += "".join(stages) + (f" Curves of {more} more heads are not drawn." if more else "")
    return Picture("training", caption, figure)


def _words(history: History) -> str:
    """`44 epochs; epoch 24 was kept (loss 0.87, validation MRR 100.0 %)`, after the name of the heads."""
    value = history.kept.measures.get(history.metric)
    figures = "" if value is None else f", validation {history.metric} {100 * value:.1f} %"
    name = f"{history.name}: " if history.name else ""
    return (
        f"{name}{counted(history.epochs[-1].epoch, 'epoch')}, epoch {history.best} kept (loss {history.kept.loss:.3g}"
        f"{figures})"
    )


def _stage(history: History) -> str:
    of = f" of {history.name}" if history.name else ""
    return f" A stage{of} by the cosine loss of {counted(history.warm_up, 'epoch')} came first and is not shown."


def _losses(axes: Axes, history: History) -> None:
    epochs = [one.epoch for one in history.epochs]
    _curve(axes, epochs, [one.loss for one in history.epochs], 0, "training", history)
    told = [(one.epoch, one.validation_loss) for one in history.epochs if one.validation_loss is not None]
    if told:
        _curve(axes, [at for at, _ in told], [loss for _, loss in told], 1, "validation", history)
    axes.set_ylabel(f"{name_of(history.name, 18)}: loss" if history.name else "loss")


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
