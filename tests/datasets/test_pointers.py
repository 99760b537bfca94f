"""What a clone without Git LFS leaves, and other files that are not what their suffix says, in every place of input."""

from pathlib import Path

import pytest

from gramcli.datasets import open_dataset
from gramcli.datasets.records import read_records
from gramcli.encoders.vast.tensors import WeightFiles
from gramcli.errors import UserError
from gramcli.media.audio import read_audio
from gramcli.media.image import read_image
from gramcli.media.text import read_subtitle, read_text
from gramcli.media.video import read_video
from gramcli.metrics.prompts import read_templates

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '4'}\nsize 12345\n"
SAID = r"is a Git LFS pointer, not the file itself; fetch the content with: git lfs pull\."
READERS = {
    "a.mp4": lambda path: read_video(path, 4),
    "a.wav": read_audio,
    "a.mkv": read_audio,
    "a.png": read_image,
    "a.txt": read_text,
    "a.srt": read_subtitle,
    "a.json": read_records,
    "a.parquet": read_records,
    "a.pkl": read_records,
    "test_list.txt": read_records,
    "m.csv": lambda path: open_dataset(str(path)),
    "m.tsv": lambda path: open_dataset(str(path)),
    "m.json": lambda path: open_dataset(str(path)),
    "m.jsonl": lambda path: open_dataset(str(path)),
    "templates.txt": lambda path: read_templates(str(path)),
    "model.safetensors": lambda path: WeightFiles([path]),
    "pytorch_model.bin": lambda path: WeightFiles([path]),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", READERS)
def test_a_pointer_is_called_one(name: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(POINTER.replace("\n", end).encode())
    with pytest.raises(UserError, match=rf"{name} {SAID}"):
        READERS[name](path)


def test_a_pointer_of_git_annex_is_called_one(tmp_path: Path) -> None:
    for text in ("/annex/objects/SHA256E-s5--ab.mp4\n", "../.git/annex/objects/Xv/9/SHA256E-s5--ab/SHA256E-s5--ab.mp4"):
        (tmp_path / "a.mp4").write_text(text)
        with pytest.raises(UserError, match=r"a\.mp4 is a git-annex pointer, .*: git annex get FILE\."):
            read_video(tmp_path / "a.mp4", 4)


def test_pointers_beside_media_cost_their_items_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("x")
    (tmp_path / "a.txt").write_text(POINTER)
    (item,) = open_dataset(str(tmp_path)).items
    assert item.captions == ()
    assert item.unreadable["text"].endswith("fetch the content with: git lfs pull.")


@pytest.mark.parametrize("text", ["version https://example.org is out\n", "see https://git-lfs.github.com/spec/v1"])
def test_captions_that_speak_of_versions_are_captions(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert read_text(tmp_path / "a.txt") == [text.strip()]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            b"PK\x03\x04\x14\0xl/",
            r"is a ZIP archive or an Excel workbook, not text; unpack it, or export it as CSV in UTF-8",
        ),
        (b"\xd0\xcf\x11\xe0\xa1", "is an old Excel workbook"),
        (b"\x1f\x8b\x08\x00", "is compressed by gzip; unpack it first"),
        (b"PAR1\x15\x04\xff", "is a Parquet file"),
        ("id,video\n".encode("utf-16"), r"is not UTF-8 text \(it starts with a UTF-16 mark\); save it as UTF-8"),
    ],
)
def test_binary_files_under_the_name_of_a_table_are_named(raw: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(raw)
    with pytest.raises(UserError, match=message):
        open_dataset(str(tmp_path / "m.csv"))


def test_templates_may_have_a_mark_and_any_line_ends(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes("\ufeffa {}\r\n\r\nthe\u2028{}\r".encode())
    assert read_templates(str(tmp_path / "t.txt")) == ("a {}", "the\u2028{}")
