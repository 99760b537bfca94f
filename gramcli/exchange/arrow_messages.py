"""The messages of an Arrow stream, looked at before the library reads them: it unpacks what is packed whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from gramcli.exchange.base import wrong

if TYPE_CHECKING:
    from pathlib import Path

_HEADER: Final = 2  # of a message
_DATA: Final = 1  # of a dictionary batch
_COMPRESSION: Final = 3  # of a record batch
_Table = tuple[bytes, int]


def refuse_packed(path: Path, source: str) -> None:
    """Refuse a stream with packed buffers: a few bytes of them can stand for any number, and all are unpacked at once.

    Args:
        path: Of an Arrow file in stream form.
        source: The file, for the message.

    Raises:
        UserError: It has some.
        struct.error: It is damaged.

    Source: Arrow's columnar format, Message.fbs; FlatBuffers' internals.
    """
    for kind, header in _headers(path):
        batch = _table(header, _DATA) if kind == "dictionary" else header
        if kind != "schema" and _place(batch, _COMPRESSION):
            remedy = "Save it again with datasets' save_to_disk, which packs nothing"
            raise wrong(source, "is packed, and its columns cannot be read in place", remedy)


def _headers(path: Path) -> Iterator[tuple[str, _Table]]:
    """Kind and header of each message; bodies are mapped and not read."""
    import pyarrow as pa  # noqa: PLC0415 - only this format needs it

    with pa.memory_map(str(path), "r") as file:
        reader: Any = pa.ipc.MessageReader.open_stream(file)
        for message in reader:
            data = message.metadata.to_pybytes()
            yield message.type, _table((data, struct.unpack_from("<I", data)[0]), _HEADER)


def _place(table: _Table, field: int) -> int:
    """Where a field of a FlatBuffers table stands; 0 where it is not."""
    data, start = table
    fields = start - struct.unpack_from("<i", data, start)[0]
    slot = 4 + 2 * field
    (size,) = struct.unpack_from("<H", data, fields)
    (offset,) = struct.unpack_from("<H", data, fields + slot) if slot < size else (0,)
    return int(start + offset) if offset else 0


def _table(table: _Table, field: int) -> _Table:
    """The table that a field refers to."""
    place = _place(table, field)
    return table[0], place + struct.unpack_from("<I", table[0], place)[0]
