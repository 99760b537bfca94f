"""Runs and qrels: tools that users have score them again, and find our figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from gramcli.errors import UserError
from gramcli.evaluation.evaluate import evaluate
from gramcli.evaluation.lists import ranked_lists
from gramcli.exchange import export_store, restore, write_run
from gramcli.exchange.trec import separated
from gramcli.metrics.lists import list_means, read_qrels, read_run
from gramcli.store import Store, open_store, write_store

N, DIM = 60, 8
ODD = {3: "a b\tc", 4: "50%", 5: "x#1", 6: "ü\u2003ö", 7: "q\nr", 8: '"quoted"', 9: "\x85"}


def stored(path: Path, *, counts: Any = 1, labels: int = 0, seed: int = 0) -> Store:
    """Items of which some ids would break a line, of which neighbours are hard to tell apart."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(N, DIM))
    owners = np.repeat(np.arange(N), counts)

    def seen(rows: Any) -> Any:
        return (rows + 0.9 * rng.normal(size=rows.shape)).astype(np.float32)

    write_store(
        path,
        ids=[ODD.get(k, f"clip{k}") for k in range(N)],
        splits=[None] * N,
        labels=[f"class {k % labels}" if labels else None for k in range(N)],
        embeddings={"text": seen(base[owners]), "video": seen(base), "audio": seen(base)},
        caption_items=owners,
        status={},
        model={"id": "made", "shared_space": True},
        dataset={"id": "made", "protocol": "manifest", "annotation_sha256": None},
    )
    return open_store(path)


CASES = [
    ("t2v", "cosine", "item"),
    ("t2va", "gram", "item"),
    ("v2t", "cosine", "item"),
    ("va2t", "pmrl", "item"),
    ("v2a", "cosine", "label"),
    ("t2va", "triangle", "label"),
]


@pytest.mark.parametrize("counts", [1, np.arange(N) % 3], ids=["a caption", "several captions"])
@pytest.mark.parametrize(("task", "method", "relevant"), CASES)
def test_others_score_an_exported_run_to_our_figures(
    task: str, method: str, relevant: Any, counts: Any, tmp_path: Path
) -> None:
    store = stored(tmp_path / "store", counts=counts, labels=6)
    run, qrels = tmp_path / "run.trec", tmp_path / "qrels.trec"
    lists = ranked_lists(store, task, method, relevant=relevant)
    found = write_run(lists, run, qrels)
    assert lists.n_tied == 0
    evaluation = evaluate(store, tasks=[task], methods=[method], relevant=relevant)
    ours = {row.metric: row.value for row in evaluation.results if row.task == task}
    names = {
        "R@1": ("success_1", "Success@1", "hit_rate@1"),
        "R@5": ("success_5", "Success@5", "hit_rate@5"),
        "R@10": ("success_10", "Success@10", "hit_rate@10"),
        "MRR": ("recip_rank", "RR", "mrr"),
        "mAP": ("map", "AP", "map"),
        "nDCG@10": ("ndcg_cut_10", "nDCG@10", "ndcg@10"),
        "recall@5": ("recall_5", "R@5", "recall@5"),
    }
    names = {ours_name: others for ours_name, others in names.items() if ours_name in ours}
    assert {"R@1", "R@5", "R@10", "MRR"} <= set(names)
    assert (relevant == "item" and "mAP" not in ours) or {"mAP", "nDCG@10"} <= set(names)
    assert found.queries == len(evaluation.ranks[0].query_ids)
    theirs = {
        "trec_eval": trec_eval(run, qrels, [one[0] for one in names.values()]),
        "ir-measures": by_ir_measures(run, qrels, [one[1] for one in names.values()]),
        "gramcli": list(list_means(read_run(run), read_qrels(qrels), [one[0] for one in names.values()]).values()),
    }
    if task == "t2va":  # the two cases have all of its measures; its compiler takes its time
        theirs["ranx"] = by_ranx(run, qrels, [one[2] for one in names.values()])
    for tool, values in theirs.items():
        assert values == pytest.approx([ours[name] for name in names], abs=1e-9), tool


def trec_eval(run: Path, qrels: Path, measures: list[str]) -> list[float]:
    """NIST's own code, in a wrapper that reads the files as its command does."""
    with qrels.open(encoding="utf-8", newline="\n") as file:
        judged = pytrec_eval.parse_qrel(file)
    with run.open(encoding="utf-8", newline="\n") as file:
        ranked = pytrec_eval.parse_run(file)
    found = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(ranked)
    assert len(found) == len(judged)
    return [float(np.mean([one[name] for one in found.values()])) for name in measures]


def by_ir_measures(run: Path, qrels: Path, measures: list[str]) -> list[float]:
    named = [ir_measures.parse_measure(name) for name in measures]
    found = ir_measures.calc_aggregate(
        named, list(ir_measures.read_trec_qrels(str(qrels))), list(ir_measures.read_trec_run(str(run)))
    )
    return [found[one] for one in named]


def by_ranx(run: Path, qrels: Path, measures: list[str]) -> list[float]:
    from ranx import Qrels, Run
    from ranx import evaluate as score

    judged, ranked = Qrels.from_file(str(qrels), kind="trec"), Run.from_file(str(run), kind="trec")
    found = score(judged, ranked, measures, threads=1)
    return [float(found[name]) for name in measures] if isinstance(found, dict) else [float(found)]


def test_a_list_that_is_cut_says_so(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    found = write_run(ranked_lists(store, "t2v", top=5), tmp_path / "run.trec")
    assert found.depth == 5
    assert any("best 5 of 60" in note for note in found.notes)
    assert all(len(one) == 5 for one in read_run(tmp_path / "run.trec").values())


def test_scores_that_float32_cannot_tell_apart_stay_in_our_order(tmp_path: Path) -> None:
    """Wrong answers a hair better than the right one: in float32 they tie, and trec_eval would go by the id."""
    n = 6
    text = np.zeros((n, 2), np.float64)
    text[:, 0] = 1
    angles = np.array([1e-4 + 1e-6 * k for k in range(n)])
    video = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    write_store(
        tmp_path / "s", ids=[f"i{k}" for k in range(n)], splits=[None] * n, labels=[None] * n,
        embeddings={"text": text, "video": video}, caption_items=range(n), status={},
        model={"id": "m", "shared_space": True}, dataset={"id": "d"},
    )  # fmt: skip
    lists = ranked_lists(tmp_path / "s", "t2v")
    assert len(np.unique(lists.scores[0])) == n
    assert len(np.unique(lists.scores[0].astype(np.float32))) < n
    found = write_run(lists, tmp_path / "run", tmp_path / "qrels")
    ours = evaluate(tmp_path / "s", tasks=["t2v"], methods=["cosine"])
    mrr = next(row.value for row in ours.results if (row.task, row.metric) == ("t2v", "MRR"))
    assert trec_eval(tmp_path / "run", tmp_path / "qrels", ["recip_rank"]) == pytest.approx([mrr], abs=1e-12)
    assert any("lower by a step of float32" in note for note in found.notes)


def test_ties_are_counted_and_said(tmp_path: Path) -> None:
    rows = np.repeat(np.eye(2, dtype=np.float32), 2, axis=0)
    write_store(
        tmp_path / "s", ids=list("abcd"), splits=[None] * 4, labels=[None] * 4,
        embeddings={"text": rows, "video": rows}, caption_items=range(4), status={},
        model={"id": "m", "shared_space": True}, dataset={"id": "d"},
    )  # fmt: skip
    found = write_run(ranked_lists(tmp_path / "s", "t2v"), tmp_path / "run")
    assert any("4 queries have a right answer that ties with wrong ones" in note for note in found.notes)
    assert len(set(read_run(tmp_path / "run")["a"].values())) == 2


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-1e300, 1e300) | st.floats(-1, 1) | st.just(float("inf")), min_size=1, max_size=8),
    st.integers(0, 8),
)
def test_separated_scores_keep_their_order_in_float32(values: list[float], steps: int) -> None:
    more = values + [float(np.nextafter(values[0], -np.inf)) for _ in range(min(steps, 1))]
    scores = np.sort(np.array([more]))[:, ::-1]
    out = separated(scores)
    assert np.isfinite(out).all()
    single = out[0].astype(np.float32)
    falls, still = scores[0][1:] < scores[0][:-1], single[1:] < single[:-1]
    inside = scores[0][:-1] < 3e38  # above, what float32 cannot hold is cut to one number
    assert (falls == still)[inside].all()


def test_ranks_and_neighbours_of_a_table(tmp_path: Path) -> None:
    store = stored(tmp_path / "store", counts=np.arange(N) % 3)
    lists = ranked_lists(store, "t2va", "gram", top=4)
    export_store(store, tmp_path / "out.parquet", lists=lists)
    table = pd.read_parquet(tmp_path / "out.parquet")
    evaluation = evaluate(store, tasks=["t2va"], methods=["gram"])
    asking = table[table["rank"].notna()]
    assert set(asking.modality) == {"text"}
    assert asking.id.tolist() == list(evaluation.ranks[0].query_ids)
    assert asking["rank"].tolist() == list(evaluation.ranks[0].ranks)
    for row, near in enumerate(asking.neighbors):
        others = table.iloc[near["ids"]]
        assert set(others.modality) == {"video"}
        assert others.id.tolist() == [lists.candidates.ids[k] for k in lists.columns[row]]
        assert (np.diff(near["distances"]) >= 0).all()
    assert restore(tmp_path / "out.parquet", tmp_path / "again") == store.fingerprint()
    cosine = ranked_lists(store, "v2a", "cosine", top=3)
    np.testing.assert_allclose(cosine.distances, 1 - cosine.scores)
    export_store(store, tmp_path / "out.csv", lists=cosine)
    rows = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert set(rows[rows["neighbors"] != ""].modality) == {"video"}


def test_what_has_no_list(tmp_path: Path) -> None:
    store = stored(tmp_path / "store")
    with pytest.raises(UserError, match="--missing present ranks groups"):
        ranked_lists(store, "t2v", missing="present")
    lists = ranked_lists(store, "t2v")
    with pytest.raises(UserError, match="the store that is read"):
        write_run(lists, tmp_path / "store" / "run", store=store.path)
    with pytest.raises(UserError, match="is a folder; name a file"):
        write_run(lists, tmp_path)
    with pytest.raises(UserError, match="Make the folder first"):
        write_run(lists, tmp_path / "no" / "run")
