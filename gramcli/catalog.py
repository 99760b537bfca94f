"""Catalogs: plain rows that name what the tool knows, resolved to code only when used.

A row's `target` is the string `module:attribute`, so listing names imports nothing heavy. Third
parties add rows through entry points, which are loaded only when a name is not found here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from gramcli.errors import UserError


class Row(Protocol):
    """What every catalog row has: a name, and where its code lives."""

    @property
    def name(self) -> str:
        """The word the command line, the JSON and the docs use."""

    @property
    def target(self) -> str:
        """`package.module:attribute`."""


RowT = TypeVar("RowT", bound=Row)


def late_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that imports a name's home when the name is first used.

    Args:
        package: The module's `__name__`.
        homes: Public name -> the module that defines it, in full or below `package`.

    Example:
        >>> late_names("gramcli.results", {"LeftOut": "records"})("LeftOut").__name__
        'LeftOut'
    """

    def late(name: str) -> Any:  # noqa: ANN401 - any public name of the package
        """Import what `name` is."""
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        return getattr(import_module(home if home.startswith("gramcli.") else f"{package}.{home}"), name)

    return late


def resolve(target: str) -> Any:  # noqa: ANN401 - a target can be anything
    """Import and return what `package.module:attribute` points at.

    Example:
        >>> resolve("gramcli.errors:UserError").__name__
        'UserError'
    """
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return ` Did you mean 'x'?` for a near miss, else the empty string.

    Example:
        >>> did_you_mean("gramm", ["cosine", "gram"])
        " Did you mean 'gram'?"
        >>> did_you_mean("GRAM", ["cosine", "gram"])
        " Did you mean 'gram'?"
    """
    import difflib  # noqa: PLC0415 - only a wrong word needs it

    folded = {one.lower(): one for one in reversed(known)}
    close = difflib.get_close_matches(name, known, n=1) or [
        folded[one] for one in difflib.get_close_matches(name.lower(), list(folded), n=1)
    ]
    return f" Did you mean '{close[0]}'?" if close else ""


class Catalog(Generic[RowT]):
    """An ordered table of rows, found by name; plug-ins come from an entry-point group.

    Args:
        what: The noun for error messages (`method`).
        rows: The rows the tool ships.
        group: Entry-point group; each entry point resolves to one more row.
        unnamed: Rows that nobody names, since something else stands for them: messages do not offer them.
    """

    def __init__(self, what: str, rows: Sequence[RowT], group: str, unnamed: Collection[str] = ()) -> None:
        self.what, self.group, self.unnamed = what, group, unnamed
        self._rows = {row.name: row for row in rows}

    def __iter__(self) -> Iterator[RowT]:
        return iter(self._rows.values())

    def names(self) -> list[str]:
        """Names of the rows, in catalog order."""
        return list(self._rows)

    def row(self, name: str) -> RowT:
        """Return the row called `name`, looking at plug-ins when the tool has none.

        Raises:
            UserError: No row has that name, or two plug-ins claim it.
        """
        if name in self._rows:
            return self._rows[name]
        from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and only a plug-in needs it

        found = [point for point in entry_points(group=self.group) if point.name == name]
        if len(found) > 1:
            where = ", ".join(point.value for point in found)
            raise UserError("usage", f"Two plug-ins claim the {self.what} '{name}': {where}. Uninstall one of them.")
        if found:
            row: RowT = found[0].load()
            return row
        named = [one for one in self._rows if one not in self.unnamed]
        known = [*named, *(point.name for point in entry_points(group=self.group))]
        several = "," in name and all(part.strip() in known for part in name.split(","))
        hint = f" Name one {self.what}; where an option repeats, give it once for each." if several else ""
        hint = hint or did_you_mean(name, known)
        raise UserError("usage", f"Unknown {self.what} '{name}'.{hint} Known: {', '.join(known)}.")

    def load(self, name: str) -> Any:  # noqa: ANN401 - the attribute a row points at can be anything
        """Import and return what the row called `name` points at.

        Raises:
            UserError: No row has that name.
        """
        return resolve(self.row(name).target)
