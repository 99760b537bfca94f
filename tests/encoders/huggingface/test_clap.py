"""CLAP: features as the library's own, vectors as its model's, and no chance where the authors' code has it."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate, normalize
from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.clap_sound import MOST_WINDOWS, clap_prepare, window_starts
from gramcli.encoders.huggingface.encoder import HuggingFaceEncoder, load
from gramcli.errors import UserError
from gramcli.media.audio import Waveform
from tests.encoders.huggingface.media import RATE, sound
from tests.encoders.huggingface.tiny_sound import tiny_clap

TEXTS = ["a dog barks", "rain falls on the roof", "a man plays the loud guitar and a bird sings"]
WINDOW = 10 * RATE


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clap(tmp_path_factory.mktemp("clap"), fusion=False)


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clap(tmp_path_factory.mktemp("fused"), fusion=True)


@pytest.fixture(params=["plain", "fused"])
def either(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def open_model(folder: Path) -> HuggingFaceEncoder:
    return load(str(folder), EncoderOptions())


def rounded(samples: np.ndarray) -> np.ndarray:
    """The authors' arithmetic: to 16 bits, towards zero, and back."""
    whole = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("int16")
    return (whole / 32767.0).astype(np.float32)


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
@pytest.mark.parametrize("samples", [1, 479, 480, 48000, 200_001, WINDOW - 1, WINDOW])
def test_spectrograms_of_short_sounds_are_the_librarys(truncation: str, padding: str, samples: int) -> None:
    heard = sound(0, samples, samples=samples)
    settings = {"truncation": truncation, "padding": padding}
    extractor = ClapFeatureExtractor(**settings)
    expected = extractor([rounded(heard.samples)], sampling_rate=RATE, return_tensors="np")["input_features"][0]
    found = clap_prepare(settings)("audio", heard)
    assert found.mels.shape == (1, *expected.shape)
    np.testing.assert_allclose(found.mels[0], expected, atol=1e-6, rtol=0)
    assert found.mels.dtype == np.float32
    assert not found.longer


def test_quiet_sounds_are_rounded_as_the_authors_do_and_the_library_does_not() -> None:
    whisper = Waveform((sound(1).samples * 1e-4).astype(np.float32), RATE)
    extractor = ClapFeatureExtractor(truncation="rand_trunc")
    theirs = extractor([whisper.samples], sampling_rate=RATE, return_tensors="np")["input_features"][0]
    authors = extractor([rounded(whisper.samples)], sampling_rate=RATE, return_tensors="np")["input_features"][0]
    found = clap_prepare({"truncation": "rand_trunc"})("audio", whisper).mels[0]
    np.testing.assert_allclose(found, authors, atol=1e-6, rtol=0)
    assert np.abs(found - theirs).max() > 1  # decibels


def test_vectors_are_those_of_the_library_called_directly(either: Path) -> None:
    encoder, model = open_model(either), ClapModel.from_pretrained(either).eval()
    tokenizer, extractor = AutoTokenizer.from_pretrained(either), ClapFeatureExtractor.from_pretrained(either)
    sounds = [sound(10, 1), sound(3.3, 2), sound(0.2, 3)]
    found = encoder.encode({"text": TEXTS, "audio": [encoder.prepare("audio", one) for one in sounds]})
    for row, (text, one) in enumerate(zip(TEXTS, sounds, strict=True)):
        features = extractor([rounded(one.samples)], sampling_rate=RATE, return_tensors="pt")
        with torch.no_grad():
            heard = model.get_audio_features(
                input_features=features["input_features"], is_longer=torch.tensor([[False]])
            ).pooler_output
            read = model.get_text_features(**tokenizer(text, return_tensors="pt")).pooler_output
        torch.testing.assert_close(found["audio"][row], normalize(heard, dim=-1)[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(found["text"][row], normalize(read, dim=-1)[0], atol=1e-5, rtol=0)
    assert (found["audio"] @ found["audio"].T)[0, 1] < 0.9999  # sounds that the model tells apart


def test_the_library_calls_a_short_sound_longer_at_random_and_ours_never(fused: Path) -> None:
    short = sound(2)
    extractor, model = ClapFeatureExtractor.from_pretrained(fused), ClapModel.from_pretrained(fused).eval()
    theirs = extractor([short.samples], sampling_rate=RATE, return_tensors="pt")
    assert theirs["is_longer"].tolist() == [[True]]
    encoder = open_model(fused)
    prepared = encoder.prepare("audio", short)
    assert not prepared.longer
    found = encoder.encode({"audio": [prepared]})["audio"]
    with torch.no_grad():
        wrong = normalize(model.get_audio_features(**theirs).pooler_output, dim=-1)
    assert (found - wrong).abs().max() > 1e-4


def test_a_long_sound_is_the_mean_of_windows_that_cover_it(plain: Path) -> None:
    encoder, model = open_model(plain), ClapModel.from_pretrained(plain).eval()
    extractor = ClapFeatureExtractor.from_pretrained(plain)
    long = sound(27.5, 4)
    whole = rounded(long.samples)
    starts = [0, 420_000, 840_000]
    parts = [whole[at : at + WINDOW] for at in starts]
    assert starts[-1] + WINDOW == len(whole)
    features = extractor(parts, sampling_rate=RATE, return_tensors="pt")["input_features"]
    with torch.no_grad():
        each = normalize(model.get_audio_features(input_features=features).pooler_output, dim=-1)
    found = encoder.encode({"audio": [encoder.prepare("audio", long)]})["audio"]
    torch.testing.assert_close(found[0], normalize(each.mean(0), dim=0), atol=1e-5, rtol=0)
    assert (each @ each.T).min() < 0.9999  # the windows differ, so that a wrong mean would show


def test_a_long_sound_of_fusion_is_the_whole_and_the_middles_of_its_thirds(fused: Path) -> None:
    encoder, model = open_model(fused), ClapModel.from_pretrained(fused).eval()
    extractor = ClapFeatureExtractor.from_pretrained(fused)
    long = sound(25, 5)
    mel = extractor._np_extract_fbank_features(rounded(long.samples), extractor.mel_filters)
    assert mel.shape == (2501, 64)
    # 1501 places where a window of 1001 frames fits: 501, 500 and 500, whose (lower) middles are these.
    starts = [250, 501 + 249, 1001 + 249]
    small = interpolate(torch.tensor(mel)[None, None], size=[1001, 64], mode="bilinear", align_corners=False)[0, 0]
    expected = torch.stack([small, *(torch.tensor(mel[at : at + 1001]) for at in starts)])
    prepared = encoder.prepare("audio", long)
    np.testing.assert_allclose(prepared.mels[0], expected.numpy(), atol=3e-5, rtol=0)
    assert prepared.longer
    with torch.no_grad():
        heard = model.get_audio_features(input_features=expected[None], is_longer=torch.tensor([[True]]))
    found = encoder.encode({"audio": [prepared]})["audio"]
    torch.testing.assert_close(found, normalize(heard.pooler_output, dim=-1), atol=1e-5, rtol=0)


def test_chance_moves_the_librarys_features_and_not_ours(either: Path) -> None:
    extractor, prepare = ClapFeatureExtractor.from_pretrained(either), open_model(either).prepare
    long = sound(31, 6)
    theirs = []
    for seed in (0, 1):
        np.random.seed(seed)  # noqa: NPY002 - the generator that the library draws from
        theirs.append(extractor([long.samples], sampling_rate=RATE, return_tensors="np")["input_features"])
    assert np.abs(theirs[0] - theirs[1]).max() > 1
    np.testing.assert_array_equal(prepare("audio", long).mels, prepare("audio", long).mels)


def test_a_sound_just_over_a_window_is_nearly_the_one_just_under_it(either: Path) -> None:
    encoder = open_model(either)
    under = sound(0, 7, samples=WINDOW)
    over = Waveform(np.append(under.samples, under.samples[:300]), RATE)
    found = encoder.encode({"audio": [encoder.prepare("audio", one) for one in (under, over)]})["audio"]
    assert found[0] @ found[1] > 0.999


@given(st.one_of(st.integers(1, 10**9), st.integers(1, 10**5)), st.integers(1, 10**6))
def test_windows_reach_both_ends_in_even_steps(more: int, window: int) -> None:
    total = window + more
    starts = window_starts(total, window)
    assert 1 <= len(starts) <= MOST_WINDOWS
    slack = window // 20
    if len(starts) == 1:
        assert more <= slack
        assert starts == [more // 2]
        return
    assert (starts[0], starts[-1]) == (0, total - window)
    steps = np.diff(starts)
    assert steps.max() - steps.min() <= 1
    assert len(starts) == MOST_WINDOWS or steps.max() <= window + slack + 1
    # One fewer would leave a longer gap.
    assert len(starts) == MOST_WINDOWS or total - (len(starts) - 1) * window > slack


def test_a_row_is_the_same_bits_in_any_batch_and_near_in_one_pass(either: Path) -> None:
    encoder = open_model(either)
    sounds = [encoder.prepare("audio", sound(seconds, seed)) for seed, seconds in enumerate((1, 23, 10))]
    together = encoder.encode({"text": TEXTS, "audio": sounds})
    alone = [encoder.encode({"text": [text], "audio": [one]}) for text, one in zip(TEXTS, sounds, strict=True)]
    with torch.inference_mode():
        passed = encoder.family.features({"text": TEXTS, "audio": sounds})
    for name in ("text", "audio"):
        assert torch.equal(together[name], torch.cat([one[name] for one in alone]))
        torch.testing.assert_close(normalize(passed[name], dim=-1), together[name], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "heard",
    [
        Waveform(np.zeros(48000, np.float32), RATE),
        Waveform(np.array([0.3], np.float32), RATE),
        sound(0, samples=479),
        sound(60, 8),
        Waveform(np.full(1000, 7.0, np.float32), RATE),
    ],
    ids=["silence", "one sample", "less than a hop", "a minute", "beyond full scale"],
)
def test_every_sound_has_a_vector(either: Path, heard: Waveform) -> None:
    encoder = open_model(either)
    found = encoder.encode({"audio": [encoder.prepare("audio", heard)]})["audio"]
    assert torch.isfinite(found).all()
    assert found.norm() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("samples", "told"),
    [([0.1, np.nan], "samples that are not finite"), ([np.inf], "samples that are not finite"), ([], "no samples")],
)
def test_what_is_no_sound_is_refused_in_a_sentence(plain: Path, samples: list[float], told: str) -> None:
    with pytest.raises(UserError, match=told):
        open_model(plain).prepare("audio", Waveform(np.array(samples, np.float32), RATE))


def test_texts_are_cut_after_77_tokens(plain: Path) -> None:
    encoder = open_model(plain)
    kept, more = " ".join(["dog"] * 75), " ".join(["dog"] * 75 + ["cat"] * 20)
    less = " ".join(["dog"] * 74 + ["cat"])
    found = encoder.encode({"text": [kept, more, less]})["text"]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_what_it_says_of_itself(either: Path) -> None:
    encoder = open_model(either)
    document = json.loads(json.dumps(encoder.describe()))
    assert document["architecture"] == "clap"
    assert document["preprocessing"]["sample_rate"] == RATE
    assert document["preprocessing"]["windows"]["seconds"] == 10
    assert "10 s" in encoder.notes[0]
    assert document["assumptions"] == list(encoder.notes)
    again = pickle.loads(pickle.dumps(encoder.prepare))
    np.testing.assert_array_equal(again("audio", sound(1)).mels, encoder.prepare("audio", sound(1)).mels)


def test_settings_of_another_model_are_refused(plain: Path, fused: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((plain / name).read_bytes())
    (tmp_path / "preprocessor_config.json").write_bytes((fused / "preprocessor_config.json").read_bytes())
    with pytest.raises(UserError, match="cuts sounds by fusion, but its model is none of fusion"):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"truncation": "middle"}, "has truncation 'middle' and padding 'repeatpad'"),
        ({"padding": ["repeat"]}, r"and padding '\['repeat'\]'"),
        ({"hop_length": 0}, "hop_length must be a whole number from 1 to 65536; got '0'"),
        ({"max_length_s": 1e9}, "max_length_s must be a whole number from 1 to 3600"),
        ({"sampling_rate": "48k"}, "sampling_rate must be a whole number"),
        ({"frequency_max": 30000}, "bands from 0 to 30000 Hz of sound at 48000 samples"),
    ],
)
def test_settings_that_none_could_use_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        clap_prepare(settings)


@pytest.mark.parametrize(("precision", "least"), [("bf16", 0.99), ("fp16", 0.999)])
def test_other_precisions_agree_to_their_rounding(either: Path, precision: str, least: float) -> None:
    full, half = (load(str(either), EncoderOptions(precision=one)) for one in ("fp32", precision))
    inputs = {"text": TEXTS[:1], "audio": [full.prepare("audio", sound(12))]}
    for name, rows in full.encode(inputs).items():
        assert least < float(rows[0] @ half.encode(inputs)[name][0]) < 1.001
