"""All directions of a store: which there are, the matrix of them, and what is said of joint against single."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from gramcli.errors import UserError
from gramcli.evaluation.directions import every_split
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.modalities import parse_task
from gramcli.report.any_to_any import direction_tables
from gramcli.report.reading import answer_of
from gramcli.store import open_store, write_store
from tests.small_stores import make_store

ALL = EvalOptions(directions="all")


def store_of(path: Path, dims: dict[str, int], n: int = 8):
    rng = np.random.default_rng(0)
    write_store(
        path,
        ids=[f"i{k}" for k in range(n)],
        splits=[None] * n,
        labels=[None] * n,
        caption_items=np.arange(n),
        status={name: ["ok"] * n for name in dims if name != "text"},
        dataset={"id": "made", "protocol": None, "annotation_sha256": None},
        embeddings={name: rng.normal(size=(n, d)).astype(np.float32) for name, d in dims.items()},
        model={"id": "made", "shared_space": True},
    )
    return open_store(path)


@pytest.mark.parametrize("names", [("text", "video"), ("text", "video", "audio"), ("text", "video", "audio", "depth")])
def test_every_ordered_pair_of_disjoint_sides_is_there_once(tmp_path: Path, names: tuple[str, ...]) -> None:
    tasks = every_split(store_of(tmp_path / "s", dict.fromkeys(names, 8)))
    found = [
        (frozenset(a), frozenset(b))
        for task in tasks
        for a, b in ((task.query, task.candidates), (task.candidates, task.query))
    ]
    sides = [frozenset(chosen) for size in range(1, len(names)) for chosen in combinations(names, size)]
    expected = {(a, b) for a in sides for b in sides if not a & b}
    m = len(names)
    assert len(found) == len(expected) == 3**m - 2 ** (m + 1) + 1
    assert set(found) == expected


def test_three_modalities_have_the_twelve_directions_of_the_field(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 24), methods=["cosine"], options=ALL)
    named = {row.task for row in found.results if row.metric == "R@1"}
    assert named == {"t2v", "v2t", "t2a", "a2t", "v2a", "a2v", "t2va", "va2t", "tv2a", "a2tv", "ta2v", "v2ta"}
    assert {one["task"] for one in found.provenance["directions"]} == named


def test_figures_are_those_of_the_task_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 24, captions=2)
    every = measure(store, methods=["gram", "span"], options=ALL)
    for name in ("ta2v", "v2a"):
        alone = measure(store, tasks=[parse_task(name)], methods=["gram", "span"])
        assert set(alone.results) <= set(every.results)


def test_the_matrix_has_query_sides_down_and_nothing_where_sides_overlap(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 24), methods=["cosine", "gram"], options=ALL)
    tables = direction_tables(found.results, found.provenance)
    assert len(tables) == 2
    assert tables[0].columns == ("query", "t", "v", "a", "va", "tv", "ta")
    values = {row.task: row.value for row in found.results if row.metric == "R@1" and row.method == "gram"}
    for line in tables[1].rows:
        for side, cell in zip(tables[1].columns[1:], line[1:], strict=True):
            overlaps = bool(set(side) & set(line[0]))
            assert cell == ("" if overlaps else f"{100 * values[f'{line[0]}2{side}']:.1f}")
    assert "; n = 24" in tables[0].title
    assert answer_of(found).tables[0] == tables[0]


def test_without_all_directions_there_is_no_matrix(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 24), methods=["cosine"])
    assert direction_tables(found.results, found.provenance) == []


def test_joint_against_single_is_said_by_the_gains_and_their_ranges(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 60, noise=1.6), methods=["cosine"], options=ALL)
    gains = [row for row in found.results if row.metric == "aggregation_gain"]
    assert len(gains) == 6
    above = [row for row in gains if row.low > 0]
    below = [row for row in gains if row.high < 0]
    (said,) = [note for note in found.notes if note.startswith("Joint against single, cosine: of 6 directions")]
    assert f"in {len(above)}" in said
    assert f"below it in {len(below)}" in said
    assert f"not told from it in {6 - len(above) - len(below)} " in said
    assert all(f"{row.task} {100 * row.value:+.1f}" in said for row in (*above, *below))


def test_a_method_that_takes_no_pairs_is_left_out_of_them_and_it_is_said(tmp_path: Path) -> None:
    found = measure(make_store(tmp_path / "s", 24), methods=["triangle"], options=ALL)
    assert len({row.task for row in found.results if row.metric == "R@1"}) == 6
    assert "triangle takes no t2v, t2a, v2a, nor what is asked the other way round." in found.notes
    assert any("of the best single pair under any method" in note for note in found.notes)


def test_modalities_of_other_dimensions_are_in_no_direction_and_noted(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", {"text": 8, "video": 8, "audio": 6})
    found = measure(store, methods=["cosine"], options=ALL)
    assert {row.task for row in found.results} == {"t2v", "v2t"}
    assert any("audio (6)" in note for note in found.notes)
    with pytest.raises(UserError, match="no two modalities of one dimension, so no direction"):
        measure(store_of(tmp_path / "t", {"text": 8, "audio": 6}), methods=["cosine"], options=ALL)


def test_joint_embeddings_of_a_model_are_no_modality(tmp_path: Path) -> None:
    tasks = every_split(store_of(tmp_path / "s", {"text": 8, "video": 8, "va": 8}))
    assert [task.name for task in tasks] == ["t2v"]


def test_items_without_a_modality_leave_the_directions_that_need_it(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 24, without={"audio": [0, 1, 2]})
    found = measure(store, methods=["cosine"], options=ALL)
    n = {row.task: row.n for row in found.results if row.metric == "R@1"}
    assert (n["t2v"], n["v2a"], n["ta2v"]) == (24, 21, 21)
    assert direction_tables(found.results, found.provenance)[0].title.endswith("n = 21 to 24")


def test_tasks_and_other_kinds_are_refused_beside_it(tmp_path: Path) -> None:
    store = make_store(tmp_path / "s", 8)
    with pytest.raises(UserError, match="--directions all names the tasks itself: leave --task"):
        measure(store, tasks=[parse_task("t2v")], options=ALL)
    with pytest.raises(UserError, match="--directions all is about retrieval"):
        EvalOptions(directions="all", kinds=("geometry",))
    with pytest.raises(UserError, match="--directions 'some' is none of named, all"):
        EvalOptions(directions="some")  # type: ignore[arg-type]
