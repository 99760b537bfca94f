"""Pixels and spectrograms against those of the reference code."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from gramcli.encoders.vast.frontends import (
    crop_box,
    log_mel,
    preprocess_frames,
    preprocess_waveform,
    silent,
    slice_rows,
)
from gramcli.encoders.vast.resample import SincResampler
from gramcli.errors import UserError
from gramcli.media.sampling import middle_of_segment


@pytest.fixture(scope="module")
def vision(reference_data: Path) -> dict[str, Any]:
    return load_file(reference_data / "golden" / "vision.safetensors")


@pytest.fixture(scope="module")
def sound(reference_data: Path) -> dict[str, Any]:
    return load_file(reference_data / "golden" / "fbank.safetensors")


def facts(reference_data: Path, name: str) -> Any:
    return json.loads((reference_data / "golden" / name).read_text())


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("transform", ["crop_flip", "none"])
def test_frames_match_the_reference(vision: dict[str, Any], name: str, transform: Any) -> None:
    pixels = preprocess_frames(vision[f"{name}.frame_uint8_hwc"][None], 224, transform)
    assert pixels.dtype == np.float32 and pixels.flags.c_contiguous
    np.testing.assert_allclose(pixels[0], vision[f"{name}.{transform}"], atol=1e-6, rtol=0)


def test_each_frame_stands_alone(vision: dict[str, Any]) -> None:
    frame = vision["a.frame_uint8_hwc"]
    both = preprocess_frames(np.stack([frame, 255 - frame]), 42, "crop_flip")
    assert np.array_equal(both[:1], preprocess_frames(frame[None], 42, "crop_flip"))
    assert np.array_equal(both[1:], preprocess_frames(255 - frame[None], 42, "crop_flip"))


def test_a_frame_of_the_right_size_is_only_normalised() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    for transform in ("crop_flip", "none"):
        pixels = preprocess_frames(frame, 8, transform)
        assert pixels[0, 0, 3, 5] == np.float32((frame[0, 3, 5, 0] / 255 - 0.48145466) / 0.26862954)


@pytest.mark.parametrize("hw", [(1, 1), (1, 50), (50, 1), (7, 300)])
def test_odd_shapes(hw: tuple[int, int]) -> None:
    for transform in ("crop_flip", "none"):
        pixels = preprocess_frames(np.full((2, *hw, 3), 9, np.uint8), 14, transform)
        assert pixels.shape == (2, 3, 14, 14)
        assert np.ptp(pixels, axis=(0, 2, 3)).max() < 1e-6


def test_geometry_of_the_crop(reference_data: Path) -> None:
    for case in facts(reference_data, "vision.json")["geometry"]:
        assert crop_box(*case["hw"], 224) == (*case["resized_hw"], case["top"], case["left"])


def test_frame_rule_of_the_media_package(reference_data: Path) -> None:
    for case in facts(reference_data, "vision.json")["frame_rule"]:
        assert middle_of_segment(case["total_frames"], case["sample_num"]) == case["pmrl_split"]


def test_frames_refused() -> None:
    with pytest.raises(UserError, match=r"RGB \[n, h, w, 3\]; got \[2, 4, 4\]"):
        preprocess_frames(np.zeros((2, 4, 4), np.uint8), 8, "none")
    with pytest.raises(UserError, match="Unknown transform 'crop'"):
        preprocess_frames(np.zeros((2, 4, 4, 3), np.uint8), 8, "crop")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "rate"), [("a", 16000), ("b", 44100)])
def test_log_mel_matches_the_reference(sound: dict[str, Any], name: str, rate: int) -> None:
    samples = SincResampler(rate, 16000).resample(sound[f"{name}.waveform"])
    np.testing.assert_allclose(log_mel(samples, 64), sound[f"{name}.fbank"], atol=2e-3, rtol=0)


@pytest.mark.parametrize(("name", "rate"), [("a", 16000), ("b", 44100)])
@pytest.mark.parametrize(("slices", "length"), [(1, 128), (2, 128), (2, 64), (1, 1024)])
def test_slices_match_the_reference(sound: dict[str, Any], name: str, rate: int, slices: int, length: int) -> None:
    heard = preprocess_waveform(sound[f"{name}.waveform"], rate, slices, length, 64)
    assert heard.shape == (slices, length, 64) and heard.dtype == np.float32
    if length == 1024:
        expected = sound[next(key for key in sound if key.startswith(f"{name}.slices_n1_t1024"))]
        assert not heard[0, len(expected) :].any()
        heard = heard[0, : len(expected)]
    else:
        expected = sound[f"{name}.slices_n{slices}_t{length}"]
    np.testing.assert_allclose(heard, expected, atol=1e-4, rtol=0)


def test_slice_rule_matches_the_reference(reference_data: Path) -> None:
    for case in facts(reference_data, "fbank.json")["slice_rule"]:
        rows = slice_rows(case["num_frames"], case["sample_num"], case["target_length"])
        padded = [[*(index + 1 for index in taken), *[0] * (case["target_length"] - len(taken))] for taken in rows]
        assert padded == case["rows_1based_0_is_padding"]


@given(frames=st.integers(1, 500), slices=st.integers(1, 6), length=st.integers(1, 60))
def test_slices_are_in_order_and_inside(frames: int, slices: int, length: int) -> None:
    rows = slice_rows(frames, slices, length)
    assert len(rows) == slices
    assert all(0 <= taken.start <= taken.stop <= frames and len(taken) <= length for taken in rows)
    assert all(left.stop <= right.start for left, right in pairwise(rows))


def test_only_the_slices_that_are_kept_are_computed(sound: dict[str, Any]) -> None:
    samples = np.tile(sound["b.waveform"], 3)
    whole = log_mel(SincResampler(44100, 16000).resample(samples), 64)
    heard = preprocess_waveform(samples, 44100, 2, 64, 64)
    for row, rows in enumerate(slice_rows(len(whole), 2, 64)):
        expected = (whole[rows.start : rows.stop] - 15.41663) / (2 * 6.55582)
        np.testing.assert_allclose(heard[row, : len(rows)], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("samples", "frames"), [(400, 1), (559, 1), (560, 2)])
def test_shortest_sounds(samples: int, frames: int) -> None:
    noise = np.random.default_rng(2).standard_normal(samples).astype(np.float32)
    assert len(log_mel(noise, 64)) == frames
    assert preprocess_waveform(noise, 16000, 1, 8, 64)[0].any(axis=1).sum() == frames


def test_a_sound_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(UserError, match=r"lasts 24\.9 ms, less than one frame of 25 ms"):
        preprocess_waveform(np.ones(399, np.float32), 16000, 1, 8, 64)


def test_missing_sound(reference_data: Path) -> None:
    case = facts(reference_data, "fbank.json")["missing_audio"]
    assert list(silent(*case["shape"]).shape) == case["shape"] and not silent(*case["shape"]).any()


def test_resampling_matches_the_reference(sound: dict[str, Any]) -> None:
    heard = SincResampler(44100, 16000).resample(sound["b.waveform"])
    # The reference convolves in float32; its own two forms differ by 2e-6.
    np.testing.assert_allclose(heard, sound["b.waveform_16k"], atol=2e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([8000, 11025, 15999, 16000, 22050, 32000, 44100, 48000]),
    length=st.integers(1, 700),
    seed=st.integers(0, 99),
)
def test_resampling_is_linear_and_local(rate: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.standard_normal(length).astype(np.float32) for _ in range(2))
    resampler = SincResampler(rate, 16000)
    whole = resampler.resample(x)
    assert len(whole) == resampler.length(length) == -(-length * 16000 // rate)
    np.testing.assert_allclose(resampler.resample(2 * x - y), 2 * whole - resampler.resample(y), atol=1e-5, rtol=0)
    start = len(whole) // 3
    assert np.array_equal(resampler.resample(x, start, start + 50), whole[start : start + 50])


def test_resampling_keeps_a_tone() -> None:
    seconds = np.arange(48000) / 48000
    heard = SincResampler(48000, 16000).resample(np.sin(2 * np.pi * 440 * seconds).astype(np.float32))
    wanted = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(heard[100:-100], wanted[100:-100], atol=2e-3, rtol=0)


def test_the_workers_need_no_torch() -> None:
    code = "import sys, gramcli.encoders.vast.frontends; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
