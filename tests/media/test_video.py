"""The frames returned are the frames asked for."""

from pathlib import Path

import av
import numpy as np
import pytest

from gramcli.errors import UserError
from gramcli.media import timeline, video
from gramcli.media.sampling import middle_of_segment, uniform
from gramcli.media.video import NoVideoTrack, read_video
from tests.media_factory import index_of, write_image, write_video, write_wav


def _indices(clip: video.VideoClip) -> tuple[int, ...]:
    return tuple(index_of(frame) for frame in clip.frames)


@pytest.fixture(scope="module")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", n_frames=30, fps=10)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi", "ts"])
def test_the_frames_are_the_ones_the_rule_picks(suffix: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"a.{suffix}", n_frames=30, fps=10)
    clip = read_video(path, 8)
    assert clip.frames.shape == (8, 48, 64, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.indices == tuple(middle_of_segment(30, 8)) == _indices(clip)
    assert clip.total_frames == 30
    assert clip.fps == pytest.approx(10, rel=0.01)
    assert clip.duration == pytest.approx(3, rel=0.01)


def test_colours_are_red_green_blue(clip_path: Path) -> None:
    corner = read_video(clip_path, 1).frames[0, -1, -1].astype(int)
    assert np.abs(corner - (200, 60, 40)).max() < 25


def test_another_rule_picks_other_frames(clip_path: Path) -> None:
    assert _indices(read_video(clip_path, 4, "uniform")) == tuple(uniform(30, 4))
    with pytest.raises(UserError, match="Unknown frame rule 'random'"):
        read_video(clip_path, 4, "random")


def test_a_short_clip_repeats_its_last_frame(tmp_path: Path) -> None:
    clip = read_video(write_video(tmp_path / "a.mp4", n_frames=3), 5)
    assert clip.indices == _indices(clip) == (0, 1, 2, 2, 2)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("n", [1, 3, 7, 30])
def test_all_ways_of_reading_agree(suffix: str, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / f"a.{suffix}", n_frames=30, fps=10)
    groups = read_video(path, n)
    with monkeypatch.context() as patch:
        patch.setattr(timeline, "MAX_HELD_BYTES", 0)
        seeks = read_video(path, n)
        patch.setattr(video, "_pick_by_seeking", lambda *args: None)
        in_order_twice_read = read_video(path, n)
    monkeypatch.setattr(video, "_pick_groups", lambda *args: None)
    for other in (seeks, in_order_twice_read, read_video(path, n)):
        assert (other.indices, other.total_frames, other.notes) == (groups.indices, groups.total_frames, ())
        np.testing.assert_array_equal(other.frames, groups.frames)


def test_a_large_proven_file_is_read_by_seeking(clip_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_HELD_BYTES", 0)
    monkeypatch.setattr(video, "_pick_in_order", None)
    assert _indices(read_video(clip_path, 7)) == tuple(middle_of_segment(30, 7))


@pytest.mark.parametrize("width", [2, 8, 16, 32, 48, 96])
def test_small_widths_come_out_with_three_channels(width: int, tmp_path: Path) -> None:
    clip = read_video(write_video(tmp_path / "a.mp4", size=(width, 32)), 4)
    assert clip.frames.shape == (4, 32, width, 3)


def test_frames_hidden_by_an_edit_list_are_not_counted(clip_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    with av.open(str(clip_path)) as read, av.open(str(path), "w") as write:
        source = read.streams.video[0]
        target = write.add_stream_from_template(source)
        for packet in read.demux(source):
            if packet.size:
                packet.pts, packet.dts = (time - int(1.0 / source.time_base) for time in (packet.pts, packet.dts))
                packet.stream = target
                write.mux(packet)
    clip = read_video(path, 5)
    assert clip.total_frames == 20
    assert _indices(clip) == tuple(index + 10 for index in clip.indices)
    assert clip.duration == pytest.approx(2.0)


def test_packets_that_are_zeroed_cost_only_themselves(clip_path: Path, tmp_path: Path) -> None:
    raw = bytearray(clip_path.read_bytes())
    middle = raw.index(b"mdat") + 2000
    raw[middle : middle + 1500] = bytes(1500)
    (tmp_path / "a.mp4").write_bytes(raw)
    clip = read_video(tmp_path / "a.mp4", 4)
    assert 5 < clip.total_frames <= 30


def test_files_that_are_no_video_are_refused(clip_path: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello, this is not a video", encoding="utf-8")
    with pytest.raises(UserError, match=r"text\.mp4 is not a video file .*starts with 'hello, .*it is a text file"):
        read_video(tmp_path / "text.mp4", 4)
    write_image(tmp_path / "a.jpg").rename(tmp_path / "picture.mp4")
    with pytest.raises(UserError, match=r"picture\.mp4 is not a video file .*it is a picture"):
        read_video(tmp_path / "picture.mp4", 4)
    with pytest.raises(NoVideoTrack, match=r"a\.wav has no video track"):
        read_video(write_wav(tmp_path / "a.wav"), 4)
    (tmp_path / "cut.mp4").write_bytes(clip_path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"cut\.mp4 is not a video file that can be decoded"):
        read_video(tmp_path / "cut.mp4", 4)


@pytest.mark.parametrize(
    "name", ["name with  spaces.mp4", "percent_%03d.mp4", "[glob]*.mp4", "proto:colon.mp4", "noext"]
)
def test_odd_names_are_only_names(name: str, clip_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(clip_path.read_bytes())
    assert read_video(Path(name), 2).total_frames == 30
