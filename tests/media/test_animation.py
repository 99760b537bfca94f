"""Of several frames or pages nothing is lost without a word: a clip as a video, `first of 12 frames` as a picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gramcli.errors import UserError
from gramcli.media.image import read_picture
from gramcli.media.sampling import middle_of_segment
from gramcli.media.video import read_video
from tests.media_factory import frame, index_of

N = 12
FORMATS = ("gif", "webp", "png", "avif", "tif")


def animation(path: Path, n: int = N, **how) -> Path:
    pictures = [Image.fromarray(frame(index, (64, 48), (150, 90, 60))) for index in range(n)]
    how = {"duration": 100, **({"lossless": True} if path.suffix == ".webp" else {}), **how}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **how)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_as_a_video_it_is_a_clip(suffix: str, tmp_path: Path) -> None:
    clip = read_video(animation(tmp_path / f"a.{suffix}"), 5)
    assert [index_of(picture) for picture in clip.frames] == list(clip.indices) == middle_of_segment(N, 5)
    assert (clip.total_frames, clip.notes) == (N, ())
    assert clip.fps == (0.0 if suffix == "tif" else pytest.approx(10))


@pytest.mark.parametrize("suffix", FORMATS)
def test_as_a_picture_it_is_the_first(suffix: str, tmp_path: Path) -> None:
    picture = read_picture(animation(tmp_path / f"a.{suffix}"))
    assert index_of(picture.pixels) == 0
    assert picture.notes == (f"first of 12 {'pages' if suffix == 'tif' else 'frames'}",)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_content_decides(suffix: str, tmp_path: Path) -> None:
    path = animation(tmp_path / f"a.{suffix}").rename(tmp_path / "a.mp4")
    assert read_video(path, 12).indices == tuple(range(12))
    assert read_picture(path).notes[0].startswith("first of 12 ")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_single_frame_is_a_picture(suffix: str, tmp_path: Path) -> None:
    path = animation(tmp_path / f"a.{suffix}", 1)
    assert read_picture(path).notes == ()
    with pytest.raises(UserError, match="it is a picture"):
        read_video(path, 2)


def test_a_short_one_repeats_its_last_frame(tmp_path: Path) -> None:
    clip = read_video(animation(tmp_path / "a.webp", 3), 5)
    assert [index_of(picture) for picture in clip.frames] == [0, 1, 2, 2, 2]
    assert clip.notes == ("3 frames, the last repeated to make 5",)


def test_a_still_apart_from_its_animation_is_no_frame_of_it(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.png", default_image=True)
    assert read_picture(path).notes == ("the still picture beside an animation of 11 frames",)
    clip = read_video(path, 11)
    assert [index_of(picture) for picture in clip.frames] == list(range(1, 12))


def test_several_pictures_that_are_no_sequence(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.jpg", 2, format="MPO")
    assert read_picture(path).notes == ("first of 2 frames",)
    with pytest.raises(UserError, match="it is a picture"):
        read_video(path, 2)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_cut_off_animation_is_partial(suffix: str, tmp_path: Path) -> None:
    path = animation(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = read_video(path, 4)
    assert clip.partial
    assert 3 < clip.total_frames < N
    assert [index_of(picture) for picture in clip.frames] == list(clip.indices)
    assert read_picture(path).notes[0].startswith("first of ")


def test_smaller_copies_are_no_pages(tmp_path: Path) -> None:
    page = Image.fromarray(frame(3, (64, 48), (150, 90, 60)))
    small = page.resize((32, 24))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    assert read_picture(tmp_path / "a.tif").notes == ()


def test_pages_of_16_bits_and_several_sizes(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((h, 10), value, np.uint16)) for h, value in ((8, 0), (16, 65535))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    frames = read_video(tmp_path / "a.tif", 2).frames
    assert frames.shape == (2, 8, 10, 3)
    assert (frames[0].max(), frames[1].min()) == (0, 255)


def test_the_reported_file(reference_data: Path) -> None:
    path = reference_data / "data" / "faults" / "animation_as_picture" / "anim.gif"
    assert read_picture(path).notes == ("first of 12 frames",)
    assert read_video(path, 4).total_frames == 12
