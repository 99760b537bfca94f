"""The experiments of benchmarks/experiments: generalised CCA, and a whole run on a small store."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import CCA

from gramcli.store import open_store
from tests.alignment.views import make_views

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "experiments"


@pytest.fixture(scope="module")
def experiments():
    sys.path.insert(0, str(FOLDER))
    yield {name: importlib.import_module(name) for name in ("gcca", "measure", "align_digits", "report")}
    sys.path.remove(str(FOLDER))


def two_views(n: int = 400):
    rng = np.random.default_rng(3)
    code = rng.normal(size=(n, 3))
    return {
        "a": code @ rng.normal(size=(3, 6)) + rng.normal(size=(n, 6)),
        "b": code @ rng.normal(size=(3, 5)) + rng.normal(size=(n, 5)),
    }


def test_of_two_views_it_is_canonical_correlation_analysis(experiments):
    views = two_views()
    means, maps, share = experiments["gcca"].fit_gcca(views, 3, 1e-9)
    a, b = ((views[name] - means[name]) @ maps[name] for name in ("a", "b"))
    ours = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(3)]
    x, y = CCA(3, max_iter=5000).fit_transform(views["a"], views["b"])
    np.testing.assert_allclose(ours, [np.corrcoef(x[:, k], y[:, k])[0, 1] for k in range(3)], atol=1e-3)
    q, r = (np.linalg.qr(rows - rows.mean(axis=0))[0] for rows in views.values())
    np.testing.assert_allclose(ours, np.linalg.svd(q.T @ r)[1][:3], atol=1e-6)
    np.testing.assert_allclose(share, (1 + np.array(ours)) / 2, atol=1e-6)


def test_ridge_shrinks_and_heads_compute_the_same(experiments):
    views = two_views()
    shares = [experiments["gcca"].fit_gcca(views, 3, ridge)[2] for ridge in (1e-6, 0.1, 1.0)]
    assert np.all(shares[0] > shares[1])
    assert np.all(shares[1] > shares[2])
    heads = experiments["gcca"].gcca_heads(views, 3, 0.1, 1.0)
    scaled = {name: rows / rows.std(axis=0) for name, rows in views.items()}
    means, maps, _ = experiments["gcca"].fit_gcca(scaled, 3, 0.1, 1.0)
    for name, rows in scaled.items():
        wanted = (rows - means[name]) @ maps[name]
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        np.testing.assert_allclose(heads.apply(name, views[name]), wanted, atol=1e-4)


def test_a_whole_run_and_its_tables(experiments, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(experiments["align_digits"], "EPOCHS", 2)
    monkeypatch.setattr(experiments["align_digits"], "DIM", 8)
    store = make_views(tmp_path / "store")
    work = experiments["align_digits"].Work(store, "digits3", tmp_path, trials=2, seeds=2)
    work.gcca()
    for who in experiments["align_digits"].contenders(3):
        for seed in range(2):
            found = work.measured(who, seed)
            assert set(found["pairs own"]) == set(found["pairs cosine"]) == {"t2v", "v2t", "t2a", "a2t", "v2a", "a2v"}
            assert set(found["joint own"]) == {"t2va", "va2t", "v2ta", "ta2v", "a2tv", "tv2a"}
            assert 0 <= found["geometry"]["volume_positive"] <= 1
    before = {path.name: path.read_text() for path in (tmp_path / "digits3").glob("*.json")}
    work.measured(experiments["align_digits"].contenders(3)[0], 0)
    assert {path.name: path.read_text() for path in (tmp_path / "digits3").glob("*.json")} == before
    tuned = json.loads(before["tuning_gram.json"])
    assert len(tuned["trials"]) == 2
    assert tuned["best"] == max(tuned["trials"], key=lambda one: one["mAP"])["setting"]
    monkeypatch.setattr(sys, "argv", ["report.py", str(tmp_path / "digits3")])
    experiments["report"].main()
    printed = capsys.readouterr().out
    assert "| gram, each anchor, from cosine |" in printed
    assert printed.count("| gcca |") >= 3


def test_figures_are_those_of_gram_eval(experiments, tmp_path):
    from gramcli.evaluation.measure import EvalOptions, measure
    from gramcli.modalities import parse_task

    store = make_views(tmp_path / "store")
    train = torch.arange(60)
    views = {name: store.embeddings(name)[train].double().numpy() for name in store.modalities}
    seen = experiments["measure"].seen_through(store, experiments["gcca"].gcca_heads(views, 8, 0.1, 1.0))
    found = experiments["measure"].retrieval(seen, "test", [parse_task("t2va")], "gram", "label")
    options = EvalOptions(split="test", relevant="label")
    rows = measure(seen, tasks=[parse_task("t2va")], methods=["gram"], options=options).results
    for task in ("t2va", "va2t"):
        for metric in ("R@1", "MRR", "mAP"):
            (wanted,) = [row.value for row in rows if (row.task, row.metric) == (task, metric)]
            assert found[task][metric] == pytest.approx(wanted, abs=1e-12)
    assert open_store(store.path).ids == store.ids


def test_intervals_are_those_of_students_t(experiments):
    assert experiments["report"].interval([1.0, 2.0, 3.0]) == "2.000 ± 2.484"
    assert experiments["report"].interval([10.0]) == "10.0"


@pytest.fixture(scope="module")
def synergy():
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module("synergy")
    sys.path.remove(str(FOLDER))


def test_of_an_xor_no_pair_of_modalities_says_anything_and_all_three_say_everything(synergy):
    found = synergy.factors("synergy", np.random.default_rng(0), 20_000)
    text, video, audio = (found[name] for name in ("text", "video", "audio"))
    for a, b in ((text, video), (text, audio), (video, audio)):
        assert np.abs(a.T @ b / len(a)).max() < 0.03
    np.testing.assert_array_equal(text, video * audio)


def test_the_other_kinds_say_what_their_names_say(synergy):
    rng = np.random.default_rng(0)
    alike = synergy.factors("redundancy", rng, 50)
    np.testing.assert_array_equal(alike["text"], alike["video"])
    np.testing.assert_array_equal(alike["text"], alike["audio"])
    apart = synergy.factors("uniqueness", rng, 50)
    np.testing.assert_array_equal(apart["text"], np.concatenate([apart["video"], apart["audio"]], axis=1))
    mixed = synergy.factors("mixture", rng, 50)
    assert mixed["text"].shape == (50, synergy.BITS)
    np.testing.assert_array_equal(mixed["text"][:, -4:], mixed["video"][:, -4:] * mixed["audio"][:, -4:])
    assert {name: x.shape for name, x in synergy.features("mixture", 0).items()} == dict.fromkeys(
        ("text", "video", "audio"), (sum(synergy.SIZES.values()), synergy.WIDTH)
    )


def test_a_small_run_keeps_its_parts_and_prints_a_table(synergy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(synergy, "SIZES", {"train": 40, "val": 10, "test": 12})
    arguments = ["synergy.py", "-o", str(tmp_path), "--seeds", "1", "--epochs", "1", "--kinds", "synergy"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--losses", "cosine", "symile"])
    synergy.main()
    first = capsys.readouterr().out
    assert "| symile, from random heads |" in first
    assert len(list(tmp_path.iterdir())) == 3
    synergy.main()
    assert capsys.readouterr().out == first
