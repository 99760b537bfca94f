"""The generated dataset: real files, distinct items, the same bytes for a seed."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest

from gramcli.datasets import open_dataset
from gramcli.datasets.generated import COLUMNS, N_COMBINATIONS, SHAPES, generate_dataset, scenes
from gramcli.errors import UserError
from gramcli.media.audio import read_audio
from gramcli.media.video import read_video


def digest(folder) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate_dataset(tmp_path_factory.mktemp("a folder") / "new", n_items=6, seed=3)


def test_the_manifest_opens_as_a_dataset_with_every_split(generated):
    with generated.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [row["split"] for row in rows] == ["train"] * 4 + ["test"] * 2
    dataset = open_dataset(str(generated))
    assert [item.id for item in dataset.items] == [f"{i:05d}" for i in range(6)]
    assert dataset.items[0].captions == (rows[0]["caption"],)
    assert dataset.items[0].label in SHAPES


def test_every_clip_decodes_with_picture_and_sound(generated):
    for row in open_dataset(str(generated)).items:
        clip = read_video(row.media["video"], 8)
        wave = read_audio(row.media["video"])
        assert clip.total_frames == 24
        assert clip.frames.shape == (8, 96, 96, 3)
        assert clip.frames.max() > 150
        assert len(wave.samples) / wave.sample_rate == pytest.approx(2, abs=0.1)
        assert np.abs(wave.samples).max() > 0.1


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(generated, tmp_path):
    calls = []
    again = generate_dataset(
        tmp_path / "b", n_items=6, seed=3, progress=lambda done, total: calls.append((done, total))
    )
    other = generate_dataset(tmp_path / "c", n_items=6, seed=4)
    assert digest(again.parent) == digest(generated.parent) != digest(other.parent)
    assert calls == [(i, 6) for i in range(1, 7)]


def test_three_hundred_items_are_180_20_100_and_no_combination_is_repeated():
    found = scenes(300, 0)
    splits = [scene.split for scene in found]
    assert [splits.count(name) for name in ("train", "val", "test")] == [180, 20, 100]
    assert len({(s.size, s.colour, s.shape, s.motion, s.tone, s.rhythm) for s in found}) == 300
    assert len({s.caption for s in found}) == 300
    for scene in found:
        words = (scene.size, scene.colour, scene.shape, scene.motion, scene.tone, scene.rhythm)
        assert all(word in scene.caption for word in words)


@pytest.mark.parametrize(
    ("n_items", "seed", "message"),
    [
        (0, 0, "must be 1 to"),
        (N_COMBINATIONS + 1, 0, "must be 1 to"),
        (3, -1, "must be 0 or more; got -1"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, n_items, seed, message):
    with pytest.raises(UserError, match=message):
        generate_dataset(tmp_path, n_items, seed)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"file: the generated dataset cannot be written"):
        generate_dataset(tmp_path / "file", 1)
