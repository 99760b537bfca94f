"""Heat maps in one colour over the page's own background, so that they suit light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.report.plots.style import SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_BLUE: Final = (0.1, 0.51, 0.82)
_STRONGEST: Final = 0.85  # the page's ink is read on it, light and dark


def shades(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Colours of values, shape [..., 4]: the higher the stronger; NaN is empty.

    Args:
        values: Any shape.
        low: What has no colour; may be the larger number.
        high: What has all of it.
    """
    share = (np.asarray(values, dtype=np.float64) - low) / (high - low if high != low else 1.0)
    found = np.empty((*share.shape, 4))
    found[..., :3] = _BLUE
    found[..., 3] = np.nan_to_num(np.clip(share, 0, 1)) * _STRONGEST
    return np.asarray((255 * found).round(), dtype=np.uint8)


def heat(axes: Axes, values: NDArray[Any], low: float, high: float) -> None:
    """Fill axes with the cells of a matrix, the first row on top."""
    axes.imshow(shades(values, low, high), interpolation="none", aspect="auto")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)


def numbers(axes: Axes, values: NDArray[Any], form: str = "{:.0f}") -> None:
    """Write the numbers into their cells."""
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.annotate(form.format(value), (column, row), ha="center", va="center", fontsize=SMALL)


def scale(beside: Axes, low: float, high: float, label: str) -> None:
    """Draw what the colours stand for, to the right."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    bar = beside.inset_axes((1.03, 0.2, 0.03, 0.6))
    bar.imshow(shades(np.linspace(1, 0, 64)[:, None], 0, 1), aspect="auto", extent=(0, 1, low, high))
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")
    bar.locator_params(axis="y", nbins=4)
    bar.set_ylabel(label)
    bar.spines[:].set_visible(True)
