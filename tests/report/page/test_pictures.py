"""Pictures for a page: small, of the right thing, and no file does more harm than being missing."""

from __future__ import annotations

import base64
import io
import os
import signal
from pathlib import Path

import numpy as np
from PIL import Image

from gramcli.report.page import album as module
from gramcli.report.page.album import album
from gramcli.report.page.looking import CELL, SPECTROGRAM, Seen, look
from tests.media_factory import write_image, write_video, write_wav


def opened(data: bytes | str) -> Image.Image:
    if isinstance(data, str):
        data = base64.b64decode(data.partition(",")[2])
    return Image.open(io.BytesIO(data)).convert("RGB")


def test_a_video_is_a_strip_of_three_frames_and_its_sound(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    found = look({"video": str(path), "audio": str(path)})
    assert opened(found.sound).size == SPECTROGRAM
    assert opened(found.frames).size == (CELL[0] * found.shown, CELL[1])
    assert found.shown == 3
    assert len(found.frames) < 8000
    assert found.reasons == ()


def test_a_tone_is_a_bright_line_at_its_height(tmp_path: Path) -> None:
    heights = []
    for hz in (300.0, 3000.0):
        found = look({"audio": str(write_wav(tmp_path / f"{hz}.wav", seconds=2.0, hz=hz))})
        pixels = np.asarray(opened(found.sound), dtype=float).sum(axis=(1, 2))
        assert opened(found.sound).size == SPECTROGRAM
        heights.append(int(pixels.argmax()))
    assert heights[1] < heights[0]  # higher up
    assert abs(found.seconds - 2.0) < 1e-6


def test_silence_and_a_blink_have_a_picture_too(tmp_path: Path) -> None:
    import soundfile

    for name, samples in (("silence", np.zeros(16000)), ("blink", np.full(10, 0.5))):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16000)
        found = look({"audio": str(tmp_path / f"{name}.wav")})
        assert opened(found.sound).size == SPECTROGRAM, found.reasons


def test_a_picture_is_one_cell(tmp_path: Path) -> None:
    found = look({"image": str(write_image(tmp_path / "a.png"))})
    assert (opened(found.frames).size, found.shown, found.length) == (CELL, 1, None)


def test_what_does_not_decode_is_said_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"\x00\x01not a video" * 100)
    found = look({"video": str(tmp_path / "bad.mp4"), "audio": str(tmp_path / "gone.wav")})
    assert found.frames == found.sound == b""
    assert [str(tmp_path) in reason for reason in found.reasons] == [False, False]
    assert "bad.mp4" in found.reasons[0]
    assert "gone.wav" in found.reasons[1]


def crashing(files: dict[str, str]) -> Seen:
    """A decoder that a hostile file takes down."""
    if "boom" in files["image"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    return look(files)


def test_a_file_that_takes_its_process_down_costs_its_own_picture(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "look", crashing)
    files = {name: {"image": write_image(tmp_path / f"{name}.png")} for name in ("a", "boom", "c")}
    found = album(list(files), files, 10**6)
    assert list(found.places) == ["a", "boom", "c"]
    assert found.pictures[1] == {"why": ["it crashed the decoder (SIGSEGV)"]}
    assert [one["frames"].startswith("data:image/") for one in (found.pictures[0], found.pictures[2])] == [True, True]


def test_pictures_stop_where_the_page_is_full(tmp_path: Path) -> None:
    files = {f"item{k}": {"image": write_image(tmp_path / f"{k}.png")} for k in range(6)}
    one = len(album(["item0"], files, 10**6).pictures[0]["frames"])
    found = album(list(files), files, 3 * (one + 200))
    assert 1 <= len(found.pictures) < 6
    assert list(found.places) == [f"item{k}" for k in range(len(found.pictures))]
    (said,) = found.said
    assert said.startswith(f"Pictures are of {len(found.pictures)} of the 6 items that it names")
