"""Documents that files hold: strict JSON, then a schema that says what each field must be; one sentence names a misfit.

Whoever reads a file declares what it holds as a `msgspec.Struct` beside the reader, and hands it here. Nothing of a
document is used before it was checked, so a damaged or forged one ends in a sentence with the file and the field.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec

from gramcli.errors import ErrorKind, UserError, refuse_pointer
from gramcli.files.amounts import check_json_amount

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

LARGEST: Final = 2**53
"""Whole numbers beyond it are not the same in every reader of JSON."""
DEEPEST: Final = 100
"""Levels of lists and objects in each other."""

Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Size = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]

_MOST_DIGITS: Final = 18  # what 64 bits hold, whatever the digits
_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`(?: (.+?))?(?:, got (`[^`]+`|\d+))?$")
_PLACE: Final = re.compile(r" - at (?:`key` in )?`\$\.?(.*)`$", re.DOTALL)
_FIELD: Final = re.compile(r"Object missing required field `([^`]+)`")
_BOUNDS: Final = {
    "of length >=": "of at least {} entries",
    "of length <=": "of at most {} entries",
    "of length": "of {} entries",
    ">=": "of at least {}",
    "<=": "of at most {}",
    ">": "above {}",
    "<": "below {}",
}


@dataclass(frozen=True)
class Source:
    """A file that holds a document, and what to say where it does not hold what it should.

    Attributes:
        file: Its path, as messages name it.
        kind: What a misfit is, of `ErrorKind`.
        remedy: What to do then, one sentence with its full stop.
        ours: Whether gramcli wrote it: then no name may come twice, and every number is one that JSON has.
    """

    file: Path | str
    kind: ErrorKind
    remedy: str
    ours: bool = True

    def wrong(self, why: str) -> UserError:
        """The error of a document that is not what it should be; raising it is the caller's part.

        Args:
            why: What follows the file's name.
        """
        return UserError(self.kind, f"{self.file}{why}. {self.remedy}")


def read_json(data: bytes | str, schema: type[T], source: Source) -> T:
    """Parse a document and check it.

    Args:
        data: The JSON.
        schema: What it must be.
        source: Where it came from.

    Returns:
        An instance of the schema.

    Raises:
        UserError: It is not JSON, or does not fit; names the file and the field.
    """
    return checked(parse_json(data, source), schema, source)


def parse_json(data: bytes | str, source: Source) -> Any:  # noqa: ANN401 - JSON is anything
    """Parse a document without looking at what it says.

    Args:
        data: The JSON.
        source: Where it came from.

    Returns:
        The value. Of a file of ours, no name comes twice, numbers are finite, and whole ones fit 64 bits.

    Raises:
        UserError: It is not JSON, or nested more than `DEEPEST` levels; or one of these.
    """
    try:
        check_json_amount(data)
        value = json.loads(data, **(_STRICT if source.ours else {}))
    except (ValueError, RecursionError) as error:
        if not isinstance(source.file, str):
            refuse_pointer(source.file, source.kind)
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).partition("; use sys.")[0]
        raise source.wrong(f" is not JSON that can be read ({why})") from error
    if _is_deep(value):
        raise source.wrong(f" is not JSON that can be read (it is nested more than {DEEPEST} levels deep)")
    return value


def checked(value: object, schema: type[T], source: Source) -> T:
    """Check a parsed document.

    Args:
        value: What JSON held.
        schema: A Struct, a dataclass, or another type that msgspec knows.
        source: Where it came from.

    Returns:
        The value as that type.

    Raises:
        UserError: It does not fit; names the file and the field.
    """
    try:
        return msgspec.convert(value, schema)
    except (msgspec.ValidationError, OverflowError, UnicodeError) as error:
        raise source.wrong(f": {sentence(str(error))}") from error


def sentence(error: str) -> str:
    """Turn msgspec's words into ours, without a full stop.

    Example:
        >>> sentence("Expected `int`, got `str` - at `$.ranks[3].n_candidates`")
        'ranks[3].n_candidates must be a whole number; got a string'
        >>> sentence("Object missing required field `metric` - at `$.results[0]`")
        'results[0].metric is missing'
        >>> sentence("Expected `int` >= 1 - at `$.dims[...]`")
        'an entry of dims must be a whole number of at least 1'
    """
    found = _PLACE.search(error)
    place, what = (found[1], error[: found.start()]) if found else ("", error)
    last = "[...]" if place.endswith("[...]") else ""
    place = place.removesuffix(last).replace("[...]", "[*]") + last
    if missing := _FIELD.match(what):
        return f"{place.replace('[...]', '[*]')}{'.' if place else ''}{missing[1]} is missing"
    name = f"an entry of {place.removesuffix('[...]')}" if place.endswith("[...]") else place or "the document"
    if expected := _EXPECTED.match(what):
        wanted, bound, got = expected.groups()
        said = f"{name} must be {_kinds(wanted)}{_bounded(bound)}"
        return f"{said}; got {_kinds(got.strip('`'))}" if got else said
    if what.startswith("Invalid enum value"):
        value = what.removeprefix("Invalid enum value ")
        return f"{name} is {ascii(value.strip(chr(39)))[:60]}, which is none of the values it may have"
    return f"{name} does not fit ({ascii(what)[1:60].rstrip(chr(39))})"


def _kinds(names: str) -> str:
    words = [_WORDS.get(name, name) for name in names.split(" | ")]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _bounded(bound: str | None) -> str:
    for start, words in _BOUNDS.items() if bound else ():
        if bound and bound.startswith(start):
            return f" {words.format(bound.removeprefix(start).strip())}"
    return " of another form" if bound else ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object names {ascii(twice)[:40]} twice")
    return found


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _int(text: str) -> int:
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise ValueError(f"a whole number of {len(text.lstrip('-'))} digits is too large")
    return int(text)


_STRICT: Final[dict[str, Any]] = {
    "object_pairs_hook": _object,
    "parse_constant": _constant,
    "parse_float": _float,
    "parse_int": _int,
}


def _is_deep(value: object) -> bool:
    """Whether lists and objects lie in each other beyond the limit; without recursion, which has one of its own."""
    level = [value]
    for _ in range(DEEPEST):
        inner = (
            entry.values() if isinstance(entry, dict) else entry for entry in level if isinstance(entry, dict | list)
        )
        level = [one for entries in inner for one in entries if isinstance(one, dict | list)]
        if not level:
            return False
    return True
