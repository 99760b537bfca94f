"""How figures look: colours, dashes and marks by which lines are told apart, the ink of the page."""

# ruff: noqa: E402 - something is set before matplotlib is imported
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a missing home while it is imported
from matplotlib import style
from matplotlib.figure import Figure

from gramcli.report.escaping import terminal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes

INK: Final = "#010203"  # stands for the page's text colour; no figure uses it otherwise
# Okabe and Ito's palette less yellow, its black the page's ink: told apart by colour-blind readers, light and dark.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
MARKERS: Final = "osD^vPX*"
# Only the first line has no gaps: what lies below another shows through.
_DASHES: Final[tuple[Any, ...]] = (
    (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (4, 3)), (0, (4, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 1)),
)  # fmt: skip
WIDTH: Final = 7.6
SMALL: Final = 9.0
TITLE: Final = 11.0
_LONGEST: Final = 26
_RC: Final[Any] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": SMALL,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "figure.titlesize": TITLE,
}


def styled(name: str) -> AbstractContextManager[None]:
    """The settings under which a figure of this name is made and written: the same bytes every time."""
    context: AbstractContextManager[None] = style.context(["default", _RC, {"svg.hashsalt": name}])
    return context


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of so many inches that gives labels the room they need."""
    return Figure(figsize=(width, height), layout="constrained")


def colour(number: int) -> str:
    """Colour of a line by its number."""
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    """Mark of a line by its number; colour and mark together repeat after 56."""
    return MARKERS[number % len(MARKERS)]


def dashes(number: int) -> Any:  # noqa: ANN401 - what matplotlib takes
    """Dashes of a line by its number, none for the first; colour and dashes together repeat after 42."""
    return _DASHES[(number - 1) % len(_DASHES)] if number else "-"


def name_of(text: object, longest: int = _LONGEST) -> str:
    """A name that can be drawn: on one line, nothing hidden in it, its middle left out where it is long.

    Example:
        >>> name_of("gram"), name_of("a/very/long/path/to/some/store@gram", 20)
        ('gram', 'a/very/lo…store@gram')
    """
    shown = terminal(text)
    if len(shown) <= longest:
        return shown
    end = longest // 2
    return f"{shown[: longest - end - 1]}…{shown[-end:]}"


def distinct(names: Iterable[object], longest: int = _LONGEST) -> dict[str, str]:
    """Each name as it can be drawn, no two alike: cut in the middle, at the end or at the start, else numbered.

    Example:
        >>> distinct(["class one of many", "class two of many"], 12)
        {'class one of many': 'class one o…', 'class two of many': 'class two o…'}
    """
    every = list(dict.fromkeys(map(str, names)))
    ways: tuple[Callable[[str], str], ...] = (
        lambda one: name_of(one, longest),
        lambda one: _ended(one, longest),
        lambda one: _begun(one, longest),
    )
    for way in ways:
        found = {one: way(one) for one in every}
        if len(set(found.values())) == len(every):
            return found
    return {one: f"{name_of(one, longest - 4)} {number}" for number, one in enumerate(every, 1)}


def _ended(text: str, longest: int) -> str:
    shown = terminal(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _begun(text: str, longest: int) -> str:
    shown = terminal(text)
    return shown if len(shown) <= longest else f"…{shown[1 - longest :]}"


def numbered(names: list[str]) -> dict[str, int]:
    """Each name once, with its place among them."""
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def faint_grid(axes: Axes, which: Any = "both") -> None:  # noqa: ANN401 - a word that matplotlib knows
    """Lines behind the data that hardly show."""
    axes.grid(visible=True, axis=which, color=INK, alpha=0.13, linewidth=0.7)
    axes.set_axisbelow(True)
