"""Frames are found by the decoder's order, whatever times a file gives its packets."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gramcli.media import timeline, video
from gramcli.media.order import keeps_order
from gramcli.media.timeline import Facts
from gramcli.media.video import read_video
from tests.media.clips import encode, remux
from tests.media_factory import frame, index_of


def _as_stored(number: int, packet) -> bool:
    packet.pts = packet.dts = int(number / (10 * packet.time_base))
    return True


def _codes(path: Path, track: int = 0) -> list[int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[track]
        return [index_of(picture.to_ndarray(format="rgb24")) for picture in container.decode(stream)]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video", "libx265"])
@pytest.mark.parametrize("n", [1, 3, 8, 40])
def test_b_frames_timed_as_they_are_stored(suffix: str, codec: str, n: int, tmp_path: Path) -> None:
    source = encode(
        tmp_path / "source.mkv", codec, n=40, gop=20, options={"bf": "2"}, fps=25 if codec == "mpeg2video" else 10
    )
    path = remux(source, tmp_path / f"a.{suffix}", _as_stored)
    clip = read_video(path, n)
    shown = _codes(path)
    assert [index_of(picture) for picture in clip.frames] == [shown[index] for index in clip.indices]


def test_one_group_of_many_timed_as_stored(tmp_path: Path) -> None:
    source = encode(tmp_path / "source.mkv", n=40, gop=10, options={"bf": "3"})

    def second_half_as_stored(number: int, packet) -> bool:
        return number < 20 or _as_stored(number, packet)

    path = remux(source, tmp_path / "a.mkv", second_half_as_stored)
    clip, shown = read_video(path, 9), _codes(path)
    assert [index_of(picture) for picture in clip.frames] == [shown[index] for index in clip.indices]


CLOSED = {"bf": "2", "flags": "+cgop", "sc_threshold": "1000000000"}


@pytest.mark.parametrize(
    ("codec", "suffix", "options", "fps"),
    [
        ("libx264", "mp4", {"bf": "3"}, 10),
        ("libx264", "mkv", {"bf": "0"}, 10),
        ("mpeg4", "mp4", CLOSED, 10),
        ("mpeg4", "mkv", {}, 10),
        ("mpeg2video", "mkv", CLOSED, 25),
        ("mpeg2video", "mkv", {}, 25),
        ("libvpx-vp9", "webm", {}, 10),
        ("libx265", "mp4", {"x265-params": "open-gop=0"}, 10),
        ("libx265", "mp4", {"x265-params": "bframes=0"}, 10),
    ],
)
def test_sound_files_are_still_read_by_groups(
    codec: str, suffix: str, options: dict[str, str], fps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / f"a.{suffix}", codec, n=40, gop=10, fps=fps, options=options)
    monkeypatch.setattr(video, "_pick_in_order", None)
    clip = read_video(path, 5)
    assert [index_of(picture) for picture in clip.frames] == list(clip.indices)


def _facts(*rows: tuple[int, bool, bool | None]) -> list[Facts]:
    return [Facts(pts, 1, keyframe, False, backward) for pts, keyframe, backward in rows]


def test_times_must_be_those_of_the_decoder() -> None:
    assert keeps_order(_facts((0, True, False), (3, False, False), (1, False, True), (2, False, True)), True)
    assert not keeps_order(_facts((0, True, False), (1, False, False), (2, False, True)), True)
    assert not keeps_order(_facts((0, True, False), (2, False, False), (1, False, False)), True)
    assert not keeps_order(_facts((0, True, None), (5, False, None), (3, True, None)), False)
    assert not keeps_order(_facts((0, True, None), (1, False, None)), True)
    assert keeps_order(_facts((0, True, None), (1, False, None)), False)


def _two_tracks(path: Path, default: int) -> Path:
    with av.open(str(path), "w") as container:
        streams = []
        for track in range(2):
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.options, stream.codec_context.gop_size = {"bf": "0"}, 10
            stream.disposition = int(track == default)
            streams.append(stream)
        for index in range(20):
            for track, stream in enumerate(streams):
                picture = av.VideoFrame.from_ndarray(frame(index + 100 * track, (64, 48), (9, 90, 60)), format="rgb24")
                picture.pts, picture.time_base = index, Fraction(1, 10)
                container.mux(stream.encode(picture))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("default", [0, 1])
def test_a_large_file_of_two_tracks_gives_the_track_that_was_counted(
    suffix: str, default: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _two_tracks(tmp_path / f"a.{suffix}", default)
    small = read_video(path, 4)
    monkeypatch.setattr(timeline, "MAX_HELD_BYTES", 0)
    np.testing.assert_array_equal(read_video(path, 4).frames, small.frames)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv420p10le", "yuv444p", "yuv422p"])
def test_a_large_file_is_bit_for_bit_what_a_small_one_is(
    pix_fmt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(tmp_path / "a.mp4", n=20, pix_fmt=pix_fmt)
    small = read_video(path, 6)
    monkeypatch.setattr(timeline, "MAX_HELD_BYTES", 0)
    np.testing.assert_array_equal(read_video(path, 6).frames, small.frames)
