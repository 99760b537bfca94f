"""Figures of every kind: what they show, that names are escaped, the same bytes every time, how large they are."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from gramcli.catalog import resolve
from gramcli.errors import UserError
from gramcli.evaluation.measure import measure
from gramcli.evaluation.options import EvalOptions
from gramcli.evaluation.pictures.gather import pictures_of
from gramcli.metrics.intervals import plus_four_of
from gramcli.report.plots import differences, recall
from gramcli.report.plots.catalog import KINDS
from gramcli.report.plots.draw import drawings, picture
from gramcli.report.plots.panels import apart, principal
from gramcli.report.plots.ranks import rank_bins
from gramcli.report.plots.style import COLOURS, INK, colour, dashes, marker
from gramcli.report.plots.subject import History, Subject, breadth
from gramcli.results.records import Comparison, ComparisonRow, RankVector, ResultRow
from gramcli.results.runs import Epoch
from tests.made_results import evaluation
from tests.small_stores import make_store

EVIL = "[red]<b>&|_%$x$\x1b[31m\u202e]]>\"'"
CLASSES = {
    "classes": ["a<b", "b&c", "third"],
    "confusion": [
        {"task": "v", "method": "probe", "truth": [0, 1, 1, 2], "predicted": [0, 1, 2, None], "count": [5, 3, 2, 4]},
        {"task": "v", "method": "knn(k=2)", "truth": [0], "predicted": [1], "count": [5]},
    ],
}


def compared(*rows):
    return Comparison(("a", "b"), rows, {})


def difference(task, delta, p, metric="R@1", family="primary"):
    width = 0.02
    return ComparisonRow(
        task, metric, "a", "b", 0.5, 0.5 + delta, delta, delta - width, delta + width, p, "t", 5, 3, 99, p, family
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stores") / "plain", 30)


@pytest.fixture(scope="module")
def whole(store):
    """Everything that there can be."""
    found = measure(store, options=EvalOptions())
    rows = (*found.results, ResultRow("v", "probe", "raw", "accuracy", 0.9, 0.8, 0.95, 40))
    found = replace(found, results=rows, provenance={**found.provenance, "classification": CLASSES})
    epochs = tuple(Epoch(k, 0.1, 1 / k, 0.07, {"R@1": 0.1 * k, "MRR": 0.12 * k}, 1.1 / k) for k in range(1, 6))
    return Subject(
        evaluation=found,
        comparison=compared(
            difference("t2va", 0.05, 0.001), difference("va2t", -0.04, 0.01), difference("t2v", 0.0, 1.0)
        ),
        histories=(History(epochs, 3, "MRR"),),
        store=store,
        captions={"item00": "<i>dogs & cats"},
    )


@pytest.fixture(scope="module")
def drawn(whole):
    return {one.name: one for one in drawings(whole)}


def test_every_kind_is_drawn_in_the_order_of_the_catalog(drawn):
    assert list(drawn) == KINDS.names()
    assert sum(len(one.svg) for one in drawn.values()) < 600_000


@pytest.mark.parametrize("kind", KINDS.names())
def test_a_drawing_stands_in_a_page(drawn, kind):
    svg, caption = drawn[kind].svg, drawn[kind].caption
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == caption
    assert caption[0].isupper()
    assert caption.endswith(".")
    assert INK not in svg
    assert "currentColor" in svg
    assert "font-family" not in svg
    assert "<text" in svg
    assert "<script" not in svg
    assert not re.search(r'(?:href|src)="(?!#|data:image/png;base64,)', svg)


def test_ids_of_different_drawings_do_not_meet(drawn):
    found = [set(re.findall(r' id="([^"]*)"', one.svg)) for one in drawn.values()]
    used = [set(re.findall(r'(?:url\(#|href="#)([^")]*)', one.svg)) for one in drawn.values()]
    assert found == used
    assert len(set().union(*found)) == sum(map(len, found))


def test_a_drawing_is_the_same_every_time(whole, drawn):
    for kind in ("forest", "recall", "map", "differences"):
        assert picture(whole, kind).svg() == drawn[kind].svg


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_files_are_the_same_every_time(whole, tmp_path, form):
    made = [picture(whole, "differences").save(tmp_path / f"{k}.{form}").read_bytes() for k in (1, 2)]
    assert made[0] == made[1]
    start = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}[form]
    assert made[0].startswith(start)


def test_a_file_of_svg_has_a_title_and_follows_the_reader_s_screen(whole, tmp_path):
    found = picture(whole, "forest").save(tmp_path / "f.svg").read_text()
    root = ElementTree.fromstring(found)
    assert root.find("{http://www.w3.org/2000/svg}title").text.startswith("R@1 of every")
    assert "prefers-color-scheme:dark" in found
    with pytest.raises(UserError, match=r"no form of a figure; use \.svg"):
        picture(whole, "forest").save(tmp_path / "f.jpg")


def test_a_png_is_on_white(whole, tmp_path):
    from matplotlib.image import imread

    pixels = imread(picture(whole, "scores").save(tmp_path / "f.png"))
    assert np.allclose(pixels[0, 0], 1.0)
    assert np.allclose(pixels[..., 3], 1.0)


def test_points_of_the_map_say_what_they_are(drawn):
    root = ElementTree.fromstring(drawn["map"].svg)
    said = [one.text for one in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(said) == 90
    assert said[0] == "item00: text: <i>dogs & cats"
    assert said[30:32] == ["item00: video: <i>dogs & cats", "item01: video"]


def test_names_of_others_are_text(whole):
    rows = tuple(replace(row, task=EVIL, method=EVIL) for row in whole.evaluation.results)
    ranks = tuple(replace(vector, task=EVIL, method=EVIL) for vector in whole.evaluation.ranks[:1])
    found = replace(
        whole.evaluation,
        results=rows,
        ranks=ranks,
        provenance={"classification": {**CLASSES, "classes": [EVIL, "b", "c"]}},
    )
    row = replace(difference("t", 0.1, 0.001), task=EVIL, b=EVIL, a=EVIL)
    subject = Subject(evaluation=found, comparison=compared(row), title=EVIL)
    for one in drawings(subject):
        assert "<b>" not in one.svg
        assert "\x1b" not in one.svg
        assert "\u202e" not in one.svg
        ElementTree.fromstring(one.svg)


def test_nothing_gives_no_drawings():
    assert drawings(Subject()) == []
    assert drawings(Subject(evaluation=replace(evaluation(), results=(), ranks=()))) == []
    with pytest.raises(UserError, match="nothing to draw as recall"):
        picture(Subject(), "recall")
    with pytest.raises(UserError, match="Did you mean 'recall'"):
        picture(Subject(), "recal")


def test_seven_lines_are_told_apart_by_colour_dash_and_mark():
    assert (
        len({colour(k) for k in range(7)})
        == len({marker(k) for k in range(7)})
        == len({dashes(k) for k in range(7)})
        == 7
    )
    assert len({(colour(k), str(dashes(k))) for k in range(42)}) == 42
    assert INK in COLOURS


def test_marks_of_lines_that_coincide_are_at_different_places():
    ranks = tuple(RankVector("t2v", f"m{k}", ("a", "b", "c"), (1.0, 3.0, 9.0), 60) for k in range(7))
    found = recall.recall(Subject(evaluation=replace(evaluation(), ranks=ranks)))
    lines = [
        line for line in found.figure.axes[0].get_lines() if len(line.get_xdata()) > 10 and line.get_marker() != "None"
    ]
    assert len(lines) == 7
    places = []
    for line in lines:
        first, step = line.get_markevery()
        places.append(set(range(len(line.get_xdata()))[first::step]))
    assert all(not (one & other) for k, one in enumerate(places) for other in places[:k])
    labels = [text.get_text() for text in found.figure.axes[0].texts]
    assert [label for label in labels if label] == [f"m{k}" for k in reversed(range(7))]
    heights = sorted(text.xy[1] for text in found.figure.axes[0].texts)
    assert min(np.diff(heights)) >= 7.9


def test_bands_of_a_recall_curve_are_the_evaluation_s_intervals(whole):
    vector = whole.evaluation.ranks[0]
    cutoffs, share, low, high = recall.curve(vector, "plus-four")
    for metric in ("R@1", "R@5", "R@10"):
        row = next(
            r for r in whole.evaluation.results if (r.task, r.method, r.metric) == (vector.task, vector.method, metric)
        )
        k = list(cutoffs).index(int(metric[2:]))
        assert (share[k], low[k], high[k]) == pytest.approx((100 * row.value, 100 * row.low, 100 * row.high))
    assert (share[-1], low[-1], high[-1]) == (100, 100, 100)


def test_queries_that_nobody_answers_are_not_in_a_curve():
    one = RankVector("v2t", "gram", ("a", "b"), (1.0, math.nan), 5)
    assert recall.curve(one, "plus-four")[1].tolist() == [100.0] * 5
    none = RankVector("v2t", "gram", ("a",), (math.nan,), 5)
    assert recall.recall(Subject(evaluation=replace(evaluation(), ranks=(none,)))) is not None


def test_ranks_are_binned_once():
    ranks = tuple(float(k) for k in range(1, 31))
    names, counts = rank_bins(RankVector("t2v", "gram", tuple(map(str, ranks)), ranks, 30))
    assert names == ["1", "2", "3-5", "6-10", "11-20", "21-30"]
    assert counts == [1, 1, 3, 5, 10, 10]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (difference("t2v", 0.05, 0.01), "better"),
        (difference("t2v", -0.05, 0.01), "worse"),
        (difference("t2v", -3.0, 0.01, "MedR"), "better"),
        (difference("t2v", 3.0, 0.01, "MeanR"), "worse"),
        (difference("t2v", 0.05, 0.05), "no difference shown"),
        (difference("t2v", 0.05, None), "no difference shown"),
        (replace(difference("t2v", 0.05, 0.001), p_holm=0.2), "no difference shown"),
    ],
)
def test_a_verdict_is_by_p_holm_and_the_metric_s_direction(row, expected):
    assert differences.verdict(row) == expected


def test_verdicts_have_their_own_mark_and_colour(whole):
    found = picture(whole, "differences")
    marks = [line for line in found.figure.axes[0].get_lines() if line.get_marker() != "None"]
    assert [line.get_marker() for line in marks] == ["^", "v", "o"]
    assert len({line.get_color() for line in marks}) == 3
    assert "1 better, 1 worse, 1 no difference shown" in found.caption


def test_the_run_of_highest_accuracy_is_shown_and_a_tie_has_a_column(drawn):
    assert "Confusion matrix of probe by v" in drawn["confusion"].caption
    assert "Accuracy 57.1 %" in drawn["confusion"].caption
    assert "b&c taken for third, 2 times" in drawn["confusion"].caption
    assert "a tie of several" in drawn["confusion"].svg
    assert "3 of 5" in drawn["classes"].svg


def test_intervals_of_classes_are_plus_four(whole):
    axes = picture(whole, "classes").figure.axes[0]
    low, high = plus_four_of(np.array([1.0, 1, 1, 0, 0]), np.arange(5))
    bars = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) == 2]
    assert [100 * low, 100 * high] == pytest.approx(list(bars[1]))


@pytest.mark.parametrize(
    "damage", [{"truth": [9]}, {"predicted": ["x"]}, {"count": [1, 2]}, {"count": [-1]}, {"task": 3}]
)
def test_a_damaged_confusion_is_no_run(whole, damage):
    run = {"task": "v", "method": "probe", "truth": [0], "predicted": [0], "count": [1]} | damage
    broken = replace(whole.evaluation, provenance={"classification": {"classes": ["a", "b"], "confusion": [run]}})
    assert resolve(KINDS.row("confusion").target)(Subject(evaluation=broken)) is None


def test_tasks_and_methods_are_chosen(whole):
    found = picture(replace(whole, tasks=("t2va",), methods=("gram",)), "forest")
    assert [label.get_text() for label in found.figure.axes[0].get_yticklabels()] == ["gram", "gram"]
    with pytest.raises(UserError, match=r"nothing to draw as forest \(of t2d\)"):
        picture(replace(whole, tasks=("t2d",)), "forest")
    assert picture(replace(whole, store=None, tasks=("t2v",)), "forest").figure.axes


def test_whole_tasks_of_most_modalities_come_first():
    rows = [ResultRow(task, m, "raw", "R@1", 1.0, None, None, 1) for task in ("t2v", "va2t", "t2va") for m in "abc"]
    assert [row.task for row in principal(rows, 8)] == ["t2va"] * 3 + ["va2t"] * 3
    assert len(principal(rows, 2)) == 2
    assert max(("t2v", "va2t", "t2va", "v2a"), key=breadth) == "t2va"


def test_labels_that_do_not_fit_are_spread_evenly():
    places = apart([50.0] * 30, 104 / 30, 0.0, 100.0)
    assert np.allclose(np.diff(places), 104 / 30)
    assert apart([1.0, 50.0, 99.0], 8.0, 0.0, 100.0) == [1.0, 50.0, 99.0]


def test_pictures_given_are_not_computed_again(whole, store):
    given = pictures_of(store, kinds=["spectra"])
    found = [one.name for one in drawings(Subject(pictures=given, store=store))]
    assert found == ["spectra"]


def test_a_stage_that_came_first_is_in_the_caption(whole):
    assert "came first" not in picture(whole, "training").caption
    started = replace(whole, histories=(replace(whole.histories[0], warm_up=12),))
    assert "A stage by the cosine loss of 12 epochs came first" in picture(started, "training").caption
