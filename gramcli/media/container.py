"""Reading any container through PyAV without losing what follows a bad packet."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import av
import av.logging

from gramcli.media.kinds import check_binary_media, undecodable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# FFmpeg comments on every odd file on stderr; what matters reaches the user as an error.
av.logging.set_level(av.logging.PANIC)


@contextmanager
def open_container(path: Path, what: str) -> Iterator[Any]:
    """Open a media file by its content.

    Args:
        path: The file, made absolute because FFmpeg reads `a:b.mp4` as a protocol.
        what: `video` or `audio`, for the message.

    Yields:
        PyAV's input container.

    Raises:
        UserError: Not a regular file, text, a playlist, a still picture, or nothing FFmpeg knows.
    """
    check_binary_media(path, what)
    try:
        # Tags in broken encodings are common and of no use here.
        container = av.open(str(path.absolute()), metadata_errors="ignore", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise undecodable(path, what, error) from error
    with container:
        # FFmpeg opens a JPEG or PNG as a video of one frame.
        if container.format.name.endswith("_pipe") or container.format.name == "image2":
            raise undecodable(path, what, "it is a picture")
        yield container


def packets(container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401 - PyAV's objects
    """Yield the packets of one stream, ending early where the file does.

    Args:
        container: From `open_container`.
        stream: One of its streams.

    Yields:
        Packets in file order; the last one is empty and flushes the decoder.
    """
    try:
        yield from container.demux(stream)
    except (av.FFmpegError, OSError):
        return


def decode(packet: Any) -> list[Any]:  # noqa: ANN401 - PyAV's objects
    """Return the frames one packet completes: none when it is damaged.

    Args:
        packet: From `packets`.

    Returns:
        Decoded frames in display order.
    """
    if packet.stream.codec_context is None:  # a codec FFmpeg has no decoder for
        return []
    try:
        return list(packet.decode())
    except (av.FFmpegError, OSError):
        return []
