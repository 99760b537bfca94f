"""`webdataset`: shards of `<key>.<modality>.npy` with `.txt`, `.json` and `.cls` beside them, read in place."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final

from gramcli.exchange.arrays import EachRows, array_from, common_shape, read_npy_header, refuse_beyond
from gramcli.exchange.base import MOST_ITEM_BYTES, Facts, Features, Operand, Recognised, wrong
from gramcli.exchange.names import name_of
from gramcli.files.reading import open_regular
from gramcli.media.kinds import shown

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_ARRAYS: Final = ("npy", "npz", "pth", "pt")
_SHOWN: Final = 5  # endings that a note names
_TEXT_LIMIT: Final = 2**20
_HEADER_LIMIT: Final = 2**20  # bytes of a name or of attributes that a header may announce
_ARCHIVES_LIMIT: Final = 2**29  # bytes of arrays that archives within a shard may unpack to, all of them together
_GZIP: Final = b"\x1f\x8b"
_FACTS: Final = {"labels": ("label", "class"), "splits": ("split",)}


@dataclass(frozen=True)
class _Member:
    """Where a member's bytes are."""

    path: Path
    name: str
    offset: int
    size: int

    @property
    def source(self) -> str:
        """For messages."""
        return f"{shown(self.path)}, {self.name}"

    def data(self, limit: int = MOST_ITEM_BYTES) -> bytes:
        """Return its bytes."""
        if self.size > limit:
            raise wrong(self.source, f"has {self.size:,} bytes; at most {limit:,} are read")
        with open_regular(self.path) as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise wrong(self.source, "ends early", "Copy or download the shard again")
        return data


class _Bounded(io.RawIOBase):
    """A tar as its reader sees it: one piece of a header at a time, never all that it announces."""

    def __init__(self, file: IO[bytes], source: str) -> None:
        self._file, self._source = file, source

    def read(self, size: int = -1) -> bytes:
        """Read, at most what a header needs."""
        if not 0 <= size <= _HEADER_LIMIT:
            raise wrong(self._source, f"announces a header of {size:,} bytes", "Write the shard again")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        """Move."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell()

    def seekable(self) -> bool:
        """It is."""
        return True


def is_tar(one: Operand) -> bool:
    """Whether a file is a tar, or a compressed one."""
    return one.head[257:262] == b"ustar"


def read_tars(operands: Sequence[Operand]) -> Recognised | None:
    """Read shards in the order given, as one set."""
    for one in operands:
        if one.head.startswith(_GZIP) and one.path.name.endswith((".tar.gz", ".tgz")):
            raise wrong(
                shown(one.path), "is compressed, and its members cannot be read in place", "Unpack it: gunzip FILE"
            )
    if not all(is_tar(one) for one in operands):
        return None
    held: dict[str, dict[str, _Member]] = defaultdict(dict)
    facts, unread = Facts(), Counter[str]()
    for one in operands:
        for member in _members(one.path):
            key, ending = _key(member.name)
            *before, last = ending.split(".")
            if last in _ARRAYS:
                _put(held[".".join(before)], key, member)
            elif last in ("txt", "json", "cls"):
                _take_facts(facts, key, last, member)
            else:
                unread[ending] += 1
    if not held:
        had = f" but {_listed(unread)}" if unread else ""
        raise wrong(shown(operands[0].path), f"holds no features (.npy, .npz, .pth){had}", "Name shards of features")
    found = Recognised("webdataset", [], facts, ids="keys of the shards")
    if unread:
        found.notes.append(f"Members of {shown(operands[0].path)} that were not read: {_listed(unread)}.")
    for modality, members in held.items():
        refuse_beyond(len(members), shown(operands[0].path))
        found.features += _features(modality, members, operands[0].path)
    return found


def _listed(endings: Mapping[str, int]) -> str:
    """Endings of members, and how many have them, the most frequent first."""
    few = sorted(endings.items(), key=lambda pair: (-pair[1], pair[0]))[:_SHOWN]
    more = f" and {len(endings) - _SHOWN} more" if len(endings) > _SHOWN else ""
    return ", ".join(f"*.{ending[:40]} ({n:,})" for ending, n in few) + more


def _put(members: dict[str, _Member], key: str, member: _Member) -> None:
    if key in members:
        raise wrong(member.source, f"is a second one of the key '{key}', beside {members[key].source}")
    members[key] = member


def _members(path: Path) -> list[_Member]:
    found = []
    try:
        size = path.stat().st_size
        with open_regular(path) as file:
            bounded: Any = _Bounded(file, shown(path))
            with tarfile.TarFile(fileobj=bounded) as archive:
                for info in archive:
                    if info.isdir():
                        continue
                    _check(info, path, size)
                    found.append(_Member(path, info.name, info.offset_data, info.size))
                    archive.members = []  # type: ignore[attr-defined]  # the library keeps all, and none is asked for again
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise wrong(shown(path), f"is a damaged tar ({error})", "Copy or download the shard again") from error
    return found


def _check(info: tarfile.TarInfo, path: Path, size: int) -> None:
    """Refuse names that lead out of the archive, links and devices, and sizes beyond the file.

    Raises:
        UserError: It is so.
    """
    where = f"{shown(path)}, {info.name!r:.80}"
    if info.name.startswith("/") or ".." in PurePosixPath(info.name).parts:
        raise wrong(where, "is a name that leads out of the archive, as no shard of features has", "Write it again")
    if not info.isreg() or info.issparse():
        raise wrong(where, "is a link or a device, no file", "Write the shard again with the data themselves")
    if info.size < 0 or info.offset_data + info.size > size:
        raise wrong(where, f"declares {info.size:,} bytes, and the tar ends before", "Copy or download it again")


def _key(name: str) -> tuple[str, str]:
    """A sample's key and what follows its first dot, as webdataset has it.

    Example:
        >>> _key("a/0001.video.npy")
        ('a/0001', 'video.npy')
    """
    folder, slash, last = name.rpartition("/")
    stem, _, ending = last.partition(".")
    return f"{folder}{slash}{stem}", ending.casefold()


def _take_facts(facts: Facts, key: str, kind: str, member: _Member) -> None:
    text = member.data(_TEXT_LIMIT).decode("utf-8", "replace").strip()
    if kind == "txt" and text:
        facts.captions.setdefault(key, (text,))
    elif kind == "cls" and text:
        _take(facts, "labels", key, text, member)
    elif kind == "json":
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise wrong(member.source, f"is no JSON ({error})") from error
        if isinstance(value, dict):
            _take_json(facts, key, value, member)


def _take(facts: Facts, role: str, key: str, said: str, member: _Member) -> None:
    """Take a fact.

    Raises:
        UserError: Another member says something else.
    """
    if (known := getattr(facts, role).setdefault(key, said)) != said:
        what = f"gives the item '{key}' the {role[:-1]} '{said}', and another member '{known}'"
        raise wrong(member.source, what, "Correct one of them")


def _take_json(facts: Facts, key: str, value: dict[str, Any], member: _Member) -> None:
    for role, names in _FACTS.items():
        held = [value[name] for name in names if isinstance(value.get(name), str | int)]
        if told := [str(one) for one in held if not isinstance(one, bool)]:
            _take(facts, role, key, told[0], member)
    caption = value.get("caption")
    if isinstance(caption, str) and caption.strip():
        facts.captions.setdefault(key, (caption.strip(),))
    elif isinstance(caption, list) and caption and all(isinstance(one, str) for one in caption):
        facts.captions[key] = tuple(caption)


def _features(modality: str, members: dict[str, _Member], path: Path) -> list[Features]:
    every = list(members.values())
    source = f"{shown(path)}, {'*.' if modality else '*'}{modality}"
    if every[0].name.endswith(".npz"):
        return _many(modality, members, source)
    if every[0].name.endswith(".npy"):
        shapes, dtype = [], ""
        for member in every:
            shape, dtype = _shape(member)
            shapes.append(shape)
    else:
        first = _tensor(every[0])
        shapes, dtype = [_tensor(member).shape for member in every], str(first.dtype)

    def get(k: int) -> NDArray[Any]:
        return array_from(every[k].data(), every[k].source) if every[k].name.endswith(".npy") else _tensor(every[k])

    name = name_of(modality) if modality else name_of(path.stem)
    return [Features(name, EachRows(get, len(every), common_shape(shapes, source), dtype), source, list(members))]


def _shape(member: _Member) -> tuple[tuple[int, ...], str]:
    if not member.name.endswith(".npy"):
        raise wrong(member.source, "is of another kind than the others of its modality")
    if member.size > MOST_ITEM_BYTES:
        raise wrong(member.source, f"has {member.size:,} bytes for one item; at most {MOST_ITEM_BYTES:,} are read")
    with open_regular(member.path) as file:
        file.seek(member.offset)
        head = io.BytesIO(file.read(min(member.size, 12_000)))
    layout = read_npy_header(head, member.source)
    if layout.nbytes > member.size:
        raise wrong(member.source, f"declares {layout.nbytes:,} bytes of numbers and has {member.size:,}")
    return layout.shape, layout.name


def _tensor(member: _Member) -> NDArray[Any]:
    from gramcli.exchange.torch_files import tensor_of  # noqa: PLC0415 - torch loads where a .pth file is read

    return tensor_of(member.data(), member.source)


def _many(modality: str, members: dict[str, _Member], source: str) -> list[Features]:
    """Archives of several arrays for each item: each key is a modality."""
    held: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
    left = _ARCHIVES_LIMIT
    for key, member in members.items():
        for name, array in _unzipped(member).items():
            held[name][key] = array
            left -= array.nbytes
        if left < 0:
            said = f"and the archives before it unpack to more than {_ARCHIVES_LIMIT:,} bytes, which are held in memory"
            raise wrong(member.source, said, "Write each array as KEY.MODALITY.npy, or split the shard")
    found = []
    for name, arrays in held.items():
        every = list(arrays.values())
        inner = common_shape([array.shape for array in every], f"{source}, {name}")
        rows = EachRows(lambda k, every=every: every[k], len(every), inner, str(every[0].dtype))  # type: ignore[misc]
        stored = name_of(name) if len(held) > 1 or not modality else name_of(modality)
        found.append(Features(stored, rows, f"{source}, {name}", list(arrays)))
    return found


def _unzipped(member: _Member) -> dict[str, NDArray[Any]]:
    import zipfile  # noqa: PLC0415 - only such members need it

    try:
        with zipfile.ZipFile(io.BytesIO(member.data())) as archive:
            found, size = {}, 0
            for info in archive.infolist():
                size += info.file_size
                if size > MOST_ITEM_BYTES // 16:
                    raise wrong(member.source, f"unpacks to {size:,} bytes for one item")
                found[info.filename.removesuffix(".npy")] = array_from(archive.read(info), member.source)
            return found
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise wrong(member.source, f"is a damaged archive ({error})") from error
