"""The built-in encoder: unit rows, the same bits in any company, and statistics that mean what they say."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip

MODALITIES = ("text", "subtitle", "video", "audio", "image", "depth")


def rows_of(encoder, modality: str, inputs: list) -> np.ndarray:
    return encoder.encode({modality: inputs})[modality]


def clip(frames: np.ndarray) -> VideoClip:
    n = len(frames)
    return VideoClip(frames=frames, indices=tuple(range(n)), fps=4.0, duration=n / 4, total_frames=n)


def moving(dx: int, dy: int = 0, colour=(220, 30, 30), n: int = 8) -> np.ndarray:
    frames = np.full((n, 60, 80, 3), 40, np.uint8)
    for i in range(n):
        x, y = 32 + round(dx * (i - n / 2)), 22 + round(dy * (i - n / 2))
        frames[i, y : y + 16, x : x + 16] = colour
    return frames


def tone(hz: float, beats: float = 0.0, seconds: float = 2.0, rate: int = 16000) -> Waveform:
    time = np.arange(round(rate * seconds)) / rate
    gate = ((beats * time) % 1 < 0.5) if beats else 1.0
    return Waveform(samples=(0.4 * np.sin(2 * np.pi * hz * time) * gate).astype(np.float32), sample_rate=rate)


def examples(modality: str) -> list:
    if modality in ("text", "subtitle"):
        return ["a red circle moving left", "Ein blauer Kreis!", "", "日本語", "x" * 5000]
    if modality == "audio":
        return [
            tone(220),
            tone(880, 3),
            Waveform(np.zeros(8000, np.float32), 16000),
            tone(300, 2, 5.0),
            tone(99, 0, 0.01),
        ]
    pictures = [moving(3), moving(-3), np.zeros((4, 32, 32, 3), np.uint8), moving(0, 2)[:, :41, :33], moving(2, 0, n=1)]
    return [clip(frames) for frames in pictures] if modality == "video" else [frames[0] for frames in pictures]


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("signal")


@pytest.mark.parametrize("modality", MODALITIES)
def test_rows_are_unit_float32_and_the_same_bits_in_any_batch(encoder, modality):
    inputs = examples(modality)
    rows = rows_of(encoder, modality, inputs)
    assert rows.shape == (len(inputs), 256) == (len(inputs), encoder.dims[modality])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows.astype(np.float64), axis=1), 1, atol=1e-6)
    backwards = rows_of(encoder, modality, inputs[::-1])[::-1]
    alone = np.concatenate([rows_of(encoder, modality, [one]) for one in inputs])
    assert rows.tobytes() == backwards.tobytes() == alone.tobytes()
    assert rows_of(encoder, modality, []).shape == (0, 256)


@pytest.mark.parametrize("modality", MODALITIES)
def test_nothing_to_see_or_hear_gives_one_fixed_direction(encoder, modality):
    blank = {
        "text": ["", " \n"],
        "subtitle": ["", "\n"],
        "audio": [Waveform(np.zeros(n, np.float32), 16000) for n in (0, 1, 40000)],
        "video": [clip(np.zeros((n, 20, 30, 3), np.uint8)) for n in (1, 2, 8)],
    }.get(modality, [np.zeros((9, 9, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)])
    rows = rows_of(encoder, modality, blank)
    assert (rows == np.eye(1, 256, dtype=np.float32)).all()


SCRIPT = """
import hashlib
from tests.encoders.test_signal import rows_of, MODALITIES, examples
from gramcli.encoders import load_encoder
encoder = load_encoder("signal")
print(hashlib.sha256(b"".join(rows_of(encoder, m, examples(m)).tobytes() for m in MODALITIES)).hexdigest())
"""


def test_the_number_of_threads_does_not_change_a_bit():
    found = set()
    for threads in ("1", "2"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_videos_differ_by_direction_and_colour_and_a_picture_is_a_video_of_one_frame(encoder):
    frames = [moving(3), moving(-3), moving(3, colour=(30, 60, 220))]
    rows = rows_of(encoder, "video", [clip(one) for one in frames])
    near = rows_of(encoder, "video", [clip(np.roll(moving(3), 2, axis=1))])[0]
    assert rows[0] @ near > max(rows[0] @ rows[1], rows[0] @ rows[2]) + 0.02
    still = rows_of(encoder, "video", [clip(frames[0][:1])])
    assert still.tobytes() == rows_of(encoder, "image", [frames[0][0]]).tobytes()


def test_sounds_differ_by_pitch_and_by_rhythm_but_hardly_by_sample_rate(encoder):
    low, high, beating, resampled = rows_of(
        encoder, "audio", [tone(220), tone(1760), tone(220, 4), tone(220, rate=32000)]
    )
    assert low @ resampled > 0.95
    assert low @ resampled > max(low @ high, low @ beating) + 0.1


def test_texts_that_share_words_are_nearer(encoder):
    rows = rows_of(
        encoder, "text", ["a red circle moves left", "the Red circle is moving left", "two dogs bark at night"]
    )
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_unknown_modality_and_broken_samples_are_refused(encoder):
    with pytest.raises(UserError, match=r"cannot encode 'smell'. It encodes: text, video"):
        rows_of(encoder, "smell", [])
    with pytest.raises(UserError, match="audio with values that are not finite"):
        rows_of(encoder, "audio", [Waveform(np.full(4000, np.nan, np.float32), 16000)])
