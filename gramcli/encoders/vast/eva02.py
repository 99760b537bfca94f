"""What sets EVA-02 blocks apart from EVA-01: rotary positions, sub-LayerNorm, a gated feed-forward part."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from gramcli.encoders.vast.architecture import VisionConfig
from gramcli.encoders.vast.attention import attend, split_heads

TRAINED_GRID: Final = 16
_BASE: Final = 10000.0


class RotaryPositions(nn.Module):
    """Rotates pairs of channels by angles that grow with the row (first half) and column (second half) of a patch.

    Positions are stretched to a grid of 16 patches a side, whatever the grid, as the towers were trained. The tables
    are buffers because the official checkpoints hold them, once for the tower and once for every block; they are
    computed here even where the model is built on the meta device, for a checkpoint may lack them.

    Args:
        head_width: Channels of a head, divisible by 4.
        grid: Patches a side.
    """

    freqs_cos: Tensor
    freqs_sin: Tensor

    def __init__(self, head_width: int, grid: int) -> None:
        super().__init__()
        half = head_width // 2
        rates = 1.0 / _BASE ** (torch.arange(0, half, 2, device="cpu").float() / half)
        positions = torch.arange(grid, device="cpu") / grid * TRAINED_GRID
        angles = torch.outer(positions, rates).repeat_interleave(2, dim=-1)
        rows = angles[:, None, :].expand(grid, grid, half)
        columns = angles[None, :, :].expand(grid, grid, half)
        table = torch.cat([rows, columns], dim=-1).flatten(0, 1)
        self.register_buffer("freqs_cos", table.cos())
        self.register_buffer("freqs_sin", table.sin())

    def forward(self, x: Tensor) -> Tensor:
        """Rotate all tokens but the first, the class token, which has no place.

        Args:
            x: Queries or keys, shape [N, heads, P, h].

        Returns:
            Same shape and dtype.
        """
        patches = x[:, :, 1:]
        turned = torch.stack([-patches[..., 1::2], patches[..., 0::2]], dim=-1).flatten(-2)
        rotated = patches * self.freqs_cos + turned * self.freqs_sin
        return torch.cat([x[:, :, :1], rotated.to(x.dtype)], dim=2)


class RotaryAttention(nn.Module):
    """Self-attention with rotary positions and a LayerNorm before the output projection.

    Args:
        config: Sizes of the tower.
        rope: The rotation, one for all blocks.
    """

    def __init__(self, config: VisionConfig, rope: RotaryPositions) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.inner_attn_ln = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.proj = nn.Linear(width, width)
        self.rope = rope

    def forward(self, x: Tensor) -> Tensor:
        """Mix the tokens, [N, P, V] -> [N, P, V]."""
        queries = self.rope(split_heads(self.q_proj(x) + self.q_bias, self.heads))
        keys = self.rope(split_heads(self.k_proj(x), self.heads))
        values = split_heads(self.v_proj(x) + self.v_bias, self.heads)
        mixed: Tensor = self.proj(self.inner_attn_ln(attend(queries, keys, values)))
        return mixed


class GatedFeedForward(nn.Module):
    """SwiGLU with a LayerNorm before the last projection.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.width, config.mlp_hidden)
        self.w2 = nn.Linear(config.width, config.mlp_hidden)
        self.ffn_ln = nn.LayerNorm(config.mlp_hidden, eps=config.layer_norm_eps)
        self.w3 = nn.Linear(config.mlp_hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to each token, [N, P, V] -> [N, P, V]."""
        out: Tensor = self.w3(self.ffn_ln(nn.functional.silu(self.w1(x)) * self.w2(x)))
        return out
