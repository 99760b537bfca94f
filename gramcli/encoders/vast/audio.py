"""The audio tower: BEATs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gramcli.encoders.vast.architecture import AudioConfig
from gramcli.encoders.vast.attention import attend, split_heads


class PositionConvolution(nn.Module):
    """A convolution over time whose weight has a learned length at every tap (weight norm over dimension 2).

    Written out because the parametrization that torch offers now names its parameters otherwise than the checkpoints.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        self.groups = config.conv_pos_groups
        self.kernel = config.conv_pos
        self.bias = nn.Parameter(torch.zeros(config.width))
        self.weight_g = nn.Parameter(torch.ones(1, 1, config.conv_pos))
        self.weight_v = nn.Parameter(torch.ones(config.width, config.width // config.conv_pos_groups, config.conv_pos))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, keeping the length, [N, U, A] -> [N, U, A]."""
        lengths = torch.linalg.vector_norm(self.weight_v, dim=(0, 1), keepdim=True, dtype=torch.float32)
        weight = (self.weight_v * (self.weight_g / lengths)).to(x.dtype)
        padding = self.kernel // 2
        # oneDNN's grouped convolution is off by 10 % in bfloat16 on CPUs with AMX (torch 2.13).
        wide = x.device.type == "cpu" and x.dtype in (torch.bfloat16, torch.float16)
        signal, taps, bias = (one.float() if wide else one for one in (x, weight, self.bias))
        out = nn.functional.conv1d(signal, taps, bias, padding=padding, groups=self.groups).to(x.dtype)
        return out[..., : x.shape[-1]]  # an even kernel yields one step too many


class GatedAttention(nn.Module):
    """Self-attention with a relative position bias that every query scales by a gate of its own.

    Args:
        config: Sizes of the tower.
        table: The bias of each bucket and head, one for all layers.
    """

    def __init__(self, config: AudioConfig, table: nn.Embedding) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.grep_a = nn.Parameter(torch.ones(1, config.heads, 1, 1))
        self.relative_attention_bias = table
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)
        self.grep_linear = nn.Linear(width // config.heads, 8)

    def forward(self, x: Tensor, buckets: Tensor) -> Tensor:
        """Mix the tokens.

        Args:
            x: Tokens, shape [N, A, U].
            buckets: Bucket of the distance from each query to each key, shape [A, A].

        Returns:
            Shape [N, A, U].
        """
        queries, keys, values = (
            split_heads(project(x), self.heads) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias = self._gate(queries) * self.relative_attention_bias(buckets).permute(2, 0, 1)
        mixed: Tensor = self.out_proj(attend(queries, keys, values, bias))
        return mixed

    def _gate(self, queries: Tensor) -> Tensor:
        """A factor between 1 and 2, or beyond where `grep_a` says so, for every head and query, [N, heads, A, 1]."""
        sums = self.grep_linear(queries).unflatten(-1, (2, 4)).sum(-1)
        first, second = torch.sigmoid(sums).chunk(2, dim=-1)
        return first * (second * self.grep_a - 1.0) + 2.0


class AudioLayer(nn.Module):
    """A post-norm layer with the enlarged residuals of DeepNorm.

    Args:
        config: Sizes of the tower.
        table: The relative position table, one for all layers.
    """

    def __init__(self, config: AudioConfig, table: nn.Embedding) -> None:
        super().__init__()
        self.residual_scale = (2 * config.layers) ** 0.25
        self.self_attn = GatedAttention(config, table)
        self.self_attn_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.fc1 = nn.Linear(config.width, config.ffn)
        self.fc2 = nn.Linear(config.ffn, config.width)
        self.final_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(self, x: Tensor, buckets: Tensor) -> Tensor:
        """One layer, [N, A, U] -> [N, A, U]; `buckets` as in `GatedAttention`."""
        x = self.self_attn_layer_norm(x * self.residual_scale + self.self_attn(x, buckets))
        x = self.final_layer_norm(x * self.residual_scale + self.fc2(nn.functional.gelu(self.fc1(x))))
        return x


class AudioLayers(nn.Module):
    """BEATs behind its patch embedding: positions by convolution, then the layers.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        self.num_buckets = config.num_buckets
        self.max_distance = config.max_distance
        self.pos_conv = nn.Sequential(PositionConvolution(config), nn.GELU())
        table = nn.Embedding(config.num_buckets, config.heads)
        self.layers = nn.ModuleList(AudioLayer(config, table) for _ in range(config.layers))
        self.layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """Encode patches, [N, A, U] -> [N, A, U]."""
        x = self.layer_norm(x + self.pos_conv(x.transpose(1, 2)).transpose(1, 2))
        places = torch.arange(x.shape[1], device=x.device)
        buckets = relative_buckets(places[None, :] - places[:, None], self.num_buckets, self.max_distance)
        for layer in self.layers:
            x = layer(x, buckets)
        return x


class AudioTower(nn.Module):
    """BEATs.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        self.post_extract_proj = nn.Linear(config.embed_dim, config.width) if config.embed_dim != config.width else None
        patch = config.patch_size
        self.patch_embedding = nn.Conv2d(1, config.embed_dim, kernel_size=patch, stride=patch, bias=False)
        self.encoder = AudioLayers(config)
        self.layer_norm = nn.LayerNorm(config.embed_dim, eps=config.layer_norm_eps)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Encode slices of sound.

        Args:
            spectrograms: Normalised log-mel slices, shape [N, T, mel].

        Returns:
            Tokens, time-major with frequency fastest, shape [N, A, U].
        """
        cells = spectrograms.unsqueeze(1).to(self.patch_embedding.weight.dtype)
        x = self.layer_norm(self.patch_embedding(cells).flatten(2).transpose(1, 2))
        if self.post_extract_proj is not None:
            x = self.post_extract_proj(x)
        tokens: Tensor = self.encoder(x)
        return tokens


def relative_buckets(distances: Tensor, num_buckets: int, max_distance: int) -> Tensor:
    """The bucket of each signed distance, key minus query.

    Half of the buckets are for either sign. Of each half, the first half holds one distance each, the rest grow
    logarithmically up to `max_distance`, beyond which all distances share the last bucket.

    Args:
        distances: Integers, any shape.
        num_buckets: Buckets in all.
        max_distance: Where the last bucket begins, more than num_buckets / 4.

    Returns:
        Bucket numbers, int64, same shape. The logarithm is taken in float32, as in training: in float64 a distance
        on an edge would fall into the next bucket.

    Example:
        >>> relative_buckets(torch.tensor([-100, -2, 0, 1, 2, 3, 8, 100]), 16, 32)
        tensor([ 7,  2,  0,  9, 10, 11, 13, 15])
    """
    half = num_buckets // 2
    exact = half // 2
    magnitude = distances.abs()
    ratio = torch.log(magnitude.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    large = (exact + (ratio * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(distances > 0, half, 0) + torch.where(magnitude < exact, magnitude, large)
