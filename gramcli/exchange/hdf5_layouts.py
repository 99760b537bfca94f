"""`csd`, `ave`, `mmt`, `hdf5`: what the groups and datasets of HDF5 files are."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.arrays import EachRows, common_shape, refuse_beyond
from gramcli.exchange.base import Facts, Features, Operand, Recognised, wrong
from gramcli.exchange.container import interpret, nothing
from gramcli.exchange.hdf5 import MAGIC, array_of, hdf5_errors, is_tree, opened, tree_of
from gramcli.exchange.names import name_of, role_of
from gramcli.exchange.stored_arrays import time_axis_of
from gramcli.exchange.values import is_missing, is_rows
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AVE: Final = "avadataset"
_AVE_CLASSES: Final = 29  # 28 events, and what is between them
_SUFFIXES: Final = (".h5", ".hdf5", ".hdf")
_EXPERT: Final = re.compile(r"features\.(.+)")
_CAPTION: Final = re.compile(r"raw_captions\.(\d+)")
_SPLIT: Final = re.compile(r"(train|val|test)")
_Found = tuple[Path, tuple[int, ...], str]  # where an expert's features of a video are, their shape and number type


def _all_hdf5(operands: Sequence[Operand]) -> bool:
    return all(one.head.startswith(MAGIC) for one in operands)


def read_csd(operands: Sequence[Operand]) -> Recognised | None:
    """Read CMU-MultimodalSDK's computational sequences, each a modality: `/<root>/data/<video>/features`."""
    if not _all_hdf5(operands):
        return None
    found = Recognised("csd", [], ids="names of segments", shared_space=False)
    for one in operands:
        with hdf5_errors(one.path), opened(one.path) as file:
            roots = [key for key in file if _is_sequence(file, key)]
        if len(roots) != 1:
            return None
        if "label" in roots[0].casefold() and len(operands) > 1:
            found.notes.append(f"{shown(one.path)} holds labels of segments, which are no features: left out.")
            continue
        found.features.append(_sequence(one, roots[0]))
    return found if found.features else None


def _is_sequence(file: Any, key: str) -> bool:  # noqa: ANN401 - the library's
    import h5py  # noqa: PLC0415 - only these formats need it

    held = file.get(key, getlink=True)
    return (
        isinstance(held, h5py.HardLink) and isinstance(file[key], h5py.Group) and {"data", "metadata"} <= set(file[key])
    )


def _sequence(one: Operand, root: str) -> Features:
    tree = tree_of(one.path)[root]["data"]
    held = {key: value["features"] for key, value in tree.items() if is_tree(value) and is_rows(value.get("features"))}
    if not held:
        raise wrong(shown(one.path), f"has no features below {root}/data")
    source = f"{shown(one.path)}, {root}"
    inner = common_shape([(rows.n, *rows.inner) for rows in held.values()], source)
    every = list(held.values())
    refuse_beyond(len(every), source)

    def get(k: int) -> NDArray[Any]:
        rows = every[k]
        return np.asarray(rows.read(np.arange(rows.n)))

    name = one.name or name_of(root)
    return Features(name, EachRows(get, len(every), inner, every[0].dtype), source, list(held))


def read_ave(operands: Sequence[Operand]) -> Recognised | None:
    """Read AVE's `visual_feature.h5`, `audio_feature.h5`, `labels.h5` and `*_order.h5`."""
    if not _all_hdf5(operands):
        return None
    trees = {one.path: tree_of(one.path) for one in operands}
    if not any(_AVE in tree for tree in trees.values()) or not all(
        {_AVE, "order"} & set(tree) for tree in trees.values()
    ):
        return None
    found = Recognised("ave", [], shared_space=False)
    for path, tree in trees.items():
        if _AVE in tree:
            _take_ave(found, path, tree[_AVE])
    if not found.features:
        raise wrong(shown(operands[0].path), "holds labels and no features", "Name visual_feature.h5 beside it")
    orders = {path: tree["order"] for path, tree in trees.items() if "order" in tree}
    if orders:
        found.row_facts["splits"] = _ave_splits(orders, found.features[0].rows.n)
    return found


def _take_ave(found: Recognised, path: Path, rows: Any) -> None:  # noqa: ANN401 - rows
    if not is_rows(rows) or not rows.inner:
        raise wrong(f"{shown(path)}, {_AVE}", "is no array of features")
    if "label" in path.stem.casefold() or rows.dtype.startswith(("int", "uint")):
        every = np.asarray(rows.read(np.arange(rows.n)), dtype=np.float64).reshape(rows.n, -1, rows.inner[-1])
        found.row_facts["labels"] = list(map(str, _ave_events(every.sum(axis=1)).tolist()))
        return
    name = "video" if len(rows.inner) > 2 else "audio" if rows.inner[-1] == 128 else name_of(path.stem)
    found.features.append(Features(name, rows, f"{shown(path)}, {_AVE}"))


def _ave_events(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The event of each video, [n, classes] -> [n]: the last of AVE's 29 classes is no event, however long it lasts."""
    found: NDArray[np.int64] = seconds.argmax(axis=1)
    if seconds.shape[1] == _AVE_CLASSES:
        events = seconds[:, :-1]
        found = np.where(events.any(axis=1), events.argmax(axis=1), _AVE_CLASSES - 1)
    return found


def _ave_splits(orders: Mapping[Path, Any], n: int) -> list[str | None]:
    splits: list[str | None] = [None] * n
    for path, rows in orders.items():
        named = _SPLIT.search(path.stem)
        if named is None or not is_rows(rows):
            raise wrong(shown(path), "names no split; its file is called train_order.h5, val_order.h5 or test_order.h5")
        for k in np.asarray(rows.read(np.arange(rows.n))).reshape(-1).tolist():
            if not 0 <= int(k) < n:
                raise wrong(f"{shown(path)}, order", f"names item {k} of {n:,}")
            splits[int(k)] = named[1]
    return splits


def read_mmt(operands: Sequence[Operand]) -> Recognised | None:
    """Read MMT's files, one for each video, or a folder above them: `features.<expert>`, `raw_captions.<i>`."""
    paths = _files_of(operands)
    if not paths or not _is_mmt(paths[0]):
        return None
    refuse_beyond(len(paths), shown(operands[0].path))
    experts: dict[str, dict[str, _Found | None]] = defaultdict(dict)
    facts = Facts()
    for path in paths:
        if path.stem in facts.captions or any(path.stem in held for held in experts.values()):
            raise wrong(shown(path), f"is a second file of the video '{path.stem}'")
        _look_at(path, experts, facts)
    found = Recognised("mmt", [], facts, ids="names of files", shared_space=False)
    for expert, held in experts.items():
        if any(held.values()):
            found.features.append(_expert(expert, held, shown(operands[0].path)))
    return found if found.features else None


def _files_of(operands: Sequence[Operand]) -> list[Path]:
    if all(one.head.startswith(MAGIC) for one in operands):
        return [one.path for one in operands]
    if len(operands) != 1 or not operands[0].is_folder:
        return []
    found = []
    for folder, _, names in os.walk(operands[0].path):
        found += [Path(folder, name) for name in names if name.endswith(_SUFFIXES) and not name.startswith(".")]
    return sorted(found, key=lambda path: path.name)


def _is_mmt(path: Path) -> bool:
    with hdf5_errors(path), opened(path) as file:
        return any(_EXPERT.fullmatch(key) for key in file)


def _look_at(path: Path, experts: dict[str, dict[str, _Found | None]], facts: Facts) -> None:
    tree = tree_of(path)
    captions: dict[int, str] = {}
    for key, value in tree.items():
        if (named := _EXPERT.fullmatch(key)) and is_rows(value):
            there = (path, (value.n, *value.inner), value.dtype)
            experts[named[1]][path.stem] = None if is_missing(value) else there
        elif (named := _CAPTION.fullmatch(key)) and isinstance(value, list):
            captions[int(named[1])] = " ".join(value)
    if captions:
        facts.captions[path.stem] = tuple(captions[k] for k in sorted(captions))


def _expert(expert: str, held: Mapping[str, _Found | None], source: str) -> Features:
    where = f"{source}, features.{expert}"
    there = [one for one in held.values() if one is not None]
    inner = common_shape([shape for _, shape, _ in there], where)
    every = [one and one[0] for one in held.values()]

    def get(k: int) -> NDArray[Any]:
        path = every[k]
        return nothing(inner) if path is None else array_of(path, f"features.{expert}")

    dtype = there[0][2]
    return Features(name_of(expert), EachRows(get, len(every), inner, dtype), where, list(held))


def read_hdf5(operands: Sequence[Operand]) -> Recognised | None:
    """Read any other HDF5 file: a dataset [n, d] for each modality, or a dataset or a group for each item."""
    if not _all_hdf5(operands):
        return None
    values: dict[str, Any] = {}
    files: dict[str, str] = {}
    for one in operands:
        tree = tree_of(one.path)
        while len(tree) == 1 and is_tree(next(iter(tree.values()))):
            tree = next(iter(tree.values()))
        for key, value in tree.items():
            if key in values and role_of(key) and value == values[key]:
                continue  # ids that both files hold
            name = f"{one.path.stem}_{key}" if key in values else key
            if name in values or (key in values and role_of(key)):
                raise wrong(shown(one.path), f"has the key '{key}' of another file", "Import them apart and join")
            values[name] = value
            files[name] = f"{shown(one.path)}, {key}"
    source = (
        shown(operands[0].path) if len(operands) == 1 else f"{shown(operands[0].path)} and {len(operands) - 1} more"
    )
    return interpret(values, source, "hdf5", files, time_axis_of(operands))
