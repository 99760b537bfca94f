"""PE-Core's tower against values of timm's, and against timm itself where it is installed."""

import zlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gramcli.encoders.huggingface.pe_vision import PictureTower, tower_shape
from gramcli.errors import UserError

NAME = "vit_pe_core_large_patch14_336"
ARGUMENTS: dict[str, Any] = {"img_size": 42, "embed_dim": 32, "depth": 2, "num_heads": 4, "ref_feat_shape": [5, 5]}


def drawn(model: nn.Module) -> nn.Module:
    """Fill a model by the names of its weights."""
    with torch.no_grad():
        for name, one in model.named_parameters():
            draw = np.random.default_rng(zlib.crc32(name.encode()))
            one.copy_(torch.from_numpy(draw.normal(size=one.shape) * 0.3))
    return model.eval()


def pictures() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 42, 42)).astype(np.float32))


def test_the_values_are_those_of_timm() -> None:
    tower = drawn(PictureTower(tower_shape({"architecture": NAME, "num_classes": 6, "model_args": ARGUMENTS})))
    with torch.no_grad():
        found = tower(pictures())
    # timm 1.0.31, create_model(NAME, num_classes=6, **ARGUMENTS), with the same weights.
    expected = torch.tensor(
        [
            [0.57474, 8.21234, 2.43256, 1.62802, 2.05522, 0.82236],
            [0.75114, 8.24232, 2.57252, 1.74463, 2.02618, 0.88721],
        ]
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_the_tower_is_that_of_timm_where_it_is_there() -> None:
    timm = pytest.importorskip("timm", reason="timm needs torchvision, which gramcli does without")
    theirs = drawn(timm.create_model(NAME, num_classes=6, **{**ARGUMENTS, "ref_feat_shape": (5, 5)}))
    ours = PictureTower(tower_shape({"num_classes": 6, "model_args": ARGUMENTS})).eval()
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(pictures()), theirs(pictures()), atol=1e-5, rtol=0)


def test_sizes_are_read_as_checkpoints_write_them() -> None:
    assert tower_shape({}).num_classes == 1024
    shape = tower_shape({"architecture": NAME, "model_args": {"img_size": [28, 28]}, "label_names": ["a"] * 7})
    assert (shape.img_size, shape.side, shape.num_classes, shape.depth) == (28, 2, 7, 24)
    assert tower_shape({"num_classes": 9, "num_labels": 5}).num_classes == 5
    assert tower_shape({"model_args": {"global_pool": "map", "init_values": None}}) == tower_shape({})


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"architecture": "resnet50"}, "go through 'resnet50'; gramcli can build vit_pe_core_large_patch14_336 alone"),
        ({"model_args": {"global_pool": "avg"}}, "a way unknown here: global_pool"),
        ({"model_args": {"qk_norm": True, "depth": 2}}, "a way unknown here: qk_norm"),
    ],
)
def test_another_tower_is_refused(config: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        tower_shape(config)
