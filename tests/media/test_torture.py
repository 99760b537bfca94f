"""The reference corpus of files that decoders choke on: the right frames, or one clear sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from gramcli.errors import UserError
from gramcli.media.audio import NoAudioTrack, read_audio
from gramcli.media.image import read_image
from gramcli.media.video import NoVideoTrack, read_video
from tests.media_factory import index_of

# Frames of the second half are numbered from 0 again, or a packet table without times hides frames.
OTHER_INDEX = {"v_size_change.ts", "v_rot90.mp4"}


@pytest.fixture(scope="module")
def corpus(reference_data: Path) -> dict[Path, dict[str, Any]]:
    folder = reference_data / "data" / "torture"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return {folder / name: facts for name, facts in expected.items()}


def test_sound_videos_give_the_frames_asked_for(corpus) -> None:
    for path, facts in corpus.items():
        if facts["video"] != "ok" or facts["kind"] != "video" or facts["width"] > 1000:
            continue
        clip = read_video(path, 8)
        assert clip.total_frames == facts["frames"], path.name
        if facts.get("framecode", True) and path.name not in OTHER_INDEX:
            assert [index_of(frame) for frame in clip.frames] == list(clip.indices), path.name
        if facts["fps"]:
            assert clip.fps == pytest.approx(facts["fps"], rel=0.01), path.name


def test_a_rotated_video_is_upright(corpus) -> None:
    plain, rotated = (next(p for p in corpus if p.name == name) for name in ("v_h264_aac.mp4", "v_rot90.mp4"))
    frames = read_video(rotated, 4).frames
    assert frames.shape == (4, 128, 96, 3)
    # Turned back, the picture is the plain one: stored 128 x 96, shown a quarter turn counter-clockwise.
    assert (frames.swapaxes(1, 2)[:, :, ::-1] == read_video(plain, 4).frames).all()


def _verdict(path: Path, modality: str) -> str:
    try:
        found = read_video(path, 4) if modality == "video" else read_audio(path)
    except (NoVideoTrack, NoAudioTrack):
        return "absent"
    except UserError as error:
        assert (error.kind, error.message.startswith(str(path))) == ("media", True)
        return "bad"
    return "partial" if found.partial else "ok"


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_every_file_gets_its_verdict(corpus, modality: str) -> None:
    wrong = {}
    for path, facts in corpus.items():
        due = {facts[modality]}
        if path.name == "a_nan.wav" and modality == "audio":
            due = {"bad"}  # the corpus calls it partial; samples that are not finite are a failure here
        elif due == {"absent"} and (
            facts["kind"] not in {"video", "audio"} or "bad" in {facts["video"], facts["audio"]}
        ):
            due = {"absent", "bad"}  # no media at all, or nothing that opens: what it has not got cannot be told
        if (verdict := _verdict(path, modality)) not in due:
            wrong[path.name] = verdict
    assert wrong == {}


def test_every_frame_of_a_damaged_video_is_a_right_one(corpus) -> None:
    for path, facts in corpus.items():
        if facts["video"] == "partial":
            clip = read_video(path, 500)
            codes = list(dict.fromkeys(index_of(frame) for frame in clip.frames))
            assert codes == sorted(codes), path.name
            assert len(codes) == clip.total_frames, path.name


def test_samples_that_are_not_finite_are_counted(corpus) -> None:
    path = next(path for path in corpus if path.name == "a_nan.wav")
    with pytest.raises(UserError, match=r"a_nan\.wav holds 10 audio samples that are NaN or infinite"):
        read_audio(path)


def test_sound_has_the_stated_length(corpus) -> None:
    for path, facts in corpus.items():
        if facts["audio"] == "ok":
            sound = read_audio(path)
            known = facts.get("samples", 0) * 16000 / facts.get("sample_rate", 16000)
            assert not known or len(sound.samples) == pytest.approx(known, abs=1), path.name


def test_pictures_are_read_or_refused(corpus) -> None:
    for path, facts in corpus.items():
        if facts.get("image") == "ok":
            assert sorted(read_image(path).shape[:2]) == sorted((facts["height"], facts["width"])), path.name
        elif facts.get("image") in {"bad", "damaged"}:
            with pytest.raises(UserError, match=r"leave the item out|download it again"):
                read_image(path)
