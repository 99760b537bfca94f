"""Files of a checkpoint that contradict one another: the configuration is followed, and it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gramcli.encoders.vast.description import describe_checkpoint
from tests.encoders.vast.checkpoints import HPS


def changed(**model_cfg: Any) -> dict[str, Any]:
    return {**HPS, "model_cfg": {**HPS["model_cfg"], **model_cfg}}


@pytest.mark.parametrize(
    ("config", "arch", "said"),
    [
        (changed(model_type="pmrl"), {"model_type": "gram"}, "names pmrl, arch.json gram"),
        (changed(tau1=0.05), {"model_type": "gram"}, "names pmrl, arch.json gram"),
        (changed(), {"audio": {"target_length": 48}}, "names audio_target_length 32, arch.json 48"),
        (changed(), {"lengths": {"max_caption_len": 9}}, "names max_caption_len 8, arch.json 9"),
    ],
)
def test_arch_json_that_is_overruled(checkpoint: Path, config: Any, arch: Any, said: str) -> None:
    (checkpoint / "log" / "hps.json").write_text(json.dumps(config))
    (checkpoint / "arch.json").write_text(json.dumps(arch))
    assert [note for note in describe_checkpoint(checkpoint).assumptions if said in note]


def test_a_given_configuration_that_overrules_the_one_beside_the_weights(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps(changed(model_type="pmrl", audio_target_length=48, vision_resolution=14)))
    found = describe_checkpoint(checkpoint, config=other)
    said = "\n".join(found.assumptions)
    assert (found.family, found.architecture.audio.target_length) == ("pmrl", 48)
    for part in (
        "names pmrl, the one that came with the weights gram",
        "names audio_target_length 48, the one that came with the weights 32",
        "names vision_resolution 14, the one that came with the weights 28",
    ):
        assert part in said


def test_files_that_agree_are_not_mentioned(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "arch.json").write_text('{"model_type": "gram", "audio": {"target_length": 32}}')
    same = tmp_path / "same.json"
    same.write_text(json.dumps(HPS))
    assert describe_checkpoint(checkpoint, config=same).assumptions == ()
    (checkpoint / "log" / "hps.json").write_text("{broken")
    assert describe_checkpoint(checkpoint, config=same).assumptions == ()
    # Early releases of GRAM call themselves vast.
    same.write_text(json.dumps(changed(model_type="vast")))
    assert describe_checkpoint(checkpoint, config=same).assumptions == ()
