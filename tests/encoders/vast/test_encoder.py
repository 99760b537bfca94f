"""A checkpoint as an encoder: from a folder to the authors' numbers, with our front ends, and from media to a table."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli.datasets import open_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.encoders.vast.encoder import VastEncoder
from gramcli.errors import UserError
from gramcli.evaluation.selection import select
from gramcli.media.audio import Waveform
from gramcli.media.video import VideoClip
from gramcli.modalities import Task
from gramcli.store import open_store
from tests.encoders.vast.reference import Reference

FEATURES = {
    "text": "t",
    "video": "v",
    "audio": "a",
    "subtitle": "s",
    "depth": "d",
    "va": "va",
    "vs": "vs",
    "vas": "vas",
}


@pytest.fixture(scope="module")
def loaded(reference: Reference, reference_data: Path) -> VastEncoder:
    encoder = load_encoder(
        reference.folder,
        tokenizer=reference_data / "golden" / "bert-base-uncased" / "vocab.txt",
    )
    assert isinstance(encoder, VastEncoder)
    return encoder


@pytest.fixture(scope="module")
def inputs(reference: Reference) -> dict[str, object]:
    tensors = reference.tensors
    found = {
        "text": reference.notes["captions"],
        "video": tensors["vision_pixels"],
        "audio": tensors["audio_spectrograms"],
        "subtitle": reference.notes["subtitles"],
    }
    return found | ({"depth": tensors["depth_pixels"]} if "depth_pixels" in tensors else {})


def test_the_authors_features_from_a_folder(loaded: VastEncoder, inputs, reference: Reference) -> None:
    found = loaded.encode(inputs)
    assert set(found) == {name for name, key in FEATURES.items() if f"feat_{key}" in reference.tensors}
    assert tuple(loaded.dims) == (*loaded.modalities, *loaded.fused)
    for name, vectors in found.items():
        assert vectors.dtype == torch.float32
        torch.testing.assert_close(vectors, reference.tensors[f"feat_{FEATURES[name]}"], atol=5e-6, rtol=0)


def test_the_authors_matching(loaded: VastEncoder, inputs, reference: Reference) -> None:
    letters = ["v", "a", "s", "va", "vs", "vas"]
    conditions = loaded.conditions(inputs, letters)
    for one in letters:
        torch.testing.assert_close(conditions[one], reference.tensors[f"condition_feats_{one}"], atol=1e-4, rtol=1e-4)
        assert conditions[one].equal(loaded.condition(inputs, one))
        scores = loaded.match(conditions[one], reference.notes["captions"])
        torch.testing.assert_close(scores, reference.tensors[f"itm_scores_{one}"].T, atol=1e-5, rtol=0)


def test_a_row_has_the_same_bits_in_any_batch(loaded: VastEncoder, inputs) -> None:
    together = loaded.encode(inputs)
    for k in (0, 2):
        alone = loaded.encode({name: given[k : k + 1] for name, given in inputs.items()})
        assert all(alone[name][0].equal(together[name][k]) for name in together)


def test_lists_of_prepared_media_are_as_good_as_tensors(loaded: VastEncoder, inputs) -> None:
    as_lists = {name: [np.asarray(one) for one in inputs[name]] for name in ("video", "audio")}
    assert loaded.encode(as_lists)["va"].equal(loaded.encode({name: inputs[name] for name in as_lists})["va"])


def test_media_become_what_the_towers_take(loaded: VastEncoder) -> None:
    random = np.random.default_rng(0)
    frames = random.integers(0, 255, (8, 60, 80, 3), np.uint8)
    clip = VideoClip(frames, tuple(range(8)), 8.0, 1.0, 8)
    sound = Waveform((0.1 * random.standard_normal(22050)).astype(np.float32), 22050)
    prepare = pickle.loads(pickle.dumps(loaded.prepare))
    side, audio = loaded.model.architecture.vision.resolution, loaded.model.architecture.audio
    assert prepare("video", clip).shape == (8, 3, side, side)
    assert prepare("depth", frames[0]).shape == (1, 3, side, side)
    assert prepare("audio", sound).shape[1:] == (audio.target_length, audio.mel_bins)
    assert np.array_equal(loaded.preprocess_video(frames), prepare("video", clip))
    assert np.array_equal(loaded.preprocess_audio(sound.samples, sound.sample_rate), prepare("audio", sound))
    assert len(loaded.preprocess_video(np.repeat(frames, 3, axis=0))) == loaded.preprocessing.frames


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"smell": [1]}, "cannot encode 'smell'. It encodes: text, video"),
        ({}, "was given nothing to encode"),
        ({"text": ["a", "b"], "video": torch.zeros(1, 1, 3, 42, 42)}, "as many inputs of every modality; got text 2"),
        ({"video": torch.zeros(1, 2, 3, 40, 42)}, r"'video' must be \[items, n, 3, 42, 42\]; got \[1, 2, 3, 40, 42\]"),
        ({"audio": torch.zeros(1, 2, 9)}, "'audio' must be"),
    ],
)
def test_what_does_not_fit_is_one_sentence(loaded: VastEncoder, given, message: str) -> None:
    with pytest.raises(UserError, match=message):
        loaded.encode(given)


@pytest.mark.parametrize("letters", ["", "x", "vd"])
def test_conditions_need_their_modalities(loaded: VastEncoder, inputs, letters: str) -> None:
    with pytest.raises(UserError, match="needs its modalities among the inputs"):
        loaded.condition({"video": inputs["video"]}, letters)


def test_no_tokenizer_is_said_when_a_text_comes(
    reference: Reference, reference_data: Path, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    import shutil

    folder = tmp_path / "apart" / "checkpoint"
    shutil.copytree(reference.folder, folder)
    encoder = load_encoder(folder)
    pixels = {"video": reference.tensors["vision_pixels"][:1]}
    torch.testing.assert_close(encoder.encode(pixels)["video"], reference.tensors["feat_v"][:1], atol=5e-6, rtol=0)
    with pytest.raises(UserError, match=r"No tokenizer found: pass --tokenizer .*Looked for"):
        encoder.encode({"text": ["a dog"]})
    assert encoder.describe(["video", "audio"])["tokenizer_sha256"] is None
    with pytest.raises(UserError, match="No tokenizer found"):
        encoder.describe(["video", "text"])


def test_weights_that_change_after_they_were_loaded_are_not_what_a_store_names(checkpoint: Path) -> None:
    encoder = load_encoder(checkpoint)
    os.utime(checkpoint / "ckpt" / "model_step_100.pt", ns=(0, 1))
    with pytest.raises(UserError, match=r"model_step_100\.pt changed after it was loaded\. Run the command again"):
        encoder.describe(["video"])
    assert len(load_encoder(checkpoint).describe(["video"])["weights_sha256"]) == 64


def test_no_items_give_no_rows(loaded: VastEncoder, inputs) -> None:
    nothing = {name: given[:0] for name, given in inputs.items()}
    for given in (nothing, {name: [] for name in inputs}):
        assert {name: tuple(x.shape) for name, x in loaded.encode(given).items()} == {
            name: (0, loaded.dims[name]) for name in loaded.encode(inputs)
        }
    condition = loaded.condition(inputs, "va")
    assert loaded.condition(nothing, "va").shape == (0, *condition.shape[1:])
    assert loaded.match(condition, []).shape == (3, 0)
    assert loaded.match(condition[:0], ["a dog"]).shape == (0, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.preprocess_audio(np.zeros(16000, np.float32), 0), "rate is samples per second, 1000 to"),
        (lambda e: e.preprocess_audio(np.zeros(16000, np.float32), 16000.5), "a whole number; got 16000.5"),
        (lambda e: e.preprocess_audio(np.full(16000, np.nan, np.float32), 16000), "NaN or infinite"),
        (lambda e: e.encode({"video": torch.zeros(1, 1, 3, 42, 42, dtype=torch.uint8)}), "got uint8: prepare it first"),
        (lambda e: e.match(torch.zeros(1, 2, 3), ["a"]), r"A condition is \[items, tokens"),
        (lambda e: e.match(torch.zeros(1, 2, 24), "a dog"), "takes a list of texts"),
        (lambda e: e.match(torch.zeros(1, 2, 24), [None]), "Texts must be str; got NoneType"),
        (lambda e: e.match(np.zeros((1, 2, 24)), ["a"]), "A condition is a tensor"),
        (lambda e: e.match(torch.zeros(1, 2, 24, dtype=torch.int64), ["a"]), "A condition is a tensor of floats"),
        (lambda e: e.encode({"text": ["a", None]}), "Texts must be str; got NoneType"),
        (lambda e: e.encode({"subtitle": [b"a"]}), "Texts must be str; got bytes"),
        (lambda e: e.encode({"text": torch.zeros(2)}), "Texts must be str; got Tensor"),
        (lambda e: e.encode({"video": None}), "'video' must be a tensor or a sequence; got NoneType"),
        (lambda e: e.preprocess_audio(np.full(16000, 1e300), 16000), "beyond float32|NaN or infinite"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(loaded: VastEncoder, call, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(loaded)


def test_a_condition_may_be_of_any_float_type(loaded: VastEncoder, inputs) -> None:
    condition = loaded.condition(inputs, "v")
    torch.testing.assert_close(loaded.match(condition.double(), ["a"]), loaded.match(condition, ["a"]))


@pytest.mark.parametrize("frames", [0, -1])
def test_a_video_needs_a_frame(reference: Reference, frames: int) -> None:
    with pytest.raises(UserError, match="at least one frame"):
        load_encoder(reference.folder, frames=frames)


def test_pmrl_hears_the_first_channel_and_gram_the_mean(loaded: VastEncoder) -> None:
    assert loaded.preprocessing.channels == ("first" if loaded.model.architecture.family == "pmrl" else "mean")


def test_stand_ins_are_what_the_authors_put_in_place_of_nothing(
    reference: Reference, reference_data: Path, tmp_path: Path
) -> None:
    vocabulary = reference_data / "golden" / "bert-base-uncased" / "vocab.txt"
    encoder = load_encoder(reference.folder, tokenizer=vocabulary, stand_ins=True)
    assert not load_encoder(reference.folder, tokenizer=vocabulary).stand_ins
    dataset = open_dataset(str(reference_data / "data" / "clips" / "annotations.json"))
    first = dataset.items[0]
    silent = {name: path for name, path in first.media.items() if name != "audio"}
    items = (replace(first, media=silent, subtitle=None), replace(dataset.items[1], subtitle="hello"))
    write_embeddings(replace(dataset, items=items), encoder, tmp_path / "s", options=EmbedOptions(workers=0))
    store = open_store(tmp_path / "s")
    assert store.status("audio") == ["stand-in: no audio file", "ok"]
    assert store.status("subtitle") == ["stand-in: no subtitle", "ok"]
    assert store.status("vas")[0] == "stand-in: no audio and subtitle"
    a = encoder.model.architecture.audio
    slices = torch.zeros(1, encoder.stand_ins["audio"].shape[0], a.target_length, a.mel_bins)
    nothing = encoder.encode({"audio": slices, "subtitle": [""]})
    for name in ("audio", "subtitle"):
        assert store.embeddings(name)[0].equal(nothing[name][0])
        assert store.present(name).tolist() == [False, True]
        assert store.present(name, stand_ins=True).tolist() == [True, True]
    task = Task(("text",), ("video", "audio"))
    both = torch.arange(2)
    assert select(store, task, both, "drop").candidate_ids == (items[1].id,)
    filled = select(store, task, both, "zero")
    assert filled.candidate_ids == (items[0].id, items[1].id) and filled.present.candidates is None
    store.verify()
    write_embeddings(
        replace(dataset, items=(first,)), encoder, tmp_path / "no_subtitles", options=EmbedOptions(workers=0)
    )
    assert open_store(tmp_path / "no_subtitles").status("vas") == ["stand-in: no subtitle"]


def test_half_precision_stays_near(reference: Reference, reference_data: Path, inputs) -> None:
    vocabulary = reference_data / "golden" / "bert-base-uncased" / "vocab.txt"
    for precision in ("bf16", "fp16"):
        encoder = load_encoder(reference.folder, precision=precision, tokenizer=vocabulary)
        found = encoder.encode(inputs)
        for name, vectors in found.items():
            cosine = (vectors * reference.tensors[f"feat_{FEATURES[name]}"]).sum(1)
            assert float(cosine.min()) > 0.998, (precision, name)


@pytest.mark.e2e
def test_from_real_clips_to_a_store(loaded: VastEncoder, reference_data: Path, tmp_path: Path) -> None:
    dataset = open_dataset(str(reference_data / "data" / "clips" / "annotations.json"))
    for workers in (0, 2):
        summary = write_embeddings(
            dataset, loaded, tmp_path / str(workers), options=EmbedOptions(workers=workers, batch_size=3)
        )
        assert summary.ok == {"text": 4, "video": 4, "audio": 4, "va": 4}
    stores = [open_store(tmp_path / str(workers)) for workers in (0, 2)]
    assert stores[0].fingerprint() == stores[1].fingerprint()
    assert stores[0].shared_space
    described = json.loads((tmp_path / "0" / "manifest.json").read_text())["model"]
    assert len(described["weights_sha256"]) == len(described["tokenizer_sha256"]) == 64
    by_hand = loaded.encode({"text": list(dataset.items[0].captions)})["text"]
    assert by_hand[0].equal(stores[0].embeddings("text")[0])
