"""The reference corpus of files that decoders choke on: the right frames, or one clear sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from gramcli.errors import UserError
from gramcli.media.audio import NoAudioTrack, read_audio
from gramcli.media.image import read_image
from gramcli.media.video import read_video
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


@pytest.mark.parametrize(("modality", "read"), [("video", lambda path: read_video(path, 4)), ("audio", read_audio)])
def test_what_is_bad_is_refused_in_one_sentence(corpus, modality: str, read) -> None:
    for path, facts in corpus.items():
        if facts[modality] != "bad":
            continue
        with pytest.raises(UserError, match=r"[;.]") as caught:
            read(path)
        assert caught.value.kind == "media"
        assert caught.value.message.startswith(str(path))
        assert not isinstance(caught.value, NoAudioTrack), path.name


def test_sound_is_found_and_absence_is_told_apart(corpus) -> None:
    for path, facts in corpus.items():
        if facts["audio"] == "ok":
            sound = read_audio(path)
            known = facts.get("samples", 0) * 16000 / facts.get("sample_rate", 16000)
            assert not known or len(sound.samples) == pytest.approx(known, abs=1), path.name
        elif facts["audio"] == "absent" and facts["kind"] == "video":
            with pytest.raises(NoAudioTrack, match="has no audio track"):
                read_audio(path)


def test_pictures_are_read_or_refused(corpus) -> None:
    for path, facts in corpus.items():
        if facts.get("image") == "ok":
            assert sorted(read_image(path).shape[:2]) == sorted((facts["height"], facts["width"])), path.name
        elif facts.get("image") in {"bad", "damaged"}:
            with pytest.raises(UserError, match=r"leave the item out|download it again"):
                read_image(path)
