"""`st:` gives what the library gives when it is called directly, of unit length, whatever the batch."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from PIL import Image

from gramcli.encoders import load_encoder
from gramcli.errors import UserError
from gramcli.media.audio import Waveform

pytest.importorskip("sentence_transformers", reason="the extra st is not installed: pip install 'gramcli[st]'")

TEXTS = ["a red circle", "someone plays guitar over the water", "", "x", "a red circle moves " * 12]


def sound(seconds, rate=48000, seed=0):
    draw = np.random.default_rng(seed)
    return Waveform((0.1 * draw.normal(size=round(seconds * rate))).astype(np.float32), rate)


def picture(seed, height=20, width=31):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def unit(rows):
    rows = np.asarray(rows, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def close(ours, theirs):
    assert ours.dtype == torch.float32
    assert np.allclose(ours.numpy(), unit(theirs), rtol=0, atol=1e-6)
    assert np.allclose(ours.norm(dim=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ["plain", "raw"])
def test_texts_and_subtitles(models, library, name):
    encoder = load_encoder(f"st:{models[name]}")
    assert encoder.modalities == ("text", "subtitle")
    assert dict(encoder.dims) == {"text": 32, "subtitle": 32}
    found = encoder.encode({"text": TEXTS, "subtitle": TEXTS})
    close(found["text"], library(name).encode(TEXTS, batch_size=1))
    assert torch.equal(found["text"], found["subtitle"])
    assert encoder.encode({"text": []})["text"].shape == (0, 32)


def test_a_prompted_model_gives_two_vectors_of_each_text(models, library):
    encoder, theirs = load_encoder(f"st:{models['prompted']}"), library("prompted")
    sides = ("text@query", "text@document", "subtitle@query", "subtitle@document")
    assert dict(encoder.dims) == dict.fromkeys(sides, 32)
    found = encoder.encode({"text": TEXTS, "subtitle": TEXTS})
    assert tuple(found) == sides
    close(found["text@query"], theirs.encode_query(TEXTS, batch_size=1))
    close(found["text@document"], theirs.encode_document(TEXTS, batch_size=1))
    assert (found["text@query"] - found["text@document"]).norm(dim=1).min() > 1e-3, "the prompts must count"
    assert (found["text@query"] - load_encoder(f"st:{models['plain']}").encode({"text": TEXTS})["text"]).norm() > 1e-3


@pytest.mark.parametrize(("prompts", "sided"), [({"passage": "passage: "}, True), ({"clustering": "c: "}, False)])
def test_which_prompts_are_of_a_side(models, library, prompts, sided):
    from gramcli.encoders.sentence_transformers.sides import sided as is_sided

    model = library("plain")
    model.prompts = {"query": "", "document": "", **prompts}
    assert is_sided(model, "text") is False, "the library takes the prompt of a document first, though it is empty"
    model.prompts = {"query": "", **prompts}
    assert is_sided(model, "text") is sided
    assert is_sided(model, "image") is False, "prompts are words, and this model takes no messages"


def test_kept_dimensions(models, library):
    encoder = load_encoder(f"st:{models['plain']}:truncate_dim=8")
    assert set(encoder.dims.values()) == {8}
    assert encoder.spec.endswith(":truncate_dim=8")
    found = encoder.encode({"text": TEXTS})["text"]
    close(found, library("plain").encode(TEXTS, batch_size=1, truncate_dim=8))
    assert encoder.describe()["truncate_dim"] == 8


def test_pictures(models, library):
    encoder = load_encoder(f"st:{models['pictures']}")
    assert encoder.modalities == ("text", "subtitle", "image")
    given = [picture(0), picture(1, 16, 16), np.zeros((40, 18, 3), np.uint8)]
    close(
        encoder.encode({"image": given})["image"], library("pictures").encode([Image.fromarray(one) for one in given])
    )


def test_sounds(models, library):
    encoder = load_encoder(f"st:{models['sounds']}")
    assert encoder.modalities == ("text", "audio", "subtitle")
    assert encoder.preprocessing.sample_rate == 48000
    given = [sound(1), sound(3.3, seed=1)]
    theirs = [{"array": one.samples, "sampling_rate": 48000} for one in given]
    close(encoder.encode({"audio": given})["audio"], library("sounds").encode(theirs, batch_size=1))


def test_a_long_sound_has_one_vector(models, library):
    encoder, theirs = load_encoder(f"st:{models['sounds']}"), library("sounds")
    draw = np.random.default_rng(0)
    swelling = (draw.normal(size=13 * 48000) * np.linspace(0, 1, 13 * 48000) ** 3).astype(np.float32)
    long = Waveform(swelling, 48000)
    first = encoder.encode({"audio": [long]})["audio"]
    np.random.seed(5)  # noqa: NPY002 - the generator that the library draws from
    after = np.random.get_state()[1][:4].tolist()  # noqa: NPY002 - as above
    assert torch.equal(encoder.encode({"audio": [sound(1), long]})["audio"][1:], first)
    assert np.random.get_state()[1][:4].tolist() == after, "what others draw is not changed"  # noqa: NPY002 - as above
    alone = [theirs.encode({"audio": {"array": swelling, "sampling_rate": 48000}}) for _ in range(4)]
    assert max(float(np.abs(one - alone[0]).max()) for one in alone) > 1e-6, "by itself the library draws anew"
    assert any("draws at random" in note for note in encoder.notes)


@pytest.mark.parametrize("name", ["plain", "prompted", "pictures", "sounds"])
def test_a_row_has_the_same_bits_in_any_batch(models, name):
    encoder = load_encoder(f"st:{models[name]}")
    inputs = {"text": TEXTS}
    if "image" in encoder.modalities:
        inputs["image"] = [picture(seed, 16 + seed, 20) for seed in range(len(TEXTS))]
    if "audio" in encoder.modalities:
        inputs["audio"] = [sound(0.3 * (seed + 1), seed=seed) for seed in range(len(TEXTS))]
    whole = encoder.encode(inputs)
    order = [3, 0, 4, 2, 1]
    turned = encoder.encode({key: [given[k] for k in order] for key, given in inputs.items()})
    for label, rows in whole.items():
        assert torch.equal(turned[label], rows[order])
        key = label.partition("@")[0]
        alone = torch.cat([encoder.encode({key: [one]})[label] for one in inputs[key]])
        assert torch.equal(alone, rows)


def test_a_caption_that_names_a_picture_stays_a_caption(models, tmp_path, library):
    path = tmp_path / "a.png"
    Image.fromarray(picture(3)).save(path)
    encoder, theirs = load_encoder(f"st:{models['pictures']}"), library("pictures")
    for text in (str(path), "data:image/png;base64,AAAA", "http://127.0.0.1:9/a.jpg"):
        found = encoder.encode({"text": [text]})["text"]
        close(found, theirs.encode([{"text": text}]))
    seen = theirs.encode([str(path)])
    mine = encoder.encode({"text": [str(path)]})["text"].numpy()
    assert np.abs(mine - unit(seen)).max() > 1e-3, "the library by itself opens the file"


def test_what_a_store_records(models):
    encoder = load_encoder(f"st:{models['prompted']}")
    described = json.loads(json.dumps(encoder.describe(["text"])))
    weights = (models["prompted"] / "model.safetensors").read_bytes()
    assert described["id"] == "st:prompted"
    assert described["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert described["prompts"] == {"query": "query: ", "document": "passage: "}
    assert described["architecture"]["modules"] == ["Transformer", "Pooling", "Normalize"]
    assert described["revision"] is None
    assert described["shared_space"] is True


def test_half_precision(models):
    exact = load_encoder(f"st:{models['plain']}").encode({"text": TEXTS})["text"]
    coarse = load_encoder(f"st:{models['plain']}", precision="bf16").encode({"text": TEXTS})["text"]
    assert coarse.dtype == torch.float32
    assert 1e-5 < (exact - coarse).abs().max() < 0.1


def test_what_it_does_not_take(models):
    encoder = load_encoder(f"st:{models['plain']}")
    with pytest.raises(UserError, match=r"cannot encode 'video'. It encodes: text, subtitle"):
        encoder.encode({"video": []})
    with pytest.raises(UserError, match="cannot encode this text"):
        encoder.encode({"text": [3]})
