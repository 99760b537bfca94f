"""Arrays by key, from whichever file holds them: what each key is, and whether the keys are modalities or ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from gramcli.exchange.arrays import EachRows, common_shape
from gramcli.exchange.base import Features, Recognised, Rows, wrong
from gramcli.exchange.by_split import by_split
from gramcli.exchange.masks import masked
from gramcli.exchange.names import (
    folded,
    is_padding_mask,
    lengths_of,
    mask_of,
    modality_of,
    name_of,
    rank_of,
    role_of,
)
from gramcli.exchange.values import (
    Listed,
    Value,
    captions_of,
    ids_of,
    integers_of,
    is_float,
    is_missing,
    is_rows,
    labels_of,
    step_counts,
    texts_of,
)
from gramcli.store.split_names import is_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OF_ROWS: Final = ("item", "items")  # keys of owners that count rows, whatever the ids are
_FEW: Final = 8  # arrays of one length in one file are modalities; more are items


def interpret(
    values: Mapping[str, Value],
    source: str,
    kind: str,
    files: Mapping[str, str] | None = None,
    time_axis: int | None = None,
) -> Recognised:
    """Say what a file of keys holds.

    Args:
        values: Key -> value.
        source: The file, for messages.
        kind: The format, for the description.
        files: Key -> the file it comes from, where there are several.
        time_axis: Which axis of one item's array is time; None where the user named modalities.

    Returns:
        Modalities by row, or items by id; splits of a file whose outermost keys are train, valid, test.

    Raises:
        UserError: No features, or features that do not fit each other.
    """
    if any(role_of(key) == "ids" or modality_of(key) for key in values):  # then an array of a list is one item's
        values = {key: _each(value, f"{source}, {key}") if isinstance(value, Listed) else value
                  for key, value in values.items()}  # fmt: skip
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    if inner and len(inner) == len(values):
        if all(is_split(key) for key in inner):
            parts = {key: interpret(value, f"{source}, {key}", kind, None, time_axis) for key, value in inner.items()}
            return by_split(parts, source)
        return _nested(inner, source, kind)
    holes = [key for key, value in values.items() if is_missing(value)]
    arrays = {key: value for key, value in values.items() if is_rows(value) and key not in set(holes)}
    if not arrays:
        keys = ", ".join(map(str, list(values)[:5])) or "none"
        raise wrong(source, f"holds no features (keys: {keys})", "Name a file with arrays of floats")
    nans = [key for key in holes if values[key] is not None]
    if len(arrays) + len(holes) == len(values) and are_items(arrays, time_axis, holes, told=bool(nans)):
        return by_id({key: arrays.get(key) for key in values}, source, kind)
    found = _by_row({key: value for key, value in values.items() if key not in set(holes)}, source, kind, files or {})
    found.notes += [f"{source}, {key} is NaN or None, no features, and was left out." for key in holes]
    return found


def are_items(
    arrays: Mapping[str, Rows], time_axis: int | None = None, holes: Sequence[str] = (), *, told: bool = False
) -> bool:
    """Whether keys are ids of items, rather than names of modalities.

    Args:
        arrays: By key.
        time_axis: As in `interpret`: an array [n, d] has none, so where one is named, each is an item's [d, T].
        holes: Keys of which nothing is there.
        told: Whether a single NaN stands for one of them, as only items have it.
    """
    widths = {rows.inner[-1:] for rows in arrays.values()}
    keys = [*arrays, *holes]
    names = set(map(name_of, keys))
    if any(role_of(key) or lengths_of(key) or ((of := mask_of(key)) and of in names) for key in keys):
        return False
    plain = [key for key in keys if modality_of(key)]
    if any(len(key) > 1 for key in plain):
        return False
    if widths == {()}:
        return True  # [d] each
    if len(plain) == len(keys):  # names of one letter: only where all are
        return False
    if time_axis is not None and len(arrays) > 1 and all(len(rows.inner) == 1 for rows in arrays.values()):
        differ = len(arrays) > _FEW and len(widths) > 1 and len({rows.n for rows in arrays.values()}) == 1
        if time_axis or differ:
            return True
    return len(widths) == 1 and (told or len(arrays) > _FEW or len({rows.n for rows in arrays.values()}) > 1)


def by_id(arrays: Mapping[str, Rows | None], source: str, kind: str, name: str | None = None) -> Recognised:
    """Items by id: each array is one item's, which is all NaN where there is none.

    Raises:
        UserError: Their shapes do not fit each other, or those of the steps of one.
    """
    ids = list(arrays)
    there = [rows for rows in arrays.values() if rows is not None]
    if odd := next((key for key, rows in arrays.items() if rows is not None and None in rows.inner), None):
        raise wrong(f"{source}, {odd}", "has steps of different shapes", "Save one array for each item")
    shapes = [(rows.n, *rows.inner) for rows in there]
    inner = common_shape(cast("list[tuple[int, ...]]", shapes), source)
    dtype, every = there[0].dtype, list(arrays.values())

    def get(k: int) -> NDArray[Any]:
        rows = every[k]
        return nothing(inner) if rows is None else np.asarray(rows.read(np.arange(rows.n)))

    found = Features(name or name_of(_stem(source)), EachRows(get, len(ids), inner, dtype), source, ids)
    return Recognised(kind, [found], ids=f"keys of {source}")


def _are_steps(values: Mapping[str, Mapping[str, Value]]) -> bool:
    """Whether lists of arrays are each the time steps of an item, rather than the items of a modality."""
    unequal = len({len(one) for one in values.values()}) > 1
    return (unequal or len(values) > _FEW) and not any(map(modality_of, values))


def _each(held: Mapping[str, Value], source: str) -> Rows:
    """The arrays of a list as rows, one of each item."""
    every: list[Rows] = list(held.values())
    shapes = [(rows.n, *rows.inner) for rows in every]
    inner = common_shape(cast("list[tuple[int, ...]]", shapes), source)
    return EachRows(lambda k: np.asarray(every[k].read(np.arange(every[k].n))), len(every), inner, every[0].dtype)


def nothing(inner: Sequence[int | None]) -> NDArray[np.float32]:
    """Return the array of an item that has none: NaN, one step of time where their number is free."""
    return np.full([1 if size is None else size for size in inner], np.nan, np.float32)


def _stem(source: str) -> str:
    name = source.rpartition("/")[2].partition(",")[0]
    return name.partition(".")[0] or "features"


def _nested(values: Mapping[str, Mapping[str, Value]], source: str, kind: str) -> Recognised:
    """{expert: {id: array}}, {expert: {pooling: {id: array}}}, {id: {modality: array}}."""
    if all(isinstance(one, Listed) for one in values.values()) and _are_steps(values):
        return by_id({key: _each(one, f"{source}, {key}") for key, one in values.items()}, source, kind)
    first = next(iter(values.values()))
    if all(isinstance(one, Mapping) for one in first.values()) and first:
        chosen = {expert: _chosen(expert, pools, source) for expert, pools in values.items()}
        return _nested(chosen, source, kind)
    names = {key for value in values.values() for key in value}
    plain = all(modality_of(key) or role_of(key) for key in names)
    alike = len(values) > _FEW and all(len(value) == len(names) for value in values.values())
    if len(names) <= len(values) and (plain or alike):
        turned = {name: {one: value[name] for one, value in values.items() if name in value} for name in names}
        return _by_expert(turned, source, kind)
    return _by_expert(values, source, kind)


def _chosen(expert: str, pools: Mapping[str, Value], source: str) -> Mapping[str, Value]:
    for name in ("fixed_seg", "avg", "max"):  # all steps, where they are there: pooling is the user's choice
        if isinstance(pools.get(name), Mapping):
            found: Mapping[str, Value] = pools[name]
            return found
    raise wrong(f"{source}, {expert}", "has neither fixed_seg, avg nor max")


def _by_expert(values: Mapping[str, Mapping[str, Value]], source: str, kind: str) -> Recognised:
    found = Recognised(kind, [], ids=f"keys of {source}")
    for expert, items in values.items():
        role = role_of(expert)
        if role in ("labels", "captions", "splits"):
            told = {key: _fact(role, value, found, f"{source}, {expert}") for key, value in items.items()}
            getattr(found.facts, role).update({key: value for key, value in told.items() if value is not None})
            continue
        held = {
            key: None if is_missing(value) else _array(value, f"{source}, {expert}, {key}")
            for key, value in items.items()
        }
        if any(rows is not None for rows in held.values()):
            found.features += by_id(held, f"{source}, {expert}", kind, name_of(expert)).features
    return found


def _fact(role: str, value: Value, found: Recognised, source: str) -> Any:  # noqa: ANN401 - a text, texts, or None
    if role == "captions":
        return tuple(texts_of([value] if isinstance(value, str) else value, source))
    texts = labels_of(value if is_rows(value) else [value], found, source)
    return texts[0] if texts and len(texts) == 1 else None


def _array(value: Value, source: str) -> Rows:
    if is_rows(value):
        rows: Rows = value
        return rows
    raise wrong(source, "is no array of numbers")


def _by_row(values: Mapping[str, Value], source: str, kind: str, files: Mapping[str, str]) -> Recognised:
    roles = _roles(values)
    found = Recognised(kind, [], ids=f"{roles['ids']} of {source}" if "ids" in roles else "by row")
    ids = ids_of(values[roles["ids"]], f"{source}, {roles['ids']}", found) if "ids" in roles else None
    lengths = {name: key for key in values if (name := lengths_of(key))}
    named = _named_keys(values, roles.get("ids"), files)
    owners = _owners(values, roles, ids, source)
    masks = _masks(values, roles.values())
    for key, rows in values.items():
        if key in roles.values() or lengths_of(key) or role_of(key) or key in masks.values():
            continue
        where = files.get(key) or f"{source}, {key}"
        if not is_rows(rows) or not rows.inner or not is_float(rows):
            found.notes.append(f"{where} is no features ({_described(rows)}) and was left out.")
            continue
        name = name_of(key)
        own = ids if key in named else None
        if name == "text" and owners is not None and len(owners) == rows.n:
            own = owners
        elif name == "text" and own is not None and len(own) != rows.n:
            own = None  # several rows of an item: a table says whose, or the captions of the file
        sizes = step_counts(values[lengths[name]], rows.n, f"{source}, {lengths[name]}") if name in lengths else None
        one = Features(name, rows, where, own, sizes)
        found.features.append(
            _masked(one, values[masks[name]], f"{source}, {masks[name]}", found) if name in masks else one
        )
    if not found.features:
        raise wrong(source, f"holds no features (keys: {', '.join(values)})", "Name a file with arrays of floats")
    _take_facts(found, values, {role: (key, ids if key in named else None) for role, key in roles.items()}, source)
    return found


def _masks(values: Mapping[str, Value], told: Collection[str]) -> dict[str, str]:
    """Modality -> the key of its mask."""
    masks = {key: name for key in values if key not in told and is_rows(values[key]) and (name := mask_of(key))}
    held = {name_of(key) for key in values if key not in masks and key not in told and not lengths_of(key)}
    return {name: key for key, name in masks.items() if name in held}


def _masked(one: Features, mask: Rows, source: str, found: Recognised) -> Features:
    if len(one.rows.inner) < 2:
        found.notes.append(f"{source} is a mask of time steps, of which {one.name} has none: left out.")
        return one
    if is_padding_mask(source.rpartition(", ")[2]):
        said = "is a mask of padding, in which some tools write 1 for padding and others for what is none"
        raise wrong(source, said, f"Call it {one.name}_mask, with 1 for each step that counts")
    rows, lengths = masked(one.rows, mask, source)
    both = lengths if one.lengths is None else np.minimum(lengths, one.lengths)
    return replace(one, rows=rows, lengths=both)


def _named_keys(values: Mapping[str, Value], ids: str | None, files: Mapping[str, str]) -> set[str]:
    """The keys whose rows the ids name: those of their file where it holds features, else those of all files."""
    home = {key: files.get(key, "").removesuffix(f", {key}") for key in values}
    beside = {key for key in values if ids is not None and home[key] == home[ids]}
    held = any(is_rows(values[key]) and values[key].inner and not role_of(key) for key in beside)
    return beside if held else set(values)


def _described(value: Value) -> str:
    return f"{value.dtype} {[value.n, *value.inner]}" if is_rows(value) else type(value).__name__


def _roles(values: Mapping[str, Value]) -> dict[str, str]:
    roles: dict[str, str] = {}
    for key in sorted(values, key=rank_of):
        if (role := role_of(key)) and role != "unused":
            roles.setdefault(role, key)
    # `captions` and `texts` are texts where they are strings, and features where they are numbers
    for key, value in values.items():
        taken = key in roles.values() or role_of(key)
        if "captions" not in roles and not taken and name_of(key) == "text" and isinstance(value, Sequence):
            roles["captions"] = key
    return roles


def _owners(
    values: Mapping[str, Value], roles: Mapping[str, str], ids: Sequence[str] | None, source: str
) -> list[str] | None:
    if "owners" not in roles:
        return None
    key = roles["owners"]
    value, known = values[key], set(ids or ())
    if is_rows(value) and ids:
        numbers = integers_of(value, f"{source}, {key}")
        if not folded(key).endswith(_OF_ROWS) and set(map(str, numbers)) <= known:
            return [str(k) for k in numbers]
        if odd := next((k for k in numbers if not 0 <= k < len(ids)), None):
            raise wrong(f"{source}, {key}", f"names row {odd} of {len(ids)} items")
        return [ids[k] for k in numbers]
    owners = texts_of(value, f"{source}, {key}")
    if ids and (stranger := next((one for one in owners if one not in known), None)) is not None:
        said = f"has a caption of '{stranger}', which is no item of the ids beside it"
        raise wrong(f"{source}, {key}", said, "Correct the ids, or leave what is not needed out")
    return owners


def _take_facts(
    found: Recognised, values: Mapping[str, Value], roles: Mapping[str, tuple[str, list[str] | None]], source: str
) -> None:
    for role in ("splits", "labels"):
        key, ids = roles.get(role, ("", None))
        if key and (texts := labels_of(values[key], found, f"{source}, {key}")):
            if ids is None:
                found.row_facts[role] = texts
            elif len(texts) == len(ids):
                getattr(found.facts, role).update(
                    {one: text for one, text in zip(ids, texts, strict=True) if text is not None}
                )
            else:
                raise wrong(f"{source}, {key}", f"has {len(texts)} entries for {len(ids)} items")
    if "captions" in roles:
        key, ids = roles["captions"]
        captions = captions_of(values[key], f"{source}, {key}")
        rows = next((one for one in found.features if one.name == "text"), None)
        owners = rows.ids if rows and rows.ids and len(rows.ids) == len(captions) else ids
        if owners is None:
            found.row_facts["captions"] = captions
        elif len(owners) == len(captions):
            gathered: dict[str, list[str]] = {}
            for one, some in zip(owners, captions, strict=True):
                gathered.setdefault(one, []).extend(some)
            found.facts.captions.update({one: tuple(every) for one, every in gathered.items()})
