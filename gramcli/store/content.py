"""What `write_store` is given, and whether it can be a store: checked before anything is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired, Required, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from gramcli.catalog import did_you_mean
from gramcli.errors import UserError
from gramcli.store.layout import ABSENT, OK, has_row, is_status, is_text, text_digest

_STATUSES: Final = "'ok', 'absent' (perhaps with ': remark') or 'failed: reason'"
_OPTIONAL: Final = ("captions", "overwrite", "shard_size")


class StoreContent(TypedDict):
    """The arguments of `write_store`; n items, N text rows.

    Attributes:
        ids: One per item.
        splits: One per item, None where there is none.
        labels: One per item, None where there is none.
        embeddings: Modality -> [n, d] float32, `text` and its views -> [N, d].
        caption_items: Item of each text row, [N], never decreasing; None or empty without text.
        status: Modality -> n times `ok`, `absent` (perhaps with `: remark`) or `failed: reason`; one not named is ok,
            text where the item has rows.
        model: As `encoder.describe()`.
        dataset: `id`, `protocol`, `annotation_sha256`.
        captions: The text of each text row, or its `layout.text_digest`, [N]; None or left out where it is not known.
        overwrite: Replace an existing store of other content; False when left out.
        shard_size: Items per shard; 64 when left out.
    """

    ids: Required[Sequence[str]]
    splits: Required[Sequence[str | None]]
    labels: Required[Sequence[str | None]]
    embeddings: Required[Mapping[str, NDArray[np.float32]]]
    caption_items: Required[NDArray[np.int64] | Sequence[int] | None]
    status: Required[Mapping[str, Sequence[str]]]
    model: Required[Mapping[str, Any]]
    dataset: Required[Mapping[str, Any]]
    captions: NotRequired[Sequence[str] | NDArray[np.int64] | None]
    overwrite: NotRequired[bool]
    shard_size: NotRequired[int]


def check_content(content: Mapping[str, Any]) -> None:
    """Refuse arguments that are missing, unknown, or of another kind.

    Raises:
        UserError: They are; ids, splits or labels that are no strings or of unequal length, a model or dataset that is
            no JSON-able mapping.
    """
    known = list(StoreContent.__annotations__)
    if lacking := [name for name in known if name not in content and name not in _OPTIONAL]:
        raise _wrong(f"needs {', '.join(lacking)} too", "See help(gramcli.store.write_store)")
    if strange := [name for name in content if name not in known]:
        raise _wrong(f"has no argument '{strange[0]}'", f"Known: {', '.join(known)}")
    _check_strings("ids", content["ids"], or_none=False)
    for name in ("splits", "labels"):
        _check_strings(name, content[name], or_none=True)
        if len(content[name]) != len(content["ids"]):
            raise _unequal(name, len(content[name]), len(content["ids"]))
    for name, example in (("model", "{'id': 'my-model', 'shared_space': True}"), ("dataset", "{'id': 'my-data'}")):
        _check_mapping(name, content[name], example)
        try:
            json.dumps(content[name], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise _wrong(f"cannot write {name} as JSON ({error})", "Give strings, numbers, lists and dicts") from error
    _check_mapping("embeddings", content["embeddings"], "{'text': array [N, d], 'video': array [n, d]}")
    _check_mapping("status", content["status"], "{'audio': ['ok', 'absent']}, or {} where all are ok")
    if not content["embeddings"]:
        raise _wrong("was given no embeddings", "Give at least one modality")


def checked_vectors(name: str, rows: object) -> NDArray[np.float32]:
    """The vectors of one modality as float32.

    Raises:
        UserError: No array of floats, or not [rows, d].
    """
    try:
        given = np.asarray(rows)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _wrong(f"cannot take '{name}' as an array ({error})", "Give a NumPy array [rows, d] of floats") from error
    if given.ndim != 2:
        raise UserError("embedding", f"'{name}' must be [rows, d]; got {list(given.shape)}.")
    if given.dtype.kind != "f":
        remedy = "Embeddings are floats: give .astype('float32') if these are embeddings at all."
        raise UserError("embedding", f"'{name}' is of type {given.dtype}. {remedy}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused below
        return np.ascontiguousarray(given, dtype=np.float32)


def checked_captions(content: Mapping[str, Any], embeddings: Mapping[str, NDArray[np.float32]]) -> NDArray[np.int64]:
    """The item of each text row.

    Raises:
        UserError: Vectors or captions are too many or too few, or `caption_items` no positions in order.
    """
    n = len(content["ids"])
    for name, rows in embeddings.items():
        if not is_text(name) and len(rows) != n:
            raise _unequal(name, len(rows), n)
    given = content["caption_items"]
    try:
        owners = np.asarray([] if given is None else given)
    except ValueError as error:
        raise _wrong("needs a flat list as caption_items", "Give the item's position for each text row") from error
    counts = {name: len(rows) for name, rows in embeddings.items() if is_text(name)}
    texts = next(iter(counts.values()), 0)
    if other := next((name for name, count in counts.items() if count != texts), None):
        first = next(iter(counts))
        raise UserError("embedding", f"'{other}' has {counts[other]} rows and '{first}' {texts}; give one per caption.")
    if owners.ndim != 1 or (owners.size and owners.dtype.kind not in "iu"):
        raise _wrong("needs whole numbers as caption_items", "Give the item's position, from 0, for each text row")
    if len(owners) != texts:
        got = f"caption_items has {len(owners)} entries for {texts} text rows"
        raise UserError("embedding", f"{got}; give the item's position for each text row.")
    if np.any(owners[1:] < owners[:-1]):
        row = int(np.argmax(owners[1:] < owners[:-1])) + 1
        raise UserError(
            "embedding",
            f"caption_items must not decrease; entry {row} is {owners[row]} after {owners[row - 1]}. Sort the "
            "text rows by item: order = np.argsort(caption_items, kind='stable').",
        )
    if len(owners) and not 0 <= owners[0] <= owners[-1] < n:
        raise UserError("embedding", f"caption_items must lie in 0..{n - 1}; got {owners[0]} to {owners[-1]}.")
    return owners.astype(np.int64)


def checked_texts(captions: object, n: int) -> NDArray[np.int64] | None:
    """The digest of each of n text rows; None where the texts are not given.

    Raises:
        UserError: Not one string, or digest, per text row.
    """
    if captions is None:
        return None
    if isinstance(captions, np.ndarray) and captions.dtype == np.int64 and captions.ndim == 1:
        found = captions
    else:
        _check_strings("captions", captions, or_none=False)
        found = np.array([text_digest(text) for text in cast("Sequence[str]", captions)], dtype=np.int64)
    if len(found) != n:
        raise UserError("embedding", f"'captions' has {len(found)} entries for {n} text rows; give one per text row.")
    return found


def checked_status(
    content: Mapping[str, Any], embeddings: Mapping[str, NDArray[np.float32]], owners: NDArray[np.int64]
) -> dict[str, list[str]]:
    """The status of every modality, given or implied.

    Raises:
        UserError: A status of what is not embedded, of another length or form, or one that says ok of a vector that is
            zero or not finite.
    """
    n = len(content["ids"])
    for name, given in content["status"].items():
        _check_status(name, given, n, list(embeddings))
    captioned = set(owners.tolist())
    text = [OK if position in captioned else ABSENT for position in range(n)]
    status = {name: list(content["status"].get(name, text if is_text(name) else [OK] * n)) for name in embeddings}
    for name, rows in embeddings.items():
        _check_rows(name, rows, owners if is_text(name) else np.arange(n), status[name], content["ids"])
    return status


def _check_status(name: str, given: object, n: int, known: list[str]) -> None:
    if name not in known:
        hint = f"{did_you_mean(str(name), known)} Known: {', '.join(known)}."
        raise UserError(
            "embedding", f"The status of '{name}' is given, but there are no embeddings of that name.{hint}"
        )
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray) or len(given) != n:
        length = len(given) if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str) else repr(given)
        raise UserError("embedding", f"The status of '{name}' must be {n} times {_STATUSES}; got {length}.")
    for position, text in enumerate(given):
        if not isinstance(text, str) or not is_status(text):
            raise UserError("embedding", f"The status of '{name}', number {position}, is {text!r}; write {_STATUSES}.")


def _check_rows(
    name: str, rows: NDArray[np.float32], holders: NDArray[np.int64], status: Sequence[str], ids: Sequence[str]
) -> None:
    """Refuse vectors that no measure is defined for, where the status says that there is one."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(rows).all(axis=1))
    for row in np.flatnonzero(~finite | ~rows.any(axis=1)):
        item = int(holders[row])
        if has_row(status[item]):
            what = "all zeros" if finite[row] else "not finite"
            remedy = f"Give status={{'{name}': [...]}} with 'absent' or 'failed: reason' for it."
            raise UserError(
                "embedding",
                f"The '{name}' vector of item {ids[item]!r} (row {row}) is {what}, but its status is '{status[item]}'. "
                f"{'Leave the row out.' if is_text(name) else remedy}",
            )


def _check_strings(name: str, values: object, *, or_none: bool) -> None:
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise _wrong(f"needs a list as {name}; got {type(values).__name__}", "Give one entry per item")
    for position, value in enumerate(values):
        if not isinstance(value, str) and not (or_none and value is None):
            kind = "strings or None" if or_none else "strings"
            raise _wrong(f"needs {kind} as {name}; number {position} is {value!r}", "Write str(...) around it")


def _check_mapping(name: str, value: object, example: str) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(f"needs a mapping as {name}; got {type(value).__name__}", f"Write for instance {example}")


def _unequal(name: str, length: int, n: int) -> UserError:
    return UserError("embedding", f"'{name}' has {length} rows for {n} ids; give one per item.")


def _wrong(what: str, remedy: str) -> UserError:
    return UserError("usage", f"write_store {what}. {remedy}.")
