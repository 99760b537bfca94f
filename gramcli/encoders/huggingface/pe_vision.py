"""PE-Core's picture tower, which PE-AV sees each frame through.

transformers builds it with timm, whose package cannot be imported without torchvision. Here it is plain torch, under
the names its weights have in checkpoints, and stands where transformers would put timm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import torch
import transformers
from torch import Tensor, nn

from gramcli.errors import UserError

# Its types depend on whether it is installed where they are checked.
_library: Any = transformers
_EPS: Final = 1e-5
_ROPE_BASE: Final = 10000.0
_POOL_HEADS: Final = 8
# Of timm's arguments, those that a checkpoint may set to what they are here anyway.
_FIXED: Final[Mapping[str, Any]] = {"global_pool": "map", "use_post_transformer_norm": True, "init_values": None}


@dataclass(frozen=True)
class TowerShape:
    """Sizes of a tower, under timm's names; those of PE-Core L/14 by default.

    Attributes:
        img_size: Height and width of a picture in pixels.
        patch_size: Height and width of a patch in pixels.
        embed_dim: Width D of the tokens.
        depth: Blocks.
        num_heads: Attention heads of a block.
        mlp_ratio: Width of the hidden layer of a block over D.
        ref_feat_shape: Patches a side that the rotations were trained on.
        num_classes: Length of the vector that comes out.
    """

    img_size: int = 336
    patch_size: int = 14
    embed_dim: int = 1024
    depth: int = 24
    num_heads: int = 16
    mlp_ratio: float = 4.0
    ref_feat_shape: int = 24
    num_classes: int = 1024

    @property
    def side(self) -> int:
        """Patches a side."""
        return self.img_size // self.patch_size


ARCHITECTURES: Final[Mapping[str, TowerShape]] = {"vit_pe_core_large_patch14_336": TowerShape()}
"""timm's names of the towers that PE-AV uses."""


def tower_shape(vision_config: Mapping[str, Any]) -> TowerShape:
    """Read the sizes out of a checkpoint's `vision_config`.

    Args:
        vision_config: Of config.json: `architecture`, and what may be changed of it in `model_args`.

    Raises:
        UserError: Another architecture, or a setting that this tower does not have.

    Example:
        >>> tower_shape({"model_args": {"depth": 2}}).depth
        2
    """
    name = str(vision_config.get("architecture", next(iter(ARCHITECTURES))))
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UserError(
            "input", f"The frames of this PE-AV model go through '{name}'; gramcli can build {known} alone."
        )
    given = {key: _one_side(value) for key, value in (vision_config.get("model_args") or {}).items()}
    changed = {key: value for key, value in given.items() if key in {field.name for field in fields(TowerShape)}}
    odd = sorted(key for key in given if key not in changed and (key not in _FIXED or given[key] != _FIXED[key]))
    if odd:
        raise UserError("input", f"This PE-AV model changes its picture tower in a way unknown here: {', '.join(odd)}.")
    default = ARCHITECTURES[name]
    return replace(default, num_classes=_classes(vision_config) or default.num_classes, **changed)


def _classes(vision_config: Mapping[str, Any]) -> int:
    """Length of the vector: transformers writes as many labels, and may leave an older `num_classes` beside them."""
    labels = len(vision_config.get("label_names") or ())
    return int(vision_config.get("num_labels") or labels or vision_config.get("num_classes") or 0)


def _one_side(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return value[0] if isinstance(value, (list, tuple)) and len(set(value)) == 1 else value


def rotations(shape: TowerShape, device: torch.device) -> tuple[Tensor, Tensor]:
    """Sine and cosine of the angle of every patch and channel of a head.

    The first half of a head's channels turns with the column, the second with the row; neighbours turn together.

    Returns:
        Two tensors, float32 [patches, channels of a head].
    """
    bands = shape.embed_dim // shape.num_heads // 4
    steps = 1.0 / _ROPE_BASE ** (torch.arange(bands, dtype=torch.float32) / bands)
    places = (torch.arange(shape.side, dtype=torch.float32) + 1) / shape.side * shape.ref_feat_shape
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    angles = torch.stack((columns, rows), dim=-1).reshape(-1, 2, 1) * steps
    turned = angles.flatten(1).repeat_interleave(2, dim=-1)
    return turned.sin().to(device), turned.cos().to(device)


def _turned(x: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
    """Turn pairs of neighbouring channels of the patches, [..., 1 + patches, channels]; the first token stays."""
    first, rest = x[..., :1, :], x[..., 1:, :]
    across = torch.stack((-rest[..., 1::2], rest[..., ::2]), dim=-1).flatten(-2)
    return torch.cat((first, (rest * cosine + across * sine).to(x.dtype)), dim=-2)


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))
        return out


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        queries, keys, values = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(_turned(queries, *turns), _turned(keys, *turns), values)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class _Block(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.embed_dim, _EPS)
        self.attn = _Attention(shape.embed_dim, shape.num_heads)
        self.norm2 = nn.LayerNorm(shape.embed_dim, _EPS)
        self.mlp = _Mlp(shape.embed_dim, int(shape.embed_dim * shape.mlp_ratio))

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.attn(self.norm1(x), turns)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _Pool(nn.Module):
    """Attention of one learned query over all tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.zeros(1, 1, width))
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, _EPS)
        self.mlp = _Mlp(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        queries = self.q(self.latent.expand(len(x), -1, -1)).unflatten(-1, (_POOL_HEADS, -1)).transpose(1, 2)
        keys, values = self.kv(x).unflatten(-1, (2, _POOL_HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(queries, keys, values)
        pooled = self.proj(mixed.transpose(1, 2).flatten(2))
        out: Tensor = (pooled + self.mlp(self.norm(pooled)))[:, 0]
        return out


class _Patches(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, shape.embed_dim, shape.patch_size, shape.patch_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return out


class PictureTower(nn.Module):
    """A vision transformer with rotary positions and attention pooling.

    Args:
        shape: Its sizes.

    Source: Bolya et al., arXiv:2504.13181 (Perception Encoder).
    """

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.embed_dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + shape.side**2, width))
        self.patch_embed = _Patches(shape)
        self.norm_pre = nn.LayerNorm(width, _EPS)
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(width, _EPS)
        self.attn_pool = _Pool(width)
        self.head = nn.Linear(width, shape.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Encode pictures, [N, 3, img_size, img_size] -> [N, num_classes]."""
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), self.patch_embed(x)), dim=1)
        x = self.norm_pre(x + self.pos_embed)
        turns = rotations(self.shape, x.device)
        for block in self.blocks:
            x = block(x, turns)
        out: Tensor = self.head(self.attn_pool(self.norm(x)))
        return out


class PictureTowerConfig(_library.PreTrainedConfig):  # type: ignore[misc]  # no type, as above
    """What transformers asks of a model it builds as part of another: a configuration with a type of its own."""

    model_type = "gramcli_pe_core"
    vision_config: dict[str, Any] | None = None


class PictureTowerModel(_library.PreTrainedModel):  # type: ignore[misc]  # as above
    """The tower where transformers expects a classifier of timm's, under the same names.

    Args:
        config: Holds the checkpoint's own `vision_config`.
    """

    config_class = PictureTowerConfig
    base_model_prefix = "timm_model"
    main_input_name = "pixel_values"
    _supports_sdpa = True

    def __init__(self, config: PictureTowerConfig) -> None:
        super().__init__(config)
        shape = tower_shape(config.vision_config or {})
        self.num_labels = shape.num_classes
        self.timm_model = PictureTower(shape)
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> Any:  # noqa: ANN401 - as transformers has it
        """Encode pictures as `PictureTower` does; the vectors are the `logits`."""
        return _library.modeling_outputs.ImageClassifierOutput(logits=self.timm_model(pixel_values))


def register() -> None:
    """Make the tower known to transformers' automatic classes, which build it by its configuration."""
    _library.AutoConfig.register(PictureTowerConfig.model_type, PictureTowerConfig, exist_ok=True)
    _library.AutoModelForImageClassification.register(PictureTowerConfig, PictureTowerModel, exist_ok=True)
