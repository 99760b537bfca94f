"""`folder`: one file for each item, `<id>.npy` or `<id>_<key>.npy`, as video_features and HowTo100M write."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gramcli.exchange.arrays import EachRows, common_shape, refuse_beyond
from gramcli.exchange.base import Facts, Features, Operand, Recognised, wrong
from gramcli.exchange.item_files import SUFFIXES, loaded, shape_of
from gramcli.exchange.names import name_of
from gramcli.files.reading import read_regular
from gramcli.media.kinds import shown
from gramcli.media.text import decode_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_KEYED: Final = re.compile(r"(.+)_([A-Za-z][A-Za-z0-9]*)")
# fmt: off
_KNOWN: Final = frozenset({
    "clip", "resnet", "timm", "s3d", "r21d", "vggish", "rgb", "flow", "i3d", "raft", "pwc", "fps", "timestamps_ms",
    "text", "video", "audio", "image", "vision", "visual",
})
# fmt: on
_NO_FEATURES: Final = frozenset({"fps", "timestamps_ms"})
_OTHERS: Final = (".npy", ".npz", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".hdf5", ".parquet", ".safetensors", ".tar")
_CAPTION_LIMIT: Final = 2**20


def read_folder(operands: Sequence[Operand]) -> Recognised | None:
    """Read one folder of a file for each item, .npy, or where there is none .pkl, .pt; `name=FOLDER` names all."""
    if len(operands) != 1 or not operands[0].is_folder:
        return None
    one = operands[0]
    suffix, files = _first_files(one.path)
    if not files:
        return None
    keyed = _keyed([path.stem for path in files.values()], one.name)
    modalities: dict[str, dict[str, Path]] = defaultdict(dict)
    for stem, path in files.items():
        key, identity = keyed[stem]
        if key in _NO_FEATURES:
            continue
        known = modalities[key]
        if identity in known:
            raise wrong(shown(path), f"is a second file of '{identity}', beside {shown(known[identity])}")
        known[identity] = path
    found = Recognised("folder", [], ids="names of files", shared_space=None)
    for key, paths in modalities.items():
        name = one.name or (name_of(key) if key else name_of(one.path.resolve().name))
        found.features.append(_features(name, paths, shown(one.path)))
    if not found.features:
        return None
    found.notes += _left_out(one.path, suffix)
    found.facts = _captions(one.path, {identity for paths in modalities.values() for identity in paths})
    return found


def _first_files(folder: Path) -> tuple[str, dict[str, Path]]:
    """The first suffix of which a folder has files, and these."""
    for suffix in SUFFIXES:
        if files := _files(folder, suffix):
            return suffix, files
    return "", {}


def _files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of a folder by stem, in the order of their names; those of folders below are not looked at."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(suffix))
    except OSError as error:
        raise wrong(shown(folder), f"cannot be read ({error.strerror})", "Check its permissions") from error
    refuse_beyond(len(names), shown(folder))
    return {name.removesuffix(suffix): folder / name for name in names if not name.startswith(".")}


def _left_out(folder: Path, suffix: str) -> list[str]:
    """Say which features of a folder are not read: those of other formats, and folders below."""
    with os.scandir(folder) as entries:
        held = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    others = tuple(one for one in _OTHERS if one != suffix)
    files = [name for name, below in held if not below and name.lower().endswith(others)]
    folders = [name for name, below in held if below]
    said = (
        [f"{len(files):,} file{'s' * (len(files) > 1)} of features that are no {suffix}, such as '{files[0]}'"]
        if files
        else []
    )
    said += [f"{len(folders):,} folder{'s' * (len(folders) > 1)}, such as '{folders[0]}'"] if folders else []
    return [f"Of {shown(folder)} were not read: {' and '.join(said)}."] if said else []


def _keyed(stems: Sequence[str], name: str | None) -> dict[str, tuple[str, str]]:
    """Stem -> key and id. An ending is a key where it is a known one, or where it ends every file."""
    found = {stem: _ending(stem) for stem in stems}
    endings = Counter(key for key, _ in found.values())
    common = len(endings) == 1 and len(stems) > 1
    keyed = {stem: (key, one) for stem, (key, one) in found.items() if key in _KNOWN or (key and common)}
    if name is not None and len(held := {key for key, _ in keyed.values() if key not in _NO_FEATURES}) > 1:
        raise wrong(f"{name}=FOLDER", f"names one modality, and the folder holds {', '.join(held)}", "Leave it out")
    return {stem: keyed.get(stem, ("", stem)) for stem in stems}


def _ending(stem: str) -> tuple[str, str]:
    """The key that a stem ends in, and the id before it."""
    for key in _KNOWN:
        if stem.endswith(f"_{key}") and len(stem) > len(key) + 1:
            return key, stem[: -len(key) - 1]
    match = _KEYED.fullmatch(stem)
    return (match[2], match[1]) if match else ("", stem)


def _features(name: str, paths: dict[str, Path], source: str) -> Features:
    found = [shape_of(path) for path in paths.values()]
    inner = common_shape([shape for shape, _ in found], source)
    every = list(paths.values())

    def get(k: int) -> NDArray[Any]:
        return loaded(every[k])

    return Features(name, EachRows(get, len(every), inner, found[0][1]), source, list(paths))


def _captions(folder: Path, ids: set[str]) -> Facts:
    """Texts that clip-video-encode leaves beside the features: `<id>.txt`."""
    facts = Facts()
    for identity in sorted(ids):
        path = folder / f"{identity}.txt"
        if path.is_file():
            text = decode_text(_caption(path))
            if text and text.strip():
                facts.captions[identity] = (text.strip(),)
    return facts


def _caption(path: Path) -> bytes:
    try:
        return read_regular(path, _CAPTION_LIMIT)
    except OSError as error:
        said = f"is the caption of an item, and cannot be read ({error.strerror})"
        raise wrong(shown(path), said, "Move it elsewhere") from error
