"""A file of several, one after another, is read to its end or called partial."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramcli.media.audio import read_audio
from gramcli.media.chain import sound_parts
from gramcli.media.video import read_video
from tests.media.clips import encode, encode_sound
from tests.media_factory import tone

NOT_READ = "partial: another recording follows the first, and is not read"


def sound(path: Path, hz: float, rate: int = 16000, channels: int = 1, subtype: str | None = None) -> bytes:
    samples = np.repeat(tone(2.0, hz, rate)[:, None], channels, axis=1)
    soundfile.write(str(path), samples, rate, subtype=subtype)
    return path.read_bytes()


def pitches(samples: np.ndarray) -> list[int]:
    """The loudest frequency of each second, at 16 kHz; what is joined need not begin at a second."""
    whole = len(samples) // 16000
    return [int(np.argmax(np.abs(np.fft.rfft(samples[k * 16000 : (k + 1) * 16000])))) for k in range(whole)]


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (8000, 1), (48000, 2), (16000, 2)])
@pytest.mark.parametrize("second", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("first", ["VORBIS", "OPUS"])
def test_a_chain_of_ogg(first: str, second: str, rate: int, channels: int, tmp_path: Path) -> None:
    one = sound(tmp_path / "a.ogg", 440, 16000, 1, first)
    two = sound(tmp_path / "b.ogg", 880, rate, channels, second)
    (tmp_path / "c.ogg").write_bytes(one + two + one)
    heard = read_audio(tmp_path / "c.ogg")
    assert heard.duration == pytest.approx(6.0, abs=0.05)
    assert pitches(heard.samples) == pytest.approx([440, 440, 880, 880, 440, 440], abs=2)
    assert heard.notes == ()


def test_a_chain_with_flac_in_ogg_which_libsndfile_may_not_read(tmp_path: Path) -> None:
    one = sound(tmp_path / "a.ogg", 880, 16000, 1, "VORBIS")
    encode_sound(tmp_path / "b.ogg", "flac")
    (tmp_path / "c.ogg").write_bytes(one + (tmp_path / "b.ogg").read_bytes())
    heard = read_audio(tmp_path / "c.ogg")
    assert pitches(heard.samples) == pytest.approx([880, 880, 440, 440], abs=2)
    assert heard.notes == ()


def test_the_same_stream_twice_has_the_same_number_twice(tmp_path: Path) -> None:
    one = sound(tmp_path / "a.ogg", 440, 16000, 1, "VORBIS")
    (tmp_path / "c.ogg").write_bytes(one * 3)
    assert read_audio(tmp_path / "c.ogg").duration == pytest.approx(6.0)


@pytest.mark.parametrize("keep", [0.3, 0.8])
def test_a_chain_cut_off_is_partial(keep: float, tmp_path: Path) -> None:
    one, two = (sound(tmp_path / "a.ogg", hz, 16000, 1, "VORBIS") for hz in (440, 880))
    (tmp_path / "c.ogg").write_bytes(one + two[: int(len(two) * keep)])
    heard = read_audio(tmp_path / "c.ogg")
    assert heard.partial
    assert heard.duration >= 2.0


def test_a_part_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    one = sound(tmp_path / "a.ogg", 440, 16000, 1, "VORBIS")
    page = b"OggS\0\2" + bytes(8) + b"\1\2\3\4" + bytes(8) + b"\1\x0a" + b"fishead\0\0\0"
    (tmp_path / "c.ogg").write_bytes(one + page)
    heard = read_audio(tmp_path / "c.ogg")
    assert heard.duration == pytest.approx(2.0)
    assert "partial: recording 2 of 2 cannot be read" in heard.notes


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "caf", "w64"])
def test_sound_files_one_after_another(suffix: str, tmp_path: Path) -> None:
    one, two = sound(tmp_path / f"a.{suffix}", 440), sound(tmp_path / f"b.{suffix}", 880, 8000)
    (tmp_path / f"c.{suffix}").write_bytes(one + two)
    heard = read_audio(tmp_path / f"c.{suffix}")
    assert pitches(heard.samples) == pytest.approx([440, 440, 880, 880], abs=2)
    assert (heard.duration, heard.notes) == (4.0, ())


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "caf", "w64", "ogg"])
def test_an_ordinary_file_is_one_part(suffix: str, tmp_path: Path) -> None:
    raw = sound(tmp_path / f"a.{suffix}", 440)
    assert sound_parts(tmp_path / f"a.{suffix}", suffix) == [(0, len(raw))]


@pytest.mark.parametrize(
    "head", [b".snd" + bytes(60), b"RIFF\0\0\0\0WAVE" + bytes(9), b"RIFF\xff\xff\xff\xffWAVE", b"caff\0\x01", b"OggS"]
)
def test_no_header_leads_in_circles(head: bytes, tmp_path: Path) -> None:
    names = {b".snd": "au", b"RIFF": "wav", b"caff": "caf", b"OggS": "ogg"}
    (tmp_path / "a").write_bytes(head * 3)
    assert len(sound_parts(tmp_path / "a", names[head[:4]])) <= 3


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.aac", "aac"), ("a.ac3", "ac3")])
def test_streams_of_frames_go_on(name: str, codec: str, tmp_path: Path) -> None:
    raw = encode_sound(tmp_path / name, codec).read_bytes()
    (tmp_path / f"c{name}").write_bytes(raw * 2)
    heard = read_audio(tmp_path / f"c{name}")
    assert heard.duration == pytest.approx(4.1, abs=0.15)
    assert heard.notes == ()


def _twice(make: Callable[[Path], Path], folder: Path, name: str) -> Path:
    raw = make(folder / name).read_bytes()
    (folder / f"c{name}").write_bytes(raw * 2)
    return folder / f"c{name}"


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.tta", "tta"), ("a.flv", "aac")])
def test_what_goes_unread_is_said_of_sound(name: str, codec: str, tmp_path: Path) -> None:
    heard = read_audio(_twice(lambda path: encode_sound(path, codec), tmp_path, name))
    assert NOT_READ in heard.notes
    assert heard.partial


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.flv", "libx264"), ("a.wmv", "wmv2")]
)
def test_what_goes_unread_is_said_of_a_video(name: str, codec: str, tmp_path: Path) -> None:
    clip = read_video(_twice(lambda path: encode(path, codec), tmp_path, name), 4)
    assert clip.notes == (NOT_READ,)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4")])
def test_other_videos_go_on(name: str, codec: str, tmp_path: Path) -> None:
    clip = read_video(_twice(lambda path: encode(path, codec), tmp_path, name), 4)
    assert (clip.total_frames, clip.notes) == (40, ())


def test_the_reported_file(reference_data: Path) -> None:
    heard = read_audio(reference_data / "data" / "faults" / "chained_ogg" / "chain_vorbis.ogg")
    assert (heard.duration, pitches(heard.samples), heard.notes) == (4.0, [440, 440, 880, 880], ())


@pytest.mark.parametrize("times", [1, 2, 3])
def test_of_joined_matroska_files_ffmpeg_reads_two(times: int, tmp_path: Path) -> None:
    encode_sound(tmp_path / "a.mka", "flac")
    (tmp_path / "c.mka").write_bytes((tmp_path / "a.mka").read_bytes() * times)
    heard = read_audio(tmp_path / "c.mka")
    assert heard.notes == ((NOT_READ,) if times == 3 else ())
    assert heard.duration == pytest.approx(2.0 * min(times, 2), abs=0.1)
