"""Every console block: its commands parse, and where it can be run it prints what the page shows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest
import typer

from gramcli.cli.main import app
from tests.docs.conftest import run_gram
from tests.docs.pages import PAGES, ROOT, blocks, matches, steps

NEEDS = {
    "docs/how-to/media.md": "clips",
    "docs/how-to/missing.md": "clips",
    "docs/how-to/checkpoint.md": "msrvtt",
    "docs/how-to/import.md": "features",
    "docs/understand/protocols.md": "msrvtt_splits",
}
TOOLS = {"ls", "head"}
DEMO = "gram demo -o demo"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = [step.command for page in PAGES for block in blocks(page, "console") for step in steps(block)]


def lines_of(program):
    return sorted({command for command in COMMANDS if command.split()[0] == program})


def running(page):
    """The steps of a page that are run."""
    unrun = {"make", ".venv/bin/python"}
    found = [step for block in blocks(page, "console") if block.runs for step in steps(block)]
    return [step for step in found if step.command.split()[0] not in unrun]


@pytest.mark.parametrize("line", lines_of("gram"))
def test_commands_parse(line, workplace):
    _, name, *arguments = shlex.split(line)
    if "--print-config" in arguments:
        return  # it ends while it is parsed; the page that shows it is run
    command = typer.main.get_command(app).commands[name]
    assert command.make_context(name, arguments).info_name == name


@pytest.mark.parametrize("line", lines_of("make"))
def test_make_targets_exist(line):
    assert re.search(rf"^{line.split()[1]}:", MAKEFILE, re.M)


@pytest.mark.parametrize("line", lines_of(".venv/bin/python"))
def test_scripts_exist(line):
    assert (ROOT / line.split()[1]).is_file()


def test_programs_are_known():
    assert {command.split()[0] for command in COMMANDS} == {
        "gram",
        "make",
        ".venv/bin/python",
        "echo",
        "torchrun",
        *TOOLS,
    }


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if running(page)])
def test_pages_show_what_is_printed(page, workplace, request):
    if page in NEEDS:
        request.getfixturevalue(NEEDS[page])
    for settings in blocks(page, "toml")[:1]:
        (workplace / "gram.toml").write_text(settings.text, encoding="utf-8")
    story = running(page)
    code, demo_printed = 0, ""
    if any("demo/" in step.command or step.command == DEMO for step in story):
        made, demo_printed = request.getfixturevalue("demo")
        shutil.copytree(made, workplace / "demo")
    for step in story:
        if step.command == "echo $?":
            printed = f"{code}\n"
        elif step.command == DEMO:
            code, printed = 0, demo_printed
        elif step.command.split()[0] in TOOLS:
            printed = subprocess.run(step.command, shell=True, capture_output=True, text=True, check=True).stdout
        else:
            code, printed = run_gram(shlex.split(step.command)[1:])
        difference = f"shown:\n{chr(10).join(step.shown)}\n\nprinted:\n{printed}"
        assert matches(step.shown, printed), f"{page}: $ {step.command}\n{difference}"
