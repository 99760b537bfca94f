"""A finished figure, and the files it becomes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.report.files import write_result
from gramcli.report.plots.style import styled
from gramcli.report.plots.svg import alone, within_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES: Final = (".svg", ".pdf", ".png")
_DOTS: Final = 200  # per inch of a PNG


@dataclass(frozen=True)
class Drawing:
    """A figure as a page shows it.

    Attributes:
        name: Its kind, as `gram plot` names it.
        caption: A sentence or two for those who see it and those who cannot.
        svg: An `<svg>` element; everything in it is escaped.
        slim: The same for a phone's width; empty where the one shrinks well enough.
    """

    name: str
    caption: str
    svg: str
    slim: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure of one kind.

    Attributes:
        name: Its kind.
        caption: What it shows and how to read it.
        figure: The matplotlib figure.
        hover: Group of marks -> what each of them says when the mouse rests on it.
        slim: The same figure for a phone's width, where words stand beside the marks; None where there is none.
    """

    name: str
    caption: str
    figure: Figure
    hover: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slim: Figure | None = None

    def svg(self) -> str:
        """An `<svg>` element in the ink and font of the page it is put into."""
        return within_page(self._rendered("svg").decode(), self.caption, self.hover)

    def document(self) -> str:
        """The figure as an SVG document: dark where its reader's screen is, else black on white."""
        return alone(self.svg(), self.caption)

    def drawing(self) -> Drawing:
        """The figure as a page shows it."""
        slim = replace(self, name=f"{self.name}-slim", figure=self.slim, hover={}).svg() if self.slim else ""
        return Drawing(self.name, self.caption, self.svg(), slim)

    def save(self, path: str | Path) -> Path:
        """Write the figure in the form that the suffix names.

        Args:
            path: Ends in .svg, .pdf or .png. SVG follows the reader's light or dark; the others are on white.

        Raises:
            UserError: Another suffix, or the file cannot be written.
        """
        path = Path(path)
        form = checked_suffix(path)
        data = self.document().encode() if form == "svg" else self._rendered(form)
        write_result(path, data)
        return path

    def _repr_svg_(self) -> str:
        return self.document()

    def __repr__(self) -> str:
        return f"Picture({self.name!r}: {self.caption})"

    def _rendered(self, form: str) -> bytes:
        plain: dict[str, Any] = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}, "png": {}}
        buffer = io.BytesIO()
        with styled(self.name), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of letters that a font lacks
            background = "none" if form == "svg" else "white"
            self.figure.savefig(buffer, format=form, facecolor=background, dpi=_DOTS, metadata=plain[form])
        return buffer.getvalue()


def checked_suffix(path: Path) -> str:
    """The form that a file's name asks for.

    Raises:
        UserError: None of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError("usage", f"-o {path}: '{path.suffix}' is no form of a figure; use {', '.join(SUFFIXES)}.")
    return path.suffix.lower()[1:]
