"""`gram inspect hf:NAME` and of a folder: family, licence and parameters, from headers alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import transformers

import gramcli
from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.description import describe_model
from gramcli.encoders.huggingface.families import FAMILIES as FAMILIES_TABLE
from gramcli.errors import UserError
from tests.encoders.huggingface import tiny
from tests.encoders.huggingface.conftest import Made

FAMILIES = {
    "clip": "CLIP", "siglip": "SigLIP and SigLIP 2", "siglip2": "SigLIP and SigLIP 2", "metaclip2": "MetaCLIP 2",
    "xclip": "X-CLIP", "videoprism": "VideoPrism LvT",
}  # fmt: skip


@pytest.mark.parametrize("name", tiny.ALL)
def test_parameters_are_those_of_the_loaded_model(name: str, made: Made) -> None:
    facts = describe_model(str(made(name)), EncoderOptions()).facts
    held = transformers.AutoModel.from_pretrained(made(name)).state_dict()  # VideoPrism saves a table of positions too
    assert facts["parameters"] == f"{sum(one.numel() for one in held.values() if one.is_floating_point()):,}"
    assert facts["family"] == FAMILIES.get(name, facts["family"]) and facts["licence"] == "apache-2.0"


def test_verify_is_for_stores_and_checkpoints(made: Made) -> None:
    with pytest.raises(UserError, match="--verify reads a store or a checkpoint whole"):
        gramcli.inspect(made("clip"), verify=True)


def test_a_folder_says_how_it_is_used(made: Made) -> None:
    found = gramcli.inspect(made("clip"))
    assert found == gramcli.inspect(f"hf:{made('clip')}")
    assert found.kind == "model" and f"Use it as --model hf:{made('clip')}" in found.notes
    assert dict(found.facts)["vision tower"] == "2 layers, 32 wide, 4 heads, 32 pixels, 8 pixels a patch"


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\ntags:\n- a\n---\nlicense: not this\n", "mit"),
        ("---\nlicense: other\nlicense_name: apple-amlr\n---\n", "other, apple-amlr"),
        ("---\nlanguage: en\n---\n", "not stated"),
        ("no head\nlicense: mit\n", "not stated"),
        ('---\nlicense: "cc-by-nc-4.0"\n---\n', "cc-by-nc-4.0"),
    ],
)
def test_the_licence_is_that_of_the_card(card: str, licence: str, made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    (folder / "README.md").write_text(card)
    assert describe_model(str(folder), EncoderOptions()).facts["licence"] == licence


def test_half_precision_and_other_types_are_counted(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(made("clip"), folder)
    transformers.CLIPModel.from_pretrained(folder).half().save_pretrained(folder)
    (folder / "config.json").write_text(
        json.dumps({**json.loads((folder / "config.json").read_text()), "model_type": "x"})
    )
    facts = describe_model(str(folder), EncoderOptions()).facts
    assert facts["numbers"] == "F16 (42,561)" and facts["family"].startswith("not in the table")


def test_the_page_lists_every_family() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/models.md").read_text()
    for row in FAMILIES_TABLE:
        types = ", ".join(f"`{kind}`" for kind in row.model_types)
        assert f"| {row.name} | {types} | {', '.join(row.modalities)} |" in page
