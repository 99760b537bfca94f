"""From media to table: pictures and texts through the command line, and each side's own vector in a task."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gramcli import embed, evaluate
from gramcli.cli.main import app
from gramcli.store import open_store
from tests.media_factory import write_image, write_wav

pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

WORDS = ["a red circle", "someone plays guitar", "water", "the circle moves", "over the water", "guitar circle"]


def test_pictures_and_texts(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    rows = ["id,image,text"]
    for k, words in enumerate(WORDS):
        write_image(tmp_path / "p" / f"{k}.png", colour=(40 * k, 200 - 30 * k, 90))
        rows.append(f"{k},p/{k}.png,{words}")
    (tmp_path / "a.csv").write_text("\n".join(rows))
    words = ["embed", "a.csv", "-o", "emb", "--model", f"st:{models['pictures']}", "--workers", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["eval", "emb", "--task", "t2i", "--method", "cosine", "--format", "json"])
    table = json.loads(result.stdout)
    assert {row["task"] for row in table["results"]} == {"t2i", "i2t"}
    assert next(row["n"] for row in table["results"]) == len(WORDS)
    assert open_store(tmp_path / "emb").shared_space


def test_sounds_and_texts(models, tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for k in range(3):
        write_wav(folder / f"{k}.wav", seconds=0.5 + k, hz=200 * (k + 1), sample_rate=22050)
        (folder / f"{k}.txt").write_text("a dog barks" if k else "rain")
    summary = embed(folder, tmp_path / "emb", model=f"st:{models['sounds']}", workers=0)
    assert summary.ok == {"text": 3, "audio": 3}


@pytest.fixture
def prompted(models, tmp_path):
    """A store of texts and subtitles by a model with prompts."""
    rows = [f"{k},{words},{words[::-1]} {k}" for k, words in enumerate(WORDS)]
    (tmp_path / "a.csv").write_text("\n".join(["id,text,subtitle", *rows]))
    embed(tmp_path / "a.csv", tmp_path / "emb", model=f"st:{models['prompted']}", text_only=True, workers=0)
    return tmp_path / "emb"


def test_who_asks_is_embedded_as_a_query_and_who_answers_as_a_document(prompted, library):
    model = library("prompted")
    subtitles = [f"{words[::-1]} {k}" for k, words in enumerate(WORDS)]
    found = evaluate(prompted, tasks=["t2s"], methods=["cosine"])
    for name, asking, answering in (("t2s", WORDS, subtitles), ("s2t", subtitles, WORDS)):
        scores = model.encode_query(asking, batch_size=1) @ model.encode_document(answering, batch_size=1).T
        wanted = 1 + (scores > scores.diagonal()[:, None]).sum(axis=1)
        vector = next(one for one in found.ranks if one.task == name)
        assert list(vector.ranks) == wanted.tolist()
    plain = model.encode_document(WORDS, batch_size=1) @ model.encode_document(subtitles, batch_size=1).T
    assert not np.allclose(plain, model.encode_query(WORDS) @ model.encode_document(subtitles).T, atol=1e-3)
    assert any("text@query" in note and "subtitle@document" in note for note in found.notes)
    assert open_store(prompted).modalities == ("text@query", "text@document", "subtitle@query", "subtitle@document")
