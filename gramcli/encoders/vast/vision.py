"""The vision tower, also used for depth: EVA-CLIP (01 and 02); CLIP itself is in clip.py."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gramcli.encoders.vast.architecture import UnusedTextConfig, VisionConfig
from gramcli.encoders.vast.attention import attend, split_heads
from gramcli.encoders.vast.clip import ClipModel, UnusedText
from gramcli.encoders.vast.eva02 import GatedFeedForward, RotaryAttention, RotaryPositions


class PatchEmbedding(nn.Module):
    """Cuts frames into patches and projects each.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, kernel_size=config.patch_size, stride=config.patch_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed frames, [N, 3, R, R] -> [N, P - 1, V]."""
        patches: Tensor = self.proj(pixels.to(self.proj.weight.dtype))
        return patches.flatten(2).transpose(1, 2)


class FusedAttention(nn.Module):
    """Self-attention of EVA-01: one input matrix; queries and values have a bias, keys have none.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens, [N, P, V] -> [N, P, V]."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        packed = nn.functional.linear(x, self.qkv.weight, bias)
        queries, keys, values = (split_heads(part, self.heads) for part in packed.chunk(3, dim=-1))
        mixed: Tensor = self.proj(attend(queries, keys, values))
        return mixed


class FeedForward(nn.Module):
    """Two projections around an exact (erf) GELU.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.width, config.mlp_hidden)
        self.fc2 = nn.Linear(config.mlp_hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to each token, [N, P, V] -> [N, P, V]."""
        out: Tensor = self.fc2(nn.functional.gelu(self.fc1(x)))
        return out


class EvaBlock(nn.Module):
    """A pre-norm block.

    Args:
        config: Sizes of the tower.
        attention: Mixes tokens.
        feed_forward: Acts on each token.
    """

    def __init__(self, config: VisionConfig, attention: nn.Module, feed_forward: nn.Module) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.attn = attention
        self.norm2 = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.mlp = feed_forward

    def forward(self, x: Tensor) -> Tensor:
        """One block, [N, P, V] -> [N, P, V]."""
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class EvaTower(nn.Module):
    """EVA-CLIP's vision transformer; its projection `head` is not used.

    Args:
        config: Sizes of the tower; kind `eva01` or `eva02`.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.tokens, config.width))
        self.patch_embed = PatchEmbedding(config)
        if config.kind == "eva02":
            self.rope = RotaryPositions(config.width // config.heads, config.resolution // config.patch_size)
        self.blocks = nn.ModuleList(self._block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.head = nn.Linear(config.width, config.embed_dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode frames.

        Args:
            pixels: Normalised frames, shape [N, 3, R, R].

        Returns:
            All tokens after the last LayerNorm, class token first, shape [N, P, V].
        """
        patches = self.patch_embed(pixels)
        x = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        tokens: Tensor = self.norm(x)
        return tokens

    def _block(self, config: VisionConfig) -> EvaBlock:
        if config.kind == "eva02":
            return EvaBlock(config, RotaryAttention(config, self.rope), GatedFeedForward(config))
        return EvaBlock(config, FusedAttention(config), FeedForward(config))


class EvaModel(nn.Module):
    """EVA-CLIP as its checkpoints hold it.

    Args:
        vision: Sizes of the vision tower.
        text: Sizes of the unused text tower; None to leave it out.

    Attributes:
        visual: The vision tower.
    """

    def __init__(self, vision: VisionConfig, text: UnusedTextConfig | None) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.visual = EvaTower(vision)
        if text is not None:
            self.text = UnusedText(text, vision.embed_dim)


def vision_model(vision: VisionConfig, text: UnusedTextConfig | None) -> EvaModel | ClipModel:
    """The vision model that an architecture names, with the keys of its official checkpoints.

    Args:
        vision: Sizes of the vision tower.
        text: Sizes of the text tower that its checkpoint carries unused; None to leave it out.

    Returns:
        A module whose `visual` turns frames [N, 3, R, R] into tokens [N, P, V].

    Example:
        >>> config = VisionConfig("clip", width=8, layers=1, heads=2, mlp_hidden=32, patch_size=4, resolution=8,
        ...                       embed_dim=6)
        >>> vision_model(config, None).visual(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 5, 8])
    """
    return ClipModel(vision, text) if vision.kind == "clip" else EvaModel(vision, text)
