"""Names of files that one system spells otherwise than another: by Unicode's normal forms, and by case."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from gramcli.errors import UserError
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def composed(name: str) -> str:
    r"""Return a name in Unicode's composed form, in which ids, labels and stems are compared.

    Example:
        >>> composed("cafe\u0301") == "caf\xe9"
        True
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def caseless(name: str) -> str:
    r"""Return what names that differ in case and normal form only have in common.

    Example:
        >>> caseless("CAFE\u0301") == caseless("Caf\xe9")
        True
    """
    return composed(composed(name).casefold())


def spelled_out(*names: str) -> str:
    r"""Return names that look alike so that they can be told apart.

    Example:
        >>> spelled_out("cafe\u0301", "caf\xe9")
        "'cafe\\u0301' and 'caf\\xe9'"
    """
    return " and ".join(ascii(name) for name in names)


class Finder:
    """Finds files under the spelling they have on disk, and remembers which spellings differed.

    Args:
        cases: Also find names that differ in case.
    """

    def __init__(self, *, cases: bool = True) -> None:
        self._rules = (composed, caseless) if cases else (composed,)
        self._listings: dict[Path, tuple[dict[str, list[str]], dict[str, list[str]]]] = {}
        self._forms: dict[str, str] = {}
        self._cases: dict[str, str] = {}

    def find(self, path: Path) -> Path:
        """Return a path as it is spelled on disk.

        Args:
            path: As it was written.

        Returns:
            The path itself where it is there, or where nothing of that name is.

        Raises:
            UserError: Several names on disk are this one up to their normal form or case; the message has them.
        """
        if _is_there(path):
            return path
        found = Path(path.anchor)
        for part in path.parts[1:] if path.anchor else path.parts:
            if _is_there(found / part):
                found /= part
                continue
            name = self._one_of(found, part)
            if name is None:
                return path
            (self._forms if composed(name) == composed(part) else self._cases)[str(found / name)] = part
            found /= name
        return found

    def _one_of(self, folder: Path, part: str) -> str | None:
        """The one name in a folder that is this one in another spelling: by normal form, else by case."""
        for alike, names in zip(self._rules, self._listing(folder), strict=False):
            found = names.get(alike(part), [])
            if len(found) > 1:
                message = f"{shown(folder / part)} is not there as it is spelled, and {spelled_out(*found)} resemble"
                raise UserError("input", f"{message} {spelled_out(part)}; write the one that is meant.")
            if found:
                return found[0]
        return None

    def _listing(self, folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The names in a folder by their normal form, and by that without case."""
        if folder not in self._listings:
            try:
                names = sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
            except (OSError, ValueError):
                names = []
            self._listings[folder] = (grouped(names, composed), grouped(names, caseless))
        return self._listings[folder]

    def notes(self, where: str) -> list[str]:
        """Say how many files were found under another spelling, one sentence a kind.

        Args:
            where: What names them.
        """
        said = []
        for found, how in ((self._forms, "another Unicode form"), (self._cases, "other upper and lower case")):
            if found:
                path, part = next(iter(found.items()))
                count = "1 name is" if len(found) == 1 else f"{len(found):,} names are"
                pair = spelled_out(part, Path(path).name)
                said.append(f"{where}: {count} spelled in {how} than on disk, and found, for instance {pair}.")
        return said


def _is_there(path: Path) -> bool:
    try:
        return os.path.lexists(path)  # a broken link is there: its reader says what is wrong
    except ValueError:  # a zero byte in the name
        return False


def grouped(names: Iterable[str], alike: Callable[[str], str]) -> dict[str, list[str]]:
    """Group names by what they have in common.

    Example:
        >>> grouped(["a", "B", "A"], str.lower)
        {'a': ['a', 'A'], 'b': ['B']}
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[alike(name)].append(name)
    return dict(found)
