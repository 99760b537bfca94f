"""What the columns of a table say of items: splits, classes and captions, by id or by row."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from gramcli.errors import UserError
from gramcli.exchange.base import Facts, Recognised, wrong
from gramcli.exchange.names import folded, role_of
from gramcli.exchange.values import is_missing

if TYPE_CHECKING:
    from gramcli.exchange.parquet import Parts

_CAPTIONS: Final = ("caption", "captions", "text", "sentence", "sentences", "desc")
_KINDS: Final = ("splits", "labels")
_SHOWN: Final = 5  # columns that a note names
_LONGEST: Final = 60
_Told = str | tuple[str, ...] | None


def checked_ids(parts: Parts, name: str) -> list[str]:
    """Return the ids of a column, or its names: texts, and whole numbers, which pandas makes fractions beside a gap.

    Raises:
        UserError: A row has none, or they are of another kind.
    """
    values = parts.texts(name)
    if set(map(type, values)) == {str}:
        return values
    found: list[str] = []
    for row, value in enumerate(values, 1):
        if is_missing(value):
            what = name if name == "modality" else "id"
            raise wrong(f"{parts.source}, {name}", f"has no {what} in row {row:,}", "Give every row one")
        if isinstance(value, bool) or not isinstance(value, str | bytes | int | float) or _has_fraction(value):
            held = parts.schema.field(name).type
            raise wrong(f"{parts.source}, {name}", f"holds {held}, no ids", "Save texts or whole numbers")
        found.append(_spelled(value))
    return found


def _has_fraction(value: str | bytes | float) -> bool:
    return isinstance(value, float) and not value.is_integer()


def _spelled(value: str | bytes | float) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(int(value)) if isinstance(value, float) else str(value)


def unread_note(parts: Parts, read: Container[str]) -> list[str]:
    """Say which columns of a table are neither vectors, ids nor facts: ids of another name may be among them."""
    left = [
        f"{field.name} ({field.type})"[:_LONGEST]
        for field in parts.schema
        if field.name not in read and not _kind(field.name)
    ]
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return [f"Columns of {parts.source} that were not read: {', '.join(left[:_SHOWN])}{more}."] if left else []


def take_facts(found: Recognised, parts: Parts, ids: Sequence[str] | None) -> None:
    """Take what the columns beside the vectors say.

    Args:
        found: Gets the facts.
        parts: The table.
        ids: Of its rows; None where they have none.

    Raises:
        UserError: Two rows of an item say two things.
    """
    for name in parts.schema.names:
        if (kind := _kind(name)) and (texts := told_by(parts, name, kind, found)) is not None:
            if ids is None:
                found.row_facts[kind] = texts
            else:
                found.facts = merged_facts(found.facts, kind, ids, texts)


def take_long_facts(found: Recognised, parts: Parts, ids: Sequence[str], of_text: Sequence[bool]) -> None:
    """Take what the columns of a table say that has a row for each item and modality.

    Args:
        found: Gets the facts.
        parts: The table.
        ids: Of its rows.
        of_text: Whether a row is one of text: of others it has no caption.

    Raises:
        UserError: As `take_facts`.
    """
    for name in parts.schema.names:
        if (kind := _kind(name)) and (texts := told_by(parts, name, kind, found)) is not None:
            if kind == "captions":
                texts = [text if there else None for text, there in zip(texts, of_text, strict=True)]
            found.facts = merged_facts(found.facts, kind, ids, texts)


def _kind(name: str) -> str | None:
    role = role_of(name)
    return role if role in _KINDS else "captions" if folded(name) in _CAPTIONS else None


def told_by(parts: Parts, name: str, kind: str, found: Recognised) -> list[_Told] | None:
    """Return what a column says of each row; None where it holds no texts, with a note where it should.

    Args:
        parts: The table.
        name: The column.
        kind: `splits`, `labels` or `captions`.
        found: Gets the note.
    """
    held = parts.schema.field(name).type
    if parts.is_nested(name) and not (kind == "captions" and parts.is_texts(name)):
        if not parts.is_vectors(name):
            found.notes.append(f"{parts.source}, {name} holds {held}, no text for each row, and was left out.")
        return None
    values = parts.texts(name)
    if kind == "captions" and parts.is_nested(name):
        return [None if one is None else tuple(str(text) for text in one if text is not None) for one in values]
    names = class_names(parts.schema.metadata).get(name) if kind == "labels" else None
    if names is not None and all(one is None or isinstance(one, int) for one in values):
        return [names[one] if one is not None and 0 <= one < len(names) else None for one in values]
    texts = _classes(values)
    if texts is None:
        what = "class" if kind == "labels" else "text"
        found.notes.append(f"{parts.source}, {name} holds {held}, no {what} for each row, and was left out.")
    return texts


def _classes(values: Sequence[Any]) -> list[_Told] | None:
    """Texts, or whole numbers as texts, which pandas makes fractions where one is not there; None where others are."""
    held = [None if is_missing(one) else one for one in values]
    if any(isinstance(one, float) and not one.is_integer() for one in held):
        return None
    if not all(one is None or isinstance(one, str | int | float) for one in held):
        return None
    return [str(int(one)) if isinstance(one, float) else None if one is None else str(one) for one in held]


def class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Return the names of classes by column, as Hugging Face's `datasets` writes them beside a schema.

    Example:
        >>> kind = {"names": ["cat", "dog"], "_type": "ClassLabel"}
        >>> class_names({b"huggingface": json.dumps({"info": {"features": {"label": kind}}}).encode()})
        {'label': ['cat', 'dog']}
    """
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            str(name): [str(one) for one in kind["names"]]
            for name, kind in features.items()
            if isinstance(kind, dict) and kind.get("_type") == "ClassLabel" and isinstance(kind.get("names"), list)
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # whoever wrote it, the numbers stand


def merged_facts(facts: Facts, kind: str, ids: Sequence[str], texts: Iterable[_Told]) -> Facts:
    """Add what rows say of their items.

    Raises:
        UserError: Two rows of an item have two splits or labels.
    """
    pairs = [(one, text) for one, text in zip(ids, texts, strict=True) if text is not None]
    if kind == "captions":
        gathered: dict[str, list[str]] = {}
        for one, text in pairs:
            gathered.setdefault(one, []).extend((text,) if isinstance(text, str) else text)
        facts.captions |= {one: tuple(every) for one, every in gathered.items()}
        return facts
    target: dict[str, Any] = getattr(facts, kind)
    for one, text in pairs:
        if (known := target.setdefault(one, text)) != text:
            said = f"Its rows give the item '{one}' two {kind}, '{known}' and '{text}'"
            raise UserError("input", f"{said}. Correct the table.")
    return facts
