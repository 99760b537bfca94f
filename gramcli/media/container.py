"""Reading any container through PyAV without losing what follows a bad packet."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import av
import av.logging

from gramcli.media.cutoff import is_cut_off, last_flv_time
from gramcli.media.foreign import foreign_picture, not_read
from gramcli.media.kinds import check_binary_media, looks_like_picture, undecodable
from gramcli.media.limits import MAX_FRAME_PIXELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# FFmpeg comments on every odd file on stderr; what matters reaches the user as an error.
av.logging.set_level(av.logging.PANIC)

# Every other demuxer is off: hls, dash, concat, sdp, imf, image2 and their kin open files and hosts named in a file.
# fmt: off
FORMATS: Final = (
    "mov", "matroska", "avi", "mpegts", "flv", "mpeg", "mpegvideo", "asf", "gif", "ogg", "h264", "hevc", "m4v", "av1",
    "obu", "ivf", "vc1", "vvc", "dirac", "cavsvideo", "mjpeg", "yuv4mpegpipe", "mxf", "nut", "nsv", "rm", "dv", "wtv",
    "wav", "w64", "mp3", "aac", "ac3", "eac3", "flac", "aiff", "au", "caf", "amr", "amrnb", "amrwb", "dts", "truehd",
    "mlp", "ape", "wv", "tta", "tak", "mpc", "mpc8", "voc",
)
# fmt: on
# FFmpeg conceals damage and hands out the patched frame unless told to fail.
_STRICT: Final = {"err_detect": "explode", "max_pixels": str(MAX_FRAME_PIXELS)}
# Seconds by which writers' ideas of a file's length differ.
_FLV_SLACK: Final = 0.5
_OPEN: Final = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}


@contextmanager
def open_container(path: Path, what: str) -> Iterator[Any]:
    """Open a media file by its content; nothing it names is opened with it.

    Args:
        path: The file, made absolute because FFmpeg reads `a:b.mp4` as a protocol.
        what: `video` or `audio`, for the message.

    Yields:
        PyAV's input container.

    Raises:
        UserError: Not a regular file, text, a playlist, a still picture, or nothing FFmpeg knows.
    """
    check_binary_media(path, what)
    if looks_like_picture(path):
        if foreign := foreign_picture(path, avif_is_read=True):
            raise not_read(path, foreign)
        raise undecodable(path, what, "it is a picture")
    try:
        # Tags in broken encodings are common and of no use here.
        container = av.open(str(path.absolute()), metadata_errors="ignore", options=dict(_OPEN))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise undecodable(path, what, error) from error
    with container:
        yield container


def strict_decoder(track: Any) -> Any:  # noqa: ANN401 - PyAV's objects
    """Return a track's decoder, told to fail on damage and to label each frame with its packet's `opaque`.

    Args:
        track: A video stream of an open container, of which nothing was decoded yet.

    Returns:
        PyAV's codec context, or None for a codec FFmpeg has no decoder for.
    """
    context = track.codec_context
    if context is not None:
        # One thread: files are decoded side by side, and threads within a file gain nothing on short clips.
        context.thread_type = "NONE"
        context.options = dict(_STRICT)
        context.copy_opaque = True
    return context


def packets(container: Any, stream: Any, notes: list[str]) -> Iterator[Any]:  # noqa: ANN401 - PyAV's objects
    """Yield the packets of one stream, ending early where the file does.

    Args:
        container: From `open_container`.
        stream: One of its streams.
        notes: Receives a `partial: ` note when the file cannot be read to its end.

    Yields:
        Packets in file order; the last one is empty and flushes the decoder.
    """
    try:
        yield from container.demux(stream)
    except (av.FFmpegError, OSError):
        notes.append("partial: the file cannot be read to its end")


def ends_early(path: Path, track: Any, times: Sequence[int]) -> list[str]:  # noqa: ANN401 - PyAV's objects
    """Return the note on a video whose frames do not fill the time its header states, if they fall short of it.

    Only FLV and MXF, which may end between two frames without a sign of it, and whose stated time is a promise:
    elsewhere FFmpeg derives it from what is there, or an index counts the frames.

    Args:
        path: The file.
        track: Its video track.
        times: When each frame is shown, in the track's time base.
    """
    name = track.container.format.name
    shown = sorted(times)
    if name not in {"flv", "mxf"} or len(shown) < 2:
        return []
    unit = float(track.time_base)
    # The last frame may stay as long as any other.
    gap = max(after - before for before, after in pairwise(shown)) * unit
    if name == "mxf":
        stated, slack = float(track.duration or 0) * unit, gap / 2
        reached = (shown[-1] - shown[0]) * unit + gap
    else:
        # Of the whole file: sound may go on when the picture has ended.
        stated, slack = float(track.container.duration or 0) / av.time_base, _FLV_SLACK
        reached = max(shown[-1] * unit, last_flv_time(path)) + gap
    return [f"partial: {reached:.1f} of {stated:.1f} s are there"] if stated - reached > slack else []


def cut_off(path: Path, container: Any) -> list[str]:  # noqa: ANN401 - PyAV's objects
    """Return the note on a file whose end is missing, if that shows."""
    return ["partial: the end of the file is missing"] if is_cut_off(path, container.format.name) else []
