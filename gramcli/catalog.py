"""Catalogs: plain rows that name what the tool knows, resolved to code only when used.

A row's `target` is the string `module:attribute`, so listing names imports nothing heavy. Third
parties add rows through entry points, which are loaded only when a name is not found here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from gramcli.errors import UserError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


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


@dataclass(frozen=True)
class PlugIn:
    """Code of third parties that was loaded.

    Attributes:
        name: Of the row it brings.
        what: What that is, such as `method`.
        package: The installed package, with its version.
        module: Its first package or module, by which its code is known again.
    """

    name: str
    what: str
    package: str
    module: str

    def failed(self, error: BaseException) -> UserError:
        """What is said when it raises."""
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return UserError(
            "failed",
            f"The plug-in '{self.name}' ({self.what}, package {self.package}) failed with {said}. "
            "Update or uninstall that package; --debug shows where.",
        )


class OwnCode(PlugIn):
    """Code that the user named by its module and function, and can mend."""

    def failed(self, error: BaseException) -> UserError:
        """What is said when it raises: also the file and the line."""
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        frames = [(frame.f_globals.get("__name__"), frame.f_code.co_filename, line)
                  for frame, line in walk_tb(error.__traceback__)]  # fmt: skip
        own = [place for place in frames if str(place[0]).partition(".")[0] == self.module]
        where = f" ({own[-1][1]}, line {own[-1][2]})" if own else ""
        return UserError("failed", f"Your {self.name} failed with {said}{where}. --debug shows the whole trace.")


_PLUG_INS: dict[str, PlugIn] = {}


def remember(plug_in: PlugIn) -> None:
    """Let errors that are raised in someone's code be known for theirs; of one module's, the last that was named."""
    _PLUG_INS.pop(plug_in.name, None)
    _PLUG_INS[plug_in.name] = plug_in


@contextmanager
def blamed(plug_in: PlugIn) -> Iterator[None]:
    """Name a plug-in where anything is raised in the block, also what would end the program.

    Raises:
        UserError: Something was.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # of code that is not ours, a SystemExit too
        raise plug_in.failed(error) from error


def plug_in_of(error: BaseException) -> PlugIn | None:
    """Return the loaded plug-in in whose code an error was raised, or None.

    Args:
        error: As it was caught, with its traceback.
    """
    own = {plug_in.module: plug_in for plug_in in _PLUG_INS.values() if plug_in.module != "gramcli"}
    modules = [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
    return next((own[module] for module in reversed(modules) if module in own), None)


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

    def has(self, name: str) -> bool:
        """Whether a row has that name, or a plug-in claims it."""
        if name in self._rows:
            return True
        from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and only a plug-in needs it

        return any(point.name == name for point in entry_points(group=self.group))

    def row(self, name: str) -> RowT:
        """Return the row called `name`, looking at plug-ins when the tool has none.

        Raises:
            UserError: No row has that name, two plug-ins claim it, or the one that does cannot be loaded.
        """
        if name in self._rows:
            return self._rows[name]
        from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and only a plug-in needs it

        found = [point for point in entry_points(group=self.group) if point.name == name]
        if len(found) > 1:
            where = ", ".join(point.value for point in found)
            raise UserError("usage", f"Two plug-ins claim the {self.what} '{name}': {where}. Uninstall one of them.")
        if found:
            return self._plugged(found[0])
        named = [one for one in self._rows if one not in self.unnamed]
        known = [*named, *(point.name for point in entry_points(group=self.group))]
        several = "," in name and all(part.strip() in known for part in name.split(","))
        hint = f" Name one {self.what}; where an option repeats, give it once for each." if several else ""
        hint = hint or did_you_mean(name, known)
        raise UserError("usage", f"Unknown {self.what} '{name}'.{hint} Known: {', '.join(known)}.")

    def load(self, name: str) -> Any:  # noqa: ANN401 - the attribute a row points at can be anything
        """Import and return what the row called `name` points at.

        Raises:
            UserError: No row has that name, or the plug-in that brings it cannot be loaded.
        """
        row = self.row(name)
        if name in self._rows:
            return resolve(row.target)
        with blamed(_PLUG_INS[name]):
            return resolve(row.target)

    def _plugged(self, point: EntryPoint) -> RowT:
        """Load the row that a plug-in brings, and remember whose code it is."""
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        plug_in = PlugIn(point.name, self.what, package, point.value.partition(":")[0].partition(".")[0])
        _PLUG_INS[point.name] = plug_in
        with blamed(plug_in):
            row: RowT = point.load()
            if not isinstance(getattr(row, "target", None), str):
                raise TypeError(f"{point.value} is no row with a target, but {type(row).__name__}")
            return row
