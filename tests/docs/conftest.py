"""Folders in which pages run: the demo's, made once, clips of the reference data, a copy of MSR-VTT's ids."""

from __future__ import annotations

import shutil

import pytest
from typer.testing import CliRunner

CLIPS = {
    "barking": ("video1", "A dog is barking\n"),
    "howling": ("video2", "A dog is howling\nA dog howls at something we cannot see\n"),
    "red_cat": ("video3", "A red cat is meowing\n"),
    "black_cat": ("video4", "A black cat is meowing\n"),
}
ABSENT_FROM_MSRVTT = {"video9770", "video7020"}


def run_gram(arguments):
    """Run a command line in this process; returns the exit code and what a page shows: the answer, files, errors."""
    from gramcli.cli.main import app

    result = CliRunner().invoke(app, arguments)
    said = "".join(f"{line}\n" for line in result.stderr.splitlines() if line.startswith(("gram: error", "Wrote ")))
    return result.exit_code, result.stdout + said


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """What `gram demo -o demo` prints, and the folder it wrote."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code, printed = run_gram(["demo", "-o", "demo"])
    assert code == 0
    return folder / "demo", printed


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty current folder, and a cache of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def clips(workplace, request):
    """`clips/`: four videos, their captions, a subtitle, and a file that is no video."""
    data = request.getfixturevalue("reference_data") / "data" / "clips" / "videos"
    folder = workplace / "clips"
    folder.mkdir()
    for name, (video, captions) in CLIPS.items():
        shutil.copy(data / f"{video}.mp4", folder / f"{name}.mp4")
        (folder / f"{name}.txt").write_text(captions, encoding="utf-8")
    (folder / "barking.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\n(barking)\n", encoding="utf-8")
    (folder / "broken.mp4").write_text("not a video\n", encoding="utf-8")
    (folder / "broken.txt").write_text("A cat is jumping\n", encoding="utf-8")


@pytest.fixture
def msrvtt(workplace, request):
    """`MSRVTT/`: the ids and captions of the test clips, and names of all videos but two."""
    import json

    source = request.getfixturevalue("reference_data") / "data" / "annotations" / "msrvtt" / "descs_ret_test.json"
    (workplace / "MSRVTT" / "annotations").mkdir(parents=True)
    (workplace / "MSRVTT" / "videos").mkdir()
    shutil.copy(source, workplace / "MSRVTT" / "annotations")
    for name in {row["video_id"] for row in json.loads(source.read_text())} - ABSENT_FROM_MSRVTT:
        (workplace / "MSRVTT" / "videos" / f"{name}.mp4").touch()


@pytest.fixture
def msrvtt_splits(workplace, request):
    """`MSRVTT/`: real clips and small ones of our own under MSR-VTT's names, 26 to train on and 14 to test."""
    import json

    from tests.media_factory import write_video

    real = sorted((request.getfixturevalue("reference_data") / "data" / "clips" / "videos").glob("*.mp4"))
    folder = workplace / "MSRVTT"
    (folder / "videos").mkdir(parents=True)
    videos, sentences, rows = [], [], ["key,vid_key,video_id,sentence"]
    for k in range(40):
        one = f"video{k if k < 2 or 4 <= k < 28 else 7010 + k}"
        if k < 4:
            shutil.copy(real[k], folder / "videos" / f"{one}.mp4")
        else:
            write_video(folder / "videos" / f"{one}.mp4", 4, (32, 24), 8, 200.0 + 40 * k, (6 * k, 250 - 6 * k, 90), k)
        videos.append({"video_id": one, "url": f"https://www.youtube.com/watch?v={k % 2 if k < 4 else k}"})
        sentences += [{"video_id": one, "caption": f"{text} {k} of {k % 7}"} for text in ("clip", "number")]
        rows += [f"ret{k},msr{k},{one},clip {k} of {k % 7}"] if int(one[5:]) >= 7010 else []
    (folder / "MSRVTT_data.json").write_text(json.dumps({"videos": videos, "sentences": sentences}))
    (folder / "MSRVTT_JSFUSION_test.csv").write_text("\n".join(rows))
    trained = [video["video_id"] for video in videos if int(video["video_id"][5:]) < 7010]
    (folder / "MSRVTT_train.9k.csv").write_text("\n".join(["video_id", *trained]))


@pytest.fixture
def features(workplace):
    """Features of other models: CLIP4Clip's in one file, ImageBind's by modality, MTEB's cache, video_features'."""
    import hashlib
    import json

    import numpy as np

    random = np.random.default_rng(7)
    items, texts = [f"video{k}" for k in range(40)], [f"sentence {k}" for k in range(40)]
    base = random.normal(size=(40, 16)).astype(np.float32)

    def near(noise):
        return (base + noise * random.normal(size=base.shape)).astype(np.float32)

    frames = np.repeat(near(0.6)[:, None], 12, axis=1)
    frames[::3, 9:] = 0  # short videos are padded
    frames[5] = 0
    np.savez("clip4clip.npz", text=near(0.4), video=frames, ids=items)
    rows = "".join(f"{one},test,{text}\n" for one, text in zip(items, texts, strict=True))
    (workplace / "videos.csv").write_text(f"id,split,caption\n{rows}", encoding="utf-8")
    for name, norm in (("text", 100), ("vision", 1), ("audio", 20)):
        np.save(f"imagebind_{name}.npy", norm * near(0.7))
    (workplace / "cache").mkdir()
    index = {hashlib.sha256(text.encode()).hexdigest(): k for k, text in enumerate(texts)}
    (workplace / "cache" / "index.json").write_text(json.dumps(index), encoding="utf-8")
    (workplace / "cache" / "dimension").write_text("16", encoding="utf-8")
    np.concatenate([near(0.5), np.zeros((60, 16), np.float32)]).tofile("cache/vectors.npy")
    (workplace / "features").mkdir()
    for k, one in enumerate(items):
        np.save(f"features/{one}_clip.npy", np.repeat(near(0.5)[k : k + 1], 3 + k % 4, axis=0))
        np.save(f"features/{one}_fps.npy", np.array(25.0))
