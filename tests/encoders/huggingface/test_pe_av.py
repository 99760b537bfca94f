"""PE-AV: against transformers called directly, and against the authors' arithmetic where transformers differs."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoTokenizer, PeAudioFeatureExtractor

from gramcli.encoders.base import EncoderOptions
from gramcli.encoders.huggingface.encoder import HuggingFaceEncoder, load
from gramcli.encoders.huggingface.pe_av_models import MODELS
from gramcli.errors import UserError
from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip
from tests.encoders.huggingface.media import RATE, clip, sound
from tests.encoders.huggingface.tiny_sound import tiny_pe_av

TEXTS = ["a dog barks", "rain falls on the roof", "a man plays the loud guitar and a bird sings", "door"]
VIEWS = ("text@video", "text@audio", "text@video+audio")
SOUNDS = [sound(1, 1), sound(0.63, 2), sound(2.2, 3), sound(0.02, 4)]
CLIPS = [clip(5, 1), clip(9, 2), clip(3, 3), clip(1, 4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pe_av(tmp_path_factory.mktemp("pe-av"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> HuggingFaceEncoder:
    return open_model(folder)


@pytest.fixture(scope="module")
def library(folder: Path) -> Any:
    """The model as transformers loads it, its last normalisation of texts included."""
    kind = MODELS["pe_audio_video"]
    config = kind.config_class.from_dict(json.loads((folder / "config.json").read_text()))
    return kind.from_pretrained(folder, config=config).eval()


def open_model(folder: Path, **options: Any) -> HuggingFaceEncoder:
    return load(str(folder), EncoderOptions(**options))


def prepared(encoder: HuggingFaceEncoder, *names: str) -> dict[str, list[Any]]:
    given: dict[str, list[Any]] = {"text": TEXTS, "audio": SOUNDS, "video": CLIPS}
    return {name: [encoder.prepare(name, one) for one in given[name]] for name in names}


def pixels(one: VideoClip) -> Tensor:
    """The authors' transform of frames, from frames of the right size on: [1, T, 3, h, w] from -1 to 1."""
    frames = open_pixels(one)
    return ((frames.float() / 255 - 0.5) / 0.5).permute(0, 3, 1, 2)[None]


def open_pixels(one: VideoClip) -> Tensor:
    from PIL import Image

    small = [np.asarray(Image.fromarray(frame).resize((28, 28), Image.Resampling.BILINEAR)) for frame in one.frames]
    return torch.from_numpy(np.stack(small))


def samples(one: Waveform) -> Tensor:
    """The library's own features of a sound, [1, 1, whole hops]."""
    found = PeAudioFeatureExtractor()([one.samples], sampling_rate=RATE, return_tensors="pt")
    return found["input_values"]


def near(found: Tensor, expected: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found, normalize(expected, dim=-1), atol=atol, rtol=0)


def test_it_names_an_embedding_for_each_side(encoder: HuggingFaceEncoder) -> None:
    assert encoder.modalities == ("text", "video", "audio")
    assert dict(encoder.dims) == dict.fromkeys((*VIEWS, "video", "audio", "va"), 32)
    assert encoder.fused == {"va": ("video", "audio")}
    assert encoder.shared_space


def test_media_have_the_librarys_vectors(encoder: HuggingFaceEncoder, library: Any) -> None:
    found = encoder.encode(prepared(encoder, "video", "audio"))
    assert set(found) == {"video", "audio", "va"}
    for row, (heard, seen) in enumerate(zip(SOUNDS, CLIPS, strict=True)):
        with torch.no_grad():
            expected = library.get_audio_video_embeds(
                samples(heard), pixels(seen), return_audio_embeds=True, return_video_embeds=True
            )
            near(found["audio"][row], library.get_audio_embeds(samples(heard))[0])
        near(found["audio"][row], expected.audio_embeds[0])
        near(found["video"][row], expected.video_embeds[0])
        near(found["va"][row], expected.audio_video_embeds[0])


def test_one_modality_alone_has_the_vector_it_has_beside_the_other(encoder: HuggingFaceEncoder) -> None:
    both = encoder.encode(prepared(encoder, "video", "audio"))
    for name in ("video", "audio"):
        alone = encoder.encode(prepared(encoder, name))
        assert set(alone) == {name}
        assert torch.equal(alone[name], both[name])


def states(library: Any, folder: Path, text: str) -> tuple[Tensor, Tensor]:
    """First token of a text after the last layer: before the last normalisation, and after it."""
    kept = []
    handle = library.text_model.final_norm.register_forward_pre_hook(lambda _, given: kept.append(given[0][:, 0]))
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        out = library.text_model(tokens["input_ids"], tokens["attention_mask"], output_hidden_states=True)
    handle.remove()
    torch.testing.assert_close(out.hidden_states[-1], out.last_hidden_state)
    return kept[0], out.hidden_states[-1][:, 0]


def heads(library: Any) -> Mapping[str, Any]:
    return {
        "text@video": library.video_model.text_video_head,
        "text@audio": library.audio_model.text_audio_head,
        "text@video+audio": library.text_audio_video_head,
    }


def test_texts_are_taken_before_the_last_normalisation_as_the_authors_do(
    encoder: HuggingFaceEncoder, library: Any, folder: Path
) -> None:
    found = encoder.encode({"text": TEXTS})
    assert set(found) == set(VIEWS)
    for row, text in enumerate(TEXTS):
        before, after = states(library, folder, text)
        tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
        with torch.no_grad():
            theirs = library.get_text_audio_video_embeds(tokens["input_ids"], tokens["attention_mask"])
            for name, head in heads(library).items():
                near(found[name][row], head(before)[0])
                # What transformers gives is another vector, by far more than any rounding.
                assert found[name][row] @ normalize(head(after)[0], dim=0) < 0.999
            torch.testing.assert_close(theirs, heads(library)["text@video+audio"](after))
    assert any("before the last normalisation" in note for note in encoder.notes)


@pytest.mark.parametrize("name", ["get_text_audio_embeds", "get_text_video_embeds"])
def test_the_librarys_own_calls_for_texts_fail_or_give_the_state_after_it(
    library: Any, folder: Path, name: str
) -> None:
    tokens = AutoTokenizer.from_pretrained(folder)(TEXTS[0], return_tensors="pt")
    _, after = states(library, folder, TEXTS[0])
    try:
        with torch.no_grad():
            theirs = getattr(library, name)(tokens["input_ids"], tokens["attention_mask"])
    except (AttributeError, TypeError):  # transformers 5.24
        return
    view = "text@audio" if "audio" in name else "text@video"
    torch.testing.assert_close(theirs, heads(library)[view](after))


def test_one_text_vector_for_all_sides_gives_other_ranks(encoder: HuggingFaceEncoder) -> None:
    n = 24
    texts = [
        " ".join(np.random.default_rng(k).permutation(["a", "dog", "cat", "rain", "man", "bird"])) for k in range(n)
    ]
    given: dict[str, list[Any]] = {
        "text": texts,
        "audio": [encoder.prepare("audio", sound(0.4, k)) for k in range(n)],
        "video": [encoder.prepare("video", clip(2, k)) for k in range(n)],
    }
    found = encoder.encode(given)
    for view, side in (("text@audio", "audio"), ("text@video+audio", "va")):
        right, wrong = (found[name] @ found[side].T for name in (view, "text@video"))
        ranks = [(scores > scores.diagonal()[:, None]).sum(1) + 1.0 for scores in (right, wrong)]
        assert (ranks[0] != ranks[1]).float().mean() > 0.5
        assert ranks[0].mean() != ranks[1].mean()


def test_a_row_is_the_same_bits_in_any_batch(encoder: HuggingFaceEncoder) -> None:
    given = prepared(encoder, "text", "video", "audio")
    together = encoder.encode(given)
    backwards = encoder.encode({name: rows[::-1] for name, rows in given.items()})
    assert set(together) == set(encoder.dims)
    for row in range(len(TEXTS)):
        alone = encoder.encode({name: rows[row : row + 1] for name, rows in given.items()})
        for name, rows in together.items():
            assert torch.equal(alone[name][0], rows[row])
            assert torch.equal(backwards[name][-1 - row], rows[row])


def test_a_padded_batch_keeps_the_vectors_and_the_librarys_changes_them(
    encoder: HuggingFaceEncoder, library: Any
) -> None:
    given = prepared(encoder, "text", "video", "audio")
    alone = encoder.encode(given)
    with torch.inference_mode():
        batch = encoder.family.features(given)
        heard = PeAudioFeatureExtractor()([one.samples for one in SOUNDS], sampling_rate=RATE, return_tensors="pt")
        theirs = normalize(library.get_audio_embeds(heard["input_values"], heard["padding_mask"]), dim=-1)
    for name, rows in alone.items():
        torch.testing.assert_close(normalize(batch[name], dim=-1), rows, atol=1e-5, rtol=0)
    assert (theirs - alone["audio"]).abs().max() > 1e-3


def test_clips_are_aligned_also_where_padded_lengths_happen_to_agree(encoder: HuggingFaceEncoder, library: Any) -> None:
    # Steps of sound 8 and 6, frames 4 and 8: both batches are 8 long, and transformers then aligns nothing.
    sounds = [sound(0, 1, samples=8 * 1920), sound(0, 2, samples=6 * 1920)]
    clips = [clip(4, 1), clip(8, 2)]
    given = {
        "audio": [encoder.prepare("audio", one) for one in sounds],
        "video": [encoder.prepare("video", one) for one in clips],
    }
    with torch.inference_mode():
        found = normalize(encoder.family.features(given)["va"], dim=-1)
        for row, (heard, seen) in enumerate(zip(sounds, clips, strict=True)):
            near(found[row], library.get_audio_video_embeds(samples(heard), pixels(seen)).audio_video_embeds[0])
        padded = PeAudioFeatureExtractor()([one.samples for one in sounds], sampling_rate=RATE, return_tensors="pt")
        frames = torch.nn.utils.rnn.pad_sequence([pixels(one)[0] for one in clips], batch_first=True)
        mask = torch.arange(8)[None] < torch.tensor([4, 8])[:, None]
        theirs = library.get_audio_video_embeds(padded["input_values"], frames, padded["padding_mask"], mask)
    assert (normalize(theirs.audio_video_embeds, dim=-1)[0] - found[0]).abs().max() > 1e-2


def test_colours_and_time_have_an_order(encoder: HuggingFaceEncoder) -> None:
    one = clip(6, 9)
    blue = VideoClip(one.frames[..., ::-1].copy(), one.indices, one.fps, one.duration, one.total_frames)
    back = VideoClip(one.frames[::-1].copy(), one.indices, one.fps, one.duration, one.total_frames)
    found = encoder.encode({"video": [encoder.prepare("video", each) for each in (one, blue, back)]})["video"]
    assert (found[0] - found[1]).abs().max() > 1e-3
    assert (found[0] - found[2]).abs().max() > 1e-4


def test_frames_are_handed_over_as_levels_of_the_right_size(encoder: HuggingFaceEncoder) -> None:
    found = encoder.prepare("video", CLIPS[0])
    assert (found.dtype, found.shape) == (np.uint8, (5, 28, 28, 3))
    np.testing.assert_array_equal(found, open_pixels(CLIPS[0]).numpy())


@pytest.mark.parametrize("n", [1, 2, 1919, 1920, 1921, 5000])
def test_sounds_are_filled_to_whole_steps_as_the_library_does(encoder: HuggingFaceEncoder, n: int) -> None:
    one = sound(0, n, samples=n)
    found = encoder.prepare("audio", one)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, samples(one)[0, 0].numpy())


def test_all_frames_up_to_a_bound_or_as_many_as_the_settings_sample(
    tmp_path: Path, encoder: HuggingFaceEncoder
) -> None:
    assert (encoder.preprocessing.frame_rule, encoder.preprocessing.frames) == ("all-up-to", 64)
    assert encoder.preprocessing.sample_rate == RATE
    assert any("64 evenly spaced" in note and "--frames" in note for note in encoder.notes)
    sampled = tiny_pe_av(tmp_path / "sampled", sampled=16)
    fixed = open_model(sampled)
    assert (fixed.preprocessing.frame_rule, fixed.preprocessing.frames) == ("uniform-floor", 16)
    assert any("16 evenly spaced" in note for note in fixed.notes)
    assert open_model(sampled, frames=4).preprocessing.frames == 4


@pytest.mark.parametrize(
    "heard",
    [Waveform(np.zeros(48000, np.float32), RATE), Waveform(np.array([0.3], np.float32), RATE), sound(60, 8)],
    ids=["silence", "one sample", "a minute"],
)
def test_every_sound_has_a_vector(encoder: HuggingFaceEncoder, heard: Waveform) -> None:
    black = VideoClip(np.zeros((2, 20, 20, 3), np.uint8), (0, 1), 25.0, 0.08, 2)
    found = encoder.encode({"audio": [encoder.prepare("audio", heard)], "video": [encoder.prepare("video", black)]})
    for rows in found.values():
        assert torch.isfinite(rows).all()
        assert rows.norm() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.array([0.1, np.nan]), "samples that are not finite"),
        (np.array([]), "no samples"),
        (np.zeros(10000 * 1920), r"400 s long, and this model hears 400 s at most; cut it"),
    ],
)
def test_what_it_cannot_hear_is_a_sentence(encoder: HuggingFaceEncoder, given: np.ndarray, told: str) -> None:
    with pytest.raises(UserError, match=told):
        encoder.prepare("audio", Waveform(given.astype(np.float32), RATE))


def test_what_it_says_of_itself(encoder: HuggingFaceEncoder) -> None:
    document = json.loads(json.dumps(encoder.describe()))
    assert document["architecture"] == "pe_audio_video"
    assert document["preprocessing"]["text_state"] == "before the last normalisation"
    assert document["preprocessing"]["hop"] == 1920
    assert "wrong for the others" in document["assumptions"][0]
    again = pickle.loads(pickle.dumps(encoder.prepare))
    np.testing.assert_array_equal(again("audio", SOUNDS[0]), encoder.prepare("audio", SOUNDS[0]))


@pytest.mark.parametrize(("kind", "medium"), [("pe_audio", "audio"), ("pe_video", "video")])
def test_models_of_one_medium_have_one_text(tmp_path: Path, kind: str, medium: str) -> None:
    folder = tiny_pe_av(tmp_path, kind)
    one = open_model(folder)
    assert one.modalities == ("text", medium)
    assert dict(one.dims) == {"text": 32, medium: 32}
    assert not one.fused
    found = one.encode(prepared(one, "text", medium))
    model_class = MODELS[kind]
    config = model_class.config_class.from_dict(json.loads((folder / "config.json").read_text()))
    library = model_class.from_pretrained(folder, config=config).eval()
    before, _ = states(library, folder, TEXTS[1])
    with torch.no_grad():
        if medium == "audio":
            near(found["text"][1], library.text_audio_head(before)[0])
            near(found["audio"][1], library.get_audio_embeds(samples(SOUNDS[1]))[0])
        else:
            near(found["text"][1], library.text_video_head(before)[0])
            near(found["video"][1], library.video_head(library.video_encoder(pixels(CLIPS[1])).pooler_output)[0])


def test_settings_may_lie_in_one_file_or_be_left_out(folder: Path, tmp_path: Path, encoder: HuggingFaceEncoder) -> None:
    sounds, videos = (json.loads((folder / f"{name}preprocessor_config.json").read_text()) for name in ("", "video_"))
    one = changed(folder, tmp_path / "one", "config.json")
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        (one / name).unlink()
    both = {"feature_extractor": sounds, "video_processor": {**videos, "do_sample_frames": True, "num_frames": 16}}
    (one / "processor_config.json").write_text(json.dumps(both))
    assert open_model(one).preprocessing.frames == 16
    # Nothing says how frames are prepared: the file of sounds is not taken for it.
    heard = tiny_pe_av(tmp_path / "heard", "pe_audio")
    (heard / "video_preprocessor_config.json").unlink()
    assert open_model(heard).modalities == ("text", "audio")
    bare = changed(folder, tmp_path / "bare", "config.json")
    (bare / "video_preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="prepares frames of 336 x 336 pixels, but its model sees 28 x 28"):
        open_model(bare)


@pytest.mark.parametrize(("precision", "least"), [("bf16", 0.995), ("fp16", 0.9999)])
def test_other_precisions_agree_to_their_rounding(
    folder: Path, encoder: HuggingFaceEncoder, precision: str, least: float
) -> None:
    half = open_model(folder, precision=precision)
    given = prepared(encoder, "text", "video", "audio")
    exact, rounded = encoder.encode(given), half.encode(given)
    for name, rows in exact.items():
        assert least < float(rows[0] @ rounded[name][0]) < 1.001


def test_the_library_writes_nothing_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_model(folder)
    assert capsys.readouterr().out == ""


def changed(folder: Path, to: Path, name: str, **values: Any) -> Path:
    """A copy of a model with other settings in one of its files."""
    to.mkdir(exist_ok=True)
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    settings = json.loads((to / name).read_text())
    (to / name).write_text(json.dumps({**settings, **values}))
    return to


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("config.json", {"architectures": ["PeAudioFrameLevelModel"]}, "a model of single moments"),
        ("preprocessor_config.json", {"hop_length": 320}, "steps of 320 samples, but the model's are of 1920"),
        (
            "video_preprocessor_config.json",
            {"size": {"height": 56, "width": 56}},
            "56 x 56 pixels, but its model sees 28",
        ),
        ("video_preprocessor_config.json", {"size": {"shortest_edge": 28}}, "asks for something else"),
        ("video_preprocessor_config.json", {"do_normalize": False}, "asks for something else"),
        ("preprocessor_config.json", {"hop_length": -1}, "hop_length must be a whole number from 1 to 65536"),
        ("preprocessor_config.json", {"sampling_rate": None}, "sampling_rate must be a whole number"),
        ("video_preprocessor_config.json", {"do_sample_frames": True, "num_frames": "x"}, "num_frames must be a whole"),
    ],
)
def test_files_of_different_models_are_told(
    folder: Path, tmp_path: Path, name: str, values: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        open_model(changed(folder, tmp_path, name, **values))
