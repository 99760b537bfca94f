"""A torture corpus made on the spot: every row is a file, what becomes of it, and which frames it must give.

A frame carries its own index, so `frames` is checked against the picture itself. Of a damaged file the frames that come
out must be frames of the clip, in order and each once; how many there are at least is part of the row.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gramcli.media import video
from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip, read_video
from tests.media.clips import N_FRAMES, encode
from tests.media.torture_cases import ALL, DAMAGED, FAST_START, NO_MEDIA, ODD, SOUNDS, WHOLE, Case, verdict_on
from tests.media_factory import index_of, tone


def _check_encoder(codec: str) -> None:
    if codec and codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")


@pytest.mark.parametrize("case", [*WHOLE, *ODD], ids=lambda case: case.name)
def test_whole_files_give_the_frames_asked_for(case: Case, tmp_path: Path) -> None:
    _check_encoder(case.encoder)
    path = case.make(tmp_path)
    verdict, found = verdict_on(path, "video")
    assert verdict == case.video == "ok", found
    assert isinstance(found, VideoClip)
    assert found.total_frames == len(case.frames)
    codes = [index_of(np.rot90(picture, case.turns)) for picture in found.frames]
    assert codes == [case.frames[index] for index in found.indices]
    assert found.partial is False
    assert (found.notes == ()) == (len(case.frames) >= 5)
    assert verdict_on(path, "audio")[0] == case.audio, verdict_on(path, "audio")[1]


@pytest.mark.parametrize("case", [*WHOLE, *ODD], ids=lambda case: case.name)
def test_chosen_groups_are_bit_for_bit_what_reading_in_order_gives(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _check_encoder(case.encoder)
    path = case.make(tmp_path)
    chosen = [read_video(path, n) for n in (1, 4, 9)]
    monkeypatch.setattr(video, "_pick_groups", lambda *args: None)
    for clip in chosen:
        in_order = read_video(path, len(clip.indices))
        assert (clip.indices, clip.total_frames, clip.notes) == (
            in_order.indices,
            in_order.total_frames,
            in_order.notes,
        )
        np.testing.assert_array_equal(clip.frames, in_order.frames)


@pytest.mark.parametrize("case", DAMAGED, ids=lambda case: case.name)
def test_damaged_files_give_right_frames_or_none(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    verdict, found = verdict_on(path, "video", N_FRAMES)
    assert verdict == case.video or (case.video == "any" and verdict in {"ok", "partial"}), found
    if isinstance(found, VideoClip):
        codes = [index_of(picture) for picture in found.frames][: found.total_frames]
        assert codes == sorted(set(codes))
        assert len(codes) >= case.at_least
        assert verdict == "partial" or codes == list(ALL)
    assert verdict_on(path, "audio")[0] == case.audio


@pytest.mark.parametrize("case", [case for case in DAMAGED if case.video != "bad"], ids=lambda case: case.name)
def test_damage_met_on_the_way_to_a_few_frames_is_borne(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    whole = read_video(path, N_FRAMES)
    for n in (1, 2, 3):
        clip = read_video(path, n)
        codes = [index_of(picture) for picture in clip.frames]
        if clip.partial:
            # Where damage was seen, every frame was gone through: the frames are chosen among those that decode.
            assert clip.total_frames == whole.total_frames
            assert codes == [index_of(whole.frames[index]) for index in clip.indices]
        else:
            assert codes == [ALL[index] for index in clip.indices]


@pytest.mark.parametrize("case", SOUNDS, ids=lambda case: case.name)
def test_sound_is_whole_partial_or_refused(case: Case, tmp_path: Path) -> None:
    _check_encoder(case.encoder)
    path = case.make(tmp_path)
    assert verdict_on(path, "video")[0] in case.video.split("|")
    verdict, found = verdict_on(path, "audio")
    assert verdict == case.audio, found
    if isinstance(found, Waveform):
        assert abs(found.duration - 2.0) < 0.15 if verdict == "ok" else 0.5 < found.duration < 1.6
        wanted = tone(1.0, 440.0, 16000)
        spectrum = np.abs(np.fft.rfft(found.samples[:8000]))
        assert abs(int(np.argmax(spectrum)) * 2 - 440) <= 4
        assert np.abs(found.samples).max() == pytest.approx(np.abs(wanted).max(), rel=0.2)


@pytest.mark.parametrize("case", NO_MEDIA, ids=lambda case: case.name)
def test_bytes_that_are_no_media_end_in_one_sentence(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    for modality in ("video", "audio"):
        verdict, message = verdict_on(path, modality)
        assert verdict == "bad"
        assert str(message).startswith(str(path))
        assert "\n" not in str(message)


@pytest.fixture(scope="module")
def small_mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = encode(tmp_path_factory.mktemp("small") / "a.mp4", n=8, gop=4, mux=FAST_START, audio="aac")
    return path.read_bytes()


@pytest.fixture(scope="module")
def mutant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutant") / "a.mp4"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_file_gives_right_frames_or_one_sentence(small_mp4: bytes, mutant: Path, data: st.DataObject) -> None:
    mutant.write_bytes(small_mp4[: data.draw(st.integers(1, len(small_mp4)))])
    verdict, found = verdict_on(mutant, "video", 8)
    if isinstance(found, VideoClip):
        codes = [index_of(picture) for picture in found.frames][: found.total_frames]
        assert codes == sorted(set(codes))
        assert verdict == ("ok" if len(codes) == 8 else "partial")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_never_end_in_anything_but_a_clip_or_one_sentence(
    small_mp4: bytes, mutant: Path, data: st.DataObject
) -> None:
    raw = bytearray(small_mp4)
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), min_size=1, max_size=6)
    ):
        raw[place] = value
    mutant.write_bytes(raw)
    for modality in ("video", "audio"):
        verdict, found = verdict_on(mutant, modality, 3)
        if isinstance(found, VideoClip):
            assert found.frames.shape[0] == len(found.indices) == 3
            assert found.frames.shape[-1] == 3
            assert 0 <= min(found.indices) <= max(found.indices) < found.total_frames
            assert all(note.startswith("partial: ") for note in found.notes) or found.total_frames < 3
        elif isinstance(found, Waveform):
            assert np.isfinite(found.samples).all()
        else:
            assert verdict in {"bad", "absent"}
            assert str(found).startswith(str(mutant))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_zeroed_stretch_of_the_frames_shows_no_wrong_one(small_mp4: bytes, mutant: Path, data: st.DataObject) -> None:
    start = small_mp4.index(b"mdat") + 4
    low = data.draw(st.integers(start, len(small_mp4) - 1))
    high = data.draw(st.integers(low + 16, low + 2000))
    mutant.write_bytes(small_mp4[:low] + bytes(min(high, len(small_mp4)) - low) + small_mp4[high:])
    verdict, found = verdict_on(mutant, "video", 8)
    if isinstance(found, VideoClip):
        codes = [index_of(picture) for picture in found.frames][: found.total_frames]
        assert codes == sorted(set(codes))
        assert verdict == "partial" or codes == list(range(8))
