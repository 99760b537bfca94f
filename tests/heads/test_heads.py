"""Heads: what they compute, and the files they come from."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import torch

import gramcli
from gramcli.encoders import load_encoder, looks_like_checkpoint
from gramcli.errors import UserError
from gramcli.heads.files import load_heads, save_heads
from gramcli.heads.model import new_heads
from tests.small_stores import make_store

CONFIG = {
    "plan": {"loss": "gram"},
    "model": {"id": "made"},
    "dataset": {"id": "views"},
    "trained": ["a"],
    "selected": [],
}


def made(hidden: int = 0):
    rng = torch.Generator().manual_seed(1)
    rows = {"text": torch.randn(50, 6, generator=rng) * 3 + 1, "video": torch.randn(50, 9, generator=rng)}
    rows["video"][:, 4] = 2.5  # a feature that never varies
    return new_heads(rows, 4, hidden, rng), rows


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_head_standardises_maps_and_normalises(hidden):
    heads, rows = made(hidden)
    for name, x in rows.items():
        part = {key.partition("/")[2]: one.double() for key, one in heads.tensors.items() if key.startswith(name)}
        y = (x.double() - x.double().mean(0)) / part["scale"] @ part["weight0"].T + part["bias0"]
        if hidden:
            y = 0.5 * y * (1 + torch.erf(y / 2**0.5)) @ part["weight1"].T + part["bias1"]
        wanted = y / y.norm(dim=1, keepdim=True)
        np.testing.assert_allclose(heads.apply(name, x.numpy()), wanted, atol=1e-6)
        np.testing.assert_allclose(heads.project(name, x), wanted, atol=1e-5)
    assert heads.tensors["video/scale"][4] == 1
    assert set(heads.trainable) == {key for key in heads.tensors if "weight" in key or "bias" in key}


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_row_does_not_depend_on_the_others(hidden):
    heads, rows = made(hidden)
    x = rows["text"].numpy()
    whole = heads.apply("text", x)
    for k in (0, 7, 49):
        assert np.array_equal(heads.apply("text", x[k : k + 1])[0], whole[k])
    assert np.array_equal(heads.apply("text", x[3:20]), whole[3:20])


def test_dropout_leaves_out_standardised_features():
    heads, rows = made()
    kept = torch.zeros(50, 6)
    np.testing.assert_allclose(heads.project("text", rows["text"], kept), torch.zeros(50, 4), atol=1e-6)


def test_a_row_that_is_mapped_to_zero_is_the_first_axis():
    heads, _ = made()
    mean = heads.tensors["text/mean"].double().numpy()[None]
    assert heads.apply("text", mean).tolist() == [[1, 0, 0, 0]]


def test_unknown_modalities_and_shapes_are_refused():
    heads, _ = made()
    with pytest.raises(UserError, match=r"no head for 'vidoe'\. Did you mean 'video'"):
        heads.apply("vidoe", np.ones((1, 9)))
    with pytest.raises(UserError, match=r"takes \[n, 9\]; got \[1, 8\]"):
        heads.apply("video", np.ones((1, 8)))


@pytest.mark.parametrize("hidden", [0, 5])
def test_saved_heads_come_back(tmp_path, hidden):
    heads, _ = made(hidden)
    save_heads(tmp_path / "heads", heads, CONFIG)
    for spec in (tmp_path / "heads", f"heads:{tmp_path / 'heads'}"):
        found = load_heads(spec)
        assert found.heads.dims == heads.dims
        assert all(torch.equal(found.heads.tensors[name], one) for name, one in heads.tensors.items())
    described = found.describe()
    assert described["id"] == "made + gram heads"
    assert described["shared_space"]
    assert described["heads"]["trained"] == ["a"]


def change_config(folder, *, sealed=False, **changed):
    path = folder / "heads.json"
    found = json.loads(path.read_text())
    seal = {} if sealed else {"content_sha256": None}  # a forger, or an older version, has none
    path.write_text(json.dumps({**found, **seal, **changed}))


def test_what_trained_heads_cannot_be_edited_away(tmp_path):
    save_heads(tmp_path, made()[0], CONFIG)
    change_config(tmp_path, sealed=True)  # the same facts, written otherwise
    assert load_heads(tmp_path).config["trained"] == CONFIG["trained"]
    change_config(tmp_path, sealed=True, trained=[])
    with pytest.raises(UserError, match=r"heads\.json was changed after gram wrote it"):
        load_heads(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "heads.json").unlink(), "holds no heads"),
        (lambda folder: (folder / "heads.safetensors").unlink(), "are damaged"),
        (lambda folder: (folder / "heads.safetensors").write_bytes(b"123"), "are damaged"),
        (lambda folder: change_config(folder, format=99), "has format 99"),
        (lambda folder: change_config(folder, dims={"text": 7}), r"'text/mean' is not a finite \[7\]"),
        (lambda folder: change_config(folder, dims=[1]), "are damaged"),
        (lambda folder: change_config(folder, model=None), "are damaged"),
        (lambda folder: change_config(folder, plan={}), "are damaged"),
        (lambda folder: change_config(folder, trained=5), "are damaged"),
        (lambda folder: change_config(folder, selected=[[1]]), "are damaged"),
        (lambda folder: change_config(folder, history=[{}], best=9), "are damaged"),
        (lambda folder: change_config(folder, weights_sha256="0" * 64), "not the file that was written"),
        (lambda folder: change_config(folder, weights_sha256="0"), "weights_sha256 must be a string of another form"),
        (lambda folder: change_config(folder, trained=None), r"heads.json: trained must be a list; got null"),
        (
            lambda folder: change_config(folder, dims={"text": 2**54}),
            "an entry of dims must be a whole number of at",
        ),
        (lambda folder: change_config(folder, mean_cosines={"a": "x"}), "an entry of mean_cosines must be a number"),
        (lambda folder: change_config(folder, start={"R@1": 0.1}), r"start\.R@5 is missing"),
        (lambda folder: change_config(folder, dim=float("nan")), "NaN is no number of JSON"),
        (lambda folder: (folder / "heads.json").write_text("{"), "are damaged"),
    ],
)
def test_damaged_folders_are_refused_with_a_sentence(tmp_path, damage, message):
    save_heads(tmp_path, made()[0], CONFIG)
    damage(tmp_path)
    with pytest.raises(UserError, match=message):
        load_heads(tmp_path)


def test_heads_of_signal_are_a_model_and_others_say_what_to_do(tmp_path):
    signal = load_encoder("signal")
    rows = signal.encode({"text": ["a red circle", "a blue square", "two dogs"]})
    heads = new_heads({"text": torch.from_numpy(rows["text"])}, 4, 0, torch.Generator())
    save_heads(tmp_path / "heads", heads, {**CONFIG, "model": signal.describe()})
    encoder = load_encoder(f"heads:{tmp_path / 'heads'}")
    assert encoder.modalities == ("text",)
    assert encoder.dims == {"text": 4}
    assert np.array_equal(encoder.encode({"text": ["two dogs"]})["text"][0], heads.apply("text", rows["text"])[2])
    with pytest.raises(UserError, match="needs the folder that gram align wrote"):
        load_encoder("heads")
    with pytest.raises(UserError, match="trained on other frames"):
        load_encoder(f"heads:{tmp_path / 'heads'}", frames=3)
    save_heads(tmp_path / "other", heads, CONFIG)
    with pytest.raises(UserError, match="Embed the data with that model"):
        load_encoder(f"heads:{tmp_path / 'other'}")


@pytest.mark.parametrize("finished", [True, False])
def test_a_folder_of_heads_is_no_checkpoint_where_a_model_or_a_store_belongs(tmp_path, finished):
    folder = tmp_path / "my heads"
    save_heads(folder, made()[0], CONFIG)
    if not finished:
        (folder / "heads.json").unlink()
        (folder / "heads.safetensors").rename(folder / "training.safetensors")
    store = make_store(tmp_path / "store", 12)
    (tmp_path / "captions.csv").write_text("id,caption\na,a dog\n")
    named = f"'heads:{folder}'"
    with pytest.raises(UserError, match=f"holds heads that .gram align. wrote, not a store.* --model {named}$"):
        gramcli.evaluate(folder)
    with pytest.raises(UserError, match=f"is a folder of heads.*, where a model belongs.* before it: {named}$"):
        gramcli.evaluate(folder, dataset=tmp_path / "captions.csv", text_only=True)
    with pytest.raises(UserError, match=f"is a folder of heads.*, where a model belongs.* before it: {named}$"):
        load_encoder(folder)
    with pytest.raises(UserError, match=f"is a folder of heads; name it with heads: before it: {named}$"):
        gramcli.evaluate(store, model=str(folder))
    assert not looks_like_checkpoint(folder)


@pytest.mark.parametrize("hidden", [0, 5])
def test_weights_of_gigabytes_are_not_read(tmp_path, hidden):
    save_heads(tmp_path / "heads", made(hidden)[0], CONFIG)
    load_heads(tmp_path / "heads")
    with (tmp_path / "heads" / "heads.safetensors").open("ab") as file:
        file.truncate(3 * 2**30)
    tracemalloc.start()
    with pytest.raises(UserError, match=r"are damaged \(it is larger than 1 MiB"):
        load_heads(tmp_path / "heads")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
