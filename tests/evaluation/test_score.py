"""The `score` verb: its own measure, where items stand, what is flagged and which modality is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gramcli
from gramcli.errors import UserError
from gramcli.evaluation.misalignment import part as parts
from gramcli.methods import METHODS, get_method
from gramcli.scoring.scores import score_matrix
from gramcli.store import Store, open_store, write_store
from tests.small_stores import make_store

NAMES = ("text", "video", "audio")


def made(path, vectors, captions=1, status=None):
    """A store of vectors in memory."""
    n = len(vectors["video"])
    write_store(
        path,
        ids=[f"item{k:04d}" for k in range(n)],
        splits=[None] * n,
        labels=[None] * n,
        embeddings={name: one.astype(np.float32) for name, one in vectors.items()},
        caption_items=np.repeat(np.arange(n), captions),
        status=status or {},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    return open_store(path)


def drawn(n, d, strength, *, swapped=0.0, hubness=0.0, seed=0, names=NAMES):
    """Vectors of items that agree by strength; of some the sound is another's. Items differ in how much is in them."""
    draw = np.random.default_rng([seed, n, d])
    common = strength * np.exp(draw.normal(0, 0.25, n))[:, None] * draw.normal(size=(n, d))
    vectors = {
        name: common + draw.normal(size=(n, d)) + hubness * draw.exponential(size=(n, 1)) * draw.normal(size=(1, d))
        for name in names
    }
    rows = draw.choice(n, round(swapped * n), replace=False)
    vectors["audio"][rows] = np.roll(vectors["audio"][rows], 1, axis=0)
    return vectors, np.isin(np.arange(n), rows)


@pytest.mark.parametrize("method", METHODS.names())
def test_its_own_measure_is_the_diagonal_of_the_matrix(method, tmp_path):
    store = make_store(tmp_path / "s", 30)
    (found,) = gramcli.score(store, "t2va", method).scores
    sides = ({"text": store.embeddings("text")}, {name: store.embeddings(name) for name in ("video", "audio")})
    expected = score_matrix(method, *sides, dtype=torch.float64).diagonal()
    assert np.array_equal(found.columns["score"], expected.numpy())


@pytest.mark.parametrize(
    "method", ["cosine", "centroid", "gram", "gram:log=true", "span", "pmrl", "triangle", "symile"]
)
def test_z_is_that_of_a_slow_loop(method, tmp_path):
    store = make_store(tmp_path / "s", 25)
    (found,) = gramcli.score(store, "t2va", method).scores
    measure = get_method(method)
    vectors = {name: store.embeddings(name) for name in NAMES}
    for name in NAMES:
        rest = {one: vectors[one] for one in NAMES if one != name}
        scores = score_matrix(measure, {name: vectors[name]}, rest, dtype=torch.float64).numpy().T
        scores = (np.exp(scores) if "log" in method else scores) * (1 if measure.higher_is_better else -1)
        others = scores[~np.eye(25, dtype=bool)].reshape(25, 24)
        expected = (scores.diagonal() - others.mean(axis=1)) / others.std(axis=1, ddof=1)
        np.testing.assert_allclose(found.columns[f"z_{name}"], expected, rtol=2e-3, atol=2e-3)
    smallest = np.stack([found.columns[f"z_{name}"] for name in NAMES]).min(axis=0)
    np.testing.assert_allclose(found.columns["z"], smallest)


def test_what_is_left_without_a_modality_is_measured(tmp_path):
    store = make_store(tmp_path / "s", 25)
    (found,) = gramcli.score(store, "t2va", "gram").scores
    for name, task in (("text", "v2a"), ("video", "t2a"), ("audio", "t2v")):
        (pair,) = gramcli.score(store, task, "gram").scores
        np.testing.assert_array_equal(found.columns[f"without_{name}"], pair.columns["score"])
        np.testing.assert_allclose(found.columns[f"z_without_{name}"], pair.columns["z"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", ["gram", "cosine", "symile"])
def test_a_modality_that_does_not_vary_is_refused(method, tmp_path):
    """Such as silence: whose sound is another's has the same, and rounding alone would tell them apart."""
    vectors, _ = drawn(60, 16, 2.0)
    vectors["audio"] = np.repeat(vectors["audio"][:1], 60, axis=0)
    store = made(tmp_path / "s", vectors)
    with pytest.raises(UserError, match="all 60 items have the same audio"):
        gramcli.score(store, "t2va", method)
    assert len(gramcli.score(store, "t2v", method).scores[0]) == 60


def test_a_modality_that_hardly_ever_varies_tells_nothing_by_rounding(tmp_path, monkeypatch):
    """All that stand in for a sound may be alike though the store has another one."""
    monkeypatch.setattr("gramcli.evaluation.misalignment.mismatched.DRAWS", 20)
    vectors, _ = drawn(60, 16, 2.0)
    vectors["audio"][1:] = vectors["audio"][1]
    (found,) = gramcli.score(made(tmp_path / "s", vectors), "t2va", "gram").scores
    assert np.abs(found.columns["z_audio"][1:]).max() < 10
    assert np.abs(found.columns["z_without_text"][1:]).max() < 20


def test_a_part_that_does_not_vary_is_left_out(tmp_path):
    vectors, _ = drawn(60, 16, 2.0)
    vectors["video"][30:] = vectors["video"][30]
    vectors["audio"][30:] = 0
    store = made(tmp_path / "s", vectors, status={"audio": ["ok"] * 30 + ["absent"] * 30})
    found = gramcli.score(store, "t2va", "gram", missing="present")
    assert [one.task for one in found.scores] == ["t2va"]
    assert {one.reason for one in found.left_out} == {"all 30 items that have just t2v have the same video"}


@pytest.mark.parametrize("task", ["t2va", "t2v"])
def test_items_that_are_all_alike_are_refused(task, tmp_path):
    store = made(tmp_path / "s", {name: np.ones((30, 8)) for name in NAMES})
    with pytest.raises(UserError, match="have the same text"):
        gramcli.score(store, task, "gram")


def test_items_of_two_qualities_are_not_flagged_and_it_is_said(tmp_path):
    draw = np.random.default_rng(4)
    common, noise = draw.normal(size=(400, 32)), np.repeat([1.5, 0.4], [120, 280])[:, None]
    vectors = {name: common + noise * draw.normal(size=(400, 32)) for name in NAMES}
    found = gramcli.score(made(tmp_path / "s", vectors), "t2va", "gram")
    assert not found.scores[0].columns["flagged"].any()
    assert found.scores[0].facts["lower_quality"]
    assert any("fit better than mismatched ones do" in note for note in found.notes)


def test_a_flag_comes_with_what_its_rate_supposes(tmp_path):
    vectors, _ = drawn(300, 32, 2.0, swapped=0.1)
    found = gramcli.score(made(tmp_path / "s", vectors), "t2va", "gram")
    assert found.scores[0].facts["flagged"]
    assert any(note.startswith("The rate supposes aligned items of one quality") for note in found.notes)


def test_two_modalities_have_no_one_that_does_not_fit(tmp_path):
    vectors, _ = drawn(300, 32, 2.0, swapped=0.1)
    (found,) = gramcli.score(made(tmp_path / "s", vectors), "t2a", "cosine").scores
    assert found.columns["flagged"].any()
    assert (found.culprits == -1).all()
    assert "without_text" not in found.columns


@pytest.mark.parametrize("share", [0, 0.01, 0.05, 0.2])
@pytest.mark.parametrize(("strength", "d", "hubness"), [(0.7, 16, 0.0), (1.0, 64, 0.5), (2.0, 16, 1.0)])
def test_the_false_discovery_rate_is_held_with_hubs(strength, d, hubness, share, tmp_path):
    proportions = []
    for seed in range(4):
        vectors, bad = drawn(200, d, strength, swapped=share, hubness=hubness, seed=seed)
        (found,) = gramcli.score(made(tmp_path / str(seed), vectors), "t2va", "gram", seed=seed).scores
        flagged = found.columns["flagged"]
        proportions.append((flagged & ~bad).sum() / max(1, flagged.sum()))
    assert np.mean(proportions) <= 0.1 + 2 * np.std(proportions) / 2


@pytest.mark.parametrize("method", ["gram", "cosine", "pmrl"])
def test_swapped_sounds_are_found_and_named(method, tmp_path):
    vectors, bad = drawn(500, 64, 2.0, swapped=0.05)
    (found,) = gramcli.score(made(tmp_path / "s", vectors), "t2va", method).scores
    flagged = found.columns["flagged"]
    assert flagged[bad].mean() >= 0.9
    assert (flagged & ~bad).sum() <= 0.2 * flagged.sum()
    assert (found.culprits[flagged & bad] == NAMES.index("audio")).mean() >= 0.9
    assert found.facts["culprit_right"] >= 0.9
    assert found.facts["detected"] >= 0.8
    assert (found.columns["p_mismatched"][~bad] < 0.05).mean() >= 0.9
    assert found.worst(25)[0] in np.flatnonzero(bad)


def test_mismatched_items_have_uniform_p_values(tmp_path):
    """Whose sound is another's is one of those that it is held against."""
    vectors, bad = drawn(400, 32, 1.0, swapped=0.5, hubness=0.5)
    (found,) = gramcli.score(made(tmp_path / "s", vectors), "a2t", "cosine").scores
    p_values = found.columns["p_mismatched"][bad]
    places = (np.arange(len(p_values)) + 0.5) / len(p_values)
    assert np.abs(np.sort(p_values) - places).max() < 1.63 / np.sqrt(len(p_values))  # Kolmogorov, 1 %


def test_an_item_stands_for_the_mean_of_its_captions(tmp_path):
    store = make_store(tmp_path / "s", 30, captions=[1 + k % 3 for k in range(30)])
    (item,) = gramcli.score(store, "t2va", "gram").scores
    (caption,) = gramcli.score(store, "t2va", "gram", per="caption").scores
    owners = store.caption_items().numpy()
    assert list(caption.ids) == [store.ids[k] for k in owners]
    assert caption.captions[:6].tolist() == [0, 0, 1, 0, 1, 2]
    assert caption.texts.tolist() == list(range(len(owners)))
    for name in ("score", "z_video"):
        means = np.bincount(owners, caption.columns[name]) / np.bincount(owners)
        np.testing.assert_allclose(item.columns[name], means, rtol=1e-4, atol=1e-5)


def test_blocks_of_any_size_give_the_same(tmp_path, monkeypatch):
    store = make_store(tmp_path / "s", 150, captions=2)
    whole = gramcli.score(store, "t2va", "gram").to_frame()
    monkeypatch.setattr(parts, "BLOCK_NUMBERS", 1)
    assert (
        len(
            list(parts.parts_of(store, gramcli.modalities.parse_task("t2va"), torch.arange(150), "drop")[0][0].blocks())
        )
        > 3
    )
    again = gramcli.score(open_store(tmp_path / "s"), "t2va", "gram").to_frame()
    numbers = whole.select_dtypes("number").columns
    np.testing.assert_allclose(again[numbers], whole[numbers], rtol=1e-4, atol=1e-4)


def test_no_modality_is_read_whole(tmp_path, monkeypatch):
    store = make_store(tmp_path / "s", 40)
    monkeypatch.setattr(Store, "embeddings", lambda *_: pytest.fail("read whole"))
    assert len(gramcli.score(store, "t2va", "gram").scores[0]) == 40


def test_the_seed_decides(tmp_path):
    vectors, _ = drawn(120, 16, 1.0)
    store = made(tmp_path / "s", vectors)
    first, again, other = (gramcli.score(store, "t2va", "gram", seed=seed).scores[0].columns for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["percentile"], other["percentile"])


def test_what_is_missing_is_left_out_or_its_own_part(tmp_path):
    store = make_store(tmp_path / "s", 60, without={"audio": range(25)})
    dropped = gramcli.score(store, "t2va", "gram")
    assert len(dropped.scores[0]) == 35
    assert {one.modality for one in dropped.left_out} == {"audio"}
    present = gramcli.score(store, "t2va", "gram", missing="present")
    assert [(one.task, len(one)) for one in present.scores] == [("t2va", 35), ("t2va/t2v", 25)]
    assert not present.left_out
    few = make_store(tmp_path / "few", 60, without={"audio": range(5)})
    rest = gramcli.score(few, "t2va", "gram", missing="present")
    assert len(rest.scores) == 1
    assert {one.reason for one in rest.left_out} == {"only 5 items have just t2v, of 20 needed"}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"missing": "zero"}, "zero vector fits everything or nothing"),
        ({"missing": "error"}, "has no audio"),
        ({"limit": 10}, "10 items are too few"),
        ({"fdr": 0}, "between 0 and 1"),
        ({"fdr": 1.5}, "between 0 and 1"),
        ({"fdr": float("nan")}, "between 0 and 1"),
        ({"per": "word"}, "none of item, caption"),
        ({"methods": "gramm"}, "Did you mean 'gram'"),
        ({"tasks": "t2s"}, "needs 'subtitle'"),
        ({"tasks": "t2v", "methods": "triangle"}, "exactly 3 modalities"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_sentence(asked, words, tmp_path):
    store = make_store(tmp_path / "s", 30, without={"audio": [29]})
    with pytest.raises(UserError, match=words):
        gramcli.score(store, **{"tasks": "t2va", **asked})
