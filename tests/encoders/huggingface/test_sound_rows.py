"""The rows of the families of sound say what their models take."""

from pathlib import Path

import pytest

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.encoder import load
from gramcli.encoders.huggingface.families import family_of
from tests.encoders.huggingface.tiny_sound import tiny_clap, tiny_pe_av


@pytest.mark.parametrize("kind", ["clap", "pe_audio_video", "pe_audio", "pe_video"])
def test_a_row_names_the_modalities_of_its_models(kind: str, tmp_path: Path) -> None:
    folder = tiny_clap(tmp_path, fusion=False) if kind == "clap" else tiny_pe_av(tmp_path, kind)
    row = family_of({"model_type": kind})
    assert row is not None
    assert row.modalities == load(str(folder), EncoderOptions()).modalities
