"""Pictures come out as 8-bit RGB, the right way up, or not at all."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gramcli.errors import UserError
from gramcli.media.image import read_image
from tests.media_factory import write_image, write_wav


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif", "webp"])
def test_formats_give_the_same_picture(suffix: str, tmp_path: Path) -> None:
    picture = read_image(write_image(tmp_path / f"a.{suffix}"))
    assert picture.dtype == np.uint8
    assert picture.shape == (48, 64, 3)
    assert np.abs(picture[0, 0].astype(int) - (200, 60, 40)).max() <= 3


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg").rename(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (48, 64, 3)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48), (1, 2, 3)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (64, 48, 3)


@pytest.mark.parametrize("orientation", [None, 6])
def test_sixteen_bits_are_scaled_not_clipped(orientation: int | None, tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64 * 48).round().astype(np.uint16).reshape(48, 64)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    picture = read_image(tmp_path / "a.png")
    assert (picture.min(), picture.max()) == (0, 255)
    assert abs(float(picture.mean()) - 127.5) < 0.5
    assert picture.shape == ((64, 48, 3) if orientation else (48, 64, 3))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "F"])
def test_modes_become_rgb(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (8, 6)).save(tmp_path / "a.tif" if mode in {"CMYK", "F"} else tmp_path / "a.png")
    path = next(tmp_path.iterdir())
    assert read_image(path).shape == (6, 8, 3)


def test_values_without_a_known_white_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 300.0, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"a\.tif has values 300 to 300 where 0 to 1 is known"):
        read_image(tmp_path / "a.tif")


def test_a_wrong_checksum_is_damage(tmp_path: Path) -> None:
    raw = bytearray(write_image(tmp_path / "a.png").read_bytes())
    raw[raw.index(b"IDAT") + 20] ^= 0xFF
    (tmp_path / "a.png").write_bytes(raw)
    with pytest.raises(UserError, match=r"a\.png is not an image file that can be decoded"):
        read_image(tmp_path / "a.png")


def test_a_picture_cut_off_or_no_picture_is_refused(tmp_path: Path) -> None:
    raw = write_image(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(UserError, match=r"[Tt]runcated"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"b\.wav is not an image file that can be decoded \(starts with 'RIFF"):
        read_image(write_wav(tmp_path / "b.wav"))


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    side = 2**14  # 2**28 pixels stated by a file of a few bytes
    for name, height in (("pillow_warns.png", 9000), ("pillow_refuses.png", side)):
        (tmp_path / name).write_bytes(_png_header(side, height) + struct.pack(">I", 100) + b"IDAT" + bytes(100))
        with pytest.raises(UserError, match=r"is too large: .* over the limit of 134217728 pixels"):
            read_image(tmp_path / name)


def _png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
