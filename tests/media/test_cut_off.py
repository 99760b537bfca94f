"""A file that ends before it says is noted as partial, and no whole file is."""

from pathlib import Path

import pytest
import soundfile

from gramcli.media.audio import read_audio
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
