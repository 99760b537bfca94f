"""Geometry of small stores, its figures recomputed by hand; missing modalities, captions, seeds, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gramcli.errors import UserError
from gramcli.evaluation import geometry
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.metrics.geometry.catalog import GEOMETRY, NEED_VARIATION
from gramcli.metrics.geometry.joint import derangements
from gramcli.modalities import parse_task
from gramcli.results.records import Evaluation, ResultRow
from gramcli.scoring.scores import score_matrix
from gramcli.store import Store, open_store, write_store
from tests.small_stores import make_store

TASK = parse_task("t2va")
GEOMETRY_ONLY = EvalOptions(kinds=("geometry",))


def row(found: Evaluation, task: str, metric: str) -> ResultRow:
    (one,) = [row for row in found.results if (row.task, row.metric) == (task, metric)]
    return one


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("stores") / "plain", 40)


@pytest.fixture(scope="module")
def found(store: Store) -> Evaluation:
    return measure(store, options=GEOMETRY_ONLY)


def test_every_figure_of_the_catalog_is_there_once(found: Evaluation) -> None:
    kinds = {"modality": ["text", "video", "audio"], "pair": ["text~video", "text~audio", "video~audio"]}
    expected = {
        (task, measure.name, measure.method)
        for measure in GEOMETRY
        for task in kinds.get(measure.kind, ["t2v", "t2a", "t2va"])
    }
    assert sorted((row.task, row.metric, row.method) for row in found.results) == sorted(expected)
    assert all(row.value is not None and row.stage == "raw" for row in found.results)


def test_joint_figures_are_those_of_the_score_matrix(store: Store, found: Evaluation) -> None:
    queries = {"text": store.embeddings("text")}
    candidates = {name: store.embeddings(name) for name in ("video", "audio")}
    moved = derangements(40, 0)
    for method, name in (("gram", "volume"), ("pmrl", "sigma1")):
        scores = score_matrix(method, queries, candidates, dtype=torch.float64)
        matched, shuffled = scores.diagonal(), scores[torch.arange(40), moved].flatten()
        assert row(found, "t2va", f"{name}_positive").value == pytest.approx(float(matched.mean()))
        assert row(found, "t2va", f"{name}_negative").value == pytest.approx(float(shuffled.mean()))
        assert row(found, "t2va", f"{name}_positive_q25").value == pytest.approx(np.percentile(matched, 25))
        better = matched[:, None] < shuffled if method == "gram" else matched[:, None] > shuffled
        assert row(found, "t2va", f"{name}_auc").value == pytest.approx(float(better.double().mean()))
        if method == "gram":
            assert row(found, "t2va", "gramian_value").value == pytest.approx(
                float(scores.amin(dim=1).mean()), abs=1e-6
            )


def test_means_have_intervals(found: Evaluation) -> None:
    without = {"linear_separability", "procrustes", *(name for name in GEOMETRY.names() if name.endswith("_chance"))}
    for measure_ in GEOMETRY:
        if measure_.kind == "pair" and measure_.name not in without:
            one = row(found, "text~video", measure_.name)
            assert one.low < one.value < one.high or measure_.name == "modality_gap"
            assert one.low <= one.value <= one.high
    for metric in ("volume_positive", "volume_negative", "volume_auc", "sigma1_auc", "sigma1_share_negative"):
        one = row(found, "t2va", metric)
        assert one.low < one.value < one.high
    assert row(found, "text", "uniformity").low < row(found, "text", "uniformity").value
    for metric in without:
        assert all(one.low is None for one in found.results if one.metric == metric)


def test_intervals_begin_where_their_coverage_is_known(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "store", 19), options=GEOMETRY_ONLY)
    for task, metric in (("text~video", "mutual_knn"), ("text~video", "cka"), ("t2v", "volume_auc")):
        assert row(found, task, metric).value is not None
        assert row(found, task, metric).low is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("still", [("video",), ("text", "video", "audio")])
def test_rows_that_do_not_vary_have_no_figure_that_rounding_makes(
    tmp_path: Path, dtype: type[np.floating], still: tuple[str, ...]
) -> None:
    rng = np.random.default_rng(3)
    embeddings = {}
    for name in ("text", "video", "audio"):
        rows = rng.normal(size=(40, 24))
        if name in still:
            rows = rows[:1] * rng.uniform(0.5, 2.0, size=(40, 1))
        rows = rows.astype(dtype)
        embeddings[name] = rows / np.linalg.norm(rows, axis=1, keepdims=True).astype(dtype)
    assert (embeddings["video"] != embeddings["video"][0]).any()
    write_store(
        tmp_path / "store",
        ids=[f"item{k:02d}" for k in range(40)],
        splits=[None] * 40,
        labels=[None] * 40,
        embeddings=embeddings,
        caption_items=np.arange(40),
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": None, "annotation_sha256": None},
    )
    found = measure(open_store(tmp_path / "store"), options=GEOMETRY_ONLY)
    for metric in NEED_VARIATION:
        for one in (one for one in found.results if one.metric == metric):
            touched = [name for name in one.task.split("~") if name in still]
            assert (one.value is None) == bool(touched), (one.task, metric, one.value)
            if touched and not metric.endswith("_chance"):
                assert f"{one.task}: {metric} is undefined: the rows of {touched[0]} do not vary." in found.notes
    for metric in ("volume_auc", "sigma1_auc"):
        assert (row(found, "t2va", metric).value is None) == (len(still) == 3)


def test_missing_modalities(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 30, without={"audio": range(5), "video": (4, 20)})
    found = measure(store, options=GEOMETRY_ONLY)
    sizes = {"text": 30, "video": 28, "audio": 25, "text~video": 28, "text~audio": 25, "video~audio": 24}
    for task, n in sizes.items():
        metric = "alignment" if "~" in task else "effective_rank"
        assert row(found, task, metric).n == n
    assert row(found, "t2va", "volume_positive").n == 24
    assert {(entry.id, entry.modality) for entry in found.left_out} >= {("item00", "audio"), ("item20", "video")}
    present = measure(store, options=EvalOptions(kinds=("geometry",), missing="present"))
    assert row(present, "t2va", "volume_positive").n == 24
    assert any("not on one scale" in note for note in present.notes)
    zero = measure(store, options=EvalOptions(kinds=("geometry",), missing="zero"))
    assert row(zero, "t2va", "degenerate_share").value == pytest.approx(5 / 29)  # item04 has neither
    with pytest.raises(UserError, match="item 'item04' has no video"):
        measure(store, options=EvalOptions(kinds=("geometry",), missing="error"))


def test_captions(tmp_path: Path) -> None:
    """Modality and pair: the first caption. Joint: every caption, shuffled to another item."""
    store = make_store(tmp_path / "store", 12, captions=(3, 1, 2) * 4)
    found = measure(store, options=GEOMETRY_ONLY)
    owners = store.caption_items()
    first = [int((owners == k).nonzero()[0]) for k in range(12)]
    x, y = (
        torch.nn.functional.normalize(rows.double())
        for rows in (store.embeddings("text")[first], store.embeddings("video"))
    )
    assert row(found, "text~video", "cosine_positive").value == pytest.approx(float((x * y).sum(dim=1).mean()))
    assert row(found, "text", "effective_rank").n == 12
    assert row(found, "t2v", "volume_negative").n == 240
    scores = score_matrix("gram", {"t": store.embeddings("text")}, {"v": store.embeddings("video")})
    shuffled = scores[torch.arange(24), derangements(12, 0)[:, owners]]
    assert row(found, "t2v", "volume_negative").value == pytest.approx(float(shuffled.mean()), abs=1e-6)
    assert any("first caption of each item" in note for note in found.notes)
    reverse = measure(store, tasks=[parse_task("v2t")], options=GEOMETRY_ONLY)
    assert row(reverse, "v2t", "volume_positive").value == pytest.approx(row(found, "t2v", "volume_positive").value)


def test_tasks_and_methods_choose(store: Store) -> None:
    found = measure(store, tasks=[parse_task("t2v")], methods=["pmrl:value=share"], options=GEOMETRY_ONLY)
    assert {row.task for row in found.results} == {"text", "video", "text~video", "t2v"}
    assert {row.method for row in found.results} == {"geometry", "pmrl"}
    neither = measure(store, tasks=[TASK], methods=["cosine"], options=GEOMETRY_ONLY)
    assert {row.method for row in neither.results} == {"geometry"}
    assert any("neither was asked for" in note for note in neither.notes)
    with pytest.raises(UserError, match="Unknown method 'gran'"):
        measure(store, methods=["gran"], options=GEOMETRY_ONLY)
    both = measure(store, tasks=[TASK], methods=["gram"], options=EvalOptions(kinds=("retrieval", "geometry")))
    assert {"R@1", "volume_auc"} <= {row.metric for row in both.results}


def test_subsamples_are_said_and_seeded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geometry, "MOST_ROWS", 25)
    values = []
    for seed in (1, 1, 2):
        found = measure(store, tasks=[TASK], options=EvalOptions(kinds=("geometry",), seed=seed))
        assert row(found, "text", "uniformity").n == 25
        assert row(found, "text", "rankme").n == 40
        assert row(found, "text~video", "mutual_knn_chance").value == pytest.approx(10 / 24)
        assert any(f"over 25 rows drawn with seed {seed}" in note for note in found.notes)
        values.append([one.value for one in found.results])
    assert values[0] == values[1] != values[2]


def test_what_is_undefined_is_none_with_a_note(tmp_path: Path) -> None:
    for n in (1, 2, 3):
        found = measure(make_store(tmp_path / f"store{n}", n), options=GEOMETRY_ONLY)
        assert row(found, "text~video", "cka").value is None
        assert any("cka needs at least 4 rows" in note for note in found.notes)
    small = measure(make_store(tmp_path / "one", 1), options=GEOMETRY_ONLY)
    assert not [one for one in small.results if one.metric == "volume_negative"]
    assert any("at least 2 items" in note for note in small.notes)


@pytest.mark.parametrize(
    ("dims", "tasks", "note"),
    [
        ({"video": 5}, {"video"}, "No joint geometry"),
        ({"video": 5, "audio": 7}, {"video", "audio", "video~audio"}, "5 and 7 dimensions"),
        ({"video": 2, "audio": 2, "depth": 2}, {"v2ad", "audio~depth"}, "v2ad: no volumes: 3 vectors need 3"),
    ],
)
def test_stores_of_odd_shapes(tmp_path: Path, dims: dict[str, int], tasks: set[str], note: str) -> None:
    rng = np.random.default_rng(0)
    write_store(
        tmp_path / "store",
        ids=[f"item{k}" for k in range(20)],
        splits=[None] * 20,
        labels=[None] * 20,
        embeddings={name: rng.normal(size=(20, d)).astype(np.float32) for name, d in dims.items()},
        caption_items=None,
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": None, "annotation_sha256": None},
    )
    found = measure(open_store(tmp_path / "store"), options=GEOMETRY_ONLY)
    assert {row.task for row in found.results} >= tasks
    assert any(note in text for text in found.notes)
    if len(dims) == 2:
        metrics = {row.metric for row in found.results if row.task == "video~audio"}
        assert metrics == {"cka", "procrustes", "procrustes_chance", "mutual_knn", "mutual_knn_chance"}


def test_progress_ends_at_the_whole(store: Store) -> None:
    seen: list[tuple[int, int]] = []
    measure(store, options=EvalOptions(kinds=("geometry",), progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (9, 9)
