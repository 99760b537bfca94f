"""What accompanies the pixels of a picture never costs them, and a format that is not read is named."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from gramcli.errors import UserError
from gramcli.media.image import read_image, read_picture
from gramcli.media.video import read_video
from tests.media_factory import write_image


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(path: Path, raw: bytes, before: bytes = b"IDAT") -> Path:
    whole = write_image(path).read_bytes()
    at = whole.index(before) - 4
    path.write_bytes(whole[:at] + raw + whole[at:])
    return path


MEGABYTES = b"x" * (3 * 2**20)
PROFILE = b"profile\0\0" + zlib.compress(MEGABYTES)
PARTS = {
    "iTXt, packed": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(MEGABYTES)),
    "iTXt": chunk(b"iTXt", b"Comment\0\0\0\0\0" + MEGABYTES),
    "zTXt": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(MEGABYTES)),
    "zTXt, a bomb that turns": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(MEGABYTES)),
    "iTXt, a bomb of XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(MEGABYTES)),
    "zTXt that does not unpack": chunk(b"zTXt", b"Comment\0\0" + bytes(40)),
    "tEXt": chunk(b"tEXt", b"Comment\0" + MEGABYTES),
    "200 texts": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(MEGABYTES[: 2**19])) * 200,
    "iCCP": chunk(b"iCCP", PROFILE),
    "iCCP that does not unpack": chunk(b"iCCP", b"profile\0\0" + bytes(9)),
    "iCCP of nothing": chunk(b"iCCP", b""),
    "wrong checksum of a text": chunk(b"tEXt", b"Comment\0hello")[:-1] + b"\0",
    "eXIf of garbage": chunk(b"eXIf", bytes(range(200))),
    "eXIf cut short": chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff"),
    "pHYs cut short": chunk(b"pHYs", b"\0"),
    "gAMA cut short": chunk(b"gAMA", b"\0"),
    "fcTL out of order": chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", bytes(26)) * 2,
    "a kind nobody knows": chunk(b"abCd", MEGABYTES),
}


@pytest.mark.parametrize("where", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("name", PARTS)
def test_parts_of_a_png(name: str, where: bytes, tmp_path: Path) -> None:
    clean = read_image(write_image(tmp_path / "clean.png"))
    picture = read_picture(with_chunk(tmp_path / "a.png", PARTS[name], where))
    np.testing.assert_array_equal(picture.pixels, clean)
    assert picture.notes == ()


def test_a_png_that_ends_in_its_remarks_is_whole(tmp_path: Path) -> None:
    clean = read_image(write_image(tmp_path / "clean.png"))
    raw = with_chunk(tmp_path / "a.png", chunk(b"tEXt", b"Comment\0" + bytes(99)), b"IEND").read_bytes()
    (tmp_path / "a.png").write_bytes(raw[: raw.index(b"tEXt") + 30])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), clean)


@pytest.mark.parametrize(("cut", "flaw"), [(True, "truncated"), (False, "checksum")])
def test_damaged_pixels_are_still_refused(cut: bool, flaw: str, tmp_path: Path) -> None:
    raw = bytearray(with_chunk(tmp_path / "a.png", PARTS["tEXt"]).read_bytes())
    at = raw.index(b"IDAT") + 20
    raw[at] ^= 0xFF
    (tmp_path / "a.png").write_bytes(raw[: at + 2] if cut else raw)
    with pytest.raises(UserError, match=rf"a\.png is not an image file .* its part IDAT .*{flaw}"):
        read_image(tmp_path / "a.png")


def test_a_text_that_turns_the_picture_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes()
    text = f"\nexif\n{len(raw):8d}\n{raw.hex()}\n"
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", text, zip=True)
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png", pnginfo=info)
    assert read_image(tmp_path / "a.png").shape == (64, 48, 3)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("suffix", ["jpg", "webp", "png", "avif"])
def test_exif_of_garbage(suffix: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    raw = b"Exif\0\0" + [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b""][seed % 3] + rng.bytes(40 + 5000 * (seed % 2))
    picture = Image.open(write_image(tmp_path / "source.png"))
    picture.save(tmp_path / f"clean.{suffix}", quality=90)
    try:
        picture.save(tmp_path / f"a.{suffix}", quality=90, exif=raw)
    except Exception as error:  # whatever the writer makes of it
        pytest.skip(f"Pillow does not write it: {error}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), read_image(tmp_path / f"clean.{suffix}"))


def test_segments_of_a_jpeg(tmp_path: Path) -> None:
    clean = write_image(tmp_path / "clean.jpg")
    raw = clean.read_bytes()
    junk = [bytes([0xFF, marker]) + struct.pack(">H", 65535) + bytes(65533) for marker in range(0xE0, 0xF0)]
    named = [b"ICC_PROFILE\0\1\7", b"http://ns.adobe.com/xap/1.0/\0", b"MPF\0II*\0", b"Photoshop 3.0\08BIM", b"Adobe"]
    for start, marker in zip(named, (0xE2, 0xE1, 0xE2, 0xED, 0xEE), strict=True):
        junk.append(bytes([0xFF, marker]) + struct.pack(">H", 65535) + start.ljust(65533, b"\xab"))
    (tmp_path / "a.jpg").write_bytes(raw[:2] + b"".join(junk[:16] * 40 + junk[16:-1]) + raw[2:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), read_image(clean))


def boxes(brand: bytes, *more: bytes) -> bytes:
    names = brand + bytes(4) + b"".join(more)
    return struct.pack(">I", 8 + len(names)) + b"ftyp" + names + b"\0\0\0\x08mdat" + bytes(300)


FOREIGN = {
    "a HEIC picture": [boxes(b"heic", b"mif1", b"heic"), boxes(b"mif1", b"heic"), boxes(b"hevc", b"msf1", b"hevc")],
    "a HEIF picture": [boxes(b"mif1", b"mif1")],
    "a JPEG XL picture": [b"\xff\x0a" + bytes(99), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99)],
    "a camera raw picture (CR3)": [boxes(b"crx ", b"isom")],
    "a camera raw picture (CR2)": [b"II*\0\x10\0\0\0CR\2\0" + bytes(99)],
    "a camera raw picture (RAF)": [b"FUJIFILMCCD-RAW 0201" + bytes(99)],
    "a Photoshop file": [b"8BPS\0\1" + bytes(99)],
    "a PDF document": [b"%PDF-1.7\n" + bytes(99)],
    "an SVG drawing": [b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', b"<svg></svg>"],
    "an icon file": [b"\0\0\1\0\1\0" + bytes(99)],
}


@pytest.mark.parametrize("name", ["a.heic", "a.jpg", "a"])
@pytest.mark.parametrize(("what", "raw"), [(what, raw) for what, raws in FOREIGN.items() for raw in raws])
def test_a_format_that_is_not_read_is_named(what: str, raw: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(UserError) as caught:
        read_image(tmp_path / name)
    assert caught.value.message == f"{tmp_path / name} is {what}, which is not read; convert it to JPEG or PNG."


@pytest.mark.parametrize("what", ["a HEIC picture", "a JPEG XL picture", "a camera raw picture (CR2)"])
def test_and_as_a_video_too(what: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(FOREIGN[what][0])
    with pytest.raises(UserError) as caught:
        read_video(tmp_path / "a.mp4", 2)
    assert caught.value.message == f"{tmp_path / 'a.mp4'} is {what}, which is not read; convert it to JPEG or PNG."


def test_avif_where_pillow_lacks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", format="AVIF")
    monkeypatch.delitem(Image.OPEN, "AVIF")
    with pytest.raises(UserError, match=r"a\.jpg is an AVIF picture, which is not read; convert it to JPEG or PNG\."):
        read_image(tmp_path / "a.jpg")


def test_a_damaged_avif_and_no_picture_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(boxes(b"avif", b"mif1"))
    with pytest.raises(UserError, match=r"it is a damaged AVIF picture; replace"):
        read_image(tmp_path / "a.avif")
    (tmp_path / "a.png").write_bytes(b"\1\2\3" * 99)
    with pytest.raises(UserError, match=r"it is none of PNG, JPEG, .*; replace"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}, {262: 32803}])
def test_the_thumbnail_of_a_raw_picture_is_not_taken_for_it(tags: dict[int, object], tmp_path: Path) -> None:
    from gramcli.media.foreign import raw_tiff

    assert raw_tiff(tags) is not None
    assert raw_tiff({254: 0, 262: 2}) is None


def test_a_dng_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.dng", format="TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(UserError, match=r"is a camera raw picture \(DNG\), which is not read; convert it to JPEG"):
        read_image(tmp_path / "a.dng")


def test_the_reported_files(reference_data: Path) -> None:
    folder = reference_data / "data" / "faults"
    clean, full = (read_image(folder / "png_metadata" / name) for name in ("clean.png", "itxt2mb.png"))
    np.testing.assert_array_equal(full, clean)
    with pytest.raises(UserError, match=r"IMG_0001\.HEIC is a HEIC picture, which is not read; convert it to JPEG"):
        read_image(folder / "heic" / "IMG_0001.HEIC")
