"""A plug-in that raises, or ends the program, when it is loaded or used, is named with its package: exit code 1."""

from __future__ import annotations

import sys

import pytest

RAISES = {
    "an error": "raise ZeroDivisionError('by\\x1b[31m zero')",
    "its own error": "raise type('Odd', (Exception,), {})()",
    "an error of the system": "open('/nowhere/at/all')",
    "an error without a file": "raise OSError('odd')",
    "the end": "import sys; sys.exit(3)",
    "the end without a word": "raise SystemExit",
    "a base": "raise BaseException('odd')",
    "an endless call": "f = lambda: f(); f()",
}
ROW = "from gramcli.methods import Method\nROW = Method('odd', '{target}', '', '', True, '0', '1', 2, None, '', '')\n"
ENCODER = "from gramcli.encoders import EncoderRow\nROW = EncoderRow('odd', '{target}', ('text',), '', '')\n"
DATASET = "from gramcli.datasets.catalog import DATASETS\nfrom dataclasses import replace\n"
DATASET += "ROW = replace(next(iter(DATASETS)), name='odd', target='{target}')\n"
KINDS = {
    "methods": ("method", ROW, lambda store: ("eval", store, "--task", "t2v", "--method", "odd")),
    "encoders": ("encoder", ENCODER, lambda store: ("embed", "a.csv", "--text-only", "--model", "odd", "-o", "out")),
    "datasets": ("dataset", DATASET, lambda store: ("embed", "odd", "--root", ".", "-o", "out")),
}


@pytest.fixture(params=list(KINDS))
def plugged(request, gram, tmp_path, monkeypatch, store):
    """A function that installs a plug-in of a kind and runs a command that uses it."""
    what, row, words = KINDS[request.param]
    site = tmp_path / "site"
    info = site / "odd_package-1.0.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "a.csv").write_text("id,text\na,b\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[gramcli.{request.param}]\nodd = odd_module:ROW\n")
    monkeypatch.syspath_prepend(str(site))

    def run(module=None, *more, target="odd_module:Odd"):
        (site / "odd_module.py").write_text(module if module is not None else "")
        sys.modules.pop("odd_module", None)
        return gram(*words(store), *more)

    run.what, run.row = what, row.format(target="odd_module:Odd")
    yield run
    sys.modules.pop("odd_module", None)


def blamed(result, what):
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    assert f"The plug-in 'odd' ({what}, package odd-package 1.0) failed with" in result.stderr
    assert "\x1b" not in result.output


@pytest.mark.parametrize("statement", RAISES.values(), ids=list(RAISES))
def test_one_that_raises_when_it_is_loaded(plugged, statement):
    result = plugged(statement)
    blamed(result, plugged.what)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("statement", RAISES.values(), ids=list(RAISES))
def test_one_that_raises_when_it_is_used(plugged, statement):
    lines = "".join(f"    {line}\n" for line in statement.split("; "))
    blamed(plugged(f"{plugged.row}\ndef Odd(*a, **k):\n{lines}"), plugged.what)


@pytest.mark.parametrize("module", ["ROW = 3", "ROW = None", "", "syntax error", "import nothing_of_that_name"])
def test_one_that_is_no_plug_in(plugged, module):
    blamed(plugged(module), plugged.what)


def test_one_whose_target_is_not_there(plugged):
    blamed(plugged(plugged.row), plugged.what)


def test_debug_shows_where(plugged):
    result = plugged(f"{plugged.row}\ndef Odd(*a, **k):\n    raise ZeroDivisionError", "--debug")
    blamed(result, plugged.what)
    assert "odd_module.py" in result.stderr


def test_a_mistake_of_the_user_that_it_reports_stays_one(plugged):
    module = "from gramcli.errors import UserError\ndef Odd(*a, **k):\n    raise UserError('usage', 'Mend it.')\n"
    result = plugged(plugged.row + module)
    assert result.exit_code == 2
    assert "gram: error: Mend it." in result.stderr
