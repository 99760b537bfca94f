"""The built pages: strict, complete in what is generated, and without requests to other hosts."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys

import pytest
import typer

import gramcli
from gramcli.cli.main import app
from gramcli.datasets import DATASETS
from gramcli.encoders import ENCODERS
from gramcli.methods import METHODS
from gramcli.metrics.catalog import METRICS
from gramcli.report.plots.catalog import KINDS
from gramcli.scoring.normalizations import NORMALIZATIONS
from tests.docs.pages import ROOT

QUANTILE = re.compile(r"_q\d\d$")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built pages."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    made = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stderr.strip() == ""
    return folder


def words(site, page):
    """What a reader sees of a page."""
    text = (site / page).read_text(encoding="utf-8")
    body = text[text.index("<article") : text.index("</article>")]
    return html.unescape(re.sub(r"<[^>]+>", "", body))


def test_every_command_and_option_is_in_the_reference(site):
    seen = words(site, "reference/commands.html")
    for name, command in typer.main.get_command(app).commands.items():
        start = seen.index(f"gram {name}¶")
        own, shared = seen[start : seen.find("¶", start + len(name) + 6)], seen[seen.index("Every command¶") :]
        missing = [
            option
            for one in command.params
            if one.param_type_name == "option"
            for option in (*one.opts, *one.secondary_opts)
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", own + shared)
        ]
        assert missing == [], name


@pytest.mark.parametrize(
    ("page", "catalogs"),
    [
        ("methods", [METHODS, NORMALIZATIONS]),
        ("metrics", [METRICS]),
        ("datasets", [DATASETS]),
        ("encoders", [ENCODERS]),
        ("figures", [KINDS]),
    ],
)
def test_every_row_of_the_catalogs_is_in_the_reference(site, page, catalogs):
    seen = words(site, f"reference/{page}.html")
    for catalog in catalogs:
        names = {QUANTILE.sub("_q05 to _q95", name) for name in catalog.names()}
        assert {name for name in names if name not in seen} == set()


def test_formulas_stand_as_they_are(site):
    seen = words(site, "reference/methods.html")
    assert [method.name for method in METHODS if method.formula not in seen] == []
    assert [row.name for row in NORMALIZATIONS if row.formula not in seen] == []


def test_every_public_name_is_explained(site):
    text = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert [name for name in gramcli.__all__ if f'id="gramcli.{name}"' not in text] == []


def test_pages_ask_no_other_host(site):
    asked = {}
    for page in site.rglob("*.html"):
        tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text(encoding="utf-8"))
        asked[page.name] = [tag for tag in tags if re.search(r"(?:src|href)=[\"']?(?:https?:)?//", tag)]
    assert {name: tags for name, tags in asked.items() if tags} == {}
    assert [sheet for sheet in site.rglob("*.css") if re.search(r"url\([\"']?https?:", sheet.read_text("utf-8"))] == []
