"""What is done to decoded media before a VAST-family model sees them: pixels and log-mel spectrograms.

These functions run in the decoding workers: numpy only, no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gramcli.encoders.vast.resample import SincResampler
from gramcli.errors import UserError
from gramcli.media.sampling import middle_of_segment

if TYPE_CHECKING:
    from collections.abc import Sequence

Transform = Literal["crop_flip", "none"]
TRANSFORMS: Final[tuple[Transform, ...]] = get_args(Transform)

SAMPLE_RATE: Final = 16000
# Samples of one spectrogram frame (25 ms) and from one frame to the next (10 ms).
WINDOW: Final = 400
HOP: Final = 160

# CLIP's statistics of red, green and blue: every vision tower we support was trained with them.
_MEAN: Final = np.array([0.48145466, 0.4578275, 0.40821073])
_STD: Final = np.array([0.26862954, 0.26130258, 0.27577711])
_UNIT: Final = np.arange(256) / 255.0

_FULL_SCALE: Final = np.float32(2**15)
_FBANK_MEAN: Final = 15.41663
_FBANK_STD: Final = 6.55582


def preprocess_frames(frames: NDArray[np.uint8], resolution: int, transform: Transform) -> NDArray[np.float32]:
    """Resize frames to a square and normalise them.

    Args:
        frames: RGB, uint8 [n, h, w, 3].
        resolution: Side R of the model's input, in pixels.
        transform: `crop_flip` brings the shorter edge to R and crops the centre; `none` squeezes the frame into a
            square.

    Returns:
        float32 [n, 3, R, R], computed in float64 and rounded once.

    Raises:
        UserError: The transform is unknown, or the frames are not [n, h, w, 3].

    Note:
        Bilinear without antialiasing, as the models were trained: half-pixel centres and two neighbours along each
        axis, however much the picture shrinks. A flip happens only in training.

    Source: the evaluation transforms of arXiv:2412.11959 (GRAM), torchvision 0.15 on tensors.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape[1:3]:
        raise UserError("media", f"Frames must be RGB [n, h, w, 3]; got {list(frames.shape)}. Decode them as RGB.")
    y, x = _axes(frames.shape[1], frames.shape[2], resolution, transform)
    # Only the pixels that are used are ever turned into floats.
    upper, lower = (
        _UNIT[frames[:, row[:, None], x.first]] * (1 - x.weight[:, None])
        + _UNIT[frames[:, row[:, None], x.second]] * x.weight[:, None]
        for row in (y.first, y.second)
    )
    pixels = upper * (1 - y.weight[:, None, None]) + lower * y.weight[:, None, None]
    normalised = ((pixels - _MEAN) / _STD).astype(np.float32)
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))


def crop_box(height: int, width: int, resolution: int) -> tuple[int, int, int, int]:
    """Work out `crop_flip`: the size a frame is resized to and where the square is cut from it.

    Args:
        height: Of the frame, in pixels.
        width: Of the frame, in pixels.
        resolution: Side of the square.

    Returns:
        (height, width) after resizing, then (top, left) of the square.

    Example:
        >>> crop_box(240, 320, 224)
        (224, 298, 0, 37)
    """
    longer = int(resolution * max(height, width) / min(height, width))
    resized = (resolution, longer) if height <= width else (longer, resolution)
    # Margins that end in a half round to the even side, as Python's round does.
    return (*resized, round((resized[0] - resolution) / 2), round((resized[1] - resolution) / 2))


@dataclass(frozen=True)
class _Axis:
    """For each resized pixel of one axis: the two source pixels it lies between, and the share of the second."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    weight: NDArray[np.float64]


def _axes(height: int, width: int, resolution: int, transform: Transform) -> tuple[_Axis, _Axis]:
    if transform not in TRANSFORMS:
        raise UserError("usage", f"Unknown transform '{transform}' of frames. Known: {', '.join(TRANSFORMS)}.")
    tall, wide, top, left = resolution, resolution, 0, 0
    if transform == "crop_flip":
        tall, wide, top, left = crop_box(height, width, resolution)
    return _axis(height, tall, top, resolution), _axis(width, wide, left, resolution)


def _axis(size: int, resized: int, start: int, count: int) -> _Axis:
    """Place resized pixels start..start+count-1 among `size` source pixels."""
    position = np.maximum((np.arange(start, start + count) + 0.5) * (size / resized) - 0.5, 0.0)
    first = np.minimum(position.astype(np.intp), size - 1)
    return _Axis(first, np.minimum(first + 1, size - 1), position - first)


def preprocess_waveform(
    samples: NDArray[np.float32], rate: int, slices: int, target_length: int, mel_bins: int
) -> NDArray[np.float32]:
    """Turn sound into the spectrogram slices a model hears.

    Args:
        samples: One channel, full scale at 1, float32 [k].
        rate: Samples per second, as recorded: resampling is part of the front end.
        slices: How many slices m to take.
        target_length: Frames T of a slice, 10 ms each.
        mel_bins: Bands of the spectrogram.

    Returns:
        Normalised log-mel energies, float32 [m, T, mel_bins]; 0 past the end of the sound.

    Raises:
        UserError: The sound is shorter than one frame of 25 ms.

    Note:
        Only the slices that are kept are computed, so an hour of sound costs no more than a minute.

    Source: the audio mapper of arXiv:2412.11959 (GRAM): Kaldi filter banks without dither, normalised before padding.
    """
    resampler = SincResampler(rate, SAMPLE_RATE)
    length = resampler.length(len(samples))
    if length < WINDOW:
        raise UserError(
            "media", f"The sound lasts {length / 16:.1f} ms, less than one frame of 25 ms; leave its audio out."
        )
    frames = 1 + (length - WINDOW) // HOP
    result = silent(slices, target_length, mel_bins)
    for row, rows in enumerate(slice_rows(frames, slices, target_length)):
        if len(rows):
            piece = resampler.resample(samples, rows.start * HOP, (rows.stop - 1) * HOP + WINDOW)
            result[row, : len(rows)] = (log_mel(piece, mel_bins) - _FBANK_MEAN) / (2 * _FBANK_STD)
    return result


def silent(slices: int, target_length: int, mel_bins: int) -> NDArray[np.float32]:
    """Make the spectrogram that stands for a missing sound: zeros after normalisation, which is a sound of mean level.

    Returns:
        float32 [slices, target_length, mel_bins].
    """
    return np.zeros((slices, target_length, mel_bins), np.float32)


def slice_rows(frames: int, slices: int, target_length: int) -> tuple[range, ...]:
    """Choose which frames of a spectrogram each slice takes.

    The spectrogram is padded to whole slices, at least `slices` of them; one whose length is already a multiple of a
    slice, and long enough, gains a slice of padding alone. The middle slice of each of `slices` runs is kept.

    Args:
        frames: Frames of the spectrogram.
        slices: Slices wanted.
        target_length: Frames of a slice.

    Returns:
        `slices` ranges of frames, shorter than target_length where padding begins, empty where it is all padding.

    Example:
        >>> slice_rows(9, 2, 4)
        (range(0, 4), range(8, 9))
        >>> slice_rows(8, 2, 4)
        (range(0, 4), range(8, 8))
    """
    padding = max(target_length * slices - frames, target_length - frames % target_length)
    chosen = middle_of_segment((frames + padding) // target_length, slices)
    starts = [min(index * target_length, frames) for index in chosen]
    return tuple(range(start, min(start + target_length, frames)) for start in starts)


def log_mel(samples: NDArray[np.float32], mel_bins: int) -> NDArray[np.float32]:
    """Compute Kaldi's log-mel filter banks of sound at 16 kHz, without dither.

    Args:
        samples: Full scale at 1, float32 [k], k >= 400.
        mel_bins: Bands from 20 Hz to 8 kHz.

    Returns:
        Natural logarithms, not normalised, float32 [1 + (k - 400) // 160, mel_bins].
    """
    extractor = _extractor(mel_bins)
    extractor.accept_waveform(SAMPLE_RATE, samples * _FULL_SCALE)
    extractor.input_finished()
    rows: Sequence[Any] = [extractor.get_frame(row) for row in range(extractor.num_frames_ready)]
    return np.stack(rows).astype(np.float32, copy=False)


def _extractor(mel_bins: int) -> Any:  # noqa: ANN401 - the extension's class has no types of its own
    import kaldi_native_fbank as knf  # noqa: PLC0415 - workers that decode no sound need not load it

    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = mel_bins
    return knf.OnlineFbank(options)
