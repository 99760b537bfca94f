"""`pickle`: {id: array}, MMSA's and MultiBench's splits, MMT's {expert: {pooling: {id: array}}}, CE's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from gramcli.exchange.arrays import ArrayRows, refuse_beyond, text_rows
from gramcli.exchange.base import Facts, Operand, Recognised, texts_as_keys, wrong
from gramcli.exchange.container import interpret
from gramcli.exchange.names import name_of
from gramcli.exchange.stored_arrays import TORCH
from gramcli.exchange.unpickling import unpickled
from gramcli.exchange.values import Listed, Value
from gramcli.media.kinds import shown

_STARTS: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(d", b"(l", b"}", b"]q")
_SUFFIXES: Final = frozenset({".pkl", ".pickle", ".p"})
_POOLINGS: Final = ("fixed_seg", "avg", "max")


def read_pickle(operands: Sequence[Operand]) -> Recognised | None:
    """Read pickles, each as a file of its own; one of texts by id gives the captions of the others."""
    if not all(_is_pickle(one) for one in operands):
        return None
    found: Recognised | None = None
    for one in operands:
        part = _read(one)
        found = part if found is None else _joined(found, part)
    if found is not None and not found.features:
        raise wrong(shown(operands[0].path), "holds texts and no features", "Name the pickle of features beside it")
    return found


def _is_pickle(one: Operand) -> bool:
    if one.head.startswith(TORCH) or one.is_folder:
        return False
    return one.head.startswith(_STARTS) or (one.path.suffix.lower() in _SUFFIXES and not one.head.startswith(b"PK"))


def _read(one: Operand) -> Recognised:
    where = shown(one.path)
    held = unpickled(one.path)
    if isinstance(held, np.ndarray):
        held = {one.name or one.path.stem: held}
    if not isinstance(held, Mapping) or not held:
        raise wrong(where, f"holds a {type(held).__name__}", "Save a dictionary of arrays")
    if _is_captions(held):
        by_key = texts_as_keys(held.items(), where)
        facts = Facts(captions={key: tuple(map(_joined_words, texts)) for key, texts in by_key.items()})
        return Recognised("pickle", [], facts, ids=f"keys of {where}")
    values = _value(held, where)
    refuse_beyond(len(values), where)
    found = interpret(values, where, "pickle", None, one.time_axis)
    if one.name is not None:
        if len(found.features) != 1:
            raise wrong(where, f"holds {len(found.features)} modalities, not only {one.name}", "Leave the name out")
        found.features[0].name = one.name
    elif len(found.features) == 1 and found.features[0].source == where:
        found.features[0].name = _name(one.path.stem)
    return found


def _name(stem: str) -> str:
    """CE names a file by its model and its pooling: `resnet-avg`."""
    bare = stem
    for ending in (*(f"-{one}" for one in _POOLINGS), "-logits"):
        bare = bare.removesuffix(ending)
    return name_of(bare)


def _is_captions(held: Mapping[Any, Any]) -> bool:
    some = list(held.values())[:100]
    return all(
        isinstance(texts, list | tuple)
        and texts
        and all(isinstance(text, str) or (isinstance(text, list | tuple) and all(isinstance(w, str) for w in text))
                for text in texts)
        for texts in some
    )  # fmt: skip


def _joined_words(text: Any) -> str:  # noqa: ANN401 - a caption, or its words
    return text if isinstance(text, str) else " ".join(map(str, text))


def _value(value: Any, source: str) -> Value:  # noqa: ANN401 - from the file
    """A value of a pickle as the interpreter takes it."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "SU":
            return text_rows(value)
        return ArrayRows(value if value.ndim else value.reshape(1))
    if isinstance(value, Mapping):
        return {key: _value(one, f"{source}, {key}") for key, one in texts_as_keys(value.items(), source).items()}
    if isinstance(value, list | tuple) and value and all(isinstance(one, np.ndarray) for one in value):
        return Listed({str(k): _value(one, source) for k, one in enumerate(value)})
    if isinstance(value, list | tuple) and value and all(isinstance(one, int | float) for one in value):
        numbers = np.asarray(value)  # of whole numbers beyond 64 bits it makes objects, or rounds them
        rounded = numbers.dtype.kind == "f" and all(isinstance(one, int) for one in value)
        return value if rounded or numbers.dtype.kind == "O" else ArrayRows(numbers)
    return value


def _joined(first: Recognised, second: Recognised) -> Recognised:
    """Put two files of one import together, before items are matched."""
    for name in {one.name for one in first.features} & {one.name for one in second.features}:
        raise wrong(second.features[0].source, f"holds the modality '{name}' again", "Write name=FILE for each")
    first.features += second.features
    for role in ("splits", "labels", "captions"):
        getattr(first.facts, role).update(getattr(second.facts, role))
    first.notes += second.notes
    return first
