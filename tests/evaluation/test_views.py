"""Several vectors of one modality: every task takes the one that was made for its other side, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gramcli.alignment.align import align
from gramcli.errors import UserError
from gramcli.evaluation.evaluate import evaluate
from gramcli.evaluation.matrix import matrix
from gramcli.evaluation.views import taken
from gramcli.modalities import Task, parse_task
from gramcli.store import Store, open_store, write_store

N, D = 30, 8
COUNTS = [1 + k % 2 for k in range(N)]
OWNERS = np.repeat(np.arange(N), COUNTS)


def vectors() -> dict[str, np.ndarray]:
    """Texts that fit video, audio and both, each its own; and such that ask and such that answer."""
    rng = np.random.default_rng(5)
    seen, heard = rng.normal(size=(2, N, D))
    noisy = lambda x: (x + 0.9 * rng.normal(size=x.shape)).astype(np.float32)  # noqa: E731
    return {
        "text@video": noisy(seen[OWNERS]),
        "text@audio": noisy(heard[OWNERS]),
        "text@video+audio": noisy((seen + heard)[OWNERS]),
        "text@query": noisy(seen[OWNERS]),
        "text@document": noisy(seen[OWNERS]),
        "video": noisy(seen),
        "audio": noisy(heard),
    }


def store_of(path: Path, names: dict[str, str], splits: list[str | None] | None = None) -> Store:
    """A store of some of the vectors, under names: name in the store -> vectors."""
    found = vectors()
    write_store(
        path,
        ids=[f"i{k}" for k in range(N)],
        splits=splits or [None] * N,
        labels=[None] * N,
        embeddings={name: found[source] for name, source in names.items()},
        caption_items=OWNERS,
        captions=[f"caption {k}" for k in range(len(OWNERS))],
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made"},
        shard_size=7,
    )
    return open_store(path)


AGAINST = ("text@video", "text@audio", "text@video+audio", "video", "audio")


def against(path: Path) -> Store:
    return store_of(path, {name: name for name in AGAINST})


def ranks(found, task, method="cosine"):
    (one,) = [one for one in found.ranks if (one.task, one.method) == (task, method)]
    return one.ranks


def value(found, task, method, metric):
    (row,) = [row for row in found.results if (row.task, row.method, row.metric) == (task, method, metric)]
    return row.value


@pytest.mark.parametrize("task", ["t2v", "t2a", "t2va", "v2a", "tv2a", "a2t"])
def test_a_task_takes_the_text_that_was_made_for_its_other_side(tmp_path: Path, task: str) -> None:
    asked = parse_task(task)
    others = asked.candidates if "text" in asked.query else asked.query
    view = {("video",): "text@video", ("audio",): "text@audio"}.get(others, "text@video+audio")
    plain = store_of(tmp_path / "plain", {"text": view, "video": "video", "audio": "audio"})
    tasks, methods = [task], ["gram"] if len(asked.modalities) > 2 else ["cosine"]
    ours = evaluate(against(tmp_path / "views"), tasks=tasks, methods=methods)
    theirs = evaluate(plain, tasks=tasks, methods=methods)
    assert [(r.task, list(r.ranks)) for r in ours.ranks] == [(r.task, list(r.ranks)) for r in theirs.ranks]
    rows = [[r for r in found.results if not r.metric.startswith("aggregation")] for found in (ours, theirs)]
    assert rows[0] == rows[1]
    if "text" in asked.modalities:
        assert any(f"{task} takes" in note and view in note for note in ours.notes)


def test_one_text_for_all_sides_gives_other_figures(tmp_path: Path) -> None:
    single = store_of(tmp_path / "one", {"text": "text@video", "video": "video", "audio": "audio"})
    views = against(tmp_path / "views")
    alone, each = (
        value(evaluate(s, tasks=["t2a"], methods=["cosine"]), "t2a", "cosine", "R@5") for s in (single, views)
    )
    assert each > alone + 0.2


def test_gain_is_over_pairs_of_their_own_vectors(tmp_path: Path) -> None:
    joint = evaluate(against(tmp_path / "views"), tasks=["t2va"], methods=["gram"])
    best = max(
        value(
            evaluate(store_of(tmp_path / view, {"text": view, name: name}), methods=["gram"]),
            f"t2{name[0]}",
            "gram",
            "R@1",
        )
        for view, name in (("text@video", "video"), ("text@audio", "audio"))
    )
    gain = value(joint, "t2va", "gram", "aggregation_gain")
    assert gain == pytest.approx(value(joint, "t2va", "gram", "R@1") - best, abs=1e-12)


def test_what_asks_and_what_answers_are_different_vectors(tmp_path: Path) -> None:
    sided = store_of(tmp_path / "s", {name: name for name in ("text@query", "text@document", "video")})
    found = evaluate(sided, tasks=["t2v"], methods=["cosine"])
    asking = evaluate(store_of(tmp_path / "q", {"text": "text@query", "video": "video"}), methods=["cosine"])
    answering = evaluate(store_of(tmp_path / "d", {"text": "text@document", "video": "video"}), methods=["cosine"])
    assert list(ranks(found, "t2v")) == list(ranks(asking, "t2v"))
    for task in ("v2t", "v2t_maxpool"):
        assert list(ranks(found, task)) == list(ranks(answering, task))
    assert list(ranks(asking, "v2t")) != list(ranks(answering, "v2t"))
    assert len(found.ranks) == 3
    for said in ("t2v takes text@query, of", "v2t takes text@document, of"):
        assert any(note.startswith(said) for note in found.notes)
    assert len({one.task for one in found.questions}) == len(found.questions)


def test_a_view_may_be_named(tmp_path: Path) -> None:
    store = against(tmp_path / "s")
    found = evaluate(store, query="text@audio", candidates="video", methods=["cosine"])
    plain = evaluate(store_of(tmp_path / "p", {"text": "text@audio", "video": "video"}), methods=["cosine"])
    assert list(ranks(found, "text@audio2video")) == list(ranks(plain, "t2v"))


def test_a_side_without_a_vector_is_named(tmp_path: Path) -> None:
    store = store_of(tmp_path / "s", {name: name for name in ("text@video", "video", "audio")})
    with pytest.raises(UserError, match=r"holds no text@audio and no plain text, but text@video\. Name one"):
        evaluate(store, tasks=["t2a"])
    assert {one.task for one in evaluate(store, methods=["cosine"]).ranks} >= {
        "t2v",
        "v2t",
    }  # the defaults leave t2a out


def test_fused_embeddings_stand_for_their_parts() -> None:
    class Held:
        modalities = ("text@video", "text@video+audio", "va")

    assert taken(Held(), Task(("text",), ("va",)))["text"] == "text@video+audio"  # type: ignore[arg-type]


def test_matrix_and_geometry_take_the_same(tmp_path: Path) -> None:
    store, plain = against(tmp_path / "s"), store_of(tmp_path / "p", {"text": "text@audio", "audio": "audio"})
    np.testing.assert_array_equal(matrix(store, "t2a").scores, matrix(plain, "t2a").scores)
    rows = {row.task: row for row in evaluate(store, metrics=["geometry"]).results if row.metric == "cka"}
    assert set(rows) == {"text@video~video", "text@audio~audio", "video~audio"}
    (theirs,) = [row for row in evaluate(plain, metrics=["geometry"]).results if row.metric == "cka"]
    assert rows["text@audio~audio"].value == theirs.value


def test_heads_take_the_text_made_for_all_others(tmp_path: Path) -> None:
    splits = ["train"] * 20 + ["test"] * 10
    store = store_of(tmp_path / "s", {name: name for name in AGAINST}, splits)
    plain = store_of(tmp_path / "p", {"text": "text@video+audio", "video": "video", "audio": "audio"}, splits)
    for one, name in ((store, "h"), (plain, "g")):
        found = align(one, tmp_path / name, loss="cosine", epochs=2, dim=6)
    assert found.modalities == ("text", "video", "audio")
    seen, theirs = (
        evaluate(one, model=f"heads:{tmp_path / name}", methods=["gram"]) for one, name in ((store, "h"), (plain, "g"))
    )
    assert [list(one.ranks) for one in seen.ranks] == [list(one.ranks) for one in theirs.ranks]
    with pytest.raises(UserError, match=r"holds no 'text@vido'\. Did you mean 'text@video'"):
        align(store, tmp_path / "x", loss="cosine", modalities=["text@vido", "video"])


def test_stores_without_views_keep_their_format(tmp_path: Path) -> None:
    plain = store_of(tmp_path / "p", {"text": "text@video", "video": "video"})
    assert plain.manifest["format"] == 1
    assert against(tmp_path / "v").manifest["format"] == 2


def test_views_of_a_text_share_its_rows(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'text@audio' has 3 rows and 'text@video' 4; give one per caption"):
        write_store(
            tmp_path / "s",
            ids=["a", "b"], splits=[None] * 2, labels=[None] * 2,
            embeddings={"text@video": np.ones((4, 2), "f4"), "text@audio": np.ones((3, 2), "f4")},
            caption_items=[0, 0, 1, 1], status={}, model={"id": "m"}, dataset={"id": "d"},
        )  # fmt: skip
