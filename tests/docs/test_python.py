"""Every python block is executed, page by page."""

from __future__ import annotations

import doctest
import shutil

import pytest

from tests.docs.pages import PAGES, blocks

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def running(page):
    return [block.text for block in blocks(page, "python") if block.runs]


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if running(page)])
def test_python_blocks_run(page, workplace, request):
    source = "".join(running(page))
    if "demo/" in source:
        shutil.copytree(request.getfixturevalue("demo")[0], workplace / "demo")
    examples = doctest.DocTestParser().get_doctest(source, {}, page, page, 0)
    assert examples.examples
    report: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=OPTIONS).run(examples, out=report.append)
    assert outcome.failed == 0, "".join(report)


@pytest.mark.parametrize("page", PAGES)
def test_blocks_that_are_not_run_can_be_compiled(page):
    for block in blocks(page, "python"):
        if not block.runs:
            compile(block.text, page, "exec")
