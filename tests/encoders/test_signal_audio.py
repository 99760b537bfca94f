"""The mel filterbank and the modulation spectrum against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gramcli.encoders.signal_audio import (
    BANDS,
    HIGHEST_HZ,
    LOWEST_HZ,
    MODULATION_HZ,
    log_mel,
    mel,
    mel_filterbank,
    modulation_spectrum,
)


def test_mel_is_the_usual_scale():
    assert mel(0) == 0
    assert mel(1000) == pytest.approx(999.99, abs=0.01)


def test_filters_sum_to_one_and_vanish_above_half_the_rate():
    bank = mel_filterbank(16000, 1024).toarray()
    assert bank.shape == (BANDS, 513)
    np.testing.assert_allclose(bank.sum(axis=1), 1)
    narrow = mel_filterbank(4000, 256).toarray().sum(axis=1)
    assert narrow[0] == pytest.approx(1)
    assert narrow[-1] == 0


@pytest.mark.parametrize("hz", [200, 1000, 5000])
def test_a_sine_is_loudest_in_its_own_band(hz):
    samples = np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype(np.float32)
    bands = log_mel(samples, 16000)
    centres = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2)[1:-1]
    assert bands.mean(axis=0).argmax() == np.abs(centres - mel(hz)).argmin()
    assert 0.8 < bands.max() < 1.01
    assert log_mel(samples * 0, 16000).max() == pytest.approx(0, abs=1e-12)


def test_long_sounds_are_cut_in_chunks_without_a_seam(monkeypatch):
    samples = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    whole = log_mel(samples, 16000)
    monkeypatch.setattr("gramcli.encoders.signal_audio._CHUNK", 7)
    assert log_mel(samples, 16000).tobytes() == whole.tobytes()


@pytest.mark.parametrize("index", [4, 8, 12])
def test_a_band_that_rises_and_falls_shows_its_frequency(index):
    time = np.arange(900) / 100
    bands = np.zeros((900, BANDS))
    bands[:, :8] = 0.5 + 0.5 * np.sin(2 * np.pi * MODULATION_HZ[index] * time)[:, None]
    spectrum = modulation_spectrum(bands)
    assert spectrum[0].argmax() == index
    assert spectrum[1:].max() < 1e-12
