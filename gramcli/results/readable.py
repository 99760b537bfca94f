"""What every result can do with itself: a frame, JSON, a page, and a readable form wherever it is shown."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


class Readable:
    """A result that verbs return.

    Its forms are those of the command line; `gramcli.report`, which stands above the verbs, makes them when asked.
    """

    def to_frame(self) -> pd.DataFrame:
        """The rows and columns of the CSV that `--format csv` prints; a missing value is NaN or None."""
        frame: pd.DataFrame = _form("frame")(self)
        return frame

    def to_json(self) -> str:
        """The JSON document that `--format json` prints; `gram compare` reads an evaluation's back."""
        return str(_form("json")(self))

    def report(self, path: str | Path) -> Path:
        """Write the result as one HTML page that needs no network.

        Args:
            path: The file; its folder must be there.

        Returns:
            The file.

        Raises:
            UserError: It cannot be written.
        """
        written: Path = _form("page")(self, Path(path))
        return written

    def __repr__(self) -> str:
        return str(_form("text")(self))

    def _repr_html_(self) -> str:
        return str(_form("html")(self))


def _form(name: str) -> Any:  # noqa: ANN401 - functions of a module that is only known by name here
    return getattr(import_module("gramcli.report.reading"), name)
