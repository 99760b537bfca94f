"""Numbers of the command line are finite and of a size that makes sense, whatever their option: exit code 2."""

from __future__ import annotations

import pytest

from gramcli.cli.bounds import LARGEST, MOST
from gramcli.cli.commands import COMMANDS
from gramcli.cli.settings import option_keys

HUGE = [str(2**70), "9" * 400, "9" * 5000, str(-(2**70))]
KEYS = {(name, key): option for name, command in COMMANDS.items() for key, option in option_keys(command).items()}
INTEGERS = [which for which, option in KEYS.items() if option.kind is int]
FLOATS = [which for which, option in KEYS.items() if option.kind is float]
OPERANDS = {"compare": ("a", "b"), "demo": (), "doctor": (), "methods": ()}
NEEDED = {"align": ("--loss", "gram", "-o", "h"), "embed": ("-o", "s"), "export": ("-o", "f.npz"), "join": ("-o", "j")}


def refused(result):
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output


def test_there_are_such_options():
    assert ("align", "hidden") in INTEGERS
    assert ("eval", "seed") in INTEGERS
    assert ("align", "lr") in FLOATS
    assert set(MOST) <= {option.name for option in KEYS.values()}


@pytest.mark.parametrize(("command", "key"), INTEGERS)
def test_no_whole_number_is_huge(gram, command, key):
    for value in HUGE:
        words = (*OPERANDS.get(command, ("x",)), *NEEDED.get(command, ()))
        refused(gram(command, *words, f"--{key}={value}"))


@pytest.mark.parametrize(("command", "key"), FLOATS)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "9" * 5000])
def test_no_number_is_without_end(gram, command, key, value):
    refused(gram(command, "x", *NEEDED.get(command, ()), f"--{key}={value}"))


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize("value", ["nan", "inf", "1e308", "-1s", "0s", "9999999999h", "9" * 5000, "soon"])
def test_a_time_is_checked_also_where_nothing_is_embedded(gram, tmp_path, value, more):
    (tmp_path / "a.csv").write_text("id,caption\na,b\n")
    refused(gram("embed", "a.csv", "--text-only", "-o", "s", f"--timeout={value}", *more))


def test_a_settings_file_says_no_more(gram, tmp_path):
    for value in (str(2**70), "0x" + "f" * 5000, "9" * 5000, "inf"):
        (tmp_path / "gram.toml").write_text(f"[align]\nseed = {value}\n")
        refused(gram("align", "x", *NEEDED["align"]))
    (tmp_path / "gram.toml").write_text("[eval]\nsplit = 0x" + "f" * 5000 + "\n")
    refused(gram("eval", "x"))


def test_the_bounds_themselves_are_allowed(gram):
    assert gram("demo", "--print-config", f"--seed={LARGEST}").exit_code == 0
    assert gram("align", "x", *NEEDED["align"], "--print-config", "--hidden=65536").exit_code == 0


@pytest.mark.parametrize(
    "what",
    ["R@1=1e400", "R@1=-1e400", "R@1=0.5+-1e400", "R@1=1e13", f"R@1={'9' * 5000}", f"R@1=0.{'1' * 100}"],
)
def test_an_expectation_is_a_number_that_makes_sense(gram, store, what):
    result = gram("eval", store, "--expect", what)
    refused(result)
    assert "from -1e+12 to 1e+12" in result.stderr


@pytest.mark.parametrize("what", ["R@1=1e-400+-1", "R@1=0e400", "MedR=1e-99999999999999999999"])
def test_a_number_of_odd_form_is_one(gram, store, what):
    assert gram("eval", store, "--task", "t2v", "--method", "cosine", "--expect", what).exit_code in {0, 5}


@pytest.mark.parametrize("time", ["501h", "9" * 400, "9" * 400 + "h", "1" + "0" * 30 + "ms"])
def test_no_file_takes_weeks(gram, store, tmp_path, time):
    (tmp_path / "a.csv").write_text("id,text\na,b\n")
    result = gram("embed", "a.csv", "--text-only", "-o", "s", "--timeout", time)
    refused(result)
    assert "must be at most 500h" in result.stderr


@pytest.mark.parametrize("method", ["centroid:weights=query,tau=nan", "centroid:weights=query,tau=1e400"])
def test_a_method_s_numbers_are_finite(gram, store, method):
    result = gram("eval", store, "--task", "t2v", "--method", method)
    refused(result)
    assert "is a finite number" in result.stderr
