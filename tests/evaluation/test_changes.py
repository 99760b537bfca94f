"""The queries that change most: which, how, and what they say."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import gramcli
from gramcli.evaluation.comparison import CompareOptions, compare_evaluations
from gramcli.results.records import Comparison, Evaluation, Questions, RankVector
from tests.media_factory import write_image


def made(ranks: list[float], best: bool = True, ids: list[str] | None = None) -> Evaluation:
    names = tuple(ids or [f"q{k}" for k in range(len(ranks))])
    digests = tuple(f"{name} {k}" for k, name in enumerate(names))
    top = tuple((f"best of {k}", "next") for k in range(len(ranks))) if best else ()
    asked = Questions("v2t", digests, "gallery", "items", "items")
    return Evaluation({}, (), (), (RankVector("v2t", "gram", names, tuple(ranks), 50, top),), questions=(asked,))


def listed(a: Evaluation, b: Evaluation, most: int) -> Comparison:
    return compare_evaluations([a, b], ["A", "B"], CompareOptions(diff_queries=most))


def test_most_gained_first_then_most_lost_by_what_matters_at_the_top() -> None:
    a, b = made([2.0, 50.0, 1.0, 3.0, 1.0]), made([1.0, 10.0, 2.0, 3.0, 50.0])
    changes = listed(a, b, 5).changes
    assert [(one.query, one.rank_a, one.rank_b) for one in changes] == [
        ("q0", 2.0, 1.0), ("q1", 50.0, 10.0), ("q4", 1.0, 50.0), ("q2", 1.0, 2.0),
    ]  # fmt: skip
    assert changes[0].best_a == ("best of 0", "next")
    assert [one.query for one in listed(a, b, 1).changes] == ["q0", "q4"]
    assert listed(a, b, 0).changes == ()


def test_a_query_that_nobody_answers_does_not_change() -> None:
    nan = float("nan")
    assert [one.query for one in listed(made([nan, 2.0]), made([1.0, 1.0]), 5).changes] == ["q1"]


def test_captions_are_counted_by_item_as_the_baseline_asked_them() -> None:
    ids = ["x", "x", "y", "x"]
    changes = listed(made([1.0, 5.0, 1.0, 1.0], ids=ids), made([1.0, 1.0, 1.0, 4.0], ids=ids), 3).changes
    assert [(one.query, one.caption) for one in changes] == [("x", 1), ("x", 2)]


def test_ranks_of_seeds_are_means_and_answers_those_of_the_first() -> None:
    a, b = [made([2.0, 1.0]), made([4.0, 1.0], best=False)], made([1.0, 1.0])
    (change,) = compare_evaluations([a, b], ["A", "B"], CompareOptions(diff_queries=5)).changes
    assert (change.rank_a, change.best_a) == (3.0, ("best of 0", "next"))


def test_what_is_gained_over_seeds_is_not_listed_as_lost() -> None:
    """1, 1, 9 has a larger mean of 1 / rank than 2, 2, 2, and a worse mean rank."""
    a, b = [made([2.0, 1.0])] * 3, [made([rank, 1.0]) for rank in (1.0, 1.0, 9.0)]
    (change,) = (found := compare_evaluations([a, b], ["A", "B"], CompareOptions(diff_queries=5))).changes
    assert (change.direction, change.rank_a, change.rank_b) == ("gained", 2.0, 11 / 3)
    assert "gains most" in repr(found)
    assert "loses most" not in repr(found)


def test_what_ties_gain_is_not_listed_as_lost() -> None:
    """A right answer among three that tie is first as often as third: 11 / 18 by 1 / rank, at the same mean rank."""
    a, b = made([2.0, 1.0]), made([2.0, 1.0])
    b = replace(b, ranks=(replace(b.ranks[0], tied=((0, 2, 1),)),))
    (change,) = (found := listed(a, b, 5)).changes
    assert (change.direction, round(change.gain or 0, 3)) == ("gained", 0.111)
    assert "loses most" not in repr(found)


def test_answers_that_were_not_kept_are_said() -> None:
    found = listed(made([2.0]), made([1.0], best=False), 3)
    assert (found.changes[0].best_a, found.changes[0].best_b) == (("best of 0", "next"), ())
    assert found.notes[-1].startswith("Top answers are not known of scores that are normalised")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of two captions each, embedded twice by other models."""
    folder = tmp_path_factory.mktemp("media")
    rows = []
    for k in range(8):
        write_image(folder / f"{k}.png", colour=(30 * k, 255 - 30 * k, 90))
        rows += [{"id": f"clip{k}", "image": f"{k}.png", "caption": f"what {k} shows, said {n}"} for n in "ab"]
    with (folder / "all.csv").open("w", newline="") as file:
        written = csv.DictWriter(file, ["id", "image", "caption"])
        written.writeheader()
        written.writerows(rows)
    gramcli.embed(folder / "all.csv", folder / "emb", model="signal")
    return folder


def moved(media: Path, **options: object) -> Comparison:
    """The same with ranks that differ on three queries."""
    found = gramcli.evaluate(media / "emb", tasks="t2i", methods="cosine", per_query=True)
    ranks = [list(one.ranks) for one in found.ranks]
    for place in (1, 4, 7):
        ranks[0][place] = 8.0 if ranks[0][place] < 8 else 1.0
    other = replace(
        found, ranks=tuple(replace(one, ranks=tuple(new)) for one, new in zip(found.ranks, ranks, strict=True))
    )
    return gramcli.compare(found, other, diff_queries=5, **options)


def test_what_queries_say_is_found_again(media: Path) -> None:
    found = moved(media)
    said = {(one.query, one.caption): one.text for one in found.changes}
    assert said == {
        ("clip0", 1): "what 0 shows, said b",
        ("clip2", 0): "what 2 shows, said a",
        ("clip3", 1): "what 3 shows, said b",
    }
    assert all(len(one.best_a) == 5 for one in found.changes)
    assert not any("ids alone" in note for note in found.notes)


def test_what_was_changed_since_is_not_shown(media: Path, tmp_path: Path) -> None:
    shutil.copytree(media, tmp_path / "copy")
    table = media / "all.csv"
    before = table.read_text()
    try:
        table.write_text(before.replace("what 2 shows, said a", "=now something else"))
        found = moved(media)
    finally:
        table.write_text(before)
    assert {one.query: one.text for one in found.changes}["clip2"] is None
    assert {one.query: one.text for one in found.changes}["clip0"] == "what 0 shows, said b"
    assert any(note.startswith("1 of 3 queries are shown by their ids alone: Not shown") for note in found.notes)


def test_a_store_that_is_gone_leaves_ids(media: Path) -> None:
    store = media / "emb"
    found = gramcli.evaluate(store, tasks="t2i", methods="cosine")
    ranks = tuple(replace(one, ranks=tuple(9.0 - rank for rank in one.ranks)) for one in found.ranks)
    gone = replace(found, provenance={**found.provenance, "store": {"path": "/nowhere"}})
    changes = gramcli.compare(gone, replace(found, ranks=ranks), diff_queries=2)
    assert {one.text for one in changes.changes} == {None}
    assert "Captions are not shown: the store of the baseline is not where it was." in changes.notes


def test_media_that_ask_have_no_text(media: Path) -> None:
    found = moved(media, primary="i2t:R@1")
    assert found.changes == ()
    assert not any("ids alone" in note for note in found.notes)
