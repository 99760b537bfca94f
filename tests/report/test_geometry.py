"""Geometry figures have tables of their own, narrow enough for a terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.report.formats import plain_table
from gramcli.report.geometry import geometry_tables
from gramcli.report.tables import evaluation_answer
from gramcli.results.records import Evaluation, ResultRow
from tests.made_results import evaluation, figures
from tests.small_stores import make_store


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder: Path = tmp_path_factory.mktemp("stores")
    return measure(make_store(folder / "plain", 30), options=EvalOptions(kinds=("geometry",)))


def test_one_table_per_kind(found: Evaluation) -> None:
    modalities, pairs, scores, joint = evaluation_answer(found).tables
    assert modalities.columns == ("measure", "text", "video", "audio", "range", "reading")
    assert modalities.rows[0] == ("n", "30", "30", "30", "", "")
    assert pairs.columns[1:4] == ("text~video", "text~audio", "video~audio")
    assert [row[:3] for row in scores.rows][:2] == [("t2v", "volume", "matched"), ("t2v", "volume", "shuffled")]
    assert [row[0] for row in joint.rows][:3] == ["n", "degenerate_share", "gramian_value"]
    for table in evaluation_answer(found).tables:
        assert max(map(len, plain_table(table).splitlines())) <= 100


def test_every_figure_is_in_some_cell(found: Evaluation) -> None:
    tables = geometry_tables(found.results)
    cells = sum(
        len(table.columns) - (3 if table.columns[0] == "measure" else 4) for table in tables for _ in table.rows
    )
    sizes = sum(len(table.columns) - 3 for table in tables if table.columns[0] == "measure")
    without_auc = sum(1 for table in tables for row in table.rows if "shuffled" in row)
    by_chance = sum(row.metric.endswith("_chance") for row in found.results)
    assert cells - sizes - without_auc == len(found.results) - by_chance


def test_what_chance_gives_stands_beside_the_figure(found: Evaluation) -> None:
    modalities, pairs, *_ = geometry_tables(found.results)
    assert "in brackets what chance gives" in modalities.title
    cells = {row[0]: row[1] for table in (modalities, pairs) for row in table.rows}
    for metric in ("isoscore_star", "hubness", "modality_gap", "procrustes", "mutual_knn"):
        assert re.fullmatch(r"-?\d+\.\d{3} \(-?\d+\.\d+\)", cells[metric]), (metric, cells[metric])
    assert not [name for name in cells if name.endswith("_chance")]


def test_many_pairs_take_several_tables() -> None:
    rows = [ResultRow(f"subtitle~m{k}", "geometry", "raw", "cka", 0.5, None, None, 9) for k in range(9)]
    tables = geometry_tables(rows)
    assert [len(table.columns) for table in tables] == [7, 7, 4]
    assert tables[1].title.endswith("continued")


def test_retrieval_and_geometry_side_by_side(found: Evaluation) -> None:
    both = replace(evaluation(), results=(*figures("t2v", "gram", 0.4), *found.results), left_out=())
    tables = evaluation_answer(both).tables
    assert tables[0].title.startswith("Retrieval")
    assert len(tables) == 5
    assert geometry_tables(figures("t2v", "gram", 0.4)) == []


def test_an_undefined_figure_is_a_dash() -> None:
    rows = [ResultRow("text", "geometry", "raw", "mean_norm", None, None, None, 9)]
    assert geometry_tables(rows)[0].rows[1] == ("mean_norm", "-", "0 to inf", "neither is better")
