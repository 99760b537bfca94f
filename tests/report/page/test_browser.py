"""The page in a browser: nothing leaves it, nothing breaks, and it is worked with by mouse, keys and screen reader."""

from __future__ import annotations

import re
from importlib import util
from pathlib import Path

import pytest

from gramcli.report.answer import Answer
from gramcli.report.page import answer_page, page
from tests.report.page.conftest import compared, hostile_evaluation

WIDTHS = (1280, 390)


def axe() -> str:
    """The text of axe-core."""
    found = util.find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-playwright-python is not installed")
    return next(Path(found.submodule_search_locations[0]).rglob("axe.min.js")).read_text(encoding="utf-8")


def column(tab, table, number):
    return tab.eval_on_selector_all(
        f"{table} tbody tr > td:nth-child({number})", "cells => cells.map(c => c.innerText)"
    )


def numbers(cells):
    return [float(re.search(r"[-+\u2212]?[\d.]+", cell)[0].replace("\u2212", "-")) for cell in cells if cell != "-"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_whole_quiet_and_accessible(visit, real_page, width, scheme):
    seen = visit(real_page, width, scheme)
    tab = seen.tab
    tab.locator("button.open").first.click()
    assert tab.locator("tr.detail img").count() >= 2
    assert tab.eval_on_selector_all("img", "all => all.every(one => one.complete && one.naturalWidth > 0)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in seen.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in seen.asked if url.startswith("file:")]) == 1
    assert seen.said == []
    tab.evaluate(axe())
    broken = tab.evaluate("axe.run().then(found => found.violations.map(v => v.id + ' ' + v.nodes[0].html))")
    assert broken == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", ["compare", "score", "leaderboard"])
def test_the_other_pages_are_whole_quiet_and_accessible(visit, other_pages, name, width, scheme):
    seen = visit(other_pages[name], width, scheme)
    tab = seen.tab
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert len(seen.asked) == 1
    assert seen.said == []
    tab.evaluate(axe())
    broken = tab.evaluate("axe.run().then(found => found.violations.map(v => v.id + ' ' + v.nodes[0].html))")
    assert broken == []
    if name == "compare":
        assert tab.locator("#training svg:visible").count() == 1
        assert tab.locator(".drawing.slim:visible").count() == (2 if width == 390 else 0)
        assert tab.locator(".drawing.wide:visible").count() == (0 if width == 390 else 2)


def test_nothing_of_others_becomes_markup(visit):
    found, material = hostile_evaluation()
    seen = visit(
        page(found, compared(), title="<script>", remarks=("<img src=x onerror=window.hit=7>",), material=material)
    )
    tab = seen.tab
    for k in range(3):
        tab.locator("button.open").nth(k).click()
    tab.locator(".controls input[type=search]").last.fill("<script>")
    assert tab.evaluate("window.hit") is None
    assert seen.said == []
    assert len(seen.asked) == 1
    assert tab.locator("script").count() == 2
    assert tab.locator("img, iframe, object, embed, form, base, link").count() == 0
    assert tab.eval_on_selector_all(
        "*", "all => all.every(one => [...one.attributes].every(a => !a.name.startsWith('on')))"
    )
    assert tab.evaluate("document.documentElement.scrollWidth") <= 1280
    assert tab.evaluate("document.body.innerText").count("\u202e") == 0


def test_the_policy_stops_a_script_that_is_not_ours(visit, real_page):
    forged = real_page.replace("<main>", "<main><script>window.hit = 1</script><img src='http://127.0.0.1:9/x'>", 1)
    seen = visit(forged)
    assert seen.tab.evaluate("window.hit") is None
    assert any("Content Security Policy" in said for said in seen.said)
    assert not [url for url in seen.asked if url.startswith("http")] or any(
        "blocked" in said.lower() for said in seen.said
    )


def test_a_table_is_sorted_and_filtered(visit, two_sided):
    tab = visit(two_sided).tab
    table = "#results table"
    before = column(tab, table, 3)
    head = tab.locator(f"{table} th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(column(tab, table, 3)) == sorted(numbers(before), reverse=True)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(column(tab, table, 3)) == sorted(numbers(before))
    head.locator("button").press("Space")
    assert head.get_attribute("aria-sort") == "none"
    assert column(tab, table, 3) == before


def test_a_long_table_is_filtered(visit):
    rows = tuple({"id": f"clip{k}", "modality": "audio", "reason": "gone"} for k in range(30))
    tab = visit(answer_page(Answer((), (), (), {"left_out": rows}), "many", {"one": 1})).tab
    assert tab.locator("#provenance .controls").count() == 0  # of one row
    tab.locator("#left-out summary").click()
    tab.get_by_label("Filter").fill("CLIP2")
    assert tab.locator("#left-out tbody tr:visible").count() == 11
    assert tab.locator("#left-out [role=status]").inner_text() == "11 of 30 rows"


def test_queries_are_searched_sorted_and_chosen(visit, two_sided):
    tab = visit(two_sided).tab
    assert "120 queries" in tab.locator(".count").inner_text()
    tab.get_by_label("Search").fill("video11")
    assert tab.locator("tr.row").count() == 11  # 11 and 110 to 119
    tab.get_by_label("Search").fill("")
    tab.get_by_role("combobox", name="Show").select_option(label="contender misses at 10")
    assert min(numbers(column(tab, ".queries", 4))) > 10
    tab.get_by_role("combobox", name="Show").select_option(label="all")
    head = tab.locator(".queries th.rank button").nth(1)
    head.click()
    shown = numbers(column(tab, ".queries", 3))
    assert shown == sorted(shown, reverse=True)
    assert tab.locator(".queries th.rank").nth(1).get_attribute("aria-sort") == "descending"
    tab.get_by_role("button", name="Next").click()
    assert "51 to 100 of 120" in tab.locator(".count").inner_text()
    tab.get_by_role("combobox", name="Task").select_option("1")
    assert "1 to 50 of 120" in tab.locator(".count").inner_text()


def test_a_query_is_opened_by_keys(visit, real_page):
    tab = visit(real_page).tab
    first = tab.locator("button.open").first
    first.focus()
    first.press("Enter")
    assert first.get_attribute("aria-expanded") == "true"
    named = first.get_attribute("aria-controls")
    assert tab.locator(f"#{named} .item").count() == 1
    assert tab.evaluate("document.activeElement.dataset.query") == first.get_attribute("data-query")
    first.press("ArrowDown")
    assert tab.evaluate("document.activeElement.dataset.query") == tab.locator("button.open").nth(1).get_attribute(
        "data-query"
    )
    first.press("Enter")
    assert tab.locator("tr.detail").count() == 0


def test_what_an_item_shows(visit, real_page):
    tab = visit(real_page).tab
    tab.locator("button.open").first.click()
    alts = tab.eval_on_selector_all("tr.detail figure img", "all => all.map(one => one.alt)")
    assert re.fullmatch(r"3 frames of \d+", alts[0])
    assert re.fullmatch(r"Spectrogram of the sound of \d+", alts[1])
    text = tab.locator("tr.detail").inner_text()
    assert re.search(r"right answer at rank [\d.]+ of 60", text)
    assert tab.locator("tr.detail .lists li").count() >= 5


def test_print_leaves_out_what_is_worked_with(visit, real_page):
    tab = visit(real_page).tab
    tab.emulate_media(media="print")
    assert tab.locator(".controls:visible").count() == 0
    assert tab.locator(".queries tbody tr:visible").count() == 50
