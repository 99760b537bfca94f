"""Names and letters of the modalities, and the task notation built from them (`t2va`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gramcli.errors import UserError

T = TypeVar("T")
LETTERS: Final[dict[str, str]] = {
    "t": "text",
    "v": "video",
    "a": "audio",
    "s": "subtitle",
    "d": "depth",
    "i": "image",
}
QUERY: Final = "query"
DOCUMENT: Final = "document"
_LETTER_OF: Final = {name: letter for letter, name in LETTERS.items()}


@dataclass(frozen=True)
class Task:
    """Which embeddings ask and which answer.

    Attributes:
        query: Names of the query embeddings, in the order given (r of them).
        candidates: Names of the candidate embeddings (p of them).
    """

    query: tuple[str, ...]
    candidates: tuple[str, ...]

    @property
    def name(self) -> str:
        """`t2va` where every modality has a letter, else full names, joined by `+`: `text2vas`, which is no `t2vas`."""
        if all(name in _LETTER_OF for name in self.modalities):
            return "2".join("".join(_LETTER_OF[name] for name in side) for side in (self.query, self.candidates))
        return f"{'+'.join(self.query)}2{'+'.join(self.candidates)}"

    @property
    def modalities(self) -> tuple[str, ...]:
        """Query then candidate names."""
        return (*self.query, *self.candidates)

    def reversed(self) -> Task:
        """The same measure asked from the other side."""
        return Task(self.candidates, self.query)


def parse_task(text: str) -> Task:
    """Read `t2va` as Task(query=("text",), candidates=("video", "audio")); `t2av` is the same task.

    Raises:
        UserError: Not `<letters>2<letters>`, several tasks, an unknown letter, or a modality named twice.

    Example:
        >>> parse_task("t2va").candidates
        ('video', 'audio')
    """
    if "," in text:
        one, _, other = (part.strip() for part in text.partition(","))
        raise UserError("usage", f"Task '{text}' has a comma: repeat the option, as --task {one} --task {other}.")
    query, separator, candidates = text.partition("2")
    letters = query + candidates
    if not separator or not query or not candidates:
        raise UserError("usage", f"Task '{text}' is not <query letters>2<candidate letters>; write for example t2va.")
    unknown = [letter for letter in letters if letter not in LETTERS]
    if unknown:
        known = ", ".join(f"{letter} {name}" for letter, name in LETTERS.items())
        lower = f" Letters are lower case: {text.lower()}." if set(letters.lower()) <= set(LETTERS) else ""
        raise UserError("usage", f"Task '{text}' has the unknown letter '{unknown[0]}'.{lower} Letters: {known}.")
    repeated = [letter for letter in letters if letters.count(letter) > 1]
    if repeated:
        raise UserError("usage", f"Task '{text}' names {LETTERS[repeated[0]]} twice; give each modality once.")
    order = "".join(LETTERS)
    sides = ("".join(sorted(side, key=order.index)) for side in (query, candidates))
    return Task(*(tuple(LETTERS[x] for x in side) for side in sides))


def base_of(name: str) -> str:
    """Return the modality that an embedding's name begins with: a view `text@video` is a vector of a text.

    A view is the vector that a model makes of one modality for what stands on the other side of a task (`text@video`,
    `text@video+audio`), or for the side that it stands on itself (`text@query`, `text@document`).

    Example:
        >>> base_of("text@video+audio"), base_of("text")
        ('text', 'text')
    """
    return name.partition("@")[0]


def view_against(name: str, others: Sequence[str]) -> str:
    """Return the name of the view of a modality that is made for others; those fused by letters count as their parts.

    Example:
        >>> view_against("text", ["audio", "video"]), view_against("text", ["va"])
        ('text@video+audio', 'text@video+audio')
    """
    parts = {part for other in map(base_of, others) for part in _parts(other)}
    known = [one for one in LETTERS.values() if one in parts]
    return f"{name}@{'+'.join([*known, *sorted(parts - set(known))])}"


def _parts(name: str) -> list[str]:
    fused = name not in _LETTER_OF and set(name) <= set(LETTERS)
    return [LETTERS[letter] for letter in name] if fused else [name]


def listed(names: Sequence[T]) -> Sequence[T]:
    """Return names as a list, where one name alone may have been given as a text.

    Example:
        >>> listed("gram"), listed(("gram", "pmrl"))
        (['gram'], ('gram', 'pmrl'))
    """
    alone: Any = [names]
    found: Sequence[T] = alone if isinstance(names, str) else names
    return found


def tasks_from(tasks: Sequence[str | Task] = (), query: str | None = None, candidates: str | None = None) -> list[Task]:
    """Return the tasks that are named; none means all.

    Args:
        tasks: Tasks, or their names; one name alone may be a text.
        query: Embeddings that ask, by name, comma between; together with `candidates`.
        candidates: Embeddings that answer.

    Raises:
        UserError: A task cannot be read, or only one of `query` and `candidates` was given.

    Example:
        >>> [task.name for task in tasks_from(["t2va"], "text", "vas")]
        ['t2va', 'text2vas']
    """
    found = [one if isinstance(one, Task) else parse_task(one) for one in listed(tasks)]
    if (query is None) != (candidates is None):
        missing = "--candidates" if candidates is None else "--query"
        raise UserError("usage", f"--query and --candidates go together; {missing} is missing.")
    if query is not None and candidates is not None:
        found.append(Task(_names(query), _names(candidates)))
    return found


def one_task(task: str | Task | None, query: str | None, candidates: str | None) -> Task:
    """Return the one task that a name, or `query` with `candidates`, names.

    Raises:
        UserError: None or two were named, or the task cannot be read.
    """
    found = tasks_from([task] if task else (), query, candidates)
    if len(found) != 1:
        raise UserError("usage", f"Name one task, --task t2va or --query with --candidates; got {len(found)}.")
    return found[0]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in map(str.strip, text.split(",")) if name)
