"""A checkpoint is sound by `gram doctor`: the same bits alone and in any batch, fused embeddings too."""

from __future__ import annotations

from pathlib import Path

import pytest

from gramcli.encoders import load_encoder
from gramcli.encoders.soundness.examine import examine
from tests.encoders.vast.conftest import CHECKPOINTS


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_sound(name: str, reference_data: Path) -> None:
    golden = reference_data / "golden"
    vocabulary = golden / "bert-base-uncased" / "vocab.txt"
    encoder = load_encoder(golden / name, tokenizer=vocabulary, frames=2)
    found = examine(encoder)
    assert found.sound, found
    compared = [one for one in found.checks if one.verdict != "note" and one.cosine_difference is not None]
    assert {one.verdict for one in compared} <= {"ok"}
    assert {one.embedding for one in compared} == set(encoder.dims)
    assert {one.cosine_difference for one in compared if one.check != "other threads"} == {0.0}
    reversed_frames = next(one for one in found.checks if one.check == "frames reversed")
    assert reversed_frames.detail == "blind to the order of frames", "their video vector is a mean over frames"
