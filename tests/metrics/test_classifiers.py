"""Nearest neighbours, linear probe and zero-shot against scikit-learn and plain NumPy, on made and on real data."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gramcli.errors import UserError
from gramcli.methods import get_method
from gramcli.metrics.knn import joined, knn_blocks
from gramcli.metrics.probe import GRID, Examples, fit_probe
from gramcli.metrics.prompts import TEMPLATES, class_vectors, read_templates
from gramcli.metrics.zero_shot import zero_shot_blocks
from gramcli.scoring.screening import Presence


def made(n: int, c: int = 5, d: int = 12, seed: int = 0):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(c, d))
    classes = random.integers(0, c, n)
    return (centres[classes] + 1.3 * random.normal(size=(n, d))).astype(np.float32), classes


def one_hot(classes, c):
    return np.eye(c, dtype=bool)[classes]


def split(reference_data, *views):
    """600 train, 200 validation and 400 test digits: rows are sorted by label, so they are shuffled first."""
    data = load_file(reference_data / "data" / "mfeat.safetensors")
    order = np.random.default_rng(0).permutation(2000)[:1200]
    x, y = np.concatenate([data[view] for view in views], axis=1)[order].astype(np.float32), data["label"][order]
    return [(x[part], y[part]) for part in (slice(600), slice(600, 800), slice(800, 1200))]


def voted(train, y, tested, k, c):
    blocks = knn_blocks(torch.from_numpy(train), one_hot(y, c), torch.from_numpy(tested), k)
    return np.concatenate(list(blocks))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_knn_is_scikit_learn_s_where_no_vote_ties(k):
    (train, y), (tested, _) = made(400), made(150, seed=1)
    votes = voted(train, y, tested, k, 5)
    model = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(train, y)
    shares = model.predict_proba(tested)
    np.testing.assert_allclose(np.round(votes), k * shares)
    decided = (shares == shares.max(axis=1, keepdims=True)).sum(axis=1) == 1
    assert decided.sum() > 100
    np.testing.assert_array_equal(votes.argmax(axis=1)[decided], model.predict(tested)[decided])


def test_knn_orders_equal_votes_by_their_summed_cosine():
    train = np.array([[1, 0.0], [1, 0.2], [1, 0.5], [1, 0.6], [-1, 0]], dtype=np.float32)
    votes = voted(train, np.array([2, 1, 0, 1, 0]), np.array([[1.0, 0.0]], dtype=np.float32), 4, 3)
    assert votes[0].argsort()[::-1].tolist() == [1, 2, 0]  # two votes, then one of cosine 1, then one of less
    assert np.round(votes[0]).tolist() == [1, 2, 1]


def test_knn_takes_all_of_a_small_train_split_and_refuses_none():
    train, y = made(4)
    assert np.round(voted(train, y, train, 10, 5)).sum(axis=1).tolist() == [4, 4, 4, 4]
    with pytest.raises(UserError, match="--knn must be at least 1"):
        voted(train, y, train, 0, 5)


def test_joined_modalities_have_the_mean_of_their_cosines():
    a, b = (torch.from_numpy(made(20, d=d, seed=d)[0]) for d in (7, 12))
    both = joined([a, 100 * b]).double()
    cosine = torch.nn.functional.cosine_similarity
    expected = (cosine(a[:10].double(), a[10:].double()) + cosine(b[:10].double(), b[10:].double())) / 2
    torch.testing.assert_close(cosine(both[:10], both[10:]), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("views", [("kar",), ("zer", "mor")])
def test_knn_and_probe_on_real_digits_are_scikit_learn_s(reference_data, views):
    (x, y), (vx, vy), (tx, ty) = split(reference_data, *views)
    scored = {}
    for c in GRID:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x.astype(np.float64), y)
        scored[c] = (model.score(vx.astype(np.float64), vy), model)
    best = max(value for value, _ in scored.values())
    strength = min(c for c, (value, _) in scored.items() if value == best)
    probe = fit_probe(Examples(x, one_hot(y, 10)), Examples(vx, one_hot(vy, 10)), several=False)
    assert probe.strength == strength
    decided = np.concatenate(list(probe.blocks(tx)))
    expected = scored[strength][1].decision_function(tx.astype(np.float64))
    np.testing.assert_allclose(decided, expected, rtol=1e-6, atol=1e-6)
    accuracy = (decided.argmax(axis=1) == ty).mean()
    assert accuracy == scored[strength][1].score(tx.astype(np.float64), ty)
    assert accuracy > 0.8
    model = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(x.astype(np.float64), y)
    np.testing.assert_array_equal(voted(x, y, tx, 1, 10).argmax(axis=1), model.predict(tx.astype(np.float64)))


def test_probe_of_two_classes_and_of_classes_that_train_lacks():
    x, y = made(80, 2)
    probe = fit_probe(Examples(x, one_hot(2 * y, 5)), None, several=False)
    (scores,) = probe.blocks(x)
    assert np.isneginf(scores[:, [1, 3, 4]]).all()
    np.testing.assert_array_equal(scores[:, 0], -scores[:, 2])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=probe.strength, max_iter=1000)).fit(x, y)
    np.testing.assert_allclose(scores[:, 2], model.decision_function(x.astype(np.float64)), rtol=1e-3, atol=1e-4)


def test_probe_of_several_classes_is_one_against_the_rest():
    random = np.random.default_rng(2)
    x = random.normal(size=(150, 6)).astype(np.float32)
    members = x @ random.normal(size=(6, 4)) + random.normal(size=(150, 4)) > 0.7
    train, chosen_on = Examples(x[:100], members[:100]), Examples(x[100:], members[100:])
    probe = fit_probe(train, chosen_on, several=True)
    scaled = StandardScaler().fit_transform(x[:100].astype(np.float64))
    model = OneVsRestClassifier(LogisticRegression(C=probe.strength, max_iter=1000)).fit(
        scaled, members[:100].astype(int)
    )
    (scores,) = probe.blocks(x[:100])
    np.testing.assert_allclose(scores, model.decision_function(scaled), rtol=1e-6, atol=1e-8)


def test_what_is_held_out_is_seeded_and_never_in_the_fit_that_chooses():
    x, y = made(100)
    train = Examples(x, one_hot(y, 5))
    assert (
        fit_probe(train, None, several=False, seed=3).strength == fit_probe(train, None, several=False, seed=3).strength
    )
    alone = Examples(x[:2], one_hot(np.array([0, 1]), 5))
    assert fit_probe(alone, None, several=False).strength == 1.0  # nothing can be held out
    with pytest.raises(UserError, match="two classes in the train split; it has 1"):
        fit_probe(Examples(x[:2], one_hot(np.array([1, 1]), 5)), None, several=False)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def volumes(texts, clips):
    """Slow oracle: sqrt of the determinant of each Gram matrix, [n, C]."""
    found = np.empty((len(clips[0]), len(texts)))
    for i, j in itertools.product(*map(range, found.shape)):
        z = np.stack([texts[j], *(modality[i] for modality in clips)])
        found[i, j] = np.sqrt(max(np.linalg.det(z @ z.T), 0))
    return found


@pytest.fixture
def clips():
    random = np.random.default_rng(4)
    return unit(random.normal(size=(6, 16))), [unit(random.normal(size=(25, 16))) for _ in range(2)]


def scored(name, texts, clips, **options):
    media = {key: torch.from_numpy(rows) for key, rows in zip(("video", "audio"), clips, strict=False)}
    return np.concatenate(list(zero_shot_blocks(get_method(name), torch.from_numpy(texts), media, **options)))


def test_zero_shot_scores_are_those_of_plain_numpy(clips):
    texts, media = clips
    np.testing.assert_allclose(scored("cosine", texts, media[:1]), media[0] @ texts.T, atol=1e-12)
    np.testing.assert_allclose(scored("gram", texts, media), -volumes(texts, media), atol=1e-9)
    sigma = np.array([
        [np.linalg.svd(np.stack([t, v, a]), compute_uv=False)[0] for t in texts] for v, a in zip(*media, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(scored("pmrl", texts, media), sigma, atol=1e-9)


def test_gram_and_span_name_the_same_class(clips):
    texts, media = clips
    np.testing.assert_array_equal(*(scored(name, texts, media).argmax(axis=1) for name in ("gram", "span")))


def test_an_absent_modality_leaves_the_measure_of_the_others(clips):
    texts, media = clips
    mask = torch.arange(25) % 3 > 0
    media[1][~mask.numpy()] = 0
    found = scored("gram", texts, media, present=Presence(None, {"audio": mask}))
    np.testing.assert_allclose(found[~mask.numpy()], -volumes(texts, [media[0][~mask.numpy()]]), atol=1e-9)


def test_class_vectors_normalise_then_average_then_normalise():
    table = {}

    def encode(texts):
        return np.array([table.setdefault(text, np.random.default_rng(len(table)).normal(size=8)) for text in texts])

    names, templates = ["car horn", "dog"], ("{}", "the {} of {}")
    found = class_vectors(encode, names, templates).numpy()
    assert list(table) == ["car horn", "the car horn of car horn", "dog", "the dog of dog"]
    rows = unit(np.array(list(table.values()))).reshape(2, 2, 8)
    np.testing.assert_allclose(found, unit(rows.mean(axis=1)), atol=1e-12)


def test_a_class_whose_prompts_cancel_is_named():
    with pytest.raises(UserError, match="'dog' over all templates"):
        class_vectors(lambda texts: np.array([[1.0, 0], [-1.0, 0]]), ["dog"], ("{}", "no {}"))
    with pytest.raises(UserError, match="'dog' no direction"):
        class_vectors(lambda texts: np.zeros((1, 2)), ["dog"], ("{}",))


def test_templates_come_from_a_set_or_a_file(tmp_path):
    assert all("{}" in line for lines in TEMPLATES.values() for line in lines)
    path = tmp_path / "t.txt"
    path.write_text("a sketch of {}\n\n  {} at night \n", encoding="utf-8")
    assert read_templates(str(path)) == ("a sketch of {}", "{} at night")
    for text, message in (("a {}\nno gap\n", "line 2 has no {}"), ("\n\n", "holds no template")):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_templates(str(path))
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match="not UTF-8"):
        read_templates(str(path))
    with pytest.raises(UserError, match="neither a file nor one of plain, photo, sound, video"):
        read_templates("photos")
