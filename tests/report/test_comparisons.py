"""A comparison in every format: the verdict first, marks in LaTeX, queries as rows."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from dataclasses import replace

import pytest

from gramcli.report import Format
from gramcli.report.formats import render
from gramcli.report.reading import html
from gramcli.report.tables import comparison_answer
from gramcli.results.records import Comparison, ComparisonRow, QueryChange, Verdict
from tests.made_results import comparison

SENTENCE = "t2va R@1: B is better than A by 5.0 points [2.1, 7.9], p = 0.002, 80 of 1000 queries gained, 30 lost."


def decided(odd: str = "clip") -> Comparison:
    """A verdict, and a query each that was gained and lost."""
    names = ("emb@cosine", "emb@gram")
    verdict = Verdict("t2va", "R@1", *names, "better", 0.05, 0.021, 0.079, 0.002, 80, 30, 1000, 0.04, SENTENCE)
    changes = (
        QueryChange("t2va", *names, odd, 1, f"what {odd} says", 9.0, 1.0, (odd, "b"), ("a",)),
        QueryChange("t2va", *names, "clip2", 0, None, 1.0, 2.5),
    )
    provenance = {"store": "emb", "diff_queries": 5, "seeds": {"emb@cosine": 1, "emb@gram": 3}}
    return replace(comparison(), provenance=provenance, verdicts=(verdict,), changes=changes)


LEAD = ["A: emb@cosine (baseline)", "B: emb@gram, 3 seeds", SENTENCE]


def test_the_verdict_stands_first() -> None:
    found = comparison_answer(decided())
    assert render(found, Format.table).splitlines()[:4] == [*LEAD, ""]
    marked = render(found, Format.markdown).splitlines()
    assert marked[0] == "- A: emb@cosine (baseline)"
    assert marked[2].startswith("- t2va R@1: B is better than A by 5.0 points")
    assert render(found, Format.latex).splitlines()[:3] == [f"% {line}" for line in LEAD]
    document = json.loads(render(found, Format.json))
    assert document["verdicts"][0]["sentence"] == SENTENCE
    assert document["verdicts"][0]["outcome"] == "better"
    assert html(decided()).startswith("<p>A: emb@cosine (baseline)</p>")


def test_queries_that_change_are_tables_documents_and_rows() -> None:
    found = comparison_answer(decided())
    gained, lost = found.tables[1:3]
    assert gained.title == "t2va: queries that B (emb@gram) gains most against A (emb@cosine), by 1 / rank"
    assert gained.rows == (("clip #1", "what clip says", "9", "1", "clip, b", "a"),)
    assert lost.columns == ("query", "rank A", "rank B")
    assert lost.rows == (("clip2", "1", "2.5"),)
    assert json.loads(render(found, Format.json))["changes"][1]["text"] is None
    rows = list(csv.DictReader(io.StringIO(render(found, Format.csv))))
    assert [(row["change"], row["query"], row["rank_b"], row["top2_a"]) for row in rows] == [
        ("gained", "clip", "1.0", "b"),
        ("lost", "clip2", "2.5", ""),
    ]


def test_without_queries_the_rows_are_the_figures() -> None:
    found = comparison_answer(replace(decided(), provenance={}, changes=()))
    assert [row["metric"] for row in found.rows] == ["R@1", "MedR"]


def test_long_captions_are_cut_in_tables_alone() -> None:
    changes = tuple(replace(one, text="word " * 40) for one in decided().changes)
    found = comparison_answer(replace(decided(), changes=changes))
    assert found.tables[1].rows[0][1].endswith("...")
    assert len(found.tables[1].rows[0][1]) == 60
    assert found.rows[0]["text"] == "word " * 40


def test_many_verdicts_without_a_difference_are_counted() -> None:
    one = decided().verdicts[0]
    none = replace(one, outcome="no difference shown", sentence="t2v R@1: no difference between A and B is shown.")
    few, many = (replace(decided(), verdicts=(one, *[none] * count)) for count in (8, 9))
    assert len(comparison_answer(few).lead) == 2 + 9
    assert comparison_answer(many).lead[3] == (
        "On the 9 other tasks and methods no difference is shown (p Holm in the tables); differences of 4.0 points "
        "could have been seen (power 80 %)."
    )
    assert len(comparison_answer(many).lead) == 4


def test_seeds_show_their_spread() -> None:
    row = replace(decided().rows[0], seeds_b=3, spread_b=0.0123)
    (table,) = comparison_answer(replace(comparison(), rows=(row,))).tables
    assert table.rows[0][2:4] == ("47.5", "52.5 +- 1.2")
    assert "over new queries and new seeds" in table.title


def test_letters_follow_the_contenders() -> None:
    names = ("emb@cosine", "emb@gram", "emb@pmrl")
    rows = tuple(replace(comparison().rows[0], b=name) for name in names[1:])
    first, second = comparison_answer(replace(comparison(), names=names, rows=rows)).tables
    assert first.columns[3:5] == ("B", "B - A")
    assert second.columns[3:5] == ("C", "C - A")


def test_latex_marks_the_best_and_what_is_significant() -> None:
    row = comparison().rows[0]
    same = ComparisonRow("t2va", "R@5", row.a, row.b, 0.5, 0.5, 0.0, -0.1, 0.1, 1.0, "McNemar", 0, 0, 9, 1.0, "other")
    worse = replace(same, metric="R@10", value_b=0.4, delta=-0.1, p_holm=0.06)
    text = render(comparison_answer(replace(comparison(), rows=(row, same, worse))), Format.latex)
    assert r"t2va & R@1 & 47.5 & \textbf{52.5} & +5.0 [+2.1, +7.9]$^{\dagger}$ &" in text
    assert r"t2va & R@5 & 50.0 & 50.0 & +0.0 [-10.0, +10.0] &" in text
    assert r"t2va & R@10 & \textbf{50.0} & 40.0 & -10.0" in text
    assert text.count(r"\dagger") == 2
    assert (
        r"\par{\footnotesize Bold: the better of A and B. $^{\dagger}$: A and B differ, p \ensuremath{<} 0.05" in text
    )


NASTY = "50 % of $x_1$ & #2 \\input{x} {~^} <b> [1]*"


def test_captions_and_names_are_escaped() -> None:
    text = render(comparison_answer(decided(NASTY)), Format.latex)
    assert r"what 50 \% of \$x\_1\$ \& \#2 \textbackslash{}input\{x\}" in text
    cell = next(line for line in text.splitlines() if "what 50" in line)
    assert cell.count(" & ") == 5


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_latex_compiles_with_booktabs(tmp_path) -> None:
    odd = replace(decided(NASTY), names=("50 % _a\n\\input{x}", NASTY))
    rows = (replace(odd.rows[0], seeds_b=3, spread_b=0.01), *odd.rows[1:])
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    text = render(comparison_answer(replace(odd, rows=rows)), Format.latex)
    (tmp_path / "a.tex").write_text(head + text + "\\end{document}\n")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "a.tex"],
        cwd=tmp_path, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
