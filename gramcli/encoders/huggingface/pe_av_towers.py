"""PE-AV's encoders over batches whose members keep the vector they have alone.

The parts are transformers' own. What surrounds them is ours, because its batches change vectors: padding runs through
the convolutions of the codec, and clips whose longest members happen to be of one length are not aligned in time.
Here everything with a reach in time runs on one item; what is padded is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

_FRAMES_AT_ONCE: Final = 64


@dataclass(frozen=True)
class Encoded:
    """What an encoder made of one item.

    Attributes:
        pooled: Shape [D].
        steps: Shape [T, D].
    """

    pooled: Tensor
    steps: Tensor


def hear(encoder: Any, sounds: Sequence[Tensor]) -> list[Encoded]:  # noqa: ANN401 - a model of transformers
    """Encode sounds.

    Args:
        encoder: `PeAudioEncoder`.
        sounds: Samples, float32, each [whole hops], on the device of the encoder.

    Returns:
        One result a sound.
    """
    return through(encoder, [_steps(encoder.embedder, sound) for sound in sounds])


def _steps(embedder: Any, sound: Tensor) -> Tensor:  # noqa: ANN401 - as above
    """Embed a sound, [whole hops] -> [T, D]; its codec in float32 whatever the precision, as samples need."""
    with torch.autocast(sound.device.type, enabled=False), torch.backends.cudnn.flags(enabled=False):
        coded = embedder.bottleneck(embedder.dac_encoder(sound[None, None]))[0].T
    embedded: Tensor = embedder.data_proj(coded.to(embedder.data_proj.weight.dtype))
    return embedded


def watch(encoder: Any, clips: Sequence[Tensor]) -> list[Encoded]:  # noqa: ANN401 - as above
    """Encode clips, the frames of each in one batch.

    Args:
        encoder: `PeVideoEncoder`.
        clips: Pixels, each [T, 3, side, side], on the device and in the dtype of the encoder.

    Returns:
        One result a clip.
    """
    return through(encoder, [_frames(encoder.embedder, clip) for clip in clips])


def _frames(embedder: Any, clip: Tensor) -> Tensor:  # noqa: ANN401 - as above
    """Embed the frames of one clip, [T, 3, side, side] -> [T, D]; long ones in parts, to bound memory."""
    seen = torch.cat([embedder.vision_model(pixel_values=part).logits for part in torch.split(clip, _FRAMES_AT_ONCE)])
    embedded: Tensor = embedder.data_proj(embedder.proj(nn.functional.normalize(seen, dim=-1)))
    return embedded


def join(encoder: Any, heard: Sequence[Encoded], seen: Sequence[Encoded]) -> list[Encoded]:  # noqa: ANN401 - as above
    """Encode sounds and clips together.

    Args:
        encoder: `PeAudioVideoEncoder`.
        heard: Of the sounds.
        seen: Of the clips, in the same order.

    Returns:
        One result a pair.
    """
    pairs = zip(heard, seen, strict=True)
    return through(encoder, [_together(encoder.embedder, sound.steps, clip.steps) for sound, clip in pairs])


def _together(embedder: Any, sound: Tensor, clip: Tensor) -> Tensor:  # noqa: ANN401 - as above
    """Give every step of the sound the frame of its time, [T, D] and [T', D'] -> [T, D]."""
    frames = embedder.video_proj(clip.T[None])
    if frames.shape[-1] != len(sound):
        frames = nn.functional.interpolate(frames, size=len(sound), mode="nearest")
    aligned = embedder.video_norm(frames[0].T)
    joined: Tensor = embedder.data_proj(embedder.concat_modality_proj(torch.cat([sound, aligned], dim=-1)))
    return joined


def through(encoder: Any, embedded: Sequence[Tensor]) -> list[Encoded]:  # noqa: ANN401 - as above
    """Run embedded items of any lengths through an encoder's layers, in one batch.

    Args:
        encoder: Any of the three encoders.
        embedded: Steps of each item, each [T, D].

    Returns:
        One result an item. Items of one length need no mask, so one alone goes as transformers would take it.
    """
    from transformers.masking_utils import create_bidirectional_mask  # noqa: PLC0415 - transformers loads late

    lengths = [len(one) for one in embedded]
    padded = pad_sequence(list(embedded), batch_first=True)
    mask = None
    if len(set(lengths)) > 1:
        ends = torch.tensor(lengths, device=padded.device)
        mask = torch.arange(padded.shape[1], device=padded.device) < ends[:, None]
    x, mask = encoder.patch_embedder(padded, padding_mask=mask)
    if mask is not None:
        mask = create_bidirectional_mask(config=encoder.config, inputs_embeds=x, attention_mask=mask)
    places = encoder.rotary_emb(x, torch.arange(x.shape[1], device=x.device)[None])
    for layer in encoder.layers:
        x = layer(x, attention_mask=mask, position_embeddings=places)
    x = encoder.output(encoder.norm(x))
    return [Encoded(rows[0], rows[1 : 1 + length]) for rows, length in zip(x, lengths, strict=True)]
