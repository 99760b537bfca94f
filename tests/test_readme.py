"""What README, docs/methods.md and CHANGELOG say: tables against the catalogs, examples against the code."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
import typer

from gramcli import errors
from gramcli.cli.main import COMMANDS, app
from gramcli.cli.options import Missing
from gramcli.methods import METHODS
from gramcli.modalities import LETTERS
from gramcli.report import Format
from gramcli.scoring.normalizations import NORMALIZATIONS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
METHOD_NOTES = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CHANGE_WORDS = 25


def section(title, document=README):
    """Return what stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", document, re.M | re.S)
    assert found, f"no section '{title}'"
    return found[1]


def blocks(language, document=README):
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.M | re.S)


def table_rows(text):
    """Return the cells of every body row of the Markdown tables in a text."""
    rows = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|-: ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def console_lines():
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


def modalities_of(method):
    low, high = method.min_modalities, method.max_modalities
    return f"{low}+" if high is None else str(low) if low == high else f"{low} to {high}"


def method_row(method):
    formula, options = (text.replace("|", "\\|") for text in (method.formula, method.options))
    return [
        f"`{method.name}`",
        f"{method.summary}: `{formula}`",
        f"{method.low} to {method.high}",
        "higher" if method.higher_is_better else "lower",
        modalities_of(method),
        f"`{options}`" if options else "-",
        method.paper,
    ]


def test_the_table_of_methods_is_the_catalog():
    assert table_rows(section("Methods"))[1:] == [method_row(method) for method in METHODS]


def test_the_notes_on_methods_cover_the_catalog():
    assert re.findall(r"^## (.+)$", METHOD_NOTES, re.M) == METHODS.names()


def test_the_table_of_commands_is_the_command_line():
    listed = [re.match(r"`gram (\w+)", row[0])[1] for row in table_rows(section("Commands"))[1:]]
    assert listed == list(COMMANDS)


def test_the_table_of_letters_is_complete():
    letters, names = table_rows(section("Tasks"))
    assert dict(zip(letters[1:], names[1:], strict=True)) == LETTERS


def test_the_policies_and_exit_codes_are_all_listed():
    policies = [re.match(r"`(\w+)`", row[0])[1] for row in table_rows(section("Missing modalities"))[1:]]
    assert policies == [policy.value for policy in Missing]
    listed = {int(row[0]) for row in table_rows(section("Output and exit codes"))[1:]}
    assert listed == {value for name, value in vars(errors).items() if name.startswith("EXIT_")}


def test_the_formats_and_normalisations_are_all_named():
    assert f"--format {'|'.join(form.value for form in Format)}`" in README
    assert all(f"`{name}`" in README or f"--normalize {name}`" in README for name in NORMALIZATIONS.names())


def test_the_options_of_normalisations_are_listed_with_their_defaults():
    for row in NORMALIZATIONS:
        defaults = ", ".join(f"{key}={value:g}" for key, value in row.defaults.items())
        assert f"- `{row.name}` (`{defaults}`): `{row.formula.split(' over those')[0].split(',')[0]}" in README


@pytest.mark.parametrize("line", [line for line in console_lines() if line.startswith("gram ")])
def test_commands_in_console_blocks_parse(line):
    _, name, *arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    assert command.make_context(name, arguments).info_name == name


def test_console_blocks_show_every_step_of_the_story():
    shown = {line.split()[1] for line in console_lines() if line.startswith("gram ")}
    assert {"demo", "embed", "eval", "compare"} <= shown


@pytest.mark.parametrize("line", [line for line in console_lines() if line.startswith("make ")])
def test_make_targets_in_console_blocks_exist(line):
    assert re.search(rf"^{line.split()[1]}:", MAKEFILE, re.M)


def test_no_command_is_named_that_does_not_exist():
    # What the demo prints is quoted as it is: it names a command that is to come.
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S)
    assert set(re.findall(r"`gram ([a-z]+)", prose)) <= set(COMMANDS)


def test_the_example_manifest_can_be_read(tmp_path):
    from gramcli.datasets import open_dataset

    (tmp_path / "manifest.csv").write_text(blocks("csv")[0], encoding="utf-8")
    items = open_dataset(str(tmp_path / "manifest.csv")).items
    assert [len(item.captions) for item in items] == [1, 2, 1]
    assert all(item.media["audio"] == item.media["video"] for item in items)


def test_the_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = "".join(blocks("python"))
    examples = doctest.DocTestParser().get_doctest(source, {}, "README.md", "README.md", 0)
    assert examples.examples
    report: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=report.append)
    assert outcome.failed == 0, "".join(report)


@pytest.mark.parametrize("document", [README, METHOD_NOTES, CHANGELOG])
def test_linked_files_exist(document):
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", document)
    # The lead writes the figures of the benchmarks; its page may be younger than this link.
    missing = [name for name in linked if not (ROOT / name).exists() and name != "benchmarks/README.md"]
    assert missing == []


def test_no_page_says_a_section_twice():
    for page in (ROOT / "README.md", ROOT / "docs" / "methods.md", ROOT / "benchmarks" / "README.md"):
        headings = re.findall(r"^## .*$", page.read_text(encoding="utf-8"), re.M)
        assert len(headings) == len(set(headings)), page


def test_the_changelog_keeps_its_form():
    unreleased = section("[Unreleased]", CHANGELOG)
    assert "### Changed numbers" in unreleased
    changes = [line[2:] for line in unreleased.splitlines() if line.startswith("- ")]
    assert changes
    too_long = [change for change in changes if len(change.split()) > CHANGE_WORDS or not change.endswith(".")]
    assert too_long == []
