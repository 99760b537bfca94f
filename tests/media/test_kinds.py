"""Checks made before any decoder sees a file."""

import os
from pathlib import Path

import pytest

from gramcli.errors import UserError
from gramcli.media.audio import read_audio
from gramcli.media.image import read_image
from gramcli.media.kinds import check_binary_media, check_regular_file, kind_of
from gramcli.media.text import read_subtitle, read_text
from gramcli.media.video import read_video

READERS = {
    "video": lambda path: read_video(path, 2),
    "audio": read_audio,
    "image": read_image,
    "text": read_text,
    "subtitle": read_subtitle,
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.mp4", "video"),
        ("A.MKV", "video"),
        ("a.flac", "audio"),
        ("a.JPEG", "image"),
        ("a.txt", "text"),
        ("a.en.vtt", "subtitle"),
        ("a.jsonl", "annotation"),
        ("a", "other"),
        (".mp4", "other"),
    ],
)
def test_kind_is_told_by_the_suffix(name: str, kind: str) -> None:
    assert kind_of(Path(name)) == kind


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_every_reader_refuses_what_is_no_file(read, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.mp4"
    loop.symlink_to(loop)
    device = tmp_path / "zero.mp4"
    device.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=r"pipe\.mp4 is a pipe, socket or device"):
        read(pipe)
    with pytest.raises(UserError, match=r"zero\.mp4 is a pipe, socket or device"):
        read(device)
    with pytest.raises(UserError, match=r"loop\.mp4 cannot be opened"):
        read(loop)
    with pytest.raises(UserError, match="is a folder, not a file"):
        read(tmp_path)
    with pytest.raises(UserError, match=r"gone\.mp4: file not found"):
        read(tmp_path / "gone.mp4")
    with pytest.raises(UserError, match="cannot be opened"):
        read(tmp_path / "nul\0.mp4")


@pytest.mark.parametrize("read", [READERS["video"], READERS["audio"], READERS["image"]])
def test_an_empty_file_is_no_media(read, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UserError, match=r"a\.mp4 is empty \(0 bytes\)"):
        read(tmp_path / "a.mp4")


@pytest.mark.parametrize("start", ["#EXTM3U\nother.ts\n", "\ufeff#EXTM3U\n", "ffconcat version 1.0\nfile x.mp4\n"])
def test_playlists_are_not_followed(start: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text(start, encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.mp4 is a playlist"):
        check_binary_media(tmp_path / "a.mp4", "video")


@pytest.mark.parametrize("length", range(500, 520))
def test_long_text_is_text_wherever_the_sniffed_part_ends(length: int, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("x" * (length % 3) + "é€" * length, encoding="utf-8")
    with pytest.raises(UserError, match="it is a text file"):
        check_binary_media(tmp_path / "a.mp4", "video")


def test_messages_are_one_printable_line_whatever_the_name(tmp_path: Path) -> None:
    name = os.fsdecode(b"new\nline \xe9.mp4")
    with pytest.raises(UserError, match=r"new\\nline \\udce9\.mp4: file not found") as caught:
        check_regular_file(tmp_path / name)
    assert caught.value.message.encode("utf-8").isascii()
