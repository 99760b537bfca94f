"""A file that ends before it says is noted as partial, and no whole file is."""

from pathlib import Path

import pytest
import soundfile

from gramcli.media.audio import read_audio
from gramcli.media.video import read_video
from tests.media.clips import encode
from tests.media_factory import tone

SOUNDS = [("AU", "PCM_16"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"),
          ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_24"), ("WAVEX", "PCM_24")]  # fmt: skip


def _sound(path: Path, kind: str, subtype: str, n: int = 32001) -> Path:
    soundfile.write(str(path), tone(n / 16000, 440.0, 16000), 16000, format=kind, subtype=subtype)
    return path


@pytest.mark.parametrize(("kind", "subtype"), SOUNDS)
@pytest.mark.parametrize("share", [0.25, 0.5, 0.97])
def test_sound_cut_off_is_partial(kind: str, subtype: str, share: float, tmp_path: Path) -> None:
    path = _sound(tmp_path / "a.snd", kind, subtype)
    whole = read_audio(path)
    assert (len(whole.samples), whole.notes) == (32001, ())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    if subtype != "ALAC_16":  # the table of packets stands at the end
        assert read_audio(path).partial


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_file_without_its_length_is_judged_by_its_sound(length: int, tmp_path: Path) -> None:
    path = _sound(tmp_path / "a.wav", "WAV", "PCM_16")
    raw = bytearray(path.read_bytes())
    raw[4:8] = length.to_bytes(4, "little")
    path.write_bytes(raw)
    assert read_audio(path).notes == ()
    path.write_bytes(raw[: len(raw) // 2])
    assert read_audio(path).partial


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_recording_that_states_no_length_at_all_is_whole(share: float, tmp_path: Path) -> None:
    path = _sound(tmp_path / "a.wav", "WAV", "PCM_16")
    raw = bytearray(path.read_bytes())
    place = raw.index(b"data") + 4
    raw[4:8] = raw[place : place + 4] = b"\xff" * 4
    path.write_bytes(raw[: int(len(raw) * share)])
    assert read_audio(path).notes == ()


UNEVEN = tuple(k * k for k in range(20))
INDEXED = {"movflags": "dash+global_sidx+frag_keyframe"}


def _flv_tags(raw: bytes) -> list[int]:
    """Where each tag ends."""
    ends, at = [], 13
    while at < len(raw):
        at += 15 + int.from_bytes(raw[at + 1 : at + 4], "big")
        ends.append(at)
    return ends


@pytest.mark.parametrize("audio", [None, "aac"])
@pytest.mark.parametrize("tags_left", [0.3, 0.5, 0.8])
def test_an_flv_that_ends_between_tags_is_partial(audio: str | None, tags_left: float, tmp_path: Path) -> None:
    raw = encode(tmp_path / "a.flv", n=60, audio=audio).read_bytes()
    ends = _flv_tags(raw)
    (tmp_path / "b.flv").write_bytes(raw[: ends[int(len(ends) * tags_left)]])
    assert read_video(tmp_path / "a.flv", 60).notes == ()
    assert read_video(tmp_path / "b.flv", 60).partial


@pytest.mark.parametrize("audio", [None, "aac"])
def test_a_fragmented_mp4_that_ends_between_fragments_is_partial(audio: str | None, tmp_path: Path) -> None:
    raw = encode(tmp_path / "a.mp4", gop=5, mux=INDEXED, audio=audio).read_bytes()
    assert read_video(tmp_path / "a.mp4", 20).notes == ()
    starts = [at - 4 for at in range(len(raw)) if raw[at : at + 4] == b"moof"]
    for start in starts[1:]:
        (tmp_path / "b.mp4").write_bytes(raw[:start])
        assert read_video(tmp_path / "b.mp4", 20).partial


@pytest.mark.parametrize("share", [0.3, 0.42, 0.5, 0.61, 0.77, 0.9])
def test_an_mxf_cut_off_is_partial(share: float, tmp_path: Path) -> None:
    raw = encode(tmp_path / "a.mxf", "mpeg2video", n=40, fps=25, gop=10).read_bytes()
    (tmp_path / "b.mxf").write_bytes(raw[: int(len(raw) * share)])
    assert read_video(tmp_path / "b.mxf", 40).partial


@pytest.mark.parametrize("suffix", ["flv", "mp4"])
@pytest.mark.parametrize("options", [{"bf": "3"}, {"bf": "0"}])
@pytest.mark.parametrize("times", [None, UNEVEN, (*range(19), 400)])
def test_uneven_times_make_no_whole_file_partial(
    suffix: str, options: dict[str, str], times: tuple[int, ...] | None, tmp_path: Path
) -> None:
    path = encode(tmp_path / f"a.{suffix}", options=options, times=times, mux=INDEXED if suffix == "mp4" else {})
    assert read_video(path, 20).notes == ()


def test_sound_longer_than_the_picture_makes_no_file_partial(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.flv", n=10, audio="aac", sound_seconds=6.0)
    assert read_video(path, 10).notes == ()
    assert read_audio(path).duration > 5.9
