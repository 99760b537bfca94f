"""The model of the VAST family (VAST, GRAM, PMRL, TRIANGLE): three towers, contrastive heads, matching.

Names of parameters are those of the official checkpoints, so that a checkpoint loads without renaming.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it

from gramcli.encoders.vast.architecture import Architecture
from gramcli.encoders.vast.audio import AudioTower
from gramcli.encoders.vast.text import TextModel
from gramcli.encoders.vast.vision import vision_model
from gramcli.errors import UserError

FEATURE_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("text",),
    "subtitle": ("subtitle",),
    "video": ("video",),
    "audio": ("audio",),
    "depth": ("depth",),
    "va": ("video", "audio"),
    "vs": ("video", "subtitle"),
    "vas": ("video", "audio", "subtitle"),
}
CONDITION_LETTERS: Final[dict[str, str]] = {"v": "video", "a": "audio", "s": "subtitle", "d": "depth"}


class ContrastiveHead(nn.Module):
    """A projection without bias into the shared space.

    Args:
        width: Width of a pooled tower output.
        contra_dim: Width of the shared space, C.
    """

    def __init__(self, width: int, contra_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, contra_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Project, [B, width] -> [B, C]."""
        out: Tensor = self.linear(x)
        return out


class MatchingHead(nn.Module):
    """Whether a text and the memory it attended to belong together.

    Args:
        width: Width of a text token, H.
        eps: Of its LayerNorm.
    """

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, width)
        self.layernorm = nn.LayerNorm(width, eps=eps)
        self.linear2 = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of no and yes, [B, H] -> [B, 2]."""
        out: Tensor = self.linear2(self.layernorm(F.gelu(self.linear1(x))))
        return out


class VastModel(nn.Module):
    """A model of the VAST family, for inference.

    Build it on the meta device and load with `assign=True`: nothing is then initialised in vain. Weights may be
    float32, bfloat16 or float16; inputs are cast to them. Tables that the official model shares between modules stay
    shared after `assign=True` where they act (the relative positions of the audio layers, the rotary tables); the
    unused word prediction then holds tensors of its own, as its checkpoint does. All tokens of all towers are in the
    dtype of the weights; features and matching probabilities are float32.

    Args:
        architecture: Sizes of everything.

    Example:
        >>> from gramcli.encoders.vast.architecture import Architecture, AudioConfig, TextConfig, VisionConfig
        >>> vision = VisionConfig("eva01", 16, 1, 2, 32, patch_size=7, resolution=14, embed_dim=8)
        >>> audio = AudioConfig(16, 1, 2, 32, 8, 16, conv_pos=4, conv_pos_groups=2, num_buckets=8, max_distance=16,
        ...                     mel_bins=32, target_length=64)
        >>> text = TextConfig(vocab_size=30, hidden=12, layers=1, heads=2, intermediate=24, max_positions=16)
        >>> architecture = Architecture("gram", vision, None, audio, text, contra_dim=10, vision_samples=4,
        ...                             audio_samples=1, depth=True)
        >>> model = VastModel(architecture).eval()
        >>> with torch.no_grad():
        ...     tokens = {"video": model.vision_tokens(torch.zeros(3, 2, 3, 14, 14)),
        ...               "audio": model.audio_tokens(torch.zeros(3, 1, 64, 32))}
        ...     {name: tuple(vectors.shape) for name, vectors in model.features(tokens).items()}
        {'video': (3, 10), 'audio': (3, 10), 'va': (3, 10)}
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        V, U, H = architecture.vision.width, architecture.audio.width, architecture.text.hidden
        C = architecture.contra_dim
        self.contra_temp = nn.Parameter(torch.ones(()))
        self.vision_frame_embedding = nn.Parameter(torch.zeros(1, architecture.vision_samples, H))
        self.audio_frame_embedding = nn.Parameter(torch.zeros(1, architecture.audio_samples, H))
        self.vision_type_embeddings = nn.Parameter(torch.zeros(1, 1, H))
        self.audio_type_embeddings = nn.Parameter(torch.zeros(1, 1, H))
        self.subtitle_type_embeddings = nn.Parameter(torch.zeros(1, 1, H))
        self.vision_encoder = vision_model(architecture.vision, architecture.vision_text)
        self.audio_encoder = AudioTower(architecture.audio)
        self.multimodal_encoder = TextModel(architecture.text)
        self.contra_head_t = ContrastiveHead(H, C)
        self.contra_head_s = ContrastiveHead(H, C)
        self.contra_head_v = ContrastiveHead(V, C)
        self.contra_head_a = ContrastiveHead(U, C)
        self.contra_head_d = ContrastiveHead(V, C) if architecture.depth else None
        self.contra_head_va = nn.Linear(V + U, C)
        self.contra_head_vs = nn.Linear(V + H, C)
        self.contra_head_vas = nn.Linear(V + U + H, C)
        self.itm_head = MatchingHead(H, architecture.match_eps)
        self.hidden_trans_vision_multimodal = _condition_projection(V, H, architecture.condition_eps)
        self.hidden_trans_audio_multimodal = _condition_projection(U, H, architecture.condition_eps)
        self.hidden_trans_subtitle_multimodal = _condition_projection(H, H, architecture.condition_eps)

    def vision_tokens(self, pixels: Tensor) -> Tensor:
        """Tokens of frames or of depth maps.

        Args:
            pixels: Normalised, shape [B, n, 3, R, R].

        Returns:
            Shape [B, n, P, V], class token first.

        Raises:
            ValueError: R is not the resolution of the tower: patches cut off at the edge would go unnoticed.
        """
        side = self.architecture.vision.resolution
        if pixels.shape[-2:] != (side, side):
            raise ValueError(f"the vision tower takes frames of {side} x {side}; got {list(pixels.shape)}")
        tokens: Tensor = self.vision_encoder.visual(pixels.flatten(0, 1))
        return tokens.view(*pixels.shape[:2], *tokens.shape[1:])

    def audio_tokens(self, spectrograms: Tensor) -> Tensor:
        """Tokens of sound.

        Args:
            spectrograms: Normalised log-mel slices, shape [B, m, T, mel].

        Returns:
            Shape [B, m, A, U].
        """
        tokens: Tensor = self.audio_encoder(spectrograms.flatten(0, 1))
        return tokens.view(*spectrograms.shape[:2], *tokens.shape[1:])

    def text_tokens(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Tokens of captions or subtitles.

        Args:
            ids: Token ids, shape [B, L].
            mask: 1 for a token, 0 for padding, shape [B, L].

        Returns:
            Shape [B, L, H]. Padding has tokens too: `condition` needs those of subtitles.
        """
        tokens: Tensor = self.multimodal_encoder.bert(ids, mask)
        return tokens

    def pooled(self, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One vector per sample and modality, before any head.

        Args:
            tokens: What the `*_tokens` methods gave, under `text`, `subtitle`, `video`, `audio`, `depth`.

        Returns:
            Under the same names: the class token of a text; that of each frame, averaged; all tokens of sound,
            averaged in each slice and over slices. Shape [B, H], [B, V] or [B, U].
        """
        return {name: _POOLING[name](x) for name, x in tokens.items()}

    def features(self, tokens: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Unit vectors in the shared space.

        Args:
            tokens: As in `pooled`.

        Returns:
            One [B, C] float32 per modality given, and `va`, `vs`, `vas` where all their parts are given, in the order
            of `FEATURE_PARTS`.

        Raises:
            UserError: Depth is given, and the checkpoint has no head for it.
        """
        pooled, heads = self.pooled(tokens), self._heads()
        if "depth" in pooled and "depth" not in heads:
            raise UserError("checkpoint", f"This {self.architecture.family} checkpoint has no head for depth; omit it.")
        features = {}
        for name, parts in FEATURE_PARTS.items():
            if all(part in pooled for part in parts):
                vectors: Tensor = heads[name](torch.cat([pooled[part] for part in parts], dim=-1))
                features[name] = F.normalize(vectors.float(), dim=-1)
        return features

    def condition(self, tokens: Mapping[str, Tensor], letters: str) -> Tensor:
        """What a text attends to when it is matched with a sample.

        Args:
            tokens: As in `pooled`.
            letters: Which modalities, in the order wanted, of `v`, `a`, `s`, `d`; for instance `vas`. Depth goes the
                way of video, with the same embeddings. Frames or slices in another number than the checkpoint's take
                the nearest of its embeddings.

        Returns:
            Shape [B, K, H], the tokens of all letters one after the other.
        """
        parts = []
        for letter in letters:
            x = tokens[CONDITION_LETTERS[letter]]
            if letter == "s":
                parts.append(self.hidden_trans_subtitle_multimodal(x) + self.subtitle_type_embeddings)
            elif letter == "a":
                framed = self.hidden_trans_audio_multimodal(x) + _resized(self.audio_frame_embedding, x.shape[1])
                parts.append(framed.flatten(1, 2) + self.audio_type_embeddings)
            else:
                framed = self.hidden_trans_vision_multimodal(x) + _resized(self.vision_frame_embedding, x.shape[1])
                parts.append(framed.flatten(1, 2) + self.vision_type_embeddings)
        return torch.cat(parts, dim=1)

    def match(self, condition: Tensor, ids: Tensor, mask: Tensor, chunk: int = 256) -> Tensor:
        """Probability that each text belongs to each sample.

        The part of the work that grows with K is done once per sample and chunk, not once per pair: ask for all texts
        of a sample together.

        Args:
            condition: From `condition`, shape [B, K, H].
            ids: Token ids, shape [n, L].
            mask: 1 for a token, 0 for padding, shape [n, L].
            chunk: Pairs computed at a time; memory grows with it, results do not change beyond rounding.

        Returns:
            Shape [B, n], float32.
        """
        ids, mask = _trimmed(ids, mask)
        texts = max(1, min(len(ids), chunk))
        samples = max(1, chunk // texts)
        rows = [
            torch.cat([self._all_pairs(memory, *part) for part in _chunks(ids, mask, texts)], dim=1)
            for memory in torch.split(condition, samples)
        ]
        return torch.cat(rows)

    def match_pairs(self, condition: Tensor, ids: Tensor, mask: Tensor, chunk: int = 256) -> Tensor:
        """Probability that text i belongs to sample i.

        Args:
            condition: From `condition`, shape [B, K, H].
            ids: Token ids, shape [B, L].
            mask: 1 for a token, 0 for padding, shape [B, L].
            chunk: Pairs computed at a time.

        Returns:
            Shape [B], float32.
        """
        parts = _chunks(*_trimmed(ids, mask), chunk)
        return torch.cat(
            [
                self._probability(*part, memory)
                for part, memory in zip(parts, torch.split(condition, chunk), strict=True)
            ]
        )

    def _all_pairs(self, memory: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        count = len(memory)
        return self._probability(ids.repeat(count, 1), mask.repeat(count, 1), memory).view(count, -1)

    def _probability(self, ids: Tensor, mask: Tensor, memory: Tensor) -> Tensor:
        hidden = self.multimodal_encoder.bert(ids, mask, memory)
        logits: Tensor = self.itm_head(hidden[:, 0])
        return logits.float().softmax(dim=-1)[:, 1]

    def _heads(self) -> dict[str, nn.Module]:
        heads: dict[str, nn.Module] = {
            "text": self.contra_head_t,
            "subtitle": self.contra_head_s,
            "video": self.contra_head_v,
            "audio": self.contra_head_a,
            "va": self.contra_head_va,
            "vs": self.contra_head_vs,
            "vas": self.contra_head_vas,
        }
        return heads if self.contra_head_d is None else heads | {"depth": self.contra_head_d}


def _condition_projection(width: int, hidden: int, eps: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.LayerNorm(hidden, eps=eps))


def _first_token(x: Tensor) -> Tensor:
    return x[:, 0]


def _mean_class_token(x: Tensor) -> Tensor:
    return x[:, :, 0].mean(dim=1)


def _mean_token(x: Tensor) -> Tensor:
    return x.mean(dim=2).mean(dim=1)


_POOLING: Final = {
    "text": _first_token,
    "subtitle": _first_token,
    "video": _mean_class_token,
    "audio": _mean_token,
    "depth": _mean_class_token,
}


def _resized(table: Tensor, count: int) -> Tensor:
    """Nearest rows of a [1, L, H] table for `count` frames, as torch rounds them, [1, count, 1, H]."""
    rows = F.interpolate(table.float().transpose(1, 2), size=count, mode="nearest").transpose(1, 2)
    return rows.to(table.dtype).unsqueeze(-2)


def _trimmed(ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out the columns that are padding in every text: only the class token is read, and it ignores them."""
    length = int(mask.any(dim=0).nonzero().max()) + 1
    return ids[:, :length], mask[:, :length]


def _chunks(ids: Tensor, mask: Tensor, size: int) -> list[tuple[Tensor, Tensor]]:
    return list(zip(torch.split(ids, size), torch.split(mask, size), strict=True))
