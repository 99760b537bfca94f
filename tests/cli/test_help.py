"""Every command has help with an example, and help stays light and fast."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from gramcli import __version__
from gramcli.cli.main import COMMANDS, app, asks_for_json

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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example(name):
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0
    examples = [line.strip() for line in result.output.splitlines() if "Example:" in line]
    assert examples[0].startswith(f"Example: gram {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_parse(name):
    text = inspect.getdoc(COMMANDS[name]) or ""
    example = next(line for line in text.splitlines() if line.startswith("Example: gram "))
    result = CliRunner().invoke(app, [*example.removeprefix("Example: gram ").split(), "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_shared_options(name):
    output = CliRunner().invoke(app, [name, "--help"]).output
    for option in ("--format", "--quiet", "--verbose", "--debug"):
        assert option in output


def test_every_option_has_help():
    for name in COMMANDS:
        parameters = inspect.signature(COMMANDS[name]).parameters.values()
        assert all(value.annotation.__metadata__[0].help for value in parameters), name


def test_the_overview_does_not_cut_the_commands_short():
    output = CliRunner().invoke(app, ["--help"]).output
    assert "..." not in output.partition("Commands:")[2]
    assert "Example: gram demo" in output


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
    assert "Commands:" in CliRunner().invoke(app, []).output


def test_json_is_recognised_in_a_command_line_that_cannot_be_parsed():
    assert asks_for_json(["a", "--format", "json"])
    assert asks_for_json(["--format=json", "a"])
    assert not asks_for_json(["json", "--format"])


def test_the_package_runs_as_a_module_and_its_help_cuts_no_summary():
    done = subprocess.run(
        [sys.executable, "-m", "gramcli", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "..." not in done.stdout.partition("Commands:")[2]
    assert "doctor" in done.stdout


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
