"""The sizes of a VAST-family model (VAST, GRAM, PMRL, TRIANGLE): three towers, heads, lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["vast", "gram", "pmrl", "triangle"]
VisionKind = Literal["eva01", "eva02", "clip"]


@dataclass(frozen=True)
class VisionConfig:
    """A vision transformer.

    Attributes:
        kind: Which blocks it is made of.
        width: Width of a token, V.
        layers: Number of blocks.
        heads: Attention heads of a block.
        mlp_hidden: Width of the feed-forward part.
        patch_size: Side of a patch, in pixels.
        resolution: Side of the input, in pixels.
        embed_dim: Output width of the tower's own head, which these models do not use.
        layer_norm_eps: Of every LayerNorm.
    """

    kind: VisionKind
    width: int
    layers: int
    heads: int
    mlp_hidden: int
    patch_size: int
    resolution: int
    embed_dim: int
    layer_norm_eps: float = 1e-6

    @property
    def tokens(self) -> int:
        """Tokens per frame: the patches and the class token."""
        return 1 + (self.resolution // self.patch_size) ** 2


@dataclass(frozen=True)
class UnusedTextConfig:
    """The text tower that EVA-CLIP and CLIP checkpoints carry and these models never run."""

    context_length: int
    vocab_size: int
    width: int
    layers: int


@dataclass(frozen=True)
class AudioConfig:
    """BEATs.

    Attributes:
        width: Width of a token, U.
        layers: Number of blocks.
        heads: Attention heads.
        ffn: Width of the feed-forward part.
        embed_dim: Output width of the patch convolution.
        patch_size: Side of a patch, in spectrogram cells.
        conv_pos: Kernel of the positional convolution.
        conv_pos_groups: Its groups.
        num_buckets: Rows of the relative position table.
        max_distance: Distance from which all positions share a bucket.
        mel_bins: Height of a spectrogram.
        target_length: Frames of a slice.
        layer_norm_eps: Of every LayerNorm.
    """

    width: int
    layers: int
    heads: int
    ffn: int
    embed_dim: int
    patch_size: int
    conv_pos: int
    conv_pos_groups: int
    num_buckets: int
    max_distance: int
    mel_bins: int
    target_length: int
    layer_norm_eps: float = 1e-5


@dataclass(frozen=True)
class TextConfig:
    """BERT with cross-attention.

    Attributes:
        vocab_size: Rows of the word table.
        hidden: Width of a token, H.
        layers: Number of blocks.
        heads: Attention heads.
        intermediate: Width of the feed-forward part.
        max_positions: Rows of the position table.
        type_vocab_size: Rows of the token type table.
        layer_norm_eps: Of every LayerNorm.
    """

    vocab_size: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    max_positions: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the modules of a model and what is fed to them.

    Attributes:
        family: Whose checkpoint it is.
        vision: The vision tower, also for depth.
        vision_text: Its unused text tower; None where the checkpoint has none.
        audio: The audio tower.
        text: The text tower, also for subtitles and matching.
        contra_dim: Width of the shared space, C.
        vision_samples: Rows of the vision frame embedding.
        audio_samples: Rows of the audio frame embedding.
        depth: Whether there is a head for depth.
        caption_length: Tokens of a caption.
        subtitle_length: Tokens of a subtitle.
        match_eps: Of the matching head's LayerNorm.
        condition_eps: Of the LayerNorms of what texts attend to.
    """

    family: Family
    vision: VisionConfig
    vision_text: UnusedTextConfig | None
    audio: AudioConfig
    text: TextConfig
    contra_dim: int
    vision_samples: int
    audio_samples: int
    depth: bool
    caption_length: int = 40
    subtitle_length: int = 70
    match_eps: float = 1e-12
    condition_eps: float = 1e-12
