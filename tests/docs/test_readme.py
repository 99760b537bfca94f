"""What the README, the written pages and the changelog say: tables against the catalogs, links, length."""

from __future__ import annotations

import re

import pytest

from gramcli import errors
from gramcli.cli.commands import GROUPS, ROWS
from gramcli.cli.options import Missing
from gramcli.methods import METHODS
from gramcli.modalities import LETTERS
from gramcli.report import Format
from gramcli.scoring.normalizations import NORMALIZATIONS
from tests.docs.pages import PAGES, ROOT, blocks, section, steps, table_rows

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CHANGE_WORDS = 25
README_LINES = 200
OUTPUT = "docs/reference/output.md"


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= README_LINES


def test_the_notes_on_methods_cover_the_catalog():
    assert re.findall(r"^## (.+)$", PAGES["docs/understand/methods.md"], re.M) == METHODS.names()


def test_the_table_of_commands_is_the_command_line():
    listed = [re.match(r"`gram (\w+)", row[0])[1] for row in table_rows(section("Commands", "README.md"))[1:]]
    assert listed == [row.name for group in GROUPS for row in ROWS.values() if row.group == group]


def test_the_table_of_letters_is_complete():
    letters, names = table_rows(PAGES["docs/reference/tasks.md"])
    assert dict(zip(letters[1:], names[1:], strict=True)) == LETTERS


def test_the_policies_and_exit_codes_are_all_listed():
    rows = table_rows(PAGES["docs/how-to/missing.md"])[1:]
    policies = [re.match(r"`(\w+)`", row[0])[1] for row in rows]
    assert policies == [policy.value for policy in Missing]
    listed = {int(row[0]) for row in table_rows(section("Exit codes", OUTPUT))[1:]}
    assert listed == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


def test_the_formats_and_normalisations_are_all_named():
    assert f"--format {'|'.join(form.value for form in Format)}`" in PAGES[OUTPUT]
    hubs = PAGES["docs/how-to/hubs.md"]
    assert all(f"`{name}`" in hubs or f"--normalize {name}`" in hubs for name in NORMALIZATIONS.names())


def test_the_options_of_normalisations_are_listed_with_their_defaults():
    for row in NORMALIZATIONS:
        defaults = ", ".join(f"{key}={value:g}" for key, value in row.defaults.items())
        formula = row.formula.split(" over those")[0].split(",")[0]
        assert f"- `{row.name}` (`{defaults}`): `{formula}" in PAGES["docs/how-to/hubs.md"]


def test_the_readme_shows_the_demo():
    shown = {step.command for block in blocks("README.md", "console") for step in steps(block)}
    assert {"make demo", "make test", "gram demo -o demo"} <= shown


@pytest.mark.parametrize("page", PAGES)
def test_no_command_is_named_that_does_not_exist(page):
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.M | re.S)
    assert set(re.findall(r"`gram ([a-z]+)", prose)) <= set(ROWS)


def test_the_example_manifest_can_be_read(tmp_path):
    from gramcli.datasets import open_dataset

    (example,) = blocks("docs/how-to/media.md", "csv")
    (tmp_path / "manifest.csv").write_text(example.text, encoding="utf-8")
    items = open_dataset(str(tmp_path / "manifest.csv")).items
    assert [len(item.captions) for item in items] == [1, 2, 1]
    assert all(item.media["audio"] == item.media["video"] for item in items)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_linked_files_exist(page):
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [name for name in linked if not (ROOT / name).exists()] == []


def test_pages_link_to_written_or_generated_pages_only():
    """What `mkdocs build --strict` says too, faster and by page."""
    from docs.reference_pages import pages

    made = {(ROOT / "docs" / path).resolve() for path in pages()}
    for page, text in PAGES.items():
        if page.startswith("docs/"):
            linked = [(ROOT / page).parent / name for name in re.findall(r"\]\((?!https?:|#)([^)#\s]+\.\w+)", text)]
            assert [one for one in linked if one.resolve() not in made and not one.exists()] == [], page


def test_no_page_says_a_section_twice():
    for page in (*PAGES, "benchmarks/README.md"):
        headings = re.findall(r"^##+ .*$", (ROOT / page).read_text(encoding="utf-8"), re.M)
        assert len(headings) == len(set(headings)), page


def test_the_changelog_keeps_its_form():
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", CHANGELOG, re.M | re.S)[1]
    assert "### Changed numbers" in unreleased
    changes = [line[2:] for line in unreleased.splitlines() if line.startswith("- ")]
    assert changes
    too_long = [change for change in changes if len(change.split()) > CHANGE_WORDS or not change.endswith(".")]
    assert too_long == []
