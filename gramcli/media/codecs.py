"""What a file calls the codecs of its tracks: FFmpeg keeps no name for one it does not know."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from gramcli.files.reading import open_regular

if TYPE_CHECKING:
    from pathlib import Path

_SCANNED: Final = 2**22
# The first entry of an MP4's sample description, and a Matroska track's CodecID.
_MP4: Final = re.compile(rb"stsd.{4}.{4}.{4}(.{4})", re.DOTALL)
_MATROSKA: Final = re.compile(rb"\x86([\x81-\xc0])([VASB]_[A-Z0-9/_.]+)")


def codec_names(path: Path, container: Any) -> dict[int, str]:  # noqa: ANN401 - PyAV's container
    """Return the codecs' names as the file spells them, for the streams that FFmpeg has no decoder for.

    Args:
        path: The file.
        container: The file, opened.

    Returns:
        Stream index to name, where one was found.
    """
    unknown = [stream.index for stream in container.streams if stream.type != "data" and stream.codec_context is None]
    if not unknown:
        return {}
    ends = _ends(path)
    if container.format.name.startswith("matroska"):
        found = [name[: length[0] & 0x7F] for length, name in _MATROSKA.findall(ends)]
    else:
        found = _MP4.findall(ends)
    names = [name.decode("latin-1").strip("\0 ") for name in found]
    # One description for each stream, or the file is of another kind than thought.
    whole = len(names) == len(container.streams)
    return {index: names[index] for index in unknown if whole and names[index].isprintable()}


def _ends(path: Path) -> bytes:
    """Read both ends of a file, where an index stands."""
    size = path.stat().st_size
    with open_regular(path) as file:
        head = file.read(_SCANNED)
        file.seek(max(len(head), size - _SCANNED))
        return head + file.read()
