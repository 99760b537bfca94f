"""`gram demo` and `gram eval MODEL --dataset DATA`, end to end on generated media."""

from __future__ import annotations

import pytest

from gramcli.embedding.cache import cache_folder
from gramcli.store import open_store

pytestmark = pytest.mark.e2e


def test_the_demo_tells_the_whole_story_twice_the_same(gram, tmp_path):
    first = gram.json("demo", "-o", "demo", "--items", "12")
    assert {row["task"] for row in first["results"]} == {"t2v", "v2t", "t2a", "a2t", "t2va", "va2t"}
    assert {row["method"] for row in first["results"]} == {"cosine", "gram", "pmrl"}
    assert first["comparison"]["names"] == ["demo/aligned_cosine@cosine", "demo/aligned_gram@gram"]
    page = (tmp_path / "demo" / "report.html").read_text()
    assert "linear heads that `gram align` trained on the train split" in page
    aligned = open_store(tmp_path / "demo" / "aligned_gram")
    assert aligned.shared_space
    assert set(aligned.modalities) == {"text", "video", "audio"}
    again = gram("demo", "-o", "demo", "--items", "12")
    assert again.exit_code == 0, again.output
    assert "`gram align` trained" in again.stdout
    assert _figures((tmp_path / "demo" / "report.html").read_text()) == _figures(page)
    assert "<pre>gram demo -o demo --items 12" in page
    assert first["provenance"]["made"]["date"] == first["comparison"]["provenance"]["made"]["date"]


def _figures(page: str) -> str:
    """A page without its last section, which says when and how it was made."""
    return page.split('<section id="provenance">', maxsplit=1)[0]


def test_a_demo_too_small_to_train_on_says_so(gram):
    result = gram("demo", "-o", "demo", "--items", "1")
    assert result.exit_code in {1, 2}
    assert len(result.stderr.splitlines()) == 1


def test_a_model_on_a_dataset_is_embedded_once(gram, tmp_path):
    from gramcli.datasets.generated import generate_dataset

    manifest = generate_dataset(tmp_path / "data", 12, 0)
    asked = ("eval", "signal", "--dataset", manifest, "--task", "t2v", "--method", "cosine")
    first = gram(*asked, "--format", "csv")
    assert first.exit_code == 0, first.output
    assert "shards written: 1, found: 0" in first.stderr
    again = gram(*asked, "--format", "csv")
    assert "shards written: 0, found: 1" in again.stderr
    assert again.stdout == first.stdout
    assert cache_folder() == tmp_path / "cache"
    limited = gram.json(*asked, "--split", "all", "--limit", "4")
    assert limited["results"][0]["n"] == 4
    assert len(list((tmp_path / "cache" / "stores").iterdir())) == 2
