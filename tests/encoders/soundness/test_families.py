"""Tiny models of Hugging Face and sentence-transformers are sound, as we run them."""

from __future__ import annotations

import pytest

from gramcli.encoders import ENCODERS, load_encoder
from gramcli.encoders.soundness.examine import examine

if not {"hf", "st"} <= set(ENCODERS.names()):
    pytest.skip("there are no encoders hf and st yet", allow_module_level=True)
pytest.importorskip("transformers", reason="the extra hf is not installed: pip install 'gramcli[hf]'")
pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

from tests.encoders.huggingface import tiny as hf
from tests.encoders.sentence_transformers import tiny as st

PICTURES = ("clip", "siglip", "siglip2", "xclip", "videoprism")
SEES_TIME = {"xclip", "videoprism"}


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


@pytest.mark.parametrize("make", [st.text_model, st.picture_model, st.sound_model])
def test_sentence_transformers(tmp_path, make):
    is_sound(f"st:{make(tmp_path / 'model')}")
