"""A model is loaded again in a second process: what it forgets between two runs, no comparison within one can see."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from gramcli.encoders import load_encoder
from gramcli.encoders.soundness import elsewhere
from gramcli.encoders.soundness.elsewhere import SecondProcess
from gramcli.encoders.soundness.runner import Subject
from gramcli.errors import UserError
from gramcli.heads.files import save_heads
from gramcli.heads.model import new_heads
from gramcli.inspection import soundness
from gramcli.inspection.soundness import examine_model
from gramcli.report.soundness import soundness_answer

OWN = """
    import os
    import numpy as np
    from gramcli.encoders import from_functions

    def rows(seed):
        weights = np.random.default_rng(seed).normal(size=(128, 16))
        def text(sentence):
            seen = np.zeros(128)
            for place, letter in enumerate(sentence):
                seen[ord(letter) % 128] += 1 + place / 100
            return (seen + np.eye(128)[0]) @ weights
        return text

    def made(text, d=16):
        print("a model that talks")
        return from_functions({"text": text}, d, name="own")

    def sound():
        return made(rows(0))

    class Long:
        dims = {"text": 16}

        def raw(self, inputs):
            return {"text": np.stack([3 * np.eye(16)[len(one) % 16] for one in inputs["text"]])}

        def encode(self, inputs):
            return {"text": self.raw(inputs)["text"] / 3}

    class Short:
        dims = {"text": 16}

        def encode(self, inputs):
            return {"text": Long().raw(inputs)["text"] / 3}

    def dark():
        clip = lambda clip: clip.frames.mean(axis=(0, 1, 2)) * np.sign(clip.frames.max())
        sound = lambda sound: [1, 2, abs(np.diff(sound.samples)).mean()] if sound.samples.any() else [np.nan] * 3
        text = lambda text: [len(text), len(text) % 7, 0]
        return from_functions({"text": text, "video": clip, "audio": sound}, 3, name="dark")

    def drawn():
        return made(rows(None))

    def hashed():
        def text(sentence):
            seen = np.ones(64)
            for word in sentence.split():
                seen[hash(word) % 64] += 1
            return seen
        return made(text, 64)

    def cached():
        first, text = {}, rows(0)
        return made(lambda sentence: first.setdefault(len(sentence), text(sentence)))

    def _second():
        return os.environ.get("FIRST") != str(os.getpid())

    def refuses():
        if _second():
            raise ValueError("there is only one of me")
        return sound()

    def dies():
        if _second():
            os._exit(7)
        return sound()

    def other_size():
        return made(rows(0)) if not _second() else made(lambda sentence: rows(0)(sentence)[:8], 8)

    def breaks():
        def text(sentence):
            if _second():
                raise RuntimeError("lost")
            return rows(0)(sentence)
        return made(text)

    def outgrows():
        def text(sentence):
            if _second():
                raise MemoryError
            return rows(0)(sentence)
        return made(text)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module `own_models` in the working directory, which is not on the path before the spec is read."""
    (tmp_path / "own_models.py").write_text(textwrap.dedent(OWN))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("FIRST", str(os.getpid()))
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    sys.modules.pop("own_models", None)
    yield "own_models"
    sys.modules.pop("own_models", None)


def again(found):
    return {one.embedding: one for one in found.checks if one.check == "loaded again"}


@pytest.mark.parametrize("name", ["drawn", "hashed", "cached"])
def test_what_differs_between_two_runs_fails(own, name):
    found = examine_model(f"{own}:{name}")
    assert {one.check for one in found.failed} == {"loaded again"}
    said = again(found)["text"]
    assert said.cosine_difference > 1e-3
    assert said.rank_difference > 0
    assert "another process, asked in another order, gives other vectors" in said.detail
    assert found.exit_code == 1
    precision = next(one for one in found.checks if one.check == "other precision")
    assert precision.detail == "not told apart from what failed above", "the precision is not blamed for it"


def test_what_is_sound_has_the_same_bits_there(own):
    said = again(examine_model(f"{own}:sound"))["text"]
    assert (said.verdict, said.cosine_difference, said.rank_difference) == ("ok", 0.0, 0)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("refuses", "ValueError: there is only one of me"),
        ("dies", "it ended with 7"),
        ("outgrows", "raised MemoryError"),
    ],
)
def test_what_cannot_be_loaded_there_is_said_and_no_fault(own, name, why):
    found = examine_model(f"{own}:{name}")
    said = again(found)["all"]
    assert found.sound
    assert said.verdict == "note"
    assert "not tried, for a second process cannot load it: " in said.detail
    assert why in said.detail
    notes = soundness_answer(found).notes
    assert any("Whether another process gives the same vectors is not known" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "why"), [("other_size", "8 dimensions where 16 were"), ("breaks", "in another process: raised")]
)
def test_what_works_here_only_fails(own, name, why):
    found = examine_model(f"{own}:{name}")
    assert why in again(found)["text"].detail
    assert again(found)["text"].verdict == "failed"


def test_every_modality_of_the_one_that_is_built_in_and_a_path_among_the_options_is_handed_on():
    found = again(examine_model("signal", frames=2, tokenizer=Path("nowhere")))
    assert set(found) >= {"text", "video", "audio", "subtitle", "depth", "image"}
    assert {(one.verdict, one.cosine_difference) for one in found.values()} == {("ok", 0.0)}


def test_its_own_process_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(elsewhere.sys, "executable", "/nowhere/python")
    with pytest.raises(UserError, match="it cannot be started"):
        SecondProcess("signal", {}).ask([Subject(("text",), ("text",))])


def test_of_a_model_of_parts_each_is_judged_and_a_long_load_is_told_before(own, monkeypatch):
    monkeypatch.setattr(soundness, "_LONG", 0.0)
    labels, words, told = [], [], []

    class Watch:
        def stage(self, label, unit="items"):
            labels.append(label)
            return lambda done, total, said="": words.append(said)

        def say(self, message):
            told.append(message)

    model = f"text={own}:drawn,video=signal,audio=signal"
    found = examine_model(model, watch=Watch(), frames=2)
    verdicts = {one.embedding: one.verdict for one in again(found).values()}
    assert verdicts == {"text": "failed", "video": "ok", "audio": "ok"}
    assert labels == ["Examining the model"]
    assert "loading it again in a second process" in words
    assert any("again in a second process" in one for one in told)


def same_bits_of_every_embedding(found):
    said = again(found)
    assert {(one.verdict, one.cosine_difference) for one in said.values()} == {("ok", 0.0)}
    return set(said)


def test_heads_of_the_built_in_model(tmp_path):
    signal = load_encoder("signal")
    rows = torch.from_numpy(signal.encode({"text": ["a red circle", "a blue square", "two dogs"]})["text"])
    heads = new_heads({"text": rows}, 4, 0, torch.Generator())
    plan = {"plan": {"loss": "gram"}, "dataset": {"id": "views"}, "trained": ["a"], "selected": []}
    save_heads(tmp_path / "heads", heads, {**plan, "model": signal.describe()})
    assert same_bits_of_every_embedding(examine_model(f"heads:{tmp_path / 'heads'}")) == {"text"}


def test_models_of_hugging_face_alone_and_beside_one_of_sentence_transformers(tmp_path):
    pytest.importorskip("transformers", reason="the extra hf is not installed: pip install 'gramcli[hf]'")
    pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")
    from tests.encoders.huggingface import tiny as hf
    from tests.encoders.sentence_transformers import tiny as st

    clip, text = hf.clip(tmp_path / "clip"), st.text_model(tmp_path / "model")
    same_bits_of_every_embedding(examine_model(f"hf:{clip}"))
    found = examine_model(f"text=st:{text},video=hf:{clip}")
    assert same_bits_of_every_embedding(found) == {"text", "video"}
    lengths = {one.embedding: one.detail for one in found.checks if one.check == "raw length"}
    assert lengths["text"] == "rows come at unit length; this encoder shows no others"
    assert re.fullmatch(r"[\d.]+ to [\d.]+", lengths["video"]), "as hf:tiny alone shows it"


def test_raw_lengths_of_one_s_own_class(own):
    shown, hidden = (examine_model(f"{own}:{name}") for name in ("Long", "Short"))
    told = [next(one for one in found.checks if one.check == "raw length") for found in (shown, hidden)]
    assert [(one.embedding, one.detail) for one in told] == [
        ("text", "3 to 3"),
        ("all", "rows come at unit length; this encoder shows no others"),
    ]
    part = examine_model(f"text={own}:Long")
    assert [one.detail for one in part.checks if one.check == "raw length"] == ["3 to 3"]


def test_a_function_that_gives_zeros_or_nan_fails_where_it_does(own):
    """It costs an item its vector in a run, which is no refusal in the encoder's own words."""
    found = examine_model(f"{own}:dark")
    failed = {one.check: one.detail for one in found.failed}
    assert {"empty text", "black frames", "silent sound"} <= failed.keys()
    assert failed["black frames"] == "the function of 'video' gave a vector that is zero or not finite"
