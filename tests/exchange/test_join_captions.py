"""Texts of several stores side by side: one caption, one row in each; other captions are refused by their digests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gramcli.errors import UserError
from gramcli.evaluation.evaluate import evaluate
from gramcli.exchange import join_stores
from gramcli.exchange.captions import caption_rows
from gramcli.store import Store, open_store
from tests.exchange.stores import of_ids, written

IDS = [f"clip {k}" for k in range(6)]
COUNTS = [1, 2, 0, 3, 1, 2]


def captioned(path: Path, order: list[int], *, seed: int = 0, known: bool = True, **changes: Any) -> Store:
    """Items in an order, with 0 to 3 captions each; what a row holds follows from its item and number."""
    said = changes.pop("said", {})
    counts = changes.pop("counts", COUNTS)
    pairs = [(item, k) for item in order for k in range(counts[item])]
    content = of_ids([IDS[item] for item in order], "text", "video", seed=seed, **changes)
    content["caption_items"] = np.array([order.index(item) for item, _ in pairs])
    content["captions"] = [said.get(pair, f"caption {pair}") for pair in pairs] if known else None
    rows = [np.random.default_rng([seed, item, k]).normal(size=4) for item, k in pairs]
    content["embeddings"]["text"] = np.array(rows, dtype=np.float32)
    return written(path, content)


@pytest.mark.parametrize("known", [(True, True), (True, False), (False, True), (False, False)])
def test_each_caption_keeps_its_row_of_each_text(known: tuple[bool, bool], tmp_path: Path) -> None:
    a = captioned(tmp_path / "a", [0, 1, 2, 3, 4, 5], known=known[0])
    b = captioned(tmp_path / "b", [4, 2, 5, 0, 3, 1], seed=1, known=known[1])
    summary = join_stores(a, (b, {"text": "text@video_b", "video": "video_b"}), output=tmp_path / "ab")
    found = open_store(tmp_path / "ab")
    found.verify()
    assert found.caption_items().tolist() == a.caption_items().tolist()
    assert found.embeddings("text").equal(a.embeddings("text"))
    pairs = [(item, k) for item in range(6) for k in range(COUNTS[item])]
    for row, (item, k) in zip(found.embeddings("text@video_b").numpy(), pairs, strict=True):
        np.testing.assert_array_equal(row, np.random.default_rng([1, item, k]).normal(size=4).astype(np.float32))
    digests = found.caption_digests()
    one = a if known[0] else captioned(tmp_path / "known", [0, 1, 2, 3, 4, 5])
    assert (digests is None) == (known == (False, False))
    assert digests is None or digests.equal(one.caption_digests())
    assert any("Which texts were embedded is not known" in note for note in summary.notes) == (not all(known))
    joined = evaluate(found, query="text", candidates="video_b", methods=["cosine"])
    apart = evaluate(b, tasks=["t2v"], methods=["cosine"])
    figures = [{row.metric: row.value for row in one.results if "2t" not in row.task} for one in (joined, apart)]
    assert figures[0] == pytest.approx(figures[1])


def test_captions_in_another_order_are_matched_by_their_words(tmp_path: Path) -> None:
    a = captioned(tmp_path / "a", [0, 1, 2, 3, 4, 5])
    turned = {(3, 0): "caption (3, 2)", (3, 1): "caption (3, 0)", (3, 2): "caption (3, 1)"}
    turned |= {(1, 0): "caption (1, 1)", (1, 1): "caption (1, 0)"}
    b = captioned(tmp_path / "b", [4, 2, 5, 0, 3, 1], seed=1, said=turned)
    c = captioned(tmp_path / "c", [1, 3, 0, 2, 4, 5], seed=2)
    parts = [(one, {"text": f"text@{k}", "video": f"video_{k}"}) for k, one in zip("bc", (b, c), strict=True)]
    summary = join_stores(a, *parts, output=tmp_path / "ab")
    found = open_store(tmp_path / "ab")
    place = {said: place for place, said in turned.items()}
    pairs = [(item, k) for item in range(6) for k in range(COUNTS[item])]
    for name, seed, of in (("text@b", 1, place), ("text@c", 2, {})):
        for row, pair in zip(found.embeddings(name).numpy(), pairs, strict=True):
            wanted = np.random.default_rng([seed, *of.get(f"caption {pair}", pair)]).normal(size=4).astype(np.float32)
            np.testing.assert_array_equal(row, wanted)
    assert found.caption_digests().equal(a.caption_digests())
    assert any("2 items have the captions in another order in" in note for note in summary.notes)


def test_other_words_are_refused_with_the_first_case(tmp_path: Path) -> None:
    a = captioned(tmp_path / "a", [0, 1, 2, 3, 4, 5])
    b = captioned(tmp_path / "b", [5, 4, 3, 2, 1, 0], seed=1, said={(3, 1): "another", (5, 0): "others"})
    with pytest.raises(UserError, match=r"Item 'clip 3' has other captions in .*a than in .*b, and 1 more differ"):
        join_stores(a, (b, {"text": "text@b", "video": "video_b"}), output=tmp_path / "ab")


def test_another_number_of_captions_is_refused(tmp_path: Path) -> None:
    a = captioned(tmp_path / "a", [0, 1, 2, 3, 4, 5])
    b = captioned(tmp_path / "b", [0, 1, 2, 3, 4, 5], seed=1, counts=[1, 2, 1, 3, 1, 1])
    with pytest.raises(UserError, match=r"'clip 2' has another number of captions: 0 in .*a, 1 in .*b, and 1 more"):
        join_stores(a, (b, {"text": "text@b", "video": "video_b"}), output=tmp_path / "ab")


def test_a_union_in_which_one_text_would_have_holes(tmp_path: Path) -> None:
    a = captioned(tmp_path / "a", [0, 1, 2, 3])
    b = captioned(tmp_path / "b", [3, 2, 5], seed=1)
    renames = {"text": "text@b", "video": "video_b"}
    with pytest.raises(UserError, match=r"'clip 5' has captions in .*b and is not in .*a, whose text .* \(items: 1\)"):
        join_stores(a, (b, renames), output=tmp_path / "ab", items="union")
    join_stores(a, (b, renames), output=tmp_path / "ab", items="intersection")
    found = open_store(tmp_path / "ab")
    assert found.ids == ("clip 2", "clip 3")
    assert len(found.embeddings("text@b")) == 3


def test_a_text_stays_a_text(tmp_path: Path) -> None:
    a, b = captioned(tmp_path / "a", [0, 1]), captioned(tmp_path / "b", [0, 1], seed=1)
    with pytest.raises(UserError, match=r"'text' of .* has a row for each caption, so it cannot be called 'words'"):
        join_stores(a, (b, {"text": "words"}), output=tmp_path / "ab")


def test_rows_of_captions() -> None:
    starts = np.array([0, 1, 3, 3, 6])
    assert caption_rows(starts, np.array([3, 2, 0, 1])).tolist() == [3, 4, 5, 0, 1, 2]
    assert caption_rows(starts, np.zeros(0, np.int64)).tolist() == []
