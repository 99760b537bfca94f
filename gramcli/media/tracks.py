"""Which track of a file holds its content: FFmpeg's choice among those that decode, and what it passes over.

The place of a track says nothing: thumbnails, empty tracks and codecs that nobody can decode stand first as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import av

from gramcli.media.codecs import codec_names
from gramcli.media.container import open_container

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ATTACHED_PICTURE: Final = 0x400
_STILL_IMAGE: Final = 0x100000
# Codecs of single pictures; a track of them that is smaller than the clip beside it shows thumbnails.
_PICTURE_CODECS: Final = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpeg2000", "jpegls"})
# FFmpeg's own weights: a track marked as the default outweighs any difference in size below 5 million pixels.
_DEFAULT: Final = 5_000_000
_SEVERAL: Final = 2


@dataclass(frozen=True)
class Track:
    """One track of the wanted kind.

    Attributes:
        index: Its place among all streams of the file.
        number: Its place among the tracks of its kind, from 1.
        about: What it holds, for a remark.
        content: Whether it holds what the file is about: 2 for certain, 1 for a thumbnail or still, 0 for nothing.
        decodable: Whether FFmpeg has a decoder for it.
        score: FFmpeg's own preference.
        codec: The name of its codec, as the decoder or the file spells it.
    """

    index: int
    number: int
    about: str
    content: int
    decodable: bool
    score: int
    codec: str


@dataclass(frozen=True)
class Choice:
    """The tracks of one kind.

    Attributes:
        kind: Which kind.
        best: Those worth decoding, the best first.
        others: The rest.
        has_other_kind: Whether the file has sound where pictures are wanted, or pictures where sound is.
    """

    kind: Literal["video", "audio"]
    best: tuple[Track, ...]
    others: tuple[Track, ...]
    has_other_kind: bool

    @property
    def codecs(self) -> str:
        """The codecs of the tracks that nothing decodes, best first; empty when there is no such track."""
        return " and ".join(dict.fromkeys(f"'{track.codec}'" for track in self.others if not track.decodable))

    def passed_over(self, used: Track) -> list[str]:
        """Return a remark on every track that was not used."""
        rest = sorted((track for track in (*self.best, *self.others) if track != used), key=lambda track: track.number)
        return [f"passed over {self.kind} track {track.number} ({track.about})" for track in rest]


def choose_track(path: Path, container: Any, kind: Literal["video", "audio"]) -> Choice:  # noqa: ANN401 - PyAV's
    """Rank the tracks of one kind.

    Args:
        path: The file.
        container: The file, opened by `open_container`; nothing is read from it.
        kind: Which tracks.

    Returns:
        The choice; nothing is best where no track of the kind holds anything that decodes. Cover pictures are no
        video tracks.
    """
    numbered = list(enumerate(getattr(container.streams, kind), 1))
    streams = [(number, stream) for number, stream in numbered if not int(stream.disposition) & _ATTACHED_PICTURE]
    counts = _packets(path, kind, [stream.index for _, stream in streams])
    names = codec_names(path, container)
    tracks = [_track(number, stream, counts, names) for number, stream in streams]
    if kind == "video":
        tracks = _without_thumbnails(tracks, [stream for _, stream in streams])
    most = max((track.content for track in tracks), default=0)
    best = [track for track in tracks if track.decodable and track.content == most and most]
    best.sort(key=lambda track: -track.score)
    other = container.streams.audio if kind == "video" else _seen(container)
    return Choice(kind, tuple(best), tuple(track for track in tracks if track not in best), len(other) > 0)


def _seen(container: Any) -> list[Any]:  # noqa: ANN401 - PyAV's objects
    """Return what has a size: a video cut off before its index has a video track too, but one of none."""
    return [track for track in container.streams.video if track.codec_context and track.codec_context.width]


def _packets(path: Path, kind: str, indices: Sequence[int]) -> dict[int, int]:
    """Count packets of each stream, up to what tells a clip from a picture; a single track is not counted."""
    counts = dict.fromkeys(indices, 0)
    if len(indices) < _SEVERAL:
        return dict.fromkeys(indices, _SEVERAL)
    enough = _SEVERAL if kind == "video" else 1
    # A file of its own: reading moves it on.
    with open_container(path, kind) as container:
        try:
            for packet in container.demux([container.streams[index] for index in indices]):
                counts[packet.stream.index] += packet.size > 0
                if min(counts.values()) >= enough:
                    break
        except (av.FFmpegError, OSError):
            pass  # said by the reading that follows
    return counts


def _track(number: int, stream: Any, counts: dict[int, int], names: dict[int, str]) -> Track:  # noqa: ANN401 - PyAV's
    context, count = stream.codec_context, counts[stream.index]
    codec = names.get(stream.index, "unknown") if context is None else str(context.name)
    video = stream.type == "video"
    size = 0 if context is None else (context.width * context.height if video else context.channels)
    content = 2
    if count == 0:
        content = 0
    elif video and (count < _SEVERAL or int(stream.disposition) & _STILL_IMAGE):
        content = 1
    about = _about(stream, codec, count)
    score = size + _DEFAULT * bool(int(stream.disposition) & 1)
    return Track(stream.index, number, about, content, context is not None, score, codec)


def _about(stream: Any, codec: str, count: int) -> str:  # noqa: ANN401 - PyAV's stream
    context = stream.codec_context
    if context is None:
        return f"its codec '{codec}' cannot be decoded"
    if count == 0:
        return "it is empty"
    language = f", {stream.language}" if stream.language not in {None, "und"} else ""
    if stream.type == "video":
        what = f"a single frame of {codec}" if count < _SEVERAL else codec
        return f"{what}, {context.width} x {context.height}{language}"
    return f"{codec}, {context.channels} channel{'s' * (context.channels != 1)}{language}"


def _without_thumbnails(tracks: Sequence[Track], streams: Sequence[Any]) -> list[Track]:
    """Tell tracks of small pictures from the clip they belong to."""
    sizes = [0 if s.codec_context is None else s.codec_context.width * s.codec_context.height for s in streams]
    clips = [
        size
        for track, size in zip(tracks, sizes, strict=True)
        if track.content > 1 and track.codec not in _PICTURE_CODECS
    ]
    largest = max(clips, default=0)
    return [
        _as_thumbnails(track) if track.codec in _PICTURE_CODECS and track.content > 1 and size < largest else track
        for track, size in zip(tracks, sizes, strict=True)
    ]


def _as_thumbnails(track: Track) -> Track:
    return Track(track.index, track.number, f"thumbnails, {track.about}", 1, track.decodable, track.score, track.codec)
