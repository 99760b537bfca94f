"""Ranked lists against trec_eval's own outputs, the published DCASE lists, and ranx."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gramcli.errors import UserError
from gramcli.metrics.lists import list_means, list_values, read_qrels, read_run, run_from_lists

TREC = Path("data/published/trec_eval/test")
DCASE = Path("data/published/dcase2022_clotho")
UNSUPPORTED = {
    *(
        "relstring",
        "runid",
        "num_q",
        "num_ret",
        "num_rel",
        "num_rel_ret",
        "infAP",
        "gm_bpref",
        "utility",
        "binG",
        "G",
        "ndcg_rel",
    ),
    *("Rndcg", "num_nonrel_judged_ret", "rbp", "rbp_resid", "exact_P", "exact_recall"),
}
UNSUPPORTED_PREFIXES = ("Rprec_mult_", "relative_P_", "set_", "unj_", "exact_")


def supported(measure: str) -> bool:
    return measure not in UNSUPPORTED and not measure.startswith(UNSUPPORTED_PREFIXES)


@pytest.mark.parametrize("name", ["out.test", "out.test.a"])
def test_means_are_those_trec_eval_prints(reference_data: Path, name: str) -> None:
    folder = reference_data / TREC
    run, judgements = read_run(folder / "results.test"), read_qrels(folder / "qrels.test")
    printed = [line.split() for line in (folder / name).read_text().splitlines()]
    expected = {measure: value for measure, _, value in printed if supported(measure)}
    assert {"map", "Rprec", "recip_rank", "P_10", "bpref", "gm_map", "iprec_at_recall_0.10"} <= set(expected)
    found = list_means(run, judgements, list(expected))
    assert {measure: f"{value:.4f}" for measure, value in found.items()} == expected


def test_values_of_each_query_are_those_trec_eval_prints(reference_data: Path) -> None:
    folder = reference_data / TREC
    run, judgements = read_run(folder / "results.test"), read_qrels(folder / "qrels.test")
    printed = [line.split() for line in (folder / "out.test.aq").read_text().splitlines()]
    wanted = {measure for measure, _, _ in printed if supported(measure) and measure != "gm_map"}
    values = {measure: list_values(run, judgements, measure) for measure in wanted}
    checked = [entry for entry in printed if entry[0] in wanted and entry[1] != "all"]
    assert len(checked) >= 3 * 40
    for measure, query, value in checked:
        assert f"{values[measure][query]:.4f}" == value, (measure, query)


def test_junk_after_the_tag_is_ignored(reference_data: Path) -> None:
    run = read_run(reference_data / TREC / "results.trunc")
    assert run["301"]["FBIS3-27619"] == np.float32(2.138276)


def test_published_dcase_lists_give_the_published_figures(reference_data: Path) -> None:
    folder = reference_data / DCASE
    with (folder / "test.gt.csv").open(newline="", encoding="utf-8") as file:
        answer = {row[f"caption_{k}"]: row["file_name"] for row in csv.DictReader(file) for k in range(1, 6)}
    with (folder / "test.output.csv").open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    run = run_from_lists({str(position): row[1:] for position, row in enumerate(rows)})
    judgements = {str(position): {answer[row[0]]: 1} for position, row in enumerate(rows)}
    means = list_means(run, judgements, ["success_1", "recall_5", "recall_10", "map_cut_10", "recip_rank"])
    assert len(run) == 5225
    assert {name: round(value, 6) for name, value in means.items()} == {
        "success_1": 0.031579,
        "recall_5": 0.109474,
        "recall_10": 0.188325,
        "map_cut_10": 0.067934,
        "recip_rank": 0.067934,
    }


def test_ties_go_to_the_higher_document_id_whatever_the_order_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("q Q0 a 1 0.5 tag\nq Q0 c 2 0.5 tag\nq Q0 b 3 0.5 tag\n")
    run = read_run(path)
    ranks = {name: list_values(run, {"q": {name: 1}}, "recip_rank")["q"] for name in "abc"}
    assert ranks == {"a": 1 / 3, "b": 1 / 2, "c": 1.0}


def test_scores_of_a_file_tie_in_float32_as_in_trec_eval(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("q Q0 a 1 0.50000000001 tag\nq Q0 b 2 0.5 tag\n")
    assert list_values(read_run(path), {"q": {"b": 1}}, "recip_rank") == {"q": 1.0}


def test_hand_worked_graded_list() -> None:
    run = run_from_lists({"q": ["a", "b", "c", "d"]})
    judgements = {"q": {"a": 0, "b": 2, "c": -1, "d": 1, "e": 3}}
    discount = 1 / np.log2([2, 3, 4, 5])
    ideal = 3 * discount[0] + 2 * discount[1] + discount[2]
    expected = {
        "ndcg": (2 * discount[1] + discount[3]) / ideal,
        "ndcg_cut_1": 0.0,
        "ndcg_cut_2": 2 * discount[1] / (3 * discount[0] + 2 * discount[1]),
        "map": (1 / 2 + 2 / 4) / 3,
        "Rprec": 1 / 3,
        "bpref": 0.0,  # the one judged non-relevant document stands above both
        "P_10": 0.2,
        "recall_2": 1 / 3,
        "success_1": 0.0,
    }
    for measure, value in expected.items():
        assert list_values(run, judgements, measure)["q"] == pytest.approx(value, abs=1e-15), measure
    assert list_values(run, judgements, "map", level=2)["q"] == pytest.approx((1 / 2) / 2)


def test_query_without_relevant_documents_counts_as_zero() -> None:
    run = {"q": {"a": 1.0}, "r": {"a": 1.0}, "unjudged": {"a": 1.0}}
    judgements = {"q": {"a": 0}, "r": {"a": 1}, "unanswered": {"a": 1}}
    for measure in ("map", "Rprec", "recip_rank", "bpref", "ndcg", "P_1", "recall_1", "iprec_at_recall_0.50"):
        assert list_values(run, judgements, measure) == {"q": 0.0, "r": 1.0}, measure
    assert list_means(run, judgements, ["map", "gm_map"]) == pytest.approx({"map": 0.5, "gm_map": 1e-5**0.5})


def test_against_ranx() -> None:
    from ranx import Qrels, Run, evaluate

    rng = np.random.default_rng(5)
    run = {f"q{q}": {f"d{d}": float(s) for d, s in enumerate(rng.permutation(60))} for q in range(20)}
    judgements = {f"q{q}": {f"d{d}": int(rng.integers(1, 4)) for d in rng.choice(90, 6, False)} for q in range(20)}
    names = {"map": "map", "mrr": "recip_rank", "ndcg@10": "ndcg_cut_10", "recall@10": "recall_10"}
    theirs = evaluate(Qrels(judgements), Run(run), list(names), threads=1)
    ours = list_means(run, judgements, list(names.values()))
    for name, ours_name in names.items():
        assert ours[ours_name] == pytest.approx(theirs[name], abs=1e-12), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 a 1 0.5 t\nq Q0 b 2 0.4\n", r"line 2: 5 fields where 'query Q0 document rank score tag' needs 6"),
        ("q Q0 a 1 high t\n", r"line 1: score 'high' is not a number"),
        ("\nq Q0 a 1 nan t\n", r"line 2: score 'nan' is not a finite"),
        ("q Q0 a 1 1e40 t\n", r"line 1: score '1e40' is not a finite float32"),
        ("q Q0 a 1 0.5 t\n\nq Q0 a 2 0.4 t\n", r"line 3: query q names document 'a' twice"),
        ("\n \n", r"holds no line of the form"),
    ],
)
def test_malformed_runs_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "run"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_run(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q 0 a\n", r"line 1: 3 fields where 'query 0 document level' needs 4"),
        ("q 0 a 1\nq 0 b 0.5\n", r"line 2: level '0.5' is not a whole number"),
        ("q 0 a 1\nr 0 a 1\nq 0 a 0\n", r"line 3: query q names document 'a' twice"),
        ("", r"holds no line"),
    ],
)
def test_malformed_judgements_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "qrels"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_qrels(path)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read as text"):
        read_run(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UserError, match="cannot be read as text"):
        read_qrels(tmp_path / "binary")


@pytest.mark.parametrize("measure", ["mapp", "P_0", "P_", "P_x", "iprec_at_recall_1.5", "ndcg_cut_-1", ""])
def test_unknown_measures_are_refused(measure: str) -> None:
    with pytest.raises(UserError, match=r"Unknown measure .* Known: map, Rprec"):
        list_values({"q": {"a": 1.0}}, {"q": {"a": 1}}, measure)


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(UserError, match="no query in common"):
        list_means({"q": {"a": 1.0}}, {"r": {"a": 1}}, ["map"])
    with pytest.raises(UserError, match="lists document 'a' twice"):
        run_from_lists({"q": ["a", "b", "a"]})
