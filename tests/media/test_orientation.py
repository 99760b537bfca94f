"""Every one of the eight orientations is shown as FFmpeg shows it; what lies between them is refused."""

import math
import struct
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from gramcli.errors import UserError
from gramcli.media import timeline, video
from gramcli.media.image import read_image
from gramcli.media.video import read_video
from tests.media.clips import patched, turn

ONE = 0x10000
W = 0x40000000
COLOURS = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230), "white": (240, 240, 240)}
# Top left, top right, bottom left, bottom right of what is stored, and what is shown of it by (transposed, x, y).
CORNERS = ("red", "green", "blue", "white")
SHOWN = {
    (0, 1, 1): ("red", "green", "blue", "white"),
    (0, -1, 1): ("green", "red", "white", "blue"),
    (0, 1, -1): ("blue", "white", "red", "green"),
    (0, -1, -1): ("white", "blue", "green", "red"),
    (1, 1, 1): ("red", "blue", "green", "white"),
    (1, -1, 1): ("blue", "red", "white", "green"),
    (1, 1, -1): ("green", "white", "red", "blue"),
    (1, -1, -1): ("white", "green", "blue", "red"),
}
# The orientations of EXIF, 1 to 8, as its standard defines them.
EXIF = ((0, 1, 1), (0, -1, 1), (0, -1, -1), (0, 1, -1), (1, 1, 1), (1, -1, 1), (1, -1, -1), (1, 1, -1))


def quarters(size: tuple[int, int] = (96, 64)) -> np.ndarray:
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    for corner, (row, column) in zip(CORNERS, product((0, 1), repeat=2), strict=True):
        rows, columns = slice(row * height // 2, (row + 1) * height // 2), slice(column * width // 2, None)
        picture[rows, columns] = COLOURS[corner]
    return picture


def corners(picture: np.ndarray) -> tuple[str, ...]:
    height, width = picture.shape[:2]
    points = [picture[row, column].astype(int) for row in (5, height - 6) for column in (5, width - 6)]
    return tuple(min(COLOURS, key=lambda name: int(np.abs(point - COLOURS[name]).sum())) for point in points)


def matrix(transposed: int, x: int, y: int, scale_x: int = ONE, scale_y: int = ONE) -> bytes:
    across, down = x * scale_x, y * scale_y
    body = (0, down, 0, across, 0, 0) if transposed else (across, 0, 0, 0, down, 0)
    return struct.pack(">9i", *body, 96 * ONE, 64 * ONE, W)


def slanted(degrees: float) -> bytes:
    cos, sin = (round(ONE * f(math.radians(degrees))) for f in (math.cos, math.sin))
    return struct.pack(">9i", cos, sin, 0, -sin, cos, 0, 0, 0, W)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(quarters(), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("scales", [(ONE, ONE), (ONE // 2, ONE // 2), (3 * ONE, 3 * ONE), (2 * ONE, ONE // 2), (9, 9)])
@pytest.mark.parametrize("way", SHOWN)
def test_a_display_matrix_of_any_scale(way: tuple[int, int, int], scales, plain: Path, tmp_path: Path) -> None:
    path = patched(plain, tmp_path / "a.mp4", turn(matrix(*way, *scales)))
    clip = read_video(path, 2)
    assert clip.frames.shape == ((2, 96, 64, 3) if way[0] else (2, 64, 96, 3))
    assert corners(clip.frames[0]) == SHOWN[way]
    assert clip.notes == ()


@pytest.mark.parametrize("way", SHOWN)
def test_a_display_matrix_by_every_way_of_reading(
    way: tuple[int, int, int], plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = patched(plain, tmp_path / "a.mp4", turn(matrix(*way)))
    monkeypatch.setattr(timeline, "MAX_HELD_BYTES", 0)
    assert corners(read_video(path, 2).frames[1]) == SHOWN[way]
    monkeypatch.setattr(video, "_pick_by_seeking", lambda *args: None)
    assert corners(read_video(path, 2).frames[1]) == SHOWN[way]


@pytest.mark.parametrize("degrees", [0.6, -0.7, 90.5, 269.4])
def test_a_turn_within_a_degree_is_that_turn(degrees: float, plain: Path, tmp_path: Path) -> None:
    way = {0: (0, 1, 1), 90: (1, -1, 1), 270: (1, 1, -1)}[round(degrees / 90) % 4 * 90]
    path = patched(plain, tmp_path / "a.mp4", turn(slanted(degrees)))
    assert corners(read_video(path, 1).frames[0]) == SHOWN[way]


SHEAR = struct.pack(">9i", ONE, 0, 0, ONE // 3, ONE, 0, 0, 0, W)


@pytest.mark.parametrize("raw", [slanted(45), slanted(30), slanted(135), slanted(2), SHEAR])
def test_what_lies_between_is_refused(raw: bytes, plain: Path, tmp_path: Path) -> None:
    path = patched(plain, tmp_path / "a.mp4", turn(raw))
    with pytest.raises(UserError, match=r"a\.mp4 is slanted by its display matrix; re-encode it upright\.$"):
        read_video(path, 2)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_of_every_format(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(quarters()).save(tmp_path / f"a.{suffix}", exif=exif)
    picture = read_image(tmp_path / f"a.{suffix}")
    way = EXIF[orientation - 1]
    assert picture.shape == ((96, 64, 3) if way[0] else (64, 96, 3))
    assert corners(picture) == SHOWN[way]


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_exif_does_not_know_is_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", exif=exif)
    assert corners(read_image(tmp_path / "a.jpg")) == CORNERS


def test_the_reported_file(reference_data: Path) -> None:
    folder = reference_data / "data" / "faults" / "flip_matrix"
    plain, mirrored = (read_video(folder / name, 1).frames[0] for name in ("plain.mp4", "hflip.mp4"))
    assert np.abs(plain[8, 8].astype(int) - mirrored[8, -9]).max() < 10
    assert mirrored[8, -9, 0] > 150 > mirrored[8, 8, 0]
