"""CLIP: the vision transformer, and the text tower that its checkpoints carry unused."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from gramcli.encoders.vast.architecture import UnusedTextConfig, VisionConfig
from gramcli.encoders.vast.attention import attend, split_heads

_TEXT_MLP_RATIO: Final = 4


class PackedAttention(nn.Module):
    """Self-attention whose three input projections are one matrix.

    Args:
        width: Width of a token, W.
        heads: Attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens, [N, L, W] -> [N, L, W]."""
        packed = nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        queries, keys, values = (split_heads(part, self.heads) for part in packed.chunk(3, dim=-1))
        mixed: Tensor = self.out_proj(attend(queries, keys, values))
        return mixed


class QuickGelu(nn.Module):
    """The sigmoid approximation of GELU that CLIP was trained with."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return x * torch.sigmoid(1.702 * x)


class ClipBlock(nn.Module):
    """A pre-norm block of CLIP's vision transformer.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.attn = PackedAttention(config.width, config.heads)
        self.ln_1 = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.mlp = _mlp(config.width, config.mlp_hidden)
        self.ln_2 = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """One block, [N, P, V] -> [N, P, V]."""
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class ClipTower(nn.Module):
    """CLIP's vision transformer; its projection `proj` is not used.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, patch = config.width, config.patch_size
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(config.tokens, width))
        self.proj = nn.Parameter(torch.zeros(width, config.embed_dim))
        self.conv1 = nn.Conv2d(3, width, kernel_size=patch, stride=patch, bias=False)
        self.ln_pre = nn.LayerNorm(width, eps=config.layer_norm_eps)
        blocks = nn.ModuleList(ClipBlock(config) for _ in range(config.layers))
        self.transformer = nn.ModuleDict({"resblocks": blocks})
        self.ln_post = nn.LayerNorm(width, eps=config.layer_norm_eps)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode frames.

        Args:
            pixels: Normalised frames, shape [N, 3, R, R].

        Returns:
            All tokens after the last LayerNorm, class token first, shape [N, P, V].
        """
        patches = self.conv1(pixels.to(self.conv1.weight.dtype)).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(patches), 1, -1), patches], dim=1)
        x = self.ln_pre(x + self.positional_embedding)
        for block in self.transformer["resblocks"].children():
            x = block(x)
        tokens: Tensor = self.ln_post(x)
        return tokens


class UnusedText(nn.Module):
    """The parameters of a CLIP text tower, under their official names; there is no way to run it.

    Args:
        config: Sizes of the tower.
        embed_dim: Width of the space it projects to.
    """

    def __init__(self, config: UnusedTextConfig, embed_dim: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(config.context_length, config.width))
        self.text_projection = nn.Parameter(torch.zeros(config.width, embed_dim))
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        blocks = nn.ModuleList(_unused_block(config.width) for _ in range(config.layers))
        self.transformer = nn.ModuleDict({"resblocks": blocks})
        self.ln_final = nn.LayerNorm(config.width)


class ClipModel(nn.Module):
    """CLIP as the VAST family keeps it: the text tower's parameters lie beside `visual`, not under a name of their own.

    Args:
        vision: Sizes of the vision tower.
        text: Sizes of the unused text tower; None to leave it out.

    Attributes:
        visual: The vision tower.
    """

    def __init__(self, vision: VisionConfig, text: UnusedTextConfig | None) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.visual = ClipTower(vision)
        if text is not None:
            unused = UnusedText(text, vision.embed_dim)
            self.positional_embedding = unused.positional_embedding
            self.text_projection = unused.text_projection
            self.transformer = unused.transformer
            self.token_embedding = unused.token_embedding
            self.ln_final = unused.ln_final
            self.prompt_embedding = nn.Embedding(1, text.width)  # the family's own addition


def _mlp(width: int, hidden: int) -> nn.Sequential:
    layers = nn.Sequential()
    layers.add_module("c_fc", nn.Linear(width, hidden))
    layers.add_module("gelu", QuickGelu())
    layers.add_module("c_proj", nn.Linear(hidden, width))
    return layers


def _unused_block(width: int) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "ln_1": nn.LayerNorm(width),
            "attn": PackedAttention(width, heads=1),
            "ln_2": nn.LayerNorm(width),
            "mlp": _mlp(width, _TEXT_MLP_RATIO * width),
        }
    )
