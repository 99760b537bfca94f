"""What figures show of vectors, against scikit-learn, scipy and NumPy, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import binom
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from gramcli.errors import UserError
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.pictures import distributions, occurrences, pairs, projection
from gramcli.evaluation.pictures.gather import KINDS, pictures_of
from gramcli.evaluation.pictures.histograms import histogram
from gramcli.evaluation.selection import select
from gramcli.methods import get_method
from gramcli.modalities import parse_task
from gramcli.scoring.scores import score_matrix
from gramcli.scoring.topk import top_k
from tests.small_stores import make_store

TASK = parse_task("t2va")
N = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "plain", N)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Items of one to three captions, two items without sound."""
    captions = [1 + k % 3 for k in range(N)]
    return make_store(tmp_path_factory.mktemp("stores") / "several", N, captions=captions, without={"audio": (3, 7)})


def selected(store, task=TASK, missing="drop"):
    return select(store, task, torch.arange(len(store.ids)), missing)


@pytest.mark.parametrize("method", ["cosine", "gram", "pmrl"])
def test_auc_is_that_of_scikit_learn_over_all_pairs(store, method):
    selection, measure = selected(store), get_method(method)
    found = distributions.score_distribution(selection, method, measure, seed=0)
    scores = score_matrix(measure, selection.queries, selection.candidates, dtype=torch.float64).numpy()
    signed = scores if measure.higher_is_better else -scores
    assert found.auc == pytest.approx(roc_auc_score(np.eye(N).ravel(), signed.ravel()), abs=1e-12)
    assert found.low < found.auc < found.high
    assert sum(found.matched.counts) == N
    assert sum(found.mismatched.counts) == N * (N - 1)
    expected, _ = np.histogram(scores[np.eye(N) == 0], bins=40, range=(scores.min(), scores.max()))
    assert list(found.mismatched.counts) == expected.tolist()
    assert found.negatives == "all 1,560 mismatched pairs"


def test_mismatched_pairs_never_hold_an_answer_and_never_repeat(several, monkeypatch):
    selection = selected(several)
    n, size = len(selection.query_ids), len(selection.candidate_ids)
    every = pairs.mismatched_pairs(selection, seed=0)
    assert len(every.query) == every.total == n * size - n
    monkeypatch.setattr(pairs, "MOST_MISMATCHED", 500)
    some = pairs.mismatched_pairs(selection, seed=1)
    codes = (some.query * size + some.candidate).tolist()
    assert len(set(codes)) == len(codes) == 500
    assert codes == sorted(codes)
    for query, candidate in zip(some.query.tolist(), some.candidate.tolist(), strict=True):
        assert selection.query_ids[query] != selection.candidate_ids[candidate]
    assert pairs.sample_text(some, "mismatched", 1) == f"500 of the {every.total:,} mismatched pairs (seed 1)"
    again = pairs.mismatched_pairs(selection, seed=1)
    assert torch.equal(some.query, again.query)
    assert not torch.equal(some.query, pairs.mismatched_pairs(selection, seed=2).query)


def test_a_sample_of_pairs_is_uniform(store, monkeypatch):
    monkeypatch.setattr(pairs, "MOST_MISMATCHED", 400)
    counts = torch.zeros(N)
    for seed in range(60):
        counts += torch.bincount(pairs.mismatched_pairs(selected(store), seed).query, minlength=N)
    assert float(counts.min()) > 0.85 * 600
    assert float(counts.max()) < 1.15 * 600


def test_principal_components_are_those_of_scikit_learn_up_to_sign():
    x = torch.randn(50, 9, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 10)
    centre, directions, shares = projection.principal_components(x)
    theirs = PCA(2, svd_solver="full").fit(x.double().numpy())
    assert np.allclose(centre.numpy(), theirs.mean_)
    assert np.allclose(np.abs(directions.numpy()), np.abs(theirs.components_))
    assert np.allclose(shares.numpy(), theirs.explained_variance_ratio_)
    assert bool((directions.gather(1, directions.abs().argmax(1, keepdim=True)) > 0).all())


def test_components_of_rows_that_do_not_vary_have_no_share():
    _, _, shares = projection.principal_components(torch.ones(3, 4))
    assert shares.tolist() == [0.0, 0.0]
    assert projection.principal_components(torch.ones(1, 4))[1].shape == (2, 4)


def test_the_map_has_one_point_of_every_modality_of_an_item(several):
    found = projection.modality_map(selected(several), seed=0)
    assert found.modalities == ("text", "video", "audio")
    assert [len(points) for points in found.points] == [N - 2] * 3
    assert "item03" not in found.ids
    assert found.note == f"all {N - 2} items"
    first = {item: row for row, item in reversed(list(enumerate(several.caption_items().tolist())))}
    rows = torch.stack([several.embeddings("text")[first[several.ids.index(name)]] for name in found.ids])
    others = [several.embeddings(m)[[several.ids.index(i) for i in found.ids]] for m in ("video", "audio")]
    unit = [torch.nn.functional.normalize(x.double(), dim=1).numpy() for x in (rows, *others)]
    theirs = PCA(2, svd_solver="full").fit(np.concatenate(unit)).transform(unit[0])
    assert np.allclose(np.abs(np.array(found.points[0])), np.abs(theirs))


def test_a_map_says_the_gap_of_each_pair(several):
    for policy, n in (("drop", N - 2), ("zero", N)):
        found = projection.modality_map(selected(several, missing=policy), seed=0)
        assert len(found.ids) == n
        assert [(one.a, one.b) for one in found.gaps] == [("text", "video"), ("text", "audio"), ("video", "audio")]
    x, y = (several.embeddings(name).double() for name in ("video", "audio"))
    both = y.any(dim=1)
    x, y = x[both] / x[both].norm(dim=1, keepdim=True), y[both] / y[both].norm(dim=1, keepdim=True)
    gap, spread = float((x.mean(0) - y.mean(0)).norm()), float((x - y).var(dim=0).sum()) / len(x)
    assert (found.gaps[2].distance, found.gaps[2].chance) == pytest.approx((gap, spread**0.5), rel=1e-5)


def test_a_map_of_many_items_shows_some(store, monkeypatch):
    monkeypatch.setattr(projection, "SHOWN", 10)
    monkeypatch.setattr(projection, "FITTED", 20)
    found = projection.modality_map(selected(store), seed=0)
    assert len(found.ids) == len(set(found.ids)) == 10
    assert found.note == "10 of 40 items (seed 0); the plane is that of 20 of them"


def test_spectra_are_those_of_numpy(store):
    (found,) = pictures_of(store, tasks=[TASK], kinds=["spectra"]).spectra
    names = ("text", "video", "audio")
    x = torch.stack([torch.nn.functional.normalize(store.embeddings(m).double(), dim=1) for m in names], dim=1)
    sigma = np.linalg.svd(x.numpy(), compute_uv=False)
    share = sigma[:, 0] ** 2 / (sigma**2).sum(axis=1)
    assert [one.mean for one in found.matched] == pytest.approx(sigma.mean(axis=0).tolist())
    assert [one.low for one in found.matched] == pytest.approx(np.quantile(sigma, 0.05, axis=0).tolist())
    assert found.mean_share == pytest.approx(share.mean())
    assert found.mean_share_shuffled < found.mean_share
    assert sum(found.share.counts) == sum(found.share_shuffled.counts) == N


def test_k_occurrences_are_counted_and_chance_is_binomial(store):
    measure, selection = get_method("gram"), selected(store)
    found = occurrences.occurrences(selection, "gram", measure, seed=0)
    best = top_k(measure, selection.queries, selection.candidates, 10)[1].numpy()
    times = np.bincount(np.bincount(best.ravel(), minlength=N))
    assert list(found.candidates) == times.tolist()
    assert sum(found.candidates) == N
    expected = N * binom.pmf(np.arange(len(found.chance)), N, 10 / N)
    assert np.allclose(found.chance, expected)
    assert found.hubs[0][1] == len(times) - 1


def test_fewer_queries_ask_a_large_gallery(store, monkeypatch):
    monkeypatch.setattr(occurrences, "MOST_SCORES", 400)
    found = occurrences.occurrences(selected(store), "cosine", get_method("cosine"), seed=3)
    assert found.n_queries == 10
    assert found.note == "10 of 40 queries ask (seed 3)"


def test_the_diagonal_of_a_block_is_matched(several):
    (found,) = pictures_of(several, tasks=[TASK], methods=["gram"], kinds=["matrices"]).matrices
    assert found.query_ids == found.candidate_ids
    assert found.scores.shape == (N - 2, N - 2)
    assert found.notes == ("all 38 items", "lower")


def test_only_what_is_asked_for_is_computed(store):
    found = pictures_of(store, kinds=["spectra"])
    assert found.spectra
    assert not (found.scores or found.maps or found.hubs or found.matrices)
    whole = pictures_of(store, options=EvalOptions(limit=6))
    assert all(getattr(whole, kind) for kind in KINDS)
    assert {one.task for one in whole.scores} == {"t2va"}
    assert whole.maps[0].ids == tuple(f"item{k:02d}" for k in range(6))


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_items_have_pictures(tmp_path, n):
    found = pictures_of(make_store(tmp_path / "few", n))
    assert len(found.scores) == len(found.hubs) > 5
    assert (found.scores[0].auc is None) == (n == 1)
    assert bool(found.spectra[0].shuffled) == (n == 2)


@pytest.mark.parametrize("missing", ["present", "zero"])
def test_items_without_a_modality_are_pictured_under_every_policy(several, missing):
    found = pictures_of(several, tasks=[TASK], methods=["gram", "pmrl"], options=EvalOptions(missing=missing))
    assert len(found.scores) == 2
    assert len(found.maps[0].ids) == (N - 2 if missing == "present" else N)


def test_a_task_of_another_modality_is_refused(store):
    with pytest.raises(UserError, match="does not hold"):
        pictures_of(store, tasks=[parse_task("t2s")])


def test_values_that_are_all_one_have_a_bin():
    assert sum(histogram(torch.tensor([0.3, 0.3]), 0.3, 0.3).counts) == 2
