"""What the operands of `compare` name: stores, heads through stores, saved evaluations, seeds of one contender."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import gramcli
from gramcli.errors import UserError
from gramcli.evaluation.compare import compare
from gramcli.evaluation.measure import EvalOptions, measure
from gramcli.evaluation.operands import named_operands, with_baseline
from gramcli.modalities import parse_task
from gramcli.results.documents import dump_json, evaluation_document
from gramcli.results.records import Comparison
from gramcli.store import open_store
from tests.small_stores import make_store

TASK = [parse_task("t2v")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store, heads, and evaluations of three seeds of two methods."""
    monkeypatch.chdir(tmp_path)
    splits = ["train"] * 20 + ["test"] * 20
    make_store(Path("emb"), 40, splits=splits, said=True)
    Path("runs").mkdir()
    for method in ("cosine", "gram"):
        for seed in (1, 2, 3):
            store = make_store(Path(f"seed{seed}"), 40, splits=splits, seed=seed, noise=0.6, said=True)
            found = measure(store, tasks=TASK, methods=[method], options=EvalOptions(best=5))
            Path(f"runs/{method}_s{seed}.json").write_text(dump_json(evaluation_document(found)))
    for seed in (0, 1):
        gramcli.align("emb", f"heads{seed}", loss="cosine", epochs=1, dim=8, seed=seed)
    return tmp_path


def r1(found: Comparison):
    return next(row for row in found.rows if (row.task, row.metric) == ("t2v", "R@1"))


def test_a_pattern_is_one_contender_of_several_seeds(here: Path) -> None:
    found = compare("runs/cosine_s*.json", "runs/gram_s*.json")
    assert found.names == ("runs/cosine_s*.json", "runs/gram_s*.json")
    row = r1(found)
    assert (row.seeds_a, row.seeds_b) == (3, 3)
    assert row.spread_a is not None and row.spread_a > 0
    values = [r1(compare(f"runs/cosine_s{k}.json", "runs/gram_s1.json")).value_a for k in (1, 2, 3)]
    assert row.value_a == pytest.approx(sum(values) / 3)
    assert any("mean +- the standard deviation over seeds" in note for note in found.notes)


@pytest.mark.parametrize(
    "operands",
    [
        ("cosine=runs/cosine_s*.json", "gram=runs/gram_s1.json,runs/gram_s2.json"),
        ("cosine=runs/cosine_s*.json", "gram=runs/gram_s1.json", "gram=runs/gram_s2.json"),
        ("cosine=runs/cosine_s1.json,runs/cosine_s[23].json", "gram=runs/gram_s[12].json"),
    ],
)
def test_seeds_are_named_in_any_way_that_a_shell_leaves(here: Path, operands: tuple[str, ...]) -> None:
    found = compare(*operands)
    assert found.names == ("cosine", "gram")
    assert (r1(found).seeds_a, r1(found).seeds_b) == (3, 2)
    assert "3 and 2 seeds" in found.verdicts[0].sentence


def test_a_list_is_one_contender_in_python(here: Path) -> None:
    single, other = (measure(open_store(name), tasks=TASK, methods=["gram"]) for name in ("seed1", "seed2"))
    found = compare("runs/gram_s1.json", ["runs/cosine_s1.json", "runs/cosine_s2.json"], [single, other])
    assert found.names[1:] == ("2 seeds of runs/cosine_s1.json", "2 seeds of seed1")
    assert {row.seeds_b for row in found.rows} == {2}
    assert any("a single seed, which is taken to vary as those of the other side" in note for note in found.notes)


def test_one_evaluation_is_not_two_seeds_in_python_either(here: Path) -> None:
    single = measure(open_store("seed1"), tasks=TASK, methods=["gram"])
    with pytest.raises(UserError, match="a seed counts once"):
        compare("runs/gram_s1.json", [single, single])


def test_what_looks_like_seeds_but_is_compared_one_by_one_is_said(here: Path) -> None:
    notes = compare("runs/gram_s1.json", "runs/gram_s2.json", "runs/cosine_s1.json").notes
    assert notes[-1].startswith("runs/gram_s1.json, runs/gram_s2.json are compared one by one. Where they are seeds")
    assert not any("one by one" in note for note in compare("runs/gram_s1.json", "runs/cosine_s1.json").notes)


def test_seeds_that_were_evaluated_otherwise_are_refused(here: Path) -> None:
    found = measure(open_store("seed1"), tasks=[parse_task("t2a")], methods=["gram"])
    Path("runs/odd.json").write_text(dump_json(evaluation_document(found)))
    with pytest.raises(UserError, match=r"gram: seed 2 of 2 has no ranks of t2v under gram, which the first has"):
        compare("runs/cosine_s1.json", "gram=runs/gram_s1.json,runs/odd.json")
    part = measure(open_store("seed2"), tasks=TASK, methods=["gram"], options=EvalOptions(limit=9))
    Path("runs/part.json").write_text(dump_json(evaluation_document(part)))
    with pytest.raises(UserError, match=r"gram@gram, seed 2 are not comparable on t2v: 20 and 9 queries"):
        compare("runs/cosine_s1.json", "gram=runs/gram_s1.json,runs/part.json")
    whole = compare("runs/cosine_s1.json", "gram=runs/gram_s1.json,runs/part.json", intersect=True)
    assert {row.n for row in whole.rows} == {9}


def test_heads_are_seen_through_a_store(here: Path) -> None:
    through = compare("emb+heads:heads0@cosine", "emb+heads:heads1@cosine", tasks="t2v", split="test")
    on = compare("heads:heads0@cosine", "heads:heads1@cosine", on="emb", tasks="t2v", split="test")
    assert [row.delta for row in through.rows] == [row.delta for row in on.rows]
    direct = gramcli.evaluate("emb", model="heads:heads1", tasks="t2v", methods="cosine", split="test")
    assert r1(on).value_b == next(row.value for row in direct.results if (row.task, row.metric) == ("t2v", "R@1"))
    seeds = compare("emb@cosine", "h=emb+heads:heads*@cosine", tasks="t2v", split="test")
    assert r1(seeds).seeds_b == 2
    with pytest.raises(UserError, match=r"heads:heads0@cosine: heads are seen through a store. Add --on STORE"):
        compare("heads:heads0@cosine", "emb@cosine")
    with pytest.raises(UserError, match="--on emb is the store of operands heads:DIR, and there is none"):
        compare("emb@gram", "emb@cosine", on="emb")


def test_the_baseline_is_one_of_the_operands(here: Path) -> None:
    operands = ("a=emb@cosine", "emb@gram", "emb@pmrl")
    assert compare(*operands, tasks="t2v", baseline="emb@gram").names == ("emb@gram", "a", "emb@pmrl")
    assert compare(*operands, tasks="t2v", baseline="a").names[0] == "a"
    forwards, backwards = (compare(*operands[:2], tasks="t2v", baseline=one) for one in ("a", "emb@gram"))
    assert [row.delta for row in forwards.rows] == [-row.delta for row in backwards.rows]
    with pytest.raises(UserError, match=r"--baseline emb is none of the operands. They are: a, emb@gram, emb@pmrl"):
        compare(*operands, tasks="t2v", baseline="emb")
    one, two = (measure(open_store("emb"), tasks=TASK, methods=[name]) for name in ("cosine", "gram"))
    assert compare(one, two, baseline=two).sides[0] is not one


def test_options_of_methods_are_no_names(here: Path) -> None:
    found = named_operands(["emb@pmrl:value=share,tau=0.5", "emb@gram:log=true"], None, models=False)
    assert [one.runs[0].method for one in found] == ["pmrl:value=share,tau=0.5", "gram:log=true"]


def test_with_a_dataset_what_is_no_store_is_a_model(here: Path) -> None:
    words = ["signal", "signal@gram", "text=signal,video=signal", "hf:org/name@main", "emb@gram", "runs/gram_s1.json"]
    found = named_operands(words, None, models=True)
    assert [one.runs[0].kind for one in found] == ["model"] * 4 + ["store", "json"]
    assert [one.runs[0].what for one in found[:4]] == [
        "signal",
        "signal",
        "text=signal,video=signal",
        "hf:org/name@main",
    ]
    assert found[1].runs[0].method == "gram"


def test_a_path_that_exists_wins(here: Path) -> None:
    for name in ("odd=name", "odd@gram", "odd[1]"):
        make_store(Path(name), 12)
    found = named_operands(["odd=name", "odd@gram", "odd[1]"], None, models=False)
    assert [(one.name, one.runs[0].what, one.runs[0].method) for one in found] == [
        (name, name, None) for name in ("odd=name", "odd@gram", "odd[1]")
    ]


@pytest.mark.parametrize(
    ("operands", "said"),
    [
        (("runs/none*.json", "emb@gram"), r"runs/none\*\.json fits no file"),
        (("**x", "emb@gram"), r"\*\*x fits no file"),
        (("g=runs/gram_s1.json,runs/gram_s1.json", "emb@gram"), "g holds runs/gram_s1.json twice: a seed counts once"),
        (("g=runs/gram_s1.json,./runs/gram_s1.json", "emb@gram"), r"g holds \./runs/gram_s1.json twice"),
        (("g=runs/gram_s1.json,linked.json", "emb@gram"), "g holds linked.json twice"),
        (
            ("g=runs/gram_s1.json,copy.json", "emb@gram"),
            "g holds copy.json, a copy of runs/gram_s1.json or the same evaluated again: a seed counts once",
        ),
        (("g=runs/gram_s1.json,again.json", "emb@gram"), "g holds again.json, a copy of runs/gram_s1.json"),
        (("g=emb@gram,moved@gram", "emb@pmrl"), "g holds moved@gram, a copy of emb@gram"),
        (("emb@gram", "emb@pmrl", "emb@pmrl"), "emb@pmrl is to be compared twice"),
        (("emb@gram", "emb", "emb@gram"), "emb@gram is to be compared twice, as emb and as emb@gram; name it once"),
        (("emb@gram",), "at least one more; got only emb@gram"),
        ((), "at least one more; got only none"),
        (("emb@gram", ""), "An operand of compare is empty"),
        (("emb@gram", "gram="), "gram= names no file after the =. Give gram=FILE, or gram=FILE,FILE for seeds"),
        (("emb@gram", "a=nowhere.json"), r"nowhere\.json: there is no nowhere\.json"),
        (("emb@gram", []), "the list of its evaluations is empty"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(here: Path, operands: tuple[str, ...], said: str) -> None:
    Path("linked.json").symlink_to("runs/gram_s1.json")
    Path("copy.json").write_bytes(Path("runs/gram_s1.json").read_bytes())
    again = json.loads(Path("copy.json").read_text())
    again["provenance"]["made"] = {"date": "2030-01-01T00:00:00+00:00", "command": "gram eval again", "commit": None}
    again["provenance"]["store"]["path"] = "elsewhere"
    Path("again.json").write_text(json.dumps(again))
    shutil.copytree("emb", "moved")
    with pytest.raises(UserError, match=said):
        compare(*operands)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ties": "pessimistic"}, "--ties pessimistic: runs/gram_s1.json was evaluated with --ties mean"),
        ({"missing": "zero"}, "--missing zero: runs/gram_s1.json was evaluated with --missing drop"),
        ({"relevant": "label"}, "--relevant label: runs/gram_s1.json was evaluated with --relevant item"),
        ({"normalize": "dsl"}, "--normalize dsl: runs/gram_s1.json was evaluated with no --normalize"),
        ({"split": "train"}, "--split train: runs/gram_s1.json was evaluated with --split test"),
        ({"limit": 3}, "--limit 3: runs/gram_s1.json was evaluated with no --limit"),
        ({"protocol": "mine"}, "--protocol mine: runs/gram_s1.json was evaluated with --protocol manifest"),
        ({"query": "text", "candidates": "audio"}, "runs/gram_s1.json holds none of the tasks asked for"),
        ({"methods": ["pmrl"]}, "runs/gram_s1.json holds none of the methods asked for"),
    ],
)
def test_a_saved_evaluation_is_not_asked_otherwise(here: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare("runs/gram_s1.json", "seed2@gram", **options)


def test_what_a_saved_evaluation_was_asked_may_be_said_again(here: Path) -> None:
    same = {"ties": "mean", "missing": "drop", "relevant": "item", "split": "test", "protocol": "manifest"}
    assert compare("runs/gram_s1.json", "seed2@gram", tasks="t2v", **same).rows


def test_what_is_asked_reaches_stores(here: Path) -> None:
    found = compare(
        "emb@gram", "emb@cosine", query="text", candidates="audio", limit=7, normalize="dsl", ties="optimistic"
    )
    assert {row.task for row in found.rows} == {"t2a", "a2t"}
    assert {row.n for row in found.rows} == {7}
    asked = found.provenance["evaluations"][0]
    assert (asked["limit"], asked["stage"], asked["ties"][:10]) == (7, "raw+dsl", "ranks take")


@pytest.mark.parametrize("option", ["root", "frames", "compile", "checkpoint_step", "text_only"])
def test_options_of_models_are_refused_where_there_is_none(here: Path, option: str) -> None:
    with pytest.raises(UserError, match=rf"--{option.replace('_', '-')} is for models that embed --dataset DATA"):
        compare("emb@gram", "emb@cosine", **{option: 1})


def test_the_baseline_of_none_is_the_first() -> None:
    assert with_baseline([], None) == []


def test_the_baseline_against_itself_shows_no_difference(here: Path) -> None:
    found = compare("emb@gram", "emb@gram", tasks="t2v")
    assert {row.delta for row in found.rows} == {0.0}
    assert found.verdicts[0].sentence.startswith("t2v R@1: no difference between A and B is shown")


def test_an_evaluation_and_a_store_of_one_path_have_two_names(here: Path) -> None:
    made = measure(open_store("emb"), tasks=TASK, methods=["gram"], options=EvalOptions())
    found = compare("runs/gram_s1.json", made, "emb", tasks=["t2v"], methods=["gram"])
    assert found.names == ("runs/gram_s1.json", "emb", "emb (2)")
    assert [one.sentence.partition(" is shown")[0] for one in found.verdicts] == [
        f"t2v R@1: no difference between A and {letter}" for letter in "BC"
    ]
