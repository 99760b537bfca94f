"""The text tower, also used for subtitles and for matching: BERT with cross-attention."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from gramcli.encoders.vast.architecture import TextConfig
from gramcli.encoders.vast.attention import attend, split_heads

_MASKED: Final = -10000.0


class Embeddings(nn.Module):
    """Sum of word, position and token type embeddings, normalised.

    `position_ids` only fills its place in the state dict: positions are always 0, 1, ...

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.register_buffer("position_ids", torch.arange(config.max_positions).unsqueeze(0))
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden)
        self.position_embeddings = nn.Embedding(config.max_positions, config.hidden)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden)
        self.LayerNorm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        """Embed token ids, all of type 0, [N, L] -> [N, L, H]."""
        positions = self.position_embeddings.weight[: ids.shape[1]]
        x: Tensor = self.LayerNorm(self.word_embeddings(ids) + self.token_type_embeddings.weight[0] + positions)
        return x


class Projections(nn.Module):
    """The three input projections of an attention.

    Args:
        width: Width of a token, H.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)


class ResidualOutput(nn.Module):
    """The end of an attention or feed-forward part: project, add the residual, normalise.

    Args:
        config: Sizes of the tower.
        width: Width of what comes in.
    """

    def __init__(self, config: TextConfig, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config.hidden)
        self.LayerNorm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """Close the part, [N, L, width] and [N, L, H] -> [N, L, H]."""
        out: Tensor = self.LayerNorm(self.dense(x) + residual)
        return out


class TextAttention(nn.Module):
    """Attention of tokens to themselves or to a memory, with residual and LayerNorm.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.self = Projections(config.hidden)
        self.output = ResidualOutput(config, config.hidden)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: Tokens that ask, shape [N, L, H].
            memory: Tokens that answer, shape [N, K, H].
            bias: Added to the logits, broadcast to [N, heads, L, K]; None for nothing.

        Returns:
            Shape [N, L, H].
        """
        queries = split_heads(self.self.query(x), self.heads)
        keys = split_heads(self.self.key(memory), self.heads)
        values = split_heads(self.self.value(memory), self.heads)
        out: Tensor = self.output(attend(queries, keys, values, bias), x)
        return out


class TextLayer(nn.Module):
    """Self-attention, cross-attention where there is a memory, feed-forward part; all post-norm.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.attention = TextAttention(config)
        self.crossattention = TextAttention(config)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.hidden, config.intermediate)})
        self.output = ResidualOutput(config, config.intermediate)

    def forward(self, x: Tensor, bias: Tensor, memory: Tensor | None) -> Tensor:
        """One layer; shapes as in `TextTower.forward`."""
        x = self.attention(x, x, bias)
        if memory is not None:
            # Nothing masks the memory, so texts that share one can stand in one row of queries: the keys and values
            # of the memory, by far the longer side, are then computed once for all of them.
            rows = x.reshape(len(memory), -1, x.shape[-1])
            x = self.crossattention(rows, memory).reshape(x.shape)
        x = self.output(nn.functional.gelu(self.intermediate["dense"](x)), x)
        return x


class PredictionHead(nn.Module):
    """The parameters that predict masked words, tied to the word table; there is no way to run it.

    Args:
        config: Sizes of the tower.
        words: The word table.
    """

    def __init__(self, config: TextConfig, words: nn.Embedding) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        norm = nn.LayerNorm(config.hidden, eps=config.layer_norm_eps)
        self.transform = nn.ModuleDict({"dense": nn.Linear(config.hidden, config.hidden), "LayerNorm": norm})
        self.decoder = nn.Linear(config.hidden, config.vocab_size, device="meta")  # its tensors are replaced at once
        self.decoder.weight = words.weight
        self.decoder.bias = self.bias


class TextTower(nn.Module):
    """BERT with cross-attention and without a pooler.

    Args:
        config: Sizes of the tower.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList(TextLayer(config) for _ in range(config.layers))
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(self, ids: Tensor, mask: Tensor, memory: Tensor | None = None) -> Tensor:
        """Encode texts. Attention looks both ways.

        Args:
            ids: Token ids, shape [N, L].
            mask: 1 for a token, 0 for padding, shape [N, L].
            memory: What the texts are matched with, shape [M, K, H], M a divisor of N: the first N / M texts attend
                to the first row and so on. All K tokens are attended to. None for no cross-attention.

        Returns:
            Shape [N, L, H].
        """
        x: Tensor = self.embeddings(ids)
        bias = (1.0 - mask[:, None, None, :].to(x.dtype)) * _MASKED
        for layer in self.encoder["layer"].children():
            x = layer(x, bias, memory)
        return x


class TextModel(nn.Module):
    """The tower together with its unused word prediction, as checkpoints hold them.

    Args:
        config: Sizes of the tower.

    Attributes:
        bert: The tower.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.bert = TextTower(config)
        self.cls = nn.ModuleDict({"predictions": PredictionHead(config, self.bert.embeddings.word_embeddings)})
