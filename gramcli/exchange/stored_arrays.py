"""`arrays`: .npy, .npz, .safetensors and .pt, one array for each modality, and GRAM's dumps among them."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping, Sequence
from math import prod
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from gramcli.exchange.arrays import (
    BF16,
    NPY,
    ArrayRows,
    FileRows,
    Layout,
    StreamRows,
    checked_layout,
    read_npy_header,
    refuse_beyond,
    text_rows,
)
from gramcli.exchange.base import MOST_ITEM_BYTES, Operand, Recognised, Rows, wrong
from gramcli.exchange.container import interpret
from gramcli.exchange.names import folded, role_of
from gramcli.exchange.opening import operands_of
from gramcli.exchange.text_room import TextRoom
from gramcli.exchange.values import is_rows
from gramcli.files.reading import open_regular
from gramcli.media.kinds import shown
from gramcli.modalities import LETTERS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ZIP: Final = b"PK\x03\x04"
TORCH: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_MOST_MEMBERS: Final = 1_000_000
_MOST_RATIO: Final = 100  # features do not compress so well; a bomb does
_SMALL: Final = 64 * 2**20
_PIECE: Final = 2**16  # texts that are read at a time
_LARGEST_HEADER: Final = 100 * 2**20
_SAFE: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
                "I8": "|i1", "U8": "|u1", "BOOL": "|b1", "U16": "<u2", "U32": "<u4", "U64": "<u8"}  # fmt: skip
_LOCAL_HEADER: Final = 30
_LONGEST_SINGLE: Final = 2**20  # bytes of a value that is no array
_GRAM: Final = ("feat_t", "feat_v", "feat_a", "feat_s", "feat_d")


def read_arrays(operands: Sequence[Operand]) -> Recognised | None:
    """Read files of arrays as one: modalities from one, ids from another."""
    operands = [part for one in operands for part in _modalities_in(one)]
    if any(kind_of(one) is None for one in operands):
        return None
    values: dict[str, Any] = {}
    files: dict[str, str] = {}
    for one in operands:
        held = _named(one, values_of(one))
        for key, value in held.items():
            if key in values:
                remedy = "Write name=FILE for each" if one.name is None else "Give each a name of its own"
                raise wrong(shown(one.path), f"has the key '{key}' of another file", remedy)
            values[key] = value
            files[key] = shown(one.path) if len(held) == 1 else f"{shown(one.path)}, {key}"
    return interpret(values, _files(operands), "arrays", files, time_axis_of(operands))


def _modalities_in(one: Operand) -> list[Operand]:
    """The files of a folder whose names are modalities, text.npy and video.npy, and of ids; else the operand itself."""
    if one.name is not None or not one.is_folder:
        return [one]
    paths = sorted(path for path in one.path.glob("*.npy") if not path.name.startswith("."))
    named = [path.stem in LETTERS.values() for path in paths]
    if not any(named) or not all(of or role_of(path.stem) for of, path in zip(named, paths, strict=True)):
        return [one]
    return operands_of(paths, one.texts, one.time_axis)


def read_gram(operands: Sequence[Operand]) -> Recognised | None:
    """Read what GRAM's and VAST's evaluation code gathers: `feat_t`, `feat_v`, `feat_a`, `ids`, `ids_txt`."""
    if any(kind_of(one) is None for one in operands):
        return None
    values: dict[str, Any] = {}
    for one in operands:
        values |= values_of(one)
    keys = {folded(key) for key in values}
    if "feat_t" not in keys and len(keys & set(_GRAM)) < 2:
        return None
    found = interpret(values, _files(operands), "gram")
    found.shared_space = True  # the features behind the contrastive heads, which are trained for it
    return found


def time_axis_of(operands: Sequence[Operand]) -> int | None:
    """Which axis of an item's array is time; None where the user named modalities, so that keys are no items."""
    return None if any(one.name for one in operands) else operands[0].time_axis


def _files(operands: Sequence[Operand]) -> str:
    first = shown(operands[0].path)
    return first if len(operands) == 1 else f"{first} and {len(operands) - 1} more"


def kind_of(one: Operand) -> str | None:
    """Return npy, npz, safetensors or pt by how a file begins; None of other files."""
    if one.head.startswith(NPY):
        return "npy"
    if one.head.startswith(TORCH):
        return "pt"
    if one.head.startswith(ZIP):
        return _kind_of_zip(one.path)
    size = int.from_bytes(one.head[:8], "little")
    return "safetensors" if one.head[8:9] == b"{" and 2 <= size <= _LARGEST_HEADER else None


def _kind_of_zip(path: Path) -> str | None:
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        raise wrong(shown(path), f"is a damaged archive ({error})", "Copy or download it again") from error
    if any(name.endswith("/data.pkl") for name in names):
        return "pt"
    return "npz" if names and any(name.endswith(".npy") for name in names) else None


def values_of(one: Operand) -> dict[str, Any]:
    """Return what one file of arrays holds, by key; a single array has the empty key.

    Raises:
        UserError: The file is damaged, or holds what only a pickle can.
    """
    kind = kind_of(one)
    if kind == "npy":
        return {"": npy_rows(one.path)}
    if kind == "npz":
        return npz_values(one.path)
    if kind == "pt":
        from gramcli.exchange.torch_files import torch_values  # noqa: PLC0415 - torch loads where a .pt file is read

        return torch_values(one.path)
    return safetensors_values(one.path)


def _named(one: Operand, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the features of a file the name it was given, or its own where it holds one array."""
    features = [key for key, value in values.items() if is_rows(value) and value.inner and not role_of(key)]
    if one.name is None:
        return {one.path.stem if key == "" else key: value for key, value in values.items()}
    if len(features) != 1:
        keys = ", ".join(features) or "none"
        raise wrong(f"{one.name}={shown(one.path)}", f"names one modality, and the file holds {keys}", "Leave it out")
    return {one.name if key == features[0] else key: value for key, value in values.items()}


def npy_rows(path: Path) -> Any:  # noqa: ANN401 - rows, or a list of texts
    """Return the rows of an .npy file, which stay in it; texts are read.

    Raises:
        UserError: As `read_npy_header`; the file is shorter than it says.
    """
    with open_regular(path) as file:
        layout = read_npy_header(file, shown(path))
        offset = file.tell()
    return _texts_or(FileRows(path, offset, layout, shown(path)), layout, TextRoom(), shown(path))


def _texts_or(rows: Rows, layout: Layout, room: TextRoom, source: str) -> Any:  # noqa: ANN401 - rows, or a list of texts
    """Texts as a list, numbers as rows."""
    if layout.dtype.kind not in "SU" or layout.nbytes > MOST_ITEM_BYTES:
        return rows
    n = prod(layout.shape)
    refuse_beyond(n, source)
    room.take(n, layout.nbytes // (4 if layout.dtype.kind == "U" else 1), source)
    found: list[Any] = []
    for start in range(0, rows.n, _PIECE):
        found += text_rows(np.asarray(rows.read(np.arange(start, min(rows.n, start + _PIECE)))))
    return found


def npz_values(path: Path) -> dict[str, Any]:
    """Return the arrays of an .npz file by key: read in place where they are stored, as streams where compressed.

    Raises:
        UserError: It is damaged, or declares more than it can hold.
    """
    values: dict[str, Any] = {}
    room = TextRoom()
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise wrong(shown(path), f"has {len(members):,} members; at most {_MOST_MEMBERS:,} are read")
        for member in members:
            if member.filename.endswith(".npy"):
                values[member.filename[:-4]] = _member(path, archive, member, room)
    return values


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: TextRoom) -> Any:  # noqa: ANN401 - rows or texts
    source = f"{shown(path)}, {member.filename[:-4]}"
    if member.flag_bits & 1:
        raise wrong(source, "is encrypted", "Write it without a password")
    if member.file_size > _MOST_RATIO * max(1, member.compress_size) and member.file_size > _SMALL:
        raise wrong(source, f"unpacks {member.compress_size:,} bytes to {member.file_size:,}, as no features do")
    try:
        with archive.open(member) as stream:
            layout = read_npy_header(stream, source)
            begin = stream.tell()
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise wrong(source, f"is damaged ({error})", "Copy or download it again") from error
    if begin + layout.nbytes != member.file_size:
        had = f"{list(layout.shape)} {layout.name} in {member.file_size - begin:,} bytes"
        raise wrong(source, f"is not what its header declares: {had}")
    if not layout.shape:
        return _single(path, member, begin, layout, source)
    rows: Rows
    if member.compress_type == zipfile.ZIP_STORED:
        rows = FileRows(path, _data_offset(path, member, source) + begin, layout, source)
    else:
        rows = StreamRows(lambda: _opened_member(path, member, begin), layout, source)
    return _texts_or(rows, layout, room, source)


def _single(path: Path, member: zipfile.ZipInfo, begin: int, layout: Layout, source: str) -> Any:  # noqa: ANN401 - as above
    """A number or a text that stands beside arrays, as one of one row."""
    if layout.nbytes > _LONGEST_SINGLE:
        raise wrong(source, f"is one value of {layout.nbytes:,} bytes", "Leave it out")
    try:
        with _opened_member(path, member, begin) as stream:
            value = np.frombuffer(stream.read(layout.nbytes), layout.dtype)
    except Exception as error:  # what a damaged stream raises is the library's affair
        raise wrong(source, f"is damaged ({error})", "Copy or download it again") from error
    return text_rows(value) if layout.dtype.kind in "SU" else ArrayRows(value)


def _data_offset(path: Path, member: zipfile.ZipInfo, source: str) -> int:
    """Where the bytes of a stored member begin: after its local header, whose extra field has a length of its own."""
    with open_regular(path) as file:
        head = os.pread(file.fileno(), _LOCAL_HEADER, member.header_offset)
    if len(head) < _LOCAL_HEADER or not head.startswith(ZIP):
        raise wrong(source, "is damaged (no local header)", "Copy or download it again")
    name, extra = struct.unpack_from("<HH", head, 26)
    return int(member.header_offset + _LOCAL_HEADER + name + extra)


class _Member(io.RawIOBase):
    """A member of an archive that closes the archive with itself."""

    def __init__(self, path: Path, member: zipfile.ZipInfo) -> None:
        self._archive = zipfile.ZipFile(path)
        self._stream = self._archive.open(member)

    def read(self, size: int = -1) -> bytes:
        """Read."""
        return self._stream.read(size)

    def close(self) -> None:
        """Close both."""
        self._stream.close()
        self._archive.close()
        super().close()


def _opened_member(path: Path, member: zipfile.ZipInfo, skip: int) -> IO[bytes]:
    stream: Any = _Member(path, member)
    stream.read(skip)
    opened: IO[bytes] = stream
    return opened


def safetensors_values(path: Path) -> dict[str, Any]:
    """Return the tensors of a .safetensors file by key; the header is checked, the numbers stay in the file.

    Raises:
        UserError: It is damaged.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - only this format needs it

    try:
        with safe_open(path, framework="np"):  # the library checks what the offsets say
            pass
        with open_regular(path) as file:
            size = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(size))
        header.pop("__metadata__", None)
        return {key: _tensor(path, key, entry, 8 + size) for key, entry in header.items()}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise wrong(shown(path), f"is no safetensors file that can be read ({error})", "Write it again") from error


def _tensor(path: Path, key: str, entry: Mapping[str, Any], begin: int) -> Rows:
    source = f"{shown(path)}, {key}"
    if entry["dtype"] not in _SAFE:
        raise wrong(source, f"is of type {entry['dtype']}", "Save it as float32")
    shape = tuple(int(one) for one in entry["shape"])
    layout = checked_layout(Layout(shape, np.dtype(_SAFE[entry["dtype"]]), bf16=entry["dtype"] == "BF16"), source)
    if not shape:
        return ArrayRows(np.zeros(0, np.int64), dtype=BF16)
    return FileRows(path, begin + int(entry["data_offsets"][0]), layout, source)


def in_memory(array: NDArray[Any]) -> Rows:
    """Rows of an array that is in memory; of a single number, none."""
    return ArrayRows(array if array.ndim else array.reshape(1))
