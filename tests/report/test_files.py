"""Result files and matrices: whole or not there, in the form the suffix names."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from gramcli.errors import UserError
from gramcli.report import Format
from gramcli.report.files import write_result
from gramcli.report.formats import render
from gramcli.report.matrices import check_matrix_path, matrix_answer, write_matrix
from gramcli.results.matrices import AlignmentMatrix


def named(scores):
    """A matrix with made-up ids."""
    queries, candidates = (tuple(f"{side}{k}" for k in range(n)) for side, n in zip("qc", scores.shape, strict=True))
    return AlignmentMatrix(scores, queries, candidates, (), ())


SCORES = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
MATRIX = named(SCORES)


def test_a_result_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("old")
    write_result(path, "new \udcff")
    assert path.read_text() == "new \\udcff"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_keeps_pointing_at_the_file(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_result(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_devices_are_written_to_directly():
    write_result(Path(os.devnull), "x")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize(("name", "message"), [("no/folder/r.csv", "Make the folder first"), ("", "Name another file")])
def test_a_place_that_cannot_be_written_is_named(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        write_result(tmp_path / name, "x")


def test_matrices_come_back_from_every_suffix(tmp_path):
    paths = [tmp_path / f"m{suffix}" for suffix in (".npy", ".npz", ".csv", ".safetensors")]
    for path in paths:
        write_matrix(MATRIX, path)
    npy, npz, csv, tensors = paths
    np.testing.assert_array_equal(np.load(npy), SCORES)
    np.testing.assert_array_equal(np.load(npz)["scores"], SCORES)
    assert np.load(npz)["query_ids"].tolist() == ["q0", "q1", "q2"]
    frame = pd.read_csv(csv, index_col="query")
    assert frame.index.tolist() == ["q0", "q1", "q2"]
    assert frame.columns.tolist() == ["c0", "c1", "c2", "c3"]
    np.testing.assert_array_equal(frame.to_numpy(np.float32), SCORES)
    np.testing.assert_array_equal(load_file(tensors)["scores"], SCORES)


def test_an_unknown_suffix_is_refused_before_any_work(tmp_path):
    with pytest.raises(UserError, match=r"use \.npy, \.npz, \.csv, \.safetensors"):
        check_matrix_path(tmp_path / "m.txt")
    check_matrix_path(None)


def test_small_matrices_are_shown_large_ones_summarised():
    small = matrix_answer(MATRIX)
    assert [row for row in small.tables[0].rows if row[0] == "max"] == [("max", "1.0000")]
    assert small.tables[1].rows[0][:2] == ("q0", "-1.000")
    large = matrix_answer(named(np.eye(13, dtype=np.float32)))
    assert len(large.tables) == 1
    assert ("matched pairs, mean", "1.0000") in large.tables[0].rows


def test_a_matrix_without_queries_has_no_figures():
    rows = pd.read_csv(io.StringIO(render(matrix_answer(named(np.zeros((0, 4), np.float32))), Format.csv)))
    assert rows.value.tolist() == [0, 4]
