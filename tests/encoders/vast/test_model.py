"""The model against the outputs of the authors' code, and what holds for it beyond them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gramcli.encoders.vast.model import VastModel
from gramcli.errors import UserError
from gramcli.scoring.scores import score_matrix
from tests.encoders.vast.reference import Reference, full_architecture, outputs_of, tokens_of

MODALITIES = {"v": "video", "a": "audio", "s": "subtitle", "d": "depth"}
VOLUMES = ("volume3_tva", "volume4_tvas", "volume5_tvasd", "alt.volume3_tva", "alt.volume4_tvas")


@pytest.fixture(scope="session")
def model(reference: Reference) -> VastModel:
    return reference.model()


def tolerance(name: str) -> dict[str, float]:
    """What the reference data recommend for a float32 implementation."""
    if "feat_" in name:
        return {"atol": 5e-6, "rtol": 0.0}
    return {"atol": 1e-5, "rtol": 0.0} if "itm_scores" in name or "volume" in name else {"atol": 1e-4, "rtol": 1e-4}


def compared(reference: Reference) -> list[str]:
    pattern = re.compile(r"(alt\.)?(feat_\w+|condition_feats_\w+|itm_scores\w*|\w+_output)")
    return [name for name in reference.tensors if pattern.fullmatch(name)]


def test_outputs_are_those_of_the_authors_code(reference: Reference, model: VastModel) -> None:
    names = compared(reference)
    assert len(names) == {"gram": 40, "pmrl": 35}[reference.architecture.family]
    for name, found in outputs_of(model, reference.tensors, names).items():
        torch.testing.assert_close(
            found, reference.tensors[name], **tolerance(name), msg=lambda text, n=name: f"{n}: {text}"
        )


def test_volumes_of_our_features(reference: Reference, model: VastModel) -> None:
    seen = 0
    for name in VOLUMES:
        if name not in reference.tensors:
            continue
        tokens = tokens_of(model, reference.tensors, "_alt" if name.startswith("alt.") else "")
        features = model.features(tokens)
        candidates = {letter: features[MODALITIES[letter]] for letter in name.rsplit("_t", 1)[1]}
        found = score_matrix("gram", {"t": features["text"]}, candidates, dtype=torch.float64)
        torch.testing.assert_close(found, reference.tensors[name].double(), atol=1e-5, rtol=0.0)
        seen += 1
    assert seen == (5 if reference.architecture.depth else 4)


def stages(model: VastModel, reference: Reference) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Every part of the model on its official inputs for the first sample, cheapest first, named by its output."""
    x = {name: tensor[:1] for name, tensor in reference.tensors.items()}
    tokens = {"text": x["caption_output"], "subtitle": x["subtitle_output"]}
    tokens |= {"video": x["vision_output"], "audio": x["audio_output"]}
    features = {"t": "text", "s": "subtitle", "v": "video", "a": "audio", "va": "va", "vs": "vs", "vas": "vas"}
    if reference.architecture.depth:
        tokens["depth"] = x["depth_output"]
        features["d"] = "depth"
    for short, name in features.items():
        yield f"feat_{short}", lambda name=name: model.features(tokens)[name]
    yield "condition_feats_vas", lambda: model.condition(tokens, "vas")
    captions = x["caption_input_ids"], x["caption_attention_mask"]
    yield "itm_scores_a", lambda: model.match(x["condition_feats_a"], *captions)
    yield "caption_output", lambda: model.text_tokens(*captions)
    yield "audio_output", lambda: model.audio_tokens(x["audio_spectrograms"])
    yield "vision_output", lambda: model.vision_tokens(x["vision_pixels"])


def left_tolerance(model: VastModel, reference: Reference) -> bool:
    for name, compute in stages(model, reference):
        found = compute()
        if not torch.allclose(found, reference.tensors[name][:1, : found.shape[1]], **tolerance(name)):
            return True
    return False


def test_every_tensor_matters(reference: Reference) -> None:
    """A wrong tensor anywhere is noticed; where nothing can notice one, we agree with the authors' code."""
    model = reference.model()
    key_bias = re.compile(r"self\.key\.bias|k_proj\.bias")  # the same for all keys: softmax does not see it
    silent = set(reference.notes["params_without_effect_on_golden_outputs"])
    assert not left_tolerance(model, reference)
    generator = torch.Generator().manual_seed(0)
    unnoticed = set()
    for name, parameter in model.named_parameters():
        original = parameter.clone()
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
        if not left_tolerance(model, reference):
            unnoticed.add(name)
        parameter.copy_(original)
    assert {name for name in unnoticed if not key_bias.search(name)} == silent


@pytest.mark.parametrize("manifest", ["full_manifest_gram.json", "full_manifest_pmrl.json"])
def test_full_size_state_dict(reference_data: Path, manifest: str) -> None:
    path = reference_data / "golden" / manifest
    if not path.is_file():
        pytest.skip(f"no manifest at {path}")
    expected = json.loads(path.read_text())
    with torch.device("meta"):
        model = VastModel(full_architecture(expected))
    state = model.state_dict()
    listed = {key: (tuple(entry["shape"]), entry["dtype"]) for key, entry in expected["state_dict"].items()}
    found = {key: (tuple(x.shape), str(x.dtype).removeprefix("torch.")) for key, x in state.items()}
    assert found == listed
    shared = "relative_attention_bias"  # the official model adds it to all layers but the first at the end
    assert [key for key in found if shared not in key] == [key for key in listed if shared not in key]
    assert sum(x.numel() for x in model.parameters()) == expected["num_unique_params"]


def test_ties_are_those_of_the_manifest(reference: Reference) -> None:
    state = reference.model().state_dict(keep_vars=True)
    groups: dict[int, list[str]] = {}
    for key, x in state.items():
        groups.setdefault(id(x), []).append(key)
    tied = sorted(sorted(keys) for keys in groups.values() if len(keys) > 1)
    tables = sorted(key for key in state if "relative_attention_bias" in key)
    words = "multimodal_encoder.bert.embeddings.word_embeddings.weight"
    predictions = "multimodal_encoder.cls.predictions"
    assert tied == sorted(
        [tables, [words, f"{predictions}.decoder.weight"], [f"{predictions}.bias", f"{predictions}.decoder.bias"]]
    )


def test_assigned_weights_give_the_same_outputs(reference: Reference, model: VastModel) -> None:
    with torch.device("meta"):
        assigned = VastModel(reference.architecture).eval()
    weights = {key: x.clone() for key, x in reference.weights.items()}  # no ties between tensors, as a GPU writes them
    assigned.load_state_dict(weights, assign=True)
    assert not any(x.is_meta for x in assigned.state_dict().values())
    tables = {x.data_ptr() for key, x in assigned.state_dict().items() if "relative_attention_bias" in key}
    assert len(tables) == 1
    names = ["feat_vas", "condition_feats_vas", "itm_scores_vas"]
    for name, found in outputs_of(assigned, reference.tensors, names).items():
        assert torch.equal(found, outputs_of(model, reference.tensors, [name])[name])


@torch.no_grad()
def test_a_sample_does_not_depend_on_its_batch(reference: Reference, model: VastModel) -> None:
    """Equal up to rounding, not bit for bit: matrix products of other sizes add in another order."""
    together = tokens_of(model, reference.tensors)
    inputs = {name: x for name, x in reference.tensors.items() if x.shape[:1] == (3,)}
    for k in range(3):
        alone = tokens_of(model, {name: x[k : k + 1] for name, x in inputs.items()})
        for name, x in alone.items():
            torch.testing.assert_close(x[0], together[name][k], atol=2e-5, rtol=0.0)
        for name, vectors in model.features(alone).items():
            torch.testing.assert_close(vectors[0], model.features(together)[name][k], atol=1e-6, rtol=0.0)


@torch.no_grad()
@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 6, 1000])
def test_matching_does_not_depend_on_the_chunk(reference: Reference, model: VastModel, chunk: int) -> None:
    x = reference.tensors
    captions = x["caption_input_ids"], x["caption_attention_mask"]
    found = model.match(x["condition_feats_vas"], *captions, chunk=chunk)
    torch.testing.assert_close(found.T, x["itm_scores_vas"], **tolerance("itm_scores"))
    pairs = model.match_pairs(x["condition_feats_vas"], *captions, chunk=chunk)
    torch.testing.assert_close(pairs, x["itm_scores_vas"].diagonal(), **tolerance("itm_scores"))


@torch.no_grad()
def test_matching_other_numbers_of_texts_and_samples(reference: Reference, model: VastModel) -> None:
    """Row is sample, column is text; texts are cut to the longest of those asked for."""
    x = reference.tensors
    ids, mask, scores = x["caption_input_ids"], x["caption_attention_mask"], x["itm_scores_vas"].T
    condition = x["condition_feats_vas"]
    for rows, columns in (([1], [0, 1, 2]), ([0, 2], [1]), ([2, 1, 0, 1], [0, 1])):
        found = model.match(condition[rows], ids[columns], mask[columns], chunk=2)
        torch.testing.assert_close(found, scores[rows][:, columns], **tolerance("itm_scores"))


@torch.no_grad()
def test_padding_of_a_text_changes_nothing_but_padding_of_a_subtitle_is_attended_to(
    reference: Reference, model: VastModel
) -> None:
    x = reference.tensors
    length = int(x["caption_attention_mask"][0].sum())
    short = model.text_tokens(x["caption_input_ids"][:1, :length], x["caption_attention_mask"][:1, :length])
    torch.testing.assert_close(short, x["caption_output"][:1, :length], atol=2e-5, rtol=0.0)
    captions = x["caption_input_ids"], x["caption_attention_mask"]
    condition = x["condition_feats_s"][1:2]  # of an empty subtitle
    whole, cut = model.match(condition, *captions), model.match(condition[:, :2], *captions)
    assert float((whole - cut).abs().max()) > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(reference: Reference, dtype: torch.dtype) -> None:
    model = reference.model().to(dtype)
    tokens = tokens_of(model, reference.tensors)
    assert {x.dtype for x in tokens.values()} == {dtype}
    features = model.features(tokens)
    for short, name in (("t", "text"), ("v", "video"), ("a", "audio"), ("s", "subtitle"), ("vas", "vas")):
        vectors = features[name]
        assert vectors.dtype == torch.float32
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(3), atol=1e-6, rtol=0.0)
        assert float((vectors * reference.tensors[f"feat_{short}"]).sum(dim=-1).min()) > 0.999
    captions = reference.tensors["caption_input_ids"], reference.tensors["caption_attention_mask"]
    scores = model.match(model.condition(tokens, "vas"), *captions)
    assert scores.dtype == torch.float32
    close = 0.1 if dtype == torch.bfloat16 else 0.02
    torch.testing.assert_close(scores.T, reference.tensors["itm_scores_vas"], atol=close, rtol=0.0)


@torch.no_grad()
def test_features_follow_what_is_given(reference: Reference, model: VastModel) -> None:
    tokens = tokens_of(model, reference.tensors)
    subtitled = {name: tokens[name] for name in ("subtitle", "video")}
    assert list(model.features(subtitled)) == ["subtitle", "video", "vs"]
    assert list(model.features({"text": tokens["text"]})) == ["text"]


@torch.no_grad()
def test_depth_without_its_head_is_refused(reference: Reference) -> None:
    model = VastModel(replace(reference.architecture, depth=False)).eval()
    depth = torch.zeros(1, 1, reference.architecture.vision.tokens, reference.architecture.vision.width)
    with pytest.raises(UserError, match="has no head for depth"):
        model.features({"depth": depth})
    assert model.condition({"depth": depth}, "d").shape == (1, depth.shape[2], reference.architecture.text.hidden)


def test_another_resolution_is_refused(reference: Reference, model: VastModel) -> None:
    with pytest.raises(ValueError, match="the vision tower takes frames of 42 x 42"):
        model.vision_tokens(torch.zeros(1, 1, 3, 43, 43))
