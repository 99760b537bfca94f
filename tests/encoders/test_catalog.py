"""The catalog of encoders, and what specs it refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gramcli.encoders import CHECKPOINTS, ENCODERS, load_encoder
from gramcli.errors import UserError


@pytest.mark.parametrize("name", ENCODERS.names())
def test_every_row_loads_and_keeps_its_promises(name):
    if name in (CHECKPOINTS, "heads"):
        pytest.skip("needs a checkpoint or heads: see tests/encoders/vast, tests/heads")
    if name == "hf":
        pytest.skip("needs a model: see tests/encoders/huggingface")
    encoder = load_encoder(name, frames=4)
    described = json.loads(json.dumps(encoder.describe()))
    assert encoder.spec == described["id"] == name
    assert encoder.preprocessing.frames == 4
    assert encoder.modalities == ENCODERS.row(name).modalities
    assert set(described) == {"id", "architecture", "weights_sha256", "preprocessing", "shared_space"}


@pytest.mark.parametrize("spec", ["hub:openai/clip", "signl", "vsat", ""])
def test_an_unknown_name_is_one_sentence_with_the_known_ones(spec):
    name = spec.partition(":")[0]
    with pytest.raises(UserError, match=rf"Unknown encoder '{name}'\..*Known: signal.*path of a checkpoint") as caught:
        load_encoder(spec)
    assert "vast" not in str(caught.value), "a checkpoint is named by its path"


def test_signal_takes_no_argument():
    with pytest.raises(UserError, match=r"takes no argument; got 'signal:big'"):
        load_encoder("signal:big")


def test_listing_encoders_imports_nothing_heavy():
    code = (
        "import sys, gramcli.encoders, gramcli.encoders.base;"
        "print([m for m in ('numpy', 'torch', 'sklearn', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
