"""Tiny models of Hugging Face and sentence-transformers are sound, as we run them."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.encoders import ENCODERS, load_encoder
from gramcli.encoders.base import Preprocessing
from gramcli.encoders.soundness import probes
from gramcli.encoders.soundness.examine import examine

if not {"hf", "st"} <= set(ENCODERS.names()):
    pytest.skip("there are no encoders hf and st yet", allow_module_level=True)
pytest.importorskip("transformers", reason="the extra hf is not installed: pip install 'gramcli[hf]'")
pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

from tests.encoders.huggingface import tiny as hf
from tests.encoders.huggingface import tiny_sound as sound
from tests.encoders.sentence_transformers import tiny as st

PICTURES = ("clip", "siglip", "siglip2", "xclip", "videoprism")
SEES_TIME = {"xclip", "videoprism"}


@pytest.fixture(autouse=True)
def _very_long_sounds_end_sooner(monkeypatch):
    """Thirty seconds are long for these models too; three minutes of PE-AV's codec take half of one."""
    monkeypatch.setattr(probes, "_LONG_SECONDS", 30.0)


def is_sound(spec, **options):
    found = examine(load_encoder(spec, **options))
    assert found.sound, found
    compared = [one for one in found.checks if one.verdict != "note" and one.cosine_difference is not None]
    assert {one.cosine_difference for one in compared if one.check != "other threads"} == {0.0}
    return found


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_and_clips(tmp_path, name):
    found = is_sound(f"hf:{hf.ALL[name](tmp_path / name)}")
    told = [one.detail for one in found.checks if one.check == "frames reversed"]
    assert told == ["sees time" if name in SEES_TIME else "blind to the order of frames"]


def test_sounds_and_three_texts_of_one(tmp_path):
    is_sound(f"hf:{sound.tiny_clap(tmp_path / 'clap', fusion=False)}")
    found = is_sound(f"hf:{sound.tiny_pe_av(tmp_path / 'pe', sampled=4)}")
    lengths = {one.embedding: one.detail for one in found.checks if one.check == "raw length"}
    assert {"text@video", "text@audio", "text@video+audio", "video", "audio"} <= lengths.keys()
    assert "1 to 1" not in lengths.values()  # none of PE-AV's vectors is normalised by the model


@pytest.mark.parametrize("make", [st.text_model, st.picture_model, st.sound_model])
def test_sentence_transformers(tmp_path, make):
    is_sound(f"st:{make(tmp_path / 'model')}")


class Library:
    """sentence-transformers called directly, as its own examples do: sounds in one padded batch."""

    spec, shared_space, fused, stand_ins = "library", True, {}, {}
    modalities = ("audio",)

    def __init__(self, folder):
        from sentence_transformers import SentenceTransformer

        self.preprocessing = Preprocessing(sample_rate=48000)
        self.model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self.dims = {"audio": self.model.get_embedding_dimension()}

    def prepare(self, modality, media):
        return {"array": media.samples, "sampling_rate": media.sample_rate}

    def encode(self, inputs):
        rows = self.model.encode(list(inputs["audio"]), batch_size=64, normalize_embeddings=True)
        return {"audio": np.asarray(rows, dtype=np.float32)}


def test_the_library_s_own_path_of_sounds_is_caught(tmp_path):
    found = examine(Library(st.sound_model(tmp_path / "model")))
    failed = {one.check: one for one in found.failed}
    assert "another vector each time" in failed["same input twice"].detail, "a random part of what is above 10 s"
    assert failed["same input twice"].cosine_difference > 1e-6
