"""CLAP and PE-AV from files to a table, by the command line and by the API."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import gramcli
from gramcli.cli.main import app
from gramcli.encoders import load_encoder
from gramcli.media.audio import read_audio
from gramcli.media.video import read_video
from gramcli.store import open_store
from tests.encoders.huggingface.tiny_sound import tiny_clap, tiny_pe_av
from tests.media_factory import write_video, write_wav

NAMES = ("dog", "cat", "bird", "man", "rain")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips of different lengths with sound, each with two captions."""
    folder = tmp_path_factory.mktemp("clips")
    for index, name in enumerate(NAMES):
        colour = (40 * index, 200 - 30 * index, 90)
        write_video(folder / f"{name}.mp4", n_frames=7 + index, colour=colour, tone_hz=200.0 * (index + 1), seed=index)
        (folder / f"{name}.txt").write_text(f"a {name} sings\nthe loud {name} on the roof\n")
    return folder


def run(*arguments: Any) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--format", "json"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def ranks(queries: torch.Tensor, candidates: torch.Tensor, positives: list[int]) -> np.ndarray:
    scores = (queries.double() @ candidates.double().T).numpy()
    own = scores[np.arange(len(positives)), positives]
    return np.asarray((scores > own[:, None]).sum(1) + 1)


def test_pe_av_from_clips_to_a_table(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))
    model, path = tiny_pe_av(tmp_path / "model"), tmp_path / "store"
    run("embed", clips, "-o", path, "--model", f"hf:{model}", "--workers", "1", "--batch-size", "3")
    store = open_store(path)
    assert store.modalities == ("text@video", "text@audio", "text@video+audio", "video", "audio", "va")
    encoder = load_encoder(f"hf:{model}")
    order = sorted(NAMES)
    given = {
        "video": [encoder.prepare("video", read_video(clips / f"{one}.mp4", 64, "all-up-to")) for one in order],
        "audio": [encoder.prepare("audio", read_audio(clips / f"{one}.mp4", 48000)) for one in order],
    }
    texts = [line for one in order for line in (clips / f"{one}.txt").read_text().splitlines()]
    wanted = {**encoder.encode(given), **encoder.encode({"text": texts})}
    for name, rows in wanted.items():
        assert torch.equal(store.embeddings(name), rows)
    # Every task takes the text that was made for its other side.
    positives = [k // 2 for k in range(len(texts))]
    tasks = {("t2v",): ("text@video", "video"), ("t2a",): ("text@audio", "audio")}
    tasks[("text2va",)] = ("text@video+audio", "va")
    for (task,), (text, side) in tasks.items():
        asked = ("--query", "text", "--candidates", "va") if side == "va" else ("--task", task)
        table = run("eval", path, *asked, "--method", "cosine")["results"]
        found = {row["metric"]: row["value"] for row in table if row["task"] == task}
        expected = ranks(wanted[text], wanted[side], positives)
        assert found["R@1"] == pytest.approx((expected <= 1).mean())
        assert found["MeanR"] == pytest.approx(expected.mean())
        if text != "text@video":
            assert (ranks(wanted["text@video"], wanted[side], positives) != expected).any()


def test_clap_from_sounds_to_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAM_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "sounds"
    folder.mkdir()
    for index, (name, seconds) in enumerate({"dog": 0.5, "cat": 10.0, "rain": 12.5}.items()):
        write_wav(folder / f"{name}.wav", seconds, hz=300.0 * (index + 1), sample_rate=48000)
        (folder / f"{name}.txt").write_text(f"a {name} barks\n")
    model = tiny_clap(tmp_path / "model", fusion=False)
    summary = gramcli.embed(folder, tmp_path / "store", model=f"hf:{model}", workers=0)
    assert summary.ok == {"text": 3, "audio": 3}
    assert "mean over windows of 10 s" in " ".join(summary.notes)
    store, encoder = open_store(tmp_path / "store"), load_encoder(f"hf:{model}")
    order = sorted(("dog", "cat", "rain"))
    sounds = [encoder.prepare("audio", read_audio(folder / f"{one}.wav", 48000)) for one in order]
    assert [len(one.mels) for one in sounds] == [1, 1, 2]
    wanted = encoder.encode({"audio": sounds, "text": [f"a {one} barks" for one in order]})
    for name, rows in wanted.items():
        assert torch.equal(store.embeddings(name), rows)
    table = run("eval", tmp_path / "store", "--task", "t2a", "--method", "cosine")["results"]
    found = {row["metric"]: row["value"] for row in table if row["task"] == "t2a"}
    assert found["MeanR"] == pytest.approx(ranks(wanted["text"], wanted["audio"], [0, 1, 2]).mean())


def test_a_sound_that_pe_av_cannot_hear_is_left_out_by_name(tmp_path: Path) -> None:
    for name, seconds in {"dog": 0.5, "cat": 401.0}.items():
        write_wav(tmp_path / f"{name}.wav", seconds, sample_rate=8000)
        (tmp_path / f"{name}.txt").write_text(f"a {name}\n")
    model = tiny_pe_av(tmp_path / "model", "pe_audio")
    summary = gramcli.embed(tmp_path, tmp_path / "store", model=f"hf:{model}", workers=0)
    (left,) = summary.left_out
    assert (left.id, left.modality) == ("cat", "audio")
    assert "401 s long, and this model hears 400 s at most" in left.reason
