"""How a result was made: when, by which command or call, and at which commit of the folder it was made in."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gramcli.files.reading import read_regular

MADE: Final = "made"
"""Its place in a provenance; no part of any fingerprint, and compared with nothing."""
_EPOCH: Final = "SOURCE_DATE_EPOCH"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SMALL: Final = 2**20


def making(verb: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a call of a verb.

    Args:
        verb: The function of the public API.
        arguments: What it was called with, by name; defaults are left out of the record.
    """
    return {"date": _now(), "command": called(verb, arguments), "commit": commit_of(Path.cwd())}


def called(verb: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return a call as Python, what is no plain value by its type.

    Example:
        >>> def evaluate(target, *, tasks=(), split=None): ...
        >>> called(evaluate, {"target": "clips_emb", "tasks": ["t2va"], "split": None})
        "gramcli.evaluate('clips_emb', tasks=['t2va'])"
    """
    known = inspect.signature(verb).parameters
    given = {name: value for name, value in arguments.items() if name in known and name != "watch"}
    words: list[str] = []
    for name, value in given.items():
        if value is known[name].default or value == known[name].default:
            continue
        if known[name].kind is inspect.Parameter.VAR_POSITIONAL:
            words += map(_plain, value)
            continue
        keyword = known[name].kind is inspect.Parameter.KEYWORD_ONLY
        words.append(f"{name}={_plain(value)}" if keyword else _plain(value))
    return f"gramcli.{verb.__name__}({', '.join(words)})"


def commit_of(folder: Path) -> str | None:
    """Return the commit that a git repository around a folder stands at; None outside of one.

    Only files are read: to run `git` in a folder of others could run what its configuration names.
    """
    with suppress(OSError, ValueError):
        for parent in (folder, *folder.parents):
            if (parent / ".git").exists():
                return _head_of(parent / ".git")
    return None


def _head_of(git: Path) -> str | None:
    if git.is_file():  # of a worktree
        git = (git.parent / _text(git).removeprefix("gitdir:").strip()).resolve()
    common = (git / _text(git / "commondir").strip()).resolve() if (git / "commondir").is_file() else git
    head = _text(git / "HEAD").strip()
    name = head.removeprefix("ref:").strip()
    if head == name:
        return head if _COMMIT.fullmatch(head) else None
    if not re.fullmatch(r"refs/[\w./+@-]+", name) or ".." in name:
        return None
    for place in (git / name, common / name):
        if place.is_file():
            found = _text(place).strip()
            return found if _COMMIT.fullmatch(found) else None
    packed = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", _text(common / "packed-refs"), re.MULTILINE)
    return packed[1] if packed else None


def _text(path: Path) -> str:
    return read_regular(path, _SMALL).decode("utf-8", "replace")


def _now() -> str:
    """The time in UTC; the one that reproducible builds name, where they do."""
    epoch = os.environ.get(_EPOCH, "")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() and len(epoch) < 12 else datetime.now(UTC)
    return now.isoformat(timespec="seconds")


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return repr(str(value))
    if value is None or isinstance(value, (str, int, float, bool)):
        return repr(value)
    if isinstance(value, (list, tuple)) and all(isinstance(one, (str, int, float)) for one in value):
        return repr(list(value))
    return f"<{type(value).__name__}>"
