"""A browser, and pages for it: one of generated media, one whose every text is hostile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gramcli.datasets import open_dataset
from gramcli.datasets.generated import generate_dataset
from gramcli.embedding.options import EmbedOptions
from gramcli.embedding.writing import write_embeddings
from gramcli.encoders import load_encoder
from gramcli.evaluation.comparison import CompareOptions, compare_evaluations
from gramcli.evaluation.evaluate import evaluate
from gramcli.evaluation.leaderboard import leaderboard
from gramcli.evaluation.score import score
from gramcli.report.page import comparison_page, page, scores_page
from gramcli.report.page.material import Material
from gramcli.results.records import Comparison, Evaluation, LeftOut, RankVector, ResultRow
from tests.made_results import comparison, evaluation
from tests.report.test_trainings import model

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTILE = (
    "<script>window.hit = 1</script>",
    "</script><script>window.hit = 2</script><!--",
    '"><img src=x onerror="window.hit = 3">',
    "'><svg onload=window.hit=4> javascript:window.hit=5",
    "a\u2028b\u2029c\u202etxt.exe\u2066\x1b[31m\x00",
    "x" * 5000,
    "{{ 7 * 7 }} ${window.hit = 6} `",
    "",
)


@dataclass
class Visit:
    """A page that is open, and what it did."""

    tab: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=SWITCHES)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Open a page's text; what it says on the console and asks for is kept."""
    opened = []

    def go(html: str, width: int = 1280, scheme: str = "light") -> Visit:
        path = tmp_path / f"page{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        found = Visit(browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme))
        opened.append(found.tab)
        found.tab.on("console", lambda message: found.said.append(message.text))
        found.tab.on("pageerror", lambda error: found.said.append(str(error)))
        found.tab.on("request", lambda request: found.asked.append(request.url))
        found.tab.goto(path.as_uri())
        return found

    yield go
    for tab in opened:
        tab.close()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 60 generated clips with sound, the media beside it."""
    folder = tmp_path_factory.mktemp("made")
    dataset = open_dataset(str(generate_dataset(folder / "data", 60, 0)))
    write_embeddings(dataset, load_encoder("signal"), folder / "store", options=EmbedOptions(0))
    return folder / "store"


@pytest.fixture(scope="session")
def measured(embedded: Path) -> Evaluation:
    """Of all its items, the answers kept."""
    return evaluate(embedded, tasks=["t2v", "t2va"], methods=["cosine", "gram"], split="all", per_query=True)


@pytest.fixture(scope="session")
def real_page(measured: Evaluation) -> str:
    """Its page, with pictures."""
    return page(measured)


@pytest.fixture(scope="session")
def two_sided() -> str:
    """An evaluation and a comparison, without media; some rules apply to a table of 120 queries only."""
    return page(evaluation(120), comparison(), material=Material(notes=("No store.",)))


@pytest.fixture(scope="session")
def other_pages(measured: Evaluation, embedded: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A comparison of two methods under heads, without the items; scores; a leaderboard."""
    sides = [
        replace(
            measured,
            provenance={**measured.provenance, "store": None, "model": model(sha)},
            results=tuple(row for row in measured.results if row.method == method),
            ranks=tuple(one for one in measured.ranks if one.method == method),
        )
        for method, sha in (("cosine", "a" * 64), ("gram", "b" * 64))
    ]
    found = compare_evaluations(sides, ["runs/cosine", "runs/gram"], CompareOptions(diff_queries=3))
    board = leaderboard(*sides).report(tmp_path_factory.mktemp("board") / "board.html")
    return {
        "compare": comparison_page(found, materials=[Material(), Material()]),
        "score": scores_page(score(embedded, tasks=["t2v"], methods=["cosine"])),
        "leaderboard": board.read_text(encoding="utf-8"),
    }


def hostile_evaluation(n: int = 40) -> tuple[Evaluation, Material]:
    """Every id, caption, label, class, note and key is hostile."""
    ids = tuple(f"{HOSTILE[k % len(HOSTILE)]}{k}" for k in range(n))
    ranks = tuple(float("nan") if k % 9 == 0 else 1.0 + k % 7 for k in range(n))
    best = tuple((ids[k], ids[(k + 1) % n]) for k in range(n))
    vectors = tuple(RankVector(HOSTILE[1] + "t2v", HOSTILE[k], ids, ranks[k:] + ranks[:k], n, best) for k in range(3))
    rows = tuple(ResultRow(HOSTILE[0], name, "raw", "R@1", 0.5, 0.4, 0.6, n) for name in HOSTILE)
    captions = {name: [*HOSTILE, None] for name in ids}
    facts = dict.fromkeys(ids, (HOSTILE[2], HOSTILE[3]))
    whole = Evaluation(
        provenance={name: name for name in HOSTILE},
        results=rows,
        left_out=tuple(LeftOut(name, name, name) for name in HOSTILE),
        ranks=vectors,
        notes=HOSTILE,
    )
    return whole, Material(captions=captions, facts=facts, notes=HOSTILE)


def compared() -> Comparison:
    """With hostile names."""
    return replace(comparison(), names=(HOSTILE[0], HOSTILE[1]), notes=HOSTILE)
