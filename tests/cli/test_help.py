"""Every command has help with an example, and help stays light and fast."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gramcli import __version__
from gramcli.cli.commands import GROUPS, ROWS
from gramcli.cli.help import examples
from gramcli.cli.main import COMMANDS, app, asks_for_json
from gramcli.cli.panels import EVERY_COMMAND

HEAVY = {
    "torch",
    "decord",
    "av",
    "pandas",
    "sklearn",
    "transformers",
    "scipy",
    "numpy",
    "matplotlib",
    "jinja2",
    "soundfile",
    "PIL",
    "rich",
}
PROBE = """
import json, sys
from gramcli.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps({"modules": sorted(sys.modules), "code": code}))
"""


@pytest.mark.parametrize("arguments", [[], *[[name] for name in COMMANDS]])
def test_help_loads_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["code"] == 0
    assert not HEAVY & set(report["modules"])


def help_of(*words, columns=80):
    result = CliRunner().invoke(app, [*words, "--help"], terminal_width=columns - 2)
    assert result.exit_code == 0, result.output
    return result.output


def sections(output):
    """Heading -> lines of a help page."""
    found, current = {}, None
    for line in output.splitlines():
        if line and not line.startswith(" ") and line.endswith(":"):
            current = found.setdefault(line[:-1], [])
        elif current is not None and line:
            current.append(line)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_that_ends_with_examples_of_it(name):
    title, lines = list(sections(help_of(name)).items())[-1]
    assert title in {"Example", "Examples"}
    assert lines == [f"  {one}" for one in examples(COMMANDS[name])]
    assert lines[0].startswith(f"  gram {name}")
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_parse(name):
    for example in examples(COMMANDS[name]):
        result = CliRunner().invoke(app, [*shlex.split(example)[1:], "--help"])
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_panel_and_stands_in_it(name):
    found = sections(help_of(name))
    for value in inspect.signature(COMMANDS[name]).parameters.values():
        info = value.annotation.__metadata__[0]
        if hasattr(info, "rich_help_panel") and type(info).__name__ == "OptionInfo":
            assert info.rich_help_panel, value.name
            long = next(one for one in (info.default, *info.param_decls) if one.startswith("--"))
            assert any(re.search(rf"(^|\s){long}(\s|$)", line) for line in found[info.rich_help_panel])
    titles = list(found)
    assert titles[-2] == EVERY_COMMAND
    assert "Options" not in titles


def test_the_options_of_eval_stand_in_the_order_in_which_they_are_needed():
    assert list(sections(help_of("eval"))) == [
        "Operands",
        "What to measure",
        "Data",
        "Model",
        "Retrieval",
        "Classification",
        "Running",
        "Output",
        "Every command",
        "Examples",
    ]


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_no_word_is_broken_and_no_line_too_long(name, columns):
    narrow, wide = (help_of(*([name] if name else []), columns=width) for width in (columns, 1000))
    assert narrow.split() == wide.split()
    lines = narrow[: narrow.rindex("\nExample")].splitlines()
    assert all(len(line) <= columns for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_what_the_command_says(name):
    assert ROWS[name].summary == (inspect.getdoc(ROWS[name].load()) or "").splitlines()[0]


def test_the_overview_groups_the_commands():
    found = sections(help_of())
    assert tuple(found)[: len(GROUPS)] == GROUPS
    listed = [line.split()[0] for group in GROUPS for line in found[group]]
    assert sorted(listed) == sorted(COMMANDS)
    assert found["Examples"][0] == "  gram demo -o demo"


def test_the_overview_imports_no_command():
    code = PROBE.replace("sorted(sys.modules)", "[one for one in sys.modules if one.startswith('gramcli')]")
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout.splitlines()[-1])["modules"])
    assert not modules & {"gramcli.cli.eval", "gramcli.cli.options", "gramcli.metrics", "gramcli.report"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_shared_options(name):
    output = CliRunner().invoke(app, [name, "--help"]).output
    for option in ("--format", "--quiet", "--verbose", "--debug"):
        assert option in output


def test_every_option_has_help():
    for name in COMMANDS:
        parameters = inspect.signature(COMMANDS[name]).parameters.values()
        assert all(value.annotation.__metadata__[0].help for value in parameters), name


def test_version():
    assert CliRunner().invoke(app, ["--version"]).output.strip() == f"gram {__version__}"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["methods", "--nonsense"], ["embed"], ["methods", "--format", "xml"]]
)
def test_a_wrong_command_line_ends_with_2(arguments):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_wrong_command_line_is_a_json_document_when_json_is_asked_for():
    result = CliRunner().invoke(app, ["methods", "--nonsense", "--format", "json"])
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["error"]["kind"] == "usage"
    assert "--nonsense" in document["error"]["message"]


def test_no_arguments_show_the_help():
    result = CliRunner().invoke(app, [])
    assert "Start here:" in result.output
    assert result.exit_code == 2


@pytest.mark.parametrize("name", ["embed", "eval", "compare", "matrix", "align", "export", "inspect", "join"])
def test_a_command_without_its_operand_shows_its_help(name):
    result = CliRunner().invoke(app, [name])
    assert result.stderr.split() == help_of(name).split()
    assert result.exit_code == 2
    assert result.stdout == ""


def test_json_is_recognised_in_a_command_line_that_cannot_be_parsed():
    assert asks_for_json(["a", "--format", "json"])
    assert asks_for_json(["--format=json", "a"])
    assert not asks_for_json(["json", "--format"])


def test_the_package_runs_as_a_module_and_its_help_cuts_no_summary():
    done = subprocess.run(
        [sys.executable, "-m", "gramcli", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "..." not in done.stdout.partition("Start here:")[2]
    assert "doctor" in done.stdout
    assert done.stdout.startswith("Usage: gram ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "0"], "Invalid value for '--limit': It must be at least 1."),
        (["--limit", "1.5"], "Invalid value for '--limit': It must be a whole number."),
        (["--seed", "-1"], "Invalid value for '--seed': It must be at least 0."),
    ],
)
def test_a_number_out_of_range_is_said_in_our_words(arguments, message):
    result = CliRunner().invoke(app, ["eval", "store", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
