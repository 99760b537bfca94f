"""`gram doctor MODEL`: any spec, a verdict, an exit code, and every format."""

from __future__ import annotations

import csv
import io
import re
import sys
from pathlib import Path

import pytest

ROW = "from gramcli.encoders import EncoderRow\nROW = EncoderRow('odd', 'odd_module:{name}', ('text',), '', '')\n"
FAULTY = Path(__file__).parents[1] / "encoders" / "soundness" / "faulty.py"


@pytest.fixture
def plugged(gram, tmp_path, monkeypatch):
    """A function that installs one of the faulty encoders as a plug-in, and runs `gram doctor odd`."""
    site = tmp_path / "site"
    info = site / "odd_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gramcli.encoders]\nodd = odd_module:ROW\n")
    monkeypatch.syspath_prepend(str(site))

    def run(name, *more):
        (site / "odd_module.py").write_text(FAULTY.read_text() + ROW.format(name=name))
        sys.modules.pop("odd_module", None)
        return gram("doctor", "odd", *more)

    yield run
    sys.modules.pop("odd_module", None)


def test_a_sound_encoder_ends_with_0(plugged):
    result = plugged("Plain")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("plain (cpu, fp32) is sound\n")
    assert re.search(r"^padded or not +ok ", result.stdout, re.M)
    assert "failed" not in result.stdout.partition("Note:")[0].lower()


def test_a_fault_ends_with_1_and_is_named(plugged):
    result = plugged("PaddingLeaks")
    assert result.exit_code == 1
    assert "paddingleaks (cpu, fp32) is NOT SOUND" in result.stdout
    line = next(line for line in result.stdout.splitlines() if "FAILED" in line)
    assert re.match(r"padded or not +FAILED ", line)
    assert "text" in line and "padding leaks into shorter inputs" in line
    assert re.search(r"^Note: 1 check of 2\d failed: padded or not \(text\)\.$", result.stdout, re.M)


def test_checks_are_counted_as_they_are_named_and_not_once_for_each_embedding(plugged):
    result = plugged("BatchSize")
    assert len([line for line in result.stdout.splitlines() if "FAILED" in line]) == 1
    assert re.search(r"^Note: 1 check of 2\d failed: another batch size \(text, video, audio\)\.$", result.stdout, re.M)
    assert re.search(r"^loaded again +ok ", result.stdout, re.M)


def test_an_encoder_that_raises_is_a_finding_and_not_its_own_failure(plugged):
    result = plugged("CrashesOnNothing")
    assert result.exit_code == 1
    assert "raised IndexError: list index out of range" in result.stdout
    assert "Traceback" not in result.output


def test_json_and_csv_have_one_row_for_each_check_of_each_embedding(plugged, gram):
    plugged("BatchNormalised")
    document = gram.json("doctor", "odd", code=1)
    assert (document["model"], document["sound"], document["same_bits_due"]) == ("batchnormalised", False, True)
    rows = document["results"]
    assert {(row["check"], row["embedding"]) for row in rows if row["verdict"] == "failed"} == {
        ("alone or in a batch", "video"),
        ("another batch size", "video"),
    }
    found = list(csv.DictReader(io.StringIO(gram("doctor", "odd", "--format", "csv").stdout)))
    assert len(found) == len(rows)
    assert list(found[0]) == list(rows[0])
    failed = next(row for row in found if row["verdict"] == "failed")
    assert float(failed["cosine_difference"]) > 1e-3


def test_it_can_be_written(plugged, tmp_path):
    assert plugged("Plain", "-o", "sound.md").exit_code == 0
    assert (tmp_path / "sound.md").read_text().startswith("| check")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("sgnal",), 2, "Unknown encoder 'sgnal'. Did you mean 'signal'?"),
        (("nowhere/at.pt",), 1, "There is no checkpoint at nowhere/at.pt"),
        (("signal:big",), 2, "takes no argument"),
        (("--frames", "4"), 2, "--frames has no effect without MODEL"),
        (("signal", "--precision", "fp8"), 2, "'fp8' is none of"),
        (("signal", "-o", "x.xlsx"), 2, "x.xlsx"),
    ],
)
def test_a_wrong_command_line(gram, arguments, code, said):
    result = gram("doctor", *arguments)
    assert result.exit_code == code, result.output
    assert said in result.stderr


def test_what_is_no_model(gram, store):
    result = gram("doctor", store)
    assert result.exit_code == 2
    assert f"{store} is a store, where a model belongs. Did you mean: gram inspect" in result.stderr
